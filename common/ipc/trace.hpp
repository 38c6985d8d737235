// What crosses a channel, for people to read.
#pragma once

#include <string_view>
#include <sys/types.h>

namespace ipc {

/// One line crossing the channel, as --trace shows it.
struct trace_event {
    pid_t peer;            ///< the process at the other end, as far as known
    bool outgoing;         ///< written here (true) or read here
    std::string_view line; ///< without the newline
    int descriptor;        ///< its number in this process, or -1
};

/// One line on stderr: what strace would show of sendmsg and recvmsg, readable. For
/// channel_options::trace.
void print_trace(const trace_event& event);

} // namespace ipc

// trace: what crosses this process's channels, for people to read (--trace).
#pragma once

#include <string_view>
#include <sys/types.h>

namespace app {

/// From now on each line that crosses a channel is a line on stderr: what strace would show of
/// sendmsg and recvmsg, readable. To be called after begin_events(), if at all.
void begin_trace();

/// Nothing before begin_trace(). For an observer that renders other facts, too.
void trace_line(bool outgoing, pid_t peer, std::string_view line, int descriptor) noexcept;

} // namespace app

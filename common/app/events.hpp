// events: what happens, as JSON, one object a line (--json). The facts come from an observer
// (observer.hpp): here they get a time, a number and the process that tells them.
//
//     a worker                                          its main
//     facts --> report, one a turn of its loop --> checked, and with the worker's PID and slot
//                                                        --> stdout <-- facts of its own
//
// tests/events/schema.json says what a line may be; notes/B-strace.md, how to read it.
#pragma once

#include "ipc/channel.hpp"

#include <asio/awaitable.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <variant>

namespace app {

/// From here on what happens in this process ("main" or "client") is on stdout, and so is what its
/// workers report; what print() is given becomes an event, too. Once, after
/// open_standard_streams(); to the end of the process.
///
/// Nothing waits for whoever reads stdout: where a service's lines are dropped, the event `dropped`
/// says how many.
///
/// `host`: what each event has in the field `host`; empty: none has it.
void begin_events(const std::string& role, const std::string& host = {});

struct event_field {
    std::string_view name;
    std::variant<std::string, std::int64_t> value;
};

/// An event that no observer tells of: about the program itself. Nothing happens without
/// begin_events().
void tell(std::string_view name, std::initializer_list<event_field> fields);

/// What a worker reports, for stdout: it says what happened and when, and who it is we know. What
/// is no event that a worker may tell is left out, and that is said on stderr. Never throws.
void take_report(pid_t worker, const ipc::value& said) noexcept;

/// What happens in this process, told to the parent (ipc::channel::report): all of one turn of the
/// loop at once. While the parent does not read, events are dropped, and the event `dropped` says
/// how many, in front of the next one for which there is room, or at the end. One in a process; the
/// channel must live longer.
class reporter {
public:
    reporter(asio::any_io_executor executor, ipc::channel& parent);
    ~reporter(); ///< nothing more is told
    reporter(const reporter&) = delete;
    reporter& operator=(const reporter&) = delete;

    /// Sends what there is, how many were dropped, too, and ends the channel in order
    /// (channel::disconnect()). Throws channel_closed when it ends before that. Both must live as
    /// long as this goes on.
    asio::awaitable<void> end();

private:
    class facts;
    std::unique_ptr<facts> facts_;
};

} // namespace app

// The signals that mean "stop": the first is heard in the loop, the second ends the process at
// once.
#pragma once

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <functional>

namespace app {

/// SIGINT, SIGTERM, and SIGHUP unless it is ignored. One object a process.
///
///     first   the handler runs, in the loop
///     second  the process ends with exit code 128 + signal, from within the signal handler:
///             whatever the loop is doing, be it stuck. The kernel kills the children then
///             (PR_SET_PDEATHSIG)
///
/// When its window is closed, a program hears SIGHUP twice, from the shell and from the kernel:
/// that counts once. When the object has gone, nobody hears the first any more; the second is as
/// before.
class stop_signals {
public:
    /// Throws std::system_error when there is no descriptor left to wait with.
    stop_signals(asio::io_context& context, std::function<void(int signal)> on_first);
    ~stop_signals();
    stop_signals(const stop_signals&) = delete;
    stop_signals& operator=(const stop_signals&) = delete;

private:
    asio::signal_set signals_;
};

} // namespace app

// The children this process has got and not started.
#pragma once

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

namespace app {

/// As long as it lives, children that nobody here has started are reaped when they end: those that
/// a worker leaves behind, when we are the first process of a container or a subreaper (prctl(2)),
/// and those of the program that became this one by exec. Nobody else would, and they would stay
/// zombies. What ipc::child_process has started is left to it.
class orphans {
public:
    /// Throws std::system_error when there is no descriptor left to wait with.
    explicit orphans(asio::io_context& context);

private:
    void wait();
    void reap();

    asio::io_context& context_;
    asio::signal_set child_signals_;
};

} // namespace app

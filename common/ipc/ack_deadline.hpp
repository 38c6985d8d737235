// How long the peer may take to acknowledge a handle: its own time, not ours.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace ipc {

/// A time limit that does not run while we are the reason for waiting, because we are out of
/// resources or do not read what the peer says.
class ack_deadline {
public:
    using duration = std::chrono::steady_clock::duration;

    /// `limit` zero: for ever. `on_overdue` is called at most once for each start().
    ack_deadline(const asio::any_io_executor& executor, duration limit,
                 std::function<void()> on_overdue);

    /// Begins anew.
    void start();

    /// There is nothing to wait for.
    void stop() noexcept;

    /// Tells whether it is we who keep the peer waiting.
    void is_our_time(bool ours);

private:
    void wait(duration from_now);
    duration take_our_time();

    asio::steady_timer timer_;
    duration limit_;
    std::shared_ptr<std::function<void()>> on_overdue_; // tells an operation whether we still live
    unsigned round_ = 0;                                // and whether it is still wanted
    std::optional<std::chrono::steady_clock::time_point> ours_since_;
    duration ours_{}; // since start(), and not yet added
};

} // namespace ipc

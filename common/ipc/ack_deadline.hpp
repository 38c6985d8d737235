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
///
/// Handles come and go by the thousand, and hardly one is ever late: so start() and stop() only
/// note a time, and the timer is left as it is. When it expires, it is looked at how much is left.
class ack_deadline {
public:
    using clock = std::chrono::steady_clock;
    using duration = clock::duration;

    /// `limit` zero: for ever. `on_overdue` is called at most once for each start().
    ack_deadline(const asio::any_io_executor& executor, duration limit,
                 std::function<void()> on_overdue);

    /// Begins anew.
    void start();

    /// There is nothing to wait for now.
    void stop() noexcept { due_.reset(); }

    /// Nor will there be: lets go of the timer, which else keeps the executor busy until it
    /// expires.
    void end() noexcept;

    /// Tells whether it is we who keep the peer waiting.
    void is_our_time(bool ours);

private:
    void wait_until(clock::time_point time);
    void expire();
    duration take_our_time();

    asio::steady_timer timer_;
    duration limit_;
    std::shared_ptr<std::function<void()>> on_overdue_; // tells an operation whether we still live
    bool waits_ = false;
    std::optional<clock::time_point> due_;
    std::optional<clock::time_point> ours_since_;
    duration ours_{}; // since start(), and not yet added
};

} // namespace ipc

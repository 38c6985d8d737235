#include "ipc/ack_deadline.hpp"

#include <utility>

namespace ipc {

using clock = std::chrono::steady_clock;

ack_deadline::ack_deadline(const asio::any_io_executor& executor, duration limit,
                           std::function<void()> on_overdue)
    : timer_(executor),
      limit_(limit),
      on_overdue_(std::make_shared<std::function<void()>>(std::move(on_overdue)))
{
}

void ack_deadline::start()
{
    if (limit_.count() == 0 || !*on_overdue_)
        return;
    (void)take_our_time();
    wait(limit_);
}

void ack_deadline::stop() noexcept
{
    ++round_;
    timer_.cancel();
}

void ack_deadline::is_our_time(bool ours)
{
    if (ours && !ours_since_)
        ours_since_ = clock::now();
    if (!ours && ours_since_)
        ours_ += clock::now() - *std::exchange(ours_since_, std::nullopt);
}

void ack_deadline::wait(duration from_now)
{
    timer_.expires_after(from_now);
    // Expired and waiting for its turn, it cannot be cancelled any more: it has to ask.
    timer_.async_wait([this, weak = std::weak_ptr(on_overdue_), round = ++round_](std::error_code) {
        const auto on_overdue = weak.lock();
        if (!on_overdue || round != round_)
            return;
        // The peer gets back what of its time was ours.
        if (const auto ours = take_our_time(); ours.count() > 0)
            wait(ours);
        else
            (*on_overdue)();
    });
}

ack_deadline::duration ack_deadline::take_our_time()
{
    const bool goes_on = ours_since_.has_value();
    is_our_time(false);
    is_our_time(goes_on);
    return std::exchange(ours_, {});
}

} // namespace ipc

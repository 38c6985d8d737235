#include "ipc/ack_deadline.hpp"

#include <utility>

namespace ipc {

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
    due_ = clock::now() + limit_;
    if (!waits_) // else what it waits for is no later than this
        wait_until(*due_);
}

void ack_deadline::end() noexcept
{
    stop();
    waits_ = false;
    timer_.cancel();
}

void ack_deadline::is_our_time(bool ours)
{
    if (ours && !ours_since_)
        ours_since_ = clock::now();
    if (!ours && ours_since_)
        ours_ += clock::now() - *std::exchange(ours_since_, std::nullopt);
}

void ack_deadline::wait_until(clock::time_point time)
{
    waits_ = true;
    timer_.expires_at(time);
    timer_.async_wait([this, weak = std::weak_ptr(on_overdue_)](std::error_code cancelled) {
        if (cancelled || weak.expired())
            return;
        waits_ = false;
        expire();
    });
}

void ack_deadline::expire()
{
    if (!due_)
        return;
    *due_ += take_our_time(); // the peer gets back what of its time was ours
    if (*due_ > clock::now())
        return wait_until(*due_);
    due_.reset();
    const auto on_overdue = on_overdue_; // it may destroy us
    (*on_overdue)();
}

ack_deadline::duration ack_deadline::take_our_time()
{
    const bool goes_on = ours_since_.has_value();
    is_our_time(false);
    is_our_time(goes_on);
    return std::exchange(ours_, {});
}

} // namespace ipc

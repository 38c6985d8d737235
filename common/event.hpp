// An event: some coroutines wait until something has changed, another one says that it has.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/experimental/channel.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <system_error>

/// What std::condition_variable is between threads, between the coroutines of one thread. It holds
/// no state, so a notification that nobody waits for is forgotten: what has changed is a variable
/// of yours, set before notify() and looked at by whoever wakes.
///
///     connections_ -= 1;                            co_await changed_.wait_until(
///     changed_.notify();                                [&] { return connections_ == 0; });
///
/// Waiting costs the process nothing. (A timer that never expires and is cancelled, which is often
/// used for this, lets Asio wake every five minutes to see whether the clock has been changed.)
///
/// Belongs to the thread that runs its executor. Whoever waits has to keep the event alive, for
/// instance by a shared_ptr to its owner in the coroutine. What still waits when the io_context is
/// destroyed is destroyed with it.
class event {
public:
    explicit event(const asio::any_io_executor& executor) : waiting_(executor) {}

    /// Wakes all who wait now. They go on from the executor, not inside this call.
    void notify() { waiting_.cancel(); }

    /// Returns after the next notify(); also, as everywhere in Asio, when it is cancelled
    /// (`wait() || timer`).
    asio::awaitable<void> wait()
    {
        std::error_code woken;
        co_await waiting_.async_receive(asio::redirect_error(asio::use_awaitable, woken));
    }

    /// The same, but not to be cancelled: for a coroutine that owns something until the
    /// notification, and that whoever gives up waiting for it must not tear away.
    asio::awaitable<void> wait_without_cancellation()
    {
        std::error_code woken;
        co_await waiting_.async_receive(asio::bind_cancellation_slot(
            asio::cancellation_slot(), asio::redirect_error(asio::use_awaitable, woken)));
    }

    /// Returns when `condition()` is true: at once, or after the notify() that finds it so.
    template<class Condition>
    asio::awaitable<void> wait_until(Condition condition)
    {
        for (bool met = condition(); !met; met = condition())
            co_await wait();
    }

private:
    // Whoever waits receives from a channel that nobody sends to, until that is cancelled. (The
    // second argument is there because Asio 1.22 finds void(error_code) ambiguous.)
    asio::experimental::channel<void(std::error_code, bool)> waiting_;
};

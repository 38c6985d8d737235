#include "http/epoll_instance.hpp"

#include "posix.hpp"

#include <array>
#include <sys/epoll.h>
#include <system_error>
#include <utility>

namespace http {

epoll_instance::epoll_instance(asio::any_io_executor executor, event_handler handler)
    : handler_(std::move(handler)), epoll_(executor)
{
    unique_fd epoll(posix::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
    posix::assign(epoll_, epoll);
}

void epoll_instance::add(int socket, std::uint64_t key, bool output)
{
    control(EPOLL_CTL_ADD, socket, key, output);
}

void epoll_instance::modify(int socket, std::uint64_t key, bool output)
{
    control(EPOLL_CTL_MOD, socket, key, output);
}

void epoll_instance::remove(int socket) noexcept
{
    ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, socket, nullptr);
}

void epoll_instance::control(int operation, int socket, std::uint64_t key, bool output)
{
    epoll_event event{};
    event.events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET | (output ? EPOLLOUT : 0u);
    event.data.u64 = key;
    posix::check(::epoll_ctl(epoll_.native_handle(), operation, socket, &event), "epoll_ctl");
}

void epoll_instance::start()
{
    started_ = true;
    wait();
}

void epoll_instance::stop()
{
    started_ = false;
    std::error_code ignored; // it is open
    epoll_.cancel(ignored);
}

void epoll_instance::wait()
{
    if (!started_ || std::exchange(waiting_, true))
        return;
    epoll_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [this, alive = std::weak_ptr(alive_)](std::error_code) {
                          if (alive.expired())
                              return;
                          // Stopped; and perhaps started again since.
                          waiting_ = false;
                          dispatch();
                      });
}

// Under load the next events are there when these are served. To take them at once saves the way
// through the executor, which is two system calls; but its other handlers must have their turn.
void epoll_instance::dispatch()
{
    constexpr int max_rounds = 8;
    std::array<epoll_event, 64> events;
    int count = started_ ? 1 : 0;
    for (int round = 0; round < max_rounds && count > 0; ++round) {
        count = ::epoll_wait(epoll_.native_handle(), events.data(), events.size(), 0);
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            handler_(event.data.u64, event.events);
        }
    }
    wait();
}

} // namespace http

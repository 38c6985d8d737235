// epoll_instance: many sockets, and word of each whenever something happens to it (epoll(7)).
//
// It stands inside the epoll of Asio. Asio's waits are for one event: each time it has told that a
// socket is readable, somebody must ask again, by a recv() that finds nothing or by epoll_ctl(2). A
// kept connection would pay that for each request. Here a socket is announced once, and each
// arrival is reported (EPOLLET). An epoll descriptor is itself readable when it has something to
// report, so that Asio can wait for it as for a socket: one wait for all sockets, and epoll_wait(2)
// then says which, 64 at a time.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace http {

class epoll_instance {
public:
    /// `key` is what add() was given; `events` as epoll(7) has them. It may add and remove sockets,
    /// but not destroy this object.
    using event_handler = std::function<void(std::uint64_t key, std::uint32_t events)>;

    /// Throws std::system_error when there is no descriptor for it.
    epoll_instance(asio::any_io_executor executor, event_handler handler);
    epoll_instance(const epoll_instance&) = delete;
    epoll_instance& operator=(const epoll_instance&) = delete;

    /// Reports, from now on: input, urgent data, the end of the peer's side, errors, and also, if
    /// asked, room for output. What is there already is the first event. The socket stays the
    /// caller's. Throws std::system_error (ENOSPC, ENOMEM: the kernel can watch no more).
    void add(int socket, std::uint64_t key, bool output);

    /// The same for a socket that was added before.
    void modify(int socket, std::uint64_t key, bool output);

    /// Needed only if another process holds a copy of the socket: with the last copy epoll forgets
    /// it by itself (epoll(7), Q6). A report may be on its way already.
    void remove(int socket) noexcept;

    /// Begins to report, and thereby keeps the io_context busy, until stop(). To call either twice
    /// is nothing.
    void start();
    void stop();

private:
    void control(int operation, int socket, std::uint64_t key, bool output);
    void wait();
    void dispatch();

    event_handler handler_;
    asio::posix::stream_descriptor epoll_;
    bool started_ = false;
    bool waiting_ = false;
    std::shared_ptr<void> alive_ = std::make_shared<char>(); // for the last call of a wait
};

} // namespace http

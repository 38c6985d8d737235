// accept_loop: takes connections from a listening socket, and hands them to the server's handler.
// Part of listen.cpp; net/listen.hpp has the contract.
//
//        ┌──────────── another was faster ───────────┐
//        v                                           │
//     looking ──readable──> accepting ──accepted──> handler ──no room──┐
//      ^ │  ^                ^  │                     │                │
//      │ │  └────────────────│──│─────────────────────┘                │
//      │ └─it is for others─>(rest)                                    v
//      └─── 100 ms, or room ─── pausing <──no descriptor───────────────
#pragma once

#include "log.hpp"
#include "net/epoll_instance.hpp"
#include "net/listen.hpp"
#include "net/stepping_back.hpp"
#include "net/waiting_ends.hpp"
#include "observer.hpp"
#include "once_a_second.hpp"
#include "posix.hpp"

#include <asio/steady_timer.hpp>

#include <cerrno>
#include <chrono>
#include <optional>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace net {

inline constexpr std::chrono::milliseconds pause_without_resources{100};

/// Shared by the server object and the operation that waits for the next connection.
class server::accept_loop final : public std::enable_shared_from_this<accept_loop>,
                                  private epoll_instance::watcher {
public:
    accept_loop(asio::any_io_executor executor, unique_fd listening, accepting how,
                connection_handler handler)
        : executor_(executor),
          how_(how),
          protocol_(protocol_of(listening.get())),
          epoll_(epoll_instance::of(executor)),
          listening_(std::move(listening)),
          pause_(executor),
          handler_(std::move(handler))
    {
    }

    ~accept_loop() override { stop(); }

    void look()
    {
        epoll_.add(listening_.get(), *this, events());
        looking_ = true;
    }

    unique_fd stop()
    {
        pause_.cancel();
        no_room_for_.reset();
        do_not_look();
        return std::move(listening_);
    }

    // False when some had to be left in the queue, for want of descriptors. As many as a queue can
    // hold at most: under load new ones come all the time.
    bool accept_what_waits()
    {
        if (listening_) // another holder may have made it blocking, and it is the last call that
            posix::set_non_blocking(listening_.get()); // nobody wants to hang in
        for (int i = 0; i < SOMAXCONN && listening_ && !no_room_for_; ++i) {
            const int fd =
                ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd >= 0)
                take(fd);
            else if (!concerns_one_connection(errno))
                return !posix::out_of_resources({errno, std::generic_category()}) ||
                       errno == EAGAIN; // EAGAIN: that was all
        }
        return !no_room_for_;
    }

    int native_handle() const { return listening_.get(); }

    std::size_t taken() const { return taken_; } // by the handler

private:
    // As long as a sibling needs to wake up and accept, on a machine that has a processor for it.
    static constexpr std::chrono::microseconds step_back_for{60};

    // Then the connections that are already accepted have their turn.
    static constexpr int most_at_once = 16;

    // What Asio is to take its connections for. A server on a Unix path (Node's
    // server.listen(path)) has connections that are read and written like any other.
    static asio::ip::tcp protocol_of(int fd)
    {
        int family = 0;
        socklen_t length = sizeof family;
        if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0)
            throw posix::last_error("getsockopt SO_DOMAIN");
        return family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
    }

    // Errors of accept(2) that concern one connection, not the listener: "treat like EAGAIN by
    // retrying".
    static bool concerns_one_connection(int error)
    {
        switch (error) {
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
        case EPERM:
            return true;
        default:
            return false;
        }
    }

    // This is no listening socket, or no longer: somebody has called shutdown(2) on a copy.
    static bool concerns_the_listener(int error)
    {
        return error == EBADF || error == EINVAL || error == ENOTSOCK;
    }

    // Who has siblings takes one: what is left in the queue is reported again, and they, and those
    // already accepted, have their turn first. So does who slept: to look for a second one would
    // cost a call for nothing whenever connections come one by one.
    void on_events(std::uint32_t) override
    {
        if (how_ == accepting::step_back && stepping_back_.leaves_this_one()) {
            epoll_.rest(listening_.get(), *this, events(), step_back_for);
            return;
        }
        const auto self = shared_from_this(); // the handler may end the server
        const bool slept = epoll_.slept();
        const int most = how_ == accepting::alone && !slept ? most_at_once : 1;
        for (int i = 0; i < most && looking_; ++i)
            if (!accept()) {
                if (i == 0 && looking_) // else it has to pause
                    was_woken_in_vain();
                return;
            }
        if (how_ == accepting::step_back)
            stepping_back_.accepted(slept);
        else if (how_ == accepting::exclusive && slept && looking_) { // to the end of the line
            do_not_look();
            look_again();
        }
    }

    // Looked for again already; but then it would be told that there is a connection, not that
    // there is none.
    void on_rested() override
    {
        const auto self = shared_from_this();
        const bool is_ours = accept();
        stepping_back_.was_taken(!is_ours);
        if (!is_ours)
            was_woken_in_vain();
    }

    // False when there is nothing to accept.
    bool accept()
    {
        // [accept]
        const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take(fd);
        } else if (concerns_the_listener(errno)) {
            do_not_look_and_throw("accept4");
        } else if (errno != EAGAIN && !concerns_one_connection(errno)) {
            pause();
        } // EAGAIN: another process was faster
        // [/accept]
        return fd >= 0;
    }

    void was_woken_in_vain() noexcept
    {
        ++wakeups_in_vain_;
        if (observing)
            observing->woken_in_vain();
    }

    std::uint32_t events() const
    {
        return EPOLLIN | (how_ == accepting::exclusive ? EPOLLEXCLUSIVE : 0u);
    }

    void do_not_look() noexcept
    {
        if (std::exchange(looking_, false))
            epoll_.remove(listening_.get(), *this);
    }

    [[noreturn]] void do_not_look_and_throw(const char* call)
    {
        const int error = errno;
        do_not_look();
        throw std::system_error(error, std::generic_category(), call);
    }

    void look_again()
    {
        try {
            look();
        } catch (const std::system_error& error) { // the kernel can watch no more
            pause(error.what());
        }
    }

    void take(int fd)
    {
        const auto wakeups = std::exchange(wakeups_in_vain_, 0);
        if (observing)
            observing->accepted(fd, wakeups);
        hand_to_the_user({executor_, protocol_, unique_fd(fd), false});
    }

    void hand_to_the_user(accepted connection)
    {
        try {
            handler_(connection);
            ++taken_;
            if (observing && connection.native_handle() >= 0)
                observing->closing_copy(connection.native_handle());
        } catch (const std::system_error& error) {
            if (connection.native_handle() < 0 || !posix::out_of_resources(error.code()))
                return lose(connection, error);
            no_room_for_.emplace(std::move(connection));
            pause(std::string("no room for a connection: ") + error.what());
        } catch (const std::exception& error) { // costs this connection, not the service
            lose(connection, error);
        }
    }

    void lose(const accepted& connection, const std::exception& why)
    {
        if (observing && connection.native_handle() >= 0)
            observing->closing(connection.native_handle(), "broken");
        warn(why.what());
    }

    void warn(const std::string& why)
    {
        if (may_warn_())
            log_warning("connection: " + why);
    }

    // EMFILE and its like: the listener stays readable while we have no descriptor to accept with;
    // waiting on readiness would spin. Nothing is lost: the clients are connected and wait in the
    // kernel's queue, and the one that the handler had no descriptor for waits here, before them.
    // Connections that only wait for their client's end may be over: then they make room first.
    void pause() { pause(posix::last_error("cannot accept").what()); }

    void pause(const std::string& why)
    {
        do_not_look();
        const bool will_have_room = waiting_ends::of(executor_).wake_ready() > 0;
        if (!will_have_room && may_warn_())
            log_warning(why + "; trying again every 100 ms");
        pause_.expires_after(will_have_room ? std::chrono::milliseconds(0)
                                            : pause_without_resources);
        pause_.async_wait([self = shared_from_this()](std::error_code error) {
            if (error || !self->listening_)
                return;
            if (auto first = std::exchange(self->no_room_for_, std::nullopt))
                self->hand_to_the_user(std::move(*first));
            if (self->listening_ && !self->no_room_for_ && !self->looking_)
                self->look_again();
        });
    }

    asio::any_io_executor executor_;
    const accepting how_;
    asio::ip::tcp protocol_;
    epoll_instance& epoll_;
    unique_fd listening_;
    bool looking_ = false; // or resting
    stepping_back stepping_back_;
    std::size_t wakeups_in_vain_ = 0; // since the last accept
    std::size_t taken_ = 0;
    asio::steady_timer pause_;
    std::optional<accepted> no_room_for_;
    connection_handler handler_;
    once_a_second may_warn_;
};

} // namespace net

// epoll_instance: an epoll instance (epoll(7)) beside the one of Asio, for the sockets that many
// processes share or that a server has by the thousand.
//
// Asio's waits are for one event: each time it has told that a socket is readable, somebody must
// ask again, by a recv() that finds nothing or by epoll_ctl(2). A kept connection would pay that
// for each request. Here a socket is announced once. And Asio does not tell whether the process
// slept before an event, which decides who steps back behind its siblings (net/accepting.hpp).
//
// An epoll descriptor is itself readable when it has something to report, so one instance can stand
// in another. There are two ways to wait for both:
//
//     context.run()                 Asio sleeps. Ours stands in Asio's: two looks for each event
//     epoll_instance::run_until()   ours sleeps. Asio's stands in ours, as one descriptor more
#pragma once

#include "unique_fd.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <sys/epoll.h>
#include <vector>

namespace net {

/// There is one for each io_context, made by the first call of of(); it ends with its io_context.
/// Belongs to the thread that runs it.
class epoll_instance : public asio::execution_context::service {
public:
    /// Whoever wants to be told of a socket.
    class watcher {
    public:
        /// `events` as epoll(7) has them. May add and remove sockets, its own too. What it throws
        /// leaves the run functions; the other events are told when they go on.
        virtual void on_events(std::uint32_t events) = 0;

        /// What it asked for with rest() is over. As on_events() otherwise.
        virtual void on_rested() {}

    protected:
        virtual ~watcher() = default;

    private:
        friend class epoll_instance;
        std::uint32_t place_ = 0; // while it is here
    };

    /// The one of this executor's io_context. Throws std::system_error when there is no descriptor
    /// for it.
    static epoll_instance& of(const asio::any_io_executor& executor);

    /// Tells `who`, which is here with one socket at a time, of these events from now on (EPOLLET,
    /// EPOLLEXCLUSIVE: as epoll_ctl(2) says). What is there already is the first. The socket stays
    /// the caller's; as long as it is here it keeps the io_context busy. Throws std::system_error
    /// (ENOSPC, ENOMEM: the kernel can watch no more).
    void add(int socket, watcher& who, std::uint32_t events);

    /// Other events for a socket that was added before.
    void modify(int socket, watcher& who, std::uint32_t events);

    /// Tells nothing more, from this moment on. Before the socket is closed, not after it: as long
    /// as another process holds a copy, epoll reports it, and nobody can ask it to stop (epoll(7),
    /// Q6).
    void remove(int socket, watcher& who) noexcept;

    /// The same, without a system call, for a socket of which the last copy is closed now. If there
    /// is another one, be it in a child between fork(2) and execve(2), the kernel goes on reporting
    /// until that is closed; nobody is told, but this process is woken for nothing.
    void forget(watcher& who) noexcept;

    /// remove(), and add() again when `pause` is over, which on_rested() tells. The pause is a
    /// lower bound: timers have a slack (50 us, PR_SET_TIMERSLACK in prctl(2)). Where waits cannot
    /// be that short (epoll_pwait2(2) is refused), it does nothing.
    void rest(int socket, watcher& who, std::uint32_t events, std::chrono::microseconds pause);

    /// Asked in on_events(): was there nothing to do before this event, so that the process slept?
    bool slept() const noexcept { return slept_; }

    /// Runs the io_context until `done()`, which is asked after each turn, or until neither it nor
    /// its instance has work left. As soon as there is an instance, sleeps in that. Nobody may post
    /// to the io_context from another thread meanwhile (async_resolve does): it would not wake us.
    ///
    /// Asio does not show its epoll descriptor. Where it is not found, or Asio got no timerfd(2),
    /// this is context.run().
    static void run_until(asio::io_context& context, const std::function<bool()>& done);

    static asio::execution_context::id id; ///< Asio finds the service by it
    explicit epoll_instance(asio::execution_context& context);
    ~epoll_instance() override;

private:
    using clock = std::chrono::steady_clock;

    // What the kernel gives back with an event is a place and its generation, not a pointer: it may
    // report a socket whose watcher is gone. 16 bytes for each socket.
    struct place {
        watcher* who = nullptr;
        std::uint32_t generation = 0; // how often it has been given up
        std::uint32_t next_free = 0;
    };

    struct resting {
        clock::time_point until;
        int socket;
        watcher* who;
        std::uint32_t events;
    };

    struct nobody final : watcher {
        void on_events(std::uint32_t) override {}
    };

    void shutdown() override;
    void take_place(watcher& who);
    void give_up_place(watcher& who) noexcept;
    void control(int operation, int socket, const watcher& who, std::uint32_t events);
    std::optional<clock::time_point> next_waking() const;
    bool wake_the_rested();
    void set_rest_timer();
    void look(std::optional<clock::duration> longest);
    void tell();
    void wait_in_asio();
    void turn_in_asio();
    int find_asios() const;
    bool has_clock(int asios) const;
    void sleep_until(asio::io_context& context, const std::function<bool()>& done);

    unique_fd epoll_;
    std::optional<asio::posix::stream_descriptor> in_asio_; // only lent: the same number
    std::optional<asio::steady_timer> rest_timer_;          // while Asio sleeps
    asio::any_io_executor executor_;
    bool asio_sleeps_ = true;
    bool waiting_ = false; // in Asio
    std::size_t watchers_ = 0;
    std::vector<place> places_;
    std::uint32_t first_free_ = 0; // places_.size(): none
    std::vector<resting> resting_;
    bool can_rest_ = true;

    // What was reported and is not yet told.
    std::array<epoll_event, 64> reported_;
    std::size_t next_ = 0;
    std::size_t end_ = 0;
    bool slept_ = false;
    bool found_nothing_ = true; // the last look, while Asio sleeps

    nobody asio_; // its handlers have their turn after each look
};

} // namespace net

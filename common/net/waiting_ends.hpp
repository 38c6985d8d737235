// waiting_ends: the connections that are ended on our side and wait for their clients' end. Each
// has a descriptor until then, though most clients have ended long before anybody looks.
// Part of end.cpp and of accept_loop.hpp.
#pragma once

#include <asio/execution_context.hpp>
#include <asio/steady_timer.hpp>

#include <cstddef>
#include <poll.h>
#include <vector>

namespace net {

/// Those of one io_context. Tens of thousands may be ended in a second: whenever a quarter of too
/// many is new, one poll(2) looks at all of them, and those whose client has ended or spoken are
/// woken. Of few it would find most clients still reading, and have cost a call for nothing.
class waiting_ends final : public asio::execution_context::service {
public:
    /// Of the context that `executor` belongs to.
    static waiting_ends& of(const asio::any_io_executor& executor);

    /// While it lives, one is among them. Socket and timer outlive it. The timer, with which it
    /// waits, is cancelled when there is something to read: at most once.
    class waiting {
    public:
        waiting(waiting_ends& others, int socket, asio::steady_timer& pause);
        waiting(const waiting&) = delete;
        waiting& operator=(const waiting&) = delete;
        ~waiting();

    private:
        friend waiting_ends;

        waiting_ends& others_;
        const int socket_;
        asio::steady_timer& pause_;
        bool is_woken_ = false;
        std::size_t place_ = 0;
    };

    /// Wakes all that have something to read. Returns how many are awake and have not run yet:
    /// about as many descriptors are free when they have.
    std::size_t wake_ready();

    inline static asio::execution_context::id id; // Asio finds the service by it
    explicit waiting_ends(asio::execution_context& context);

private:
    void shutdown() override {}

    const std::size_t few_;
    std::size_t new_ = 0; // since the last look
    std::vector<waiting*> all_;
    std::vector<pollfd> polled_; // theirs, in a look; kept for its memory
};

} // namespace net

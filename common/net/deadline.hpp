// A limit on how long a conversation with one socket may take.
#pragma once

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <system_error>

namespace net {

/// From construction to destruction: once `time` has passed, the socket's waiting operations end
/// with operation_aborted and passed() is true. Zero is no limit. Destroy it before the socket.
class deadline {
public:
    deadline(asio::ip::tcp::socket& socket, std::chrono::milliseconds time)
        : state_(std::make_shared<state>(state{&socket})), timer_(socket.get_executor(), time)
    {
        if (time == std::chrono::milliseconds::zero())
            return;
        timer_.async_wait([state = state_](std::error_code cancelled) {
            // The timer's handler may be queued already when the deadline object goes: hence the
            // state.
            if (cancelled || !state->socket)
                return;
            state->passed = true;
            state->socket->cancel(cancelled);
        });
    }
    deadline(const deadline&) = delete;
    deadline& operator=(const deadline&) = delete;
    ~deadline() { state_->socket = nullptr; }

    bool passed() const noexcept { return state_->passed; }

private:
    struct state {
        asio::ip::tcp::socket* socket;
        bool passed = false;
    };
    std::shared_ptr<state> state_;
    asio::steady_timer timer_;
};

} // namespace net

#include "net/end.hpp"

#include "net/lingering.hpp"
#include "net/waiting_ends.hpp"
#include "observer.hpp"
#include "posix.hpp"

#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <system_error>

namespace net {

using asio::awaitable;
using std::chrono::milliseconds;
using clock = lingering::clock;

namespace {

// As much of it as the kernel takes at once.
std::size_t send_now(int socket, std::string_view text)
{
    const auto sent = posix::retry(
        [&] { return ::send(socket, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL); });
    if (sent < 0 && errno != EAGAIN)
        throw posix::last_error("send");
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

// Asio watches the socket for as long as this takes. It knows TCP of two families, which are read
// and written in the same way.
awaitable<void> send_rest(unique_fd& connection, std::string_view text)
{
    asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
    posix::assign(socket, connection, asio::ip::tcp::v4());
    co_await asio::async_write(socket, asio::buffer(text), asio::use_awaitable);
    connection = unique_fd(socket.release());
}

enum class client {
    has_ended, // its side, or the connection
    is_silent,
    has_spoken,
};

// A client that never stops talking must leave us time for everybody else: so much is read at once.
constexpr int max_reads = 64;

client discard_input(int socket)
{
    static std::array<char, 16 * 1024> discarded; // nobody reads it: one for all connections
    for (int reads = 0; reads < max_reads; ++reads) {
        const auto size = posix::retry(
            [&] { return ::recv(socket, discarded.data(), discarded.size(), MSG_DONTWAIT); });
        if (size < 0 && errno == EAGAIN)
            return reads == 0 ? client::is_silent : client::has_spoken;
        if (size <= 0)
            return client::has_ended;
    }
    return client::has_spoken;
}

// Tells how far it has come, and that it is closed, however that comes about.
class telling {
public:
    explicit telling(int connection) : connection_(connection) {}
    telling(const telling&) = delete;
    telling& operator=(const telling&) = delete;
    ~telling()
    {
        if (observing && connection_ >= 0)
            observing->closing(connection_, why_);
    }

    void shut_down()
    {
        why_ = "timeout"; // unless
        if (observing)
            observing->shut_down(connection_);
    }
    void client_has_ended() { why_ = "ended"; }

private:
    const int connection_;
    const char* why_ = "broken";
};

// When to look at a client that has not ended. Most have read our text and ended by the first time,
// five to ten milliseconds later; and that is a full five milliseconds of the clock, so that one
// wake-up is for all who are looked at then. To have epoll tell of each would cost a wake-up and
// four calls more for each.
class looks {
public:
    looks(const asio::any_io_executor& executor, int connection)
        : connection_(connection), pause_(executor), others_(waiting_ends::of(executor))
    {
    }

    awaitable<void> next(const lingering& patience)
    {
        pause_.expires_at(next_time(patience));
        std::error_code early;
        {
            std::optional<waiting_ends::waiting> here;
            if (early_looks_left_ > 0)
                here.emplace(others_, connection_, pause_);
            co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, early));
        }
        if (early)
            --early_looks_left_;
        else
            length_ = std::min(2 * length_, longest);
    }
    void begin_again() { length_ = shortest; }

private:
    clock::time_point next_time(const lingering& patience) const
    {
        const auto now = clock::now().time_since_epoch();
        const clock::time_point full(now - now % length_ + 2 * length_);
        return std::min(full, clock::now() + patience.left());
    }

    static constexpr milliseconds shortest{5};
    static constexpr milliseconds longest{40};

    const int connection_;
    asio::steady_timer pause_;
    waiting_ends& others_;
    milliseconds length_ = shortest;
    int early_looks_left_ = 2; // then it is one who goes on talking, and costs only its time
};

} // namespace

awaitable<void> end(unique_fd connection, std::string data)
{
    telling told(connection.get());
    // [end]
    const auto sent = send_now(connection.get(), data);
    if (sent < data.size())
        co_await send_rest(connection, std::string_view(data).substr(sent));
    told.shut_down();
    ::shutdown(connection.get(), SHUT_WR);

    looks look(co_await asio::this_coro::executor, connection.get());
    for (lingering patience; !patience.is_over();) {
        co_await look.next(patience);
        const auto seen = discard_input(connection.get());
        if (seen == client::has_ended) {
            told.client_has_ended();
            break;
        }
        if (seen == client::has_spoken) {
            patience.heard();
            look.begin_again();
        }
    }
    // [/end]
}

awaitable<void> end(asio::ip::tcp::socket& socket, std::string data)
{
    return end(unique_fd(socket.release()), std::move(data));
}

} // namespace net

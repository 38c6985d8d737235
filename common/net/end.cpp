#include "net/end.hpp"

#include "net/deadline.hpp"
#include "net/lingering.hpp"

#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <array>
#include <system_error>

namespace net {

asio::awaitable<void> end(asio::ip::tcp::socket& socket, std::string data)
{
    // Closing drops our copy only; the shutdown below is what ends the connection.
    struct close_on_exit {
        asio::ip::tcp::socket& socket;
        ~close_on_exit()
        {
            std::error_code ignored;
            socket.close(ignored);
        }
    } const guard{socket};

    // [end]
    co_await asio::async_write(socket, asio::buffer(data), asio::use_awaitable);

    std::error_code error;
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, error);

    static std::array<char, 16 * 1024> discarded; // nobody reads it: one for all connections
    for (lingering patience; !error && !patience.is_over(); patience.heard()) {
        const deadline limit(socket, patience.left());
        co_await socket.async_read_some(asio::buffer(discarded),
                                        asio::redirect_error(asio::use_awaitable, error));
    }
    // [/end]
}

} // namespace net

#include "net/connect.hpp"

#include "net/deadline.hpp"
#include "observer.hpp"
#include "unique_fd.hpp"

#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <system_error>

namespace net {

using asio::ip::tcp;

std::vector<tcp::endpoint> resolve(const std::string& host, std::uint16_t port)
{
    asio::io_context context;
    tcp::resolver resolver(context);
    const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::numeric_service);
    return {found.begin(), found.end()};
}

asio::awaitable<tcp::socket> connect(asio::any_io_executor executor,
                                     std::vector<tcp::endpoint> addresses,
                                     std::chrono::milliseconds limit)
{
    using std::chrono::steady_clock;
    const auto end = steady_clock::now() + limit;
    std::error_code error = std::make_error_code(std::errc::address_not_available);
    const char* call = "connect"; // which has failed
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        const auto& address = addresses[i];
        unique_fd fd(::socket(address.protocol().family(),
                              SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
        if (!fd) {
            error.assign(errno, std::generic_category()); // no IPv6 here, say: try the next one
            call = "socket";
            continue;
        }
        call = "connect";
        tcp::socket socket(executor);
        socket.assign(address.protocol(), fd.get());
        (void)fd.release();
        auto share = limit;
        if (limit > limit.zero()) {
            // Signed: when it is over, what is left is less than nothing.
            const auto others = static_cast<long>(addresses.size() - i);
            const auto left = (end - steady_clock::now()) / others;
            share = std::max(std::chrono::ceil<std::chrono::milliseconds>(left),
                             std::chrono::milliseconds(1));
        }
        const deadline patience(socket, share);
        co_await socket.async_connect(address, asio::redirect_error(asio::use_awaitable, error));
        if (patience.passed())
            error = std::make_error_code(std::errc::timed_out);
        if (error)
            continue;
        // With nobody listening on a port of the ephemeral range, the kernel may choose that very
        // port as ours and connect the socket to itself.
        std::error_code ignored;
        if (socket.local_endpoint(ignored) != socket.remote_endpoint(ignored)) {
            if (observing)
                observing->connected(socket.native_handle());
            co_return socket;
        }
        error = std::make_error_code(std::errc::connection_refused);
    }
    throw std::system_error(error, call);
}

} // namespace net

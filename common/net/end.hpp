// Ending a connection without losing what was said: what Node's socket.end(data) does.
// Notes: chapter 03.
#pragma once

#include "unique_fd.hpp"

#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include <concepts>
#include <string>
#include <utility>

namespace net {

/// socket.end(data): writes all of `data`, sends the end of the stream (shutdown(2), SHUT_WR),
/// reads and discards what the client still sends until its own end, and closes. A client that is
/// silent for 1 s, or goes on for 30 s, has had its time: lingering.hpp has the limits, and why to
/// read at all.
///
/// Owns the socket: it is closed when this returns or throws. Throws std::system_error when the
/// data could not be written, for example EPIPE after another holder of the same connection has
/// ended it.
asio::awaitable<void> end(unique_fd connection, std::string data);

/// The same for a socket of Asio's; it is empty from the call on. Throws std::system_error at once
/// when there is none in it.
asio::awaitable<void> end(asio::ip::tcp::socket& socket, std::string data);

/// The same for what has more than its socket: an ipc::connection, whose lease goes after the
/// socket has closed, so that its peer counts it until then.
template<class Connection>
requires requires(Connection& connection)
{
    {
        connection.socket
        } -> std::same_as<asio::ip::tcp::socket&>;
}
asio::awaitable<void> end(Connection connection, std::string data)
{
    // Not used after it: clang-tidy 14 takes the parameter's copy in the frame for a use.
    co_await end(connection.socket, std::move(data)); // NOLINT(bugprone-use-after-move)
}

} // namespace net

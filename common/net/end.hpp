// Ending a connection without losing what was said: what Node's socket.end(data) does.
// Notes: chapter 03.
#pragma once

#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include <string>

namespace net {

/// socket.end(data): writes all of `data`, sends the end of the stream (shutdown(2), SHUT_WR),
/// reads and discards what the client still sends until its own end, at most 1 s or 64 KiB, and
/// closes.
///
/// Why read at all: close() with unread input makes the kernel send a reset, and a reset throws
/// away what the client has not read yet, our answer included (RFC 9293 §3.10.4, RFC 9112 §9.6).
///
/// The socket is closed when this returns or throws. Throws std::system_error when the data could
/// not be written, for example EPIPE after another holder of the same connection has ended it.
asio::awaitable<void> end(asio::ip::tcp::socket& socket, std::string data);

} // namespace net

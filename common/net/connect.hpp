// Connecting: what Node's net.createConnection(port, host) does.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace net {

/// All addresses of `host`, in the resolver's order. Blocks while it asks; throws
/// std::system_error.
std::vector<asio::ip::tcp::endpoint> resolve(const std::string& host, std::uint16_t port);

/// Tries each address in turn ("localhost" is often ::1 and 127.0.0.1, and a server listens on one
/// of them) and returns the first that answers. Throws the last std::system_error when none does.
asio::awaitable<asio::ip::tcp::socket> connect(asio::any_io_executor executor,
                                               std::vector<asio::ip::tcp::endpoint> addresses);

} // namespace net

// Connecting: what Node's net.createConnection(port, host) does.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace net {

/// All addresses of `host`, in the resolver's order. Blocks while it asks; throws
/// std::system_error.
std::vector<asio::ip::tcp::endpoint> resolve(const std::string& host, std::uint16_t port);

/// Tries each address in turn ("localhost" is often ::1 and 127.0.0.1, and a server listens on one
/// of them) and returns the first that answers. Throws the last std::system_error when none does;
/// std::errc::timed_out after `limit` (zero: when the kernel gives up, after minutes). Each address
/// has an equal share of the time that is left, so that a silent one does not use up the others'.
asio::awaitable<asio::ip::tcp::socket>
connect(asio::any_io_executor executor, std::vector<asio::ip::tcp::endpoint> addresses,
        std::chrono::milliseconds limit = std::chrono::milliseconds::zero());

} // namespace net

// shared_state: what the connections of one server have in common. They run on one thread, one at a
// time.
#pragma once

#include "http/free_list.hpp"
#include "http/options.hpp"
#include "http/parser.hpp"
#include "http/response_fields.hpp"
#include "http/server.hpp"
#include "net/epoll_instance.hpp"

#include <asio/any_io_executor.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace http {

struct shared_state {
    const asio::any_io_executor executor;
    const server::request_handler handler;
    const server_options options;

    /// Tells a connection its events.
    net::epoll_instance& epoll;

    /// A connection's last word to its owner: the slot it had.
    const std::function<void(std::size_t slot)> ended;

    /// Who takes connections from the server: each with its protocol, and for CONNECT.
    std::vector<std::pair<std::string, server::upgrade_handler>> upgrades{};
    server::upgrade_handler connect{};

    /// What they all say.
    response_fields fields;

    server_counters counters{};

    /// Since when server::close() has been at work.
    std::optional<std::chrono::steady_clock::time_point> closing_since{};

    /// All connections read into this one: what is left of it after parsing, they copy.
    std::array<char, 16 * 1024> input{};
    bool input_in_use = false;

    /// What they lend each other.
    free_list<std::unique_ptr<parser>> parsers{};
    free_list<std::string> buffers{};
};

} // namespace http

// order: what a page may ask for (POST /control), checked.
//
//     {"action":"start","demo":"socket_fanout","mode":"rotate","workers":4,"delay":100,"respawn":true}
//     {"action":"load","count":40,"concurrency":5,"keep_alive":false}
//     {"action":"kill","slot":2}       or stop, continue
//     {"action":"end"}
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace live {

/// An example that can be shown, and what it can be told.
struct example {
    std::string name;
    std::string client; ///< who asks it
    std::chrono::milliseconds delay;
    std::vector<std::string> modes{};  ///< the first is the default; empty: it has none
    std::vector<std::string> accept{}; ///< as modes
};

/// Those that there are.
const std::vector<example>& examples();

struct start_demo {
    const example* what;
    std::string mode;   ///< one of its modes; empty where it has none
    std::string accept; ///< as mode
    std::size_t workers;
    std::chrono::milliseconds delay;
    bool respawn;
};

struct send_load {
    std::size_t count;
    std::size_t concurrency;
    bool keep_alive;
};

struct signal_worker {
    std::string signal; ///< "SIGKILL", "SIGSTOP", "SIGCONT"
    std::size_t slot;
};

struct end_demo {};

using order = std::variant<start_demo, send_load, signal_worker, end_demo>;

constexpr std::size_t longest_order = 4096; // bytes
constexpr std::size_t most_workers = 8;
constexpr std::size_t most_requests = 500;
constexpr std::size_t most_at_once = 256;
constexpr std::chrono::milliseconds longest_delay{10'000};

/// What is left out has the demo's own default. Throws std::invalid_argument, with one line for the
/// user, for what is no order.
order parse_order(std::string_view json);

} // namespace live

// told_event: a line of --json, checked. Whoever has written it may have meant no good: what leaves
// here is one line of JSON, an object of plain fields, and of bounded size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace live {

/// Bytes; a line of ours has some hundreds.
constexpr std::size_t longest_line = 8 * 1024;

/// What the server of the page itself needs to know of it, and all of it, for the page.
struct told_event {
    std::string json; ///< without line ends, UTF-8
    std::string name; ///< "ev"
    std::string role;
    std::string host;                  ///< one of several; empty: there is one
    std::string program;               ///< of `start`
    std::string how;                   ///< of `strategy`
    std::optional<std::int64_t> count; ///< of `strategy`: workers; of `listening`: port;
                                       ///< of `worker_up` and `worker_exit`: slot
};

/// Throws std::invalid_argument, which says in a few words why the line is no event.
told_event parse_event(std::string_view line);

} // namespace live

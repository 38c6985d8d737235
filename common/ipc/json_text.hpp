// JSON text from a peer, before anything is made of it: measured, repaired, checked.
//
// Sources: RFC 8259; what a lone surrogate and a byte that is no UTF-8 become is the WHATWG
// encoding standard's, as in Node.
#pragma once

#include "ipc/value.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace ipc {

/// What one line may hold, beside its length (channel_options::max_line). More is a
/// protocol_error. A value is each string, number, literal, array and object; keys are those of one
/// object. The depth is far below the 60,000 at which the JSON library's destructor would overflow
/// the stack.
inline constexpr std::size_t max_depth = 1000;
inline constexpr std::size_t max_values = 1'000'000;
inline constexpr std::size_t max_keys = 100'000;

/// Takes `line` (without its newline) as Node would and makes it canonical, in one pass that costs
/// the same for each byte, whatever they say: no white space between tokens, no escape that is not
/// needed. In strings and keys, half a surrogate pair (Node's send() writes such for text that was
/// cut inside an emoji) and bytes that are not UTF-8 become U+FFFD. Numbers keep their digits, keys
/// their order, and keys that come twice stay (the last one counts, as in Node).
///
/// Throws protocol_error, with the first bytes quoted, for what is not JSON, goes beyond the limits
/// above, has a NUL byte anywhere, or a number that no double can hold (1e400: for Node that is
/// Infinity, which it then writes as null).
json_text check_json(std::string_view line);

/// The members of a canonical object that the protocol knows; empty where there is none. The last
/// one counts where a key comes twice.
struct protocol_members {
    std::string_view cmd;
    std::string_view type;
    std::string_view key;
    std::string_view msg;
    std::string_view count;
};
protocol_members members_of(std::string_view object);

/// The characters of a canonical string in which none is escaped, as in nearly all that the
/// protocol and users send: then there is nothing to parse. Nothing for every other value.
std::optional<std::string_view> plain_string(std::string_view json);

/// The first bytes of what a peer sent, in quotes and safe to print: it may hold anything, escape
/// sequences too.
std::string quote(std::string_view bytes);

} // namespace ipc

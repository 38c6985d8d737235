// Node's wire format, without a socket: what a line says, and the lines that say it.
//
// Source: Node's child_process in its "json" serialization (lib/internal/child_process.js). Notes:
// chapter 11. Beside what json_text.hpp says of values, this is where we differ from Node:
//
// - A line that Node's JSON.parse() refuses ends a Node process; here it is a protocol_error. So is
//   what goes beyond the limits of json_text.hpp, and a number beyond a double.
// - Numbers keep their digits: -0 stays -0, and 12345678901234567890 is not rounded until somebody
//   asks for it as a number. Keys keep their places, also those that look like array indices.
// - An envelope that a Node sender has wrapped in another one, to send it again, is one message and
//   gets one acknowledgement. Node acknowledges each layer, and a Node sender dies of the second.
#pragma once

#include "ipc/value.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace ipc::wire {

/// Node wraps an envelope at most three times; more than this is a protocol_error.
inline constexpr int max_wrappings = 8;

/// The longest key of a NODE_SOCKET_* message, in bytes of JSON. Node's name an address and a port,
/// or a path of at most 107 bytes (unix(7)). A longer one is taken for none.
inline constexpr std::size_t max_key = 512;

/// For the user.
struct user_message {
    value body;
};

/// A message that travels with a descriptor.
struct envelope {
    std::string type; ///< "net.Socket", "net.Server", "net.Native", "dgram.Socket", "dgram.Native"
    value body;
    std::string key;  ///< of the server whose connection this is, for socket_counts; or empty
    bool is_internal; ///< the body is one of the protocol's own messages (Node's cluster)
};

struct acknowledgement {}; ///< NODE_HANDLE_ACK: the oldest handle in doubt has arrived
struct refusal {};         ///< NODE_HANDLE_NACK: it has not

/// NODE_SOCKET_GET_COUNT: how many sockets with this key are open at our end?
struct count {
    std::string key;
};

/// NODE_SOCKET_NOTIFY_CLOSE: tell when the last of them has been closed.
struct notify {
    std::string key;
};

/// NODE_SOCKET_COUNT: so many sockets with this key are open at the peer's end.
struct counted {
    std::string key;
    std::optional<std::size_t> open; ///< none: it is no number of sockets
};

/// NODE_SOCKET_ALL_CLOSED: the last of them has been closed.
struct all_closed {
    std::string key;
};

/// NODE_REPORT, which is ours and no Node process knows: what a peer can do without.
struct report {
    value body;
};

/// One of the protocol's own messages that concerns others: NODE_CLUSTER (internal_messages.hpp),
/// NODE_DEBUG_ENABLED, and whatever Node may invent.
struct internal_message {
    value body;
};

using line = std::variant<user_message, envelope, acknowledgement, refusal, count, notify, counted,
                          all_closed, report, internal_message>;

/// What a line says, given without its newline. Throws protocol_error.
line decode(std::string_view text);

/// The line of a message alone, newline included. Throws std::invalid_argument for one that the
/// receiver would take for the protocol's own (an object whose `cmd` is text that is longer than
/// "NODE_" and begins with it), and for text that is not UTF-8.
std::string encode(const value& body);

/// The line of a message with a handle of this type, which the receiver counts under `key`, unless
/// that is empty. Throws as the other one, and for a key that is longer than max_key or not UTF-8.
std::string encode(const value& body, std::string_view type, const std::string& key = {});

/// The same two for the protocol's own messages, which are what the others refuse.
std::string encode_internal(const value& body);
std::string encode_internal(const value& body, std::string_view type);

inline constexpr std::string_view acknowledgement_line = "{\"cmd\":\"NODE_HANDLE_ACK\"}\n";
inline constexpr std::string_view refusal_line = "{\"cmd\":\"NODE_HANDLE_NACK\"}\n";

/// Asks for these.
std::string encode_get_count(const std::string& key);
std::string encode_notify_close(const std::string& key);

std::string encode_report(const value& body);

/// The answers to count and notify.
std::string encode_count(const std::string& key, std::size_t open);
std::string encode_all_closed(const std::string& key);

} // namespace ipc::wire

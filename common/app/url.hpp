// url: the address of what a client asks for, "http://localhost:8888/path?query" (RFC 3986; RFC
// 9110 §4.2.1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace app {

struct url {
    std::string host; ///< a name or an address: "localhost", "::1", "fe80::1%lo"; no brackets
    std::uint16_t port = 80;
    std::string target = "/"; ///< path and query, as a request line has them (RFC 9112 §3.2.1)
};

/// Takes an http:// URL apart. What a request line cannot have is escaped ("子" is "%E5%AD%90"); a
/// fragment ("#part") stays behind, as it does in a browser. The zone of an IPv6 address is taken
/// with its '%' escaped (RFC 6874) or not, as browsers and curl write it.
///
/// Throws std::invalid_argument, with a text for the user, for everything that is not such a URL,
/// for one with a user name (RFC 9110 §4.2.4), and for https://.
url parse_url(std::string_view text);

/// What was typed as a host: takes off the brackets of "[::1]", which is how URLs and ready lines
/// write ::1. Returns what is wrong with it, for the user, or "".
std::string as_host(std::string& text);

/// A host and a port in one word, "localhost:8888", "[::1]:8888": as a URL has them, and an error.
std::string to_string(const std::string& host, std::uint16_t port);

} // namespace app

// What the two sides of an HTTP exchange hand to their callers: header fields, and a request.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace http {

/// One field line, "name: value" (RFC 9110 §5). It refers to text that somebody else owns.
struct header {
    std::string_view name;
    std::string_view value;
};

/// ASCII letters count as equal in either case; names of fields are compared so (RFC 9110 §5.1).
bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// The characters of a field name or a method (RFC 9110 §5.6.2), and at least one.
bool is_token(std::string_view text) noexcept;

/// Takes the first element off a comma-separated list, without the white space around it; it may be
/// empty (RFC 9110 §5.6.1, §5.6.3).
std::string_view take_element(std::string_view& list) noexcept;

/// The fields of one message, in the order they came.
class header_list : public std::vector<header> {
public:
    /// The value of the first field with this name, in any case; nullopt when there is none.
    std::optional<std::string_view> find(std::string_view name) const noexcept;

    /// Is `element`, in any case, in the lists of the fields with this name?
    bool lists(std::string_view name, std::string_view element) const noexcept;
};

/// A request as it came, valid while the handler that was given it runs: copy what is needed later.
struct request {
    std::string_view method; ///< "GET", "HEAD", ...
    std::string_view target; ///< as sent: "/path?query", or "http://host/path" (RFC 9112 §3.2)
    const header_list& headers;
    std::string_view body{}; ///< with server_options::keep_body; else it has been thrown away
};

} // namespace http

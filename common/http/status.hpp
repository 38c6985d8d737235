// status: the status line of an answer (RFC 9112 §4, RFC 9110 §15).
#pragma once

#include <string>
#include <string_view>

namespace http {

/// What a status means, for people: "Not Found". Empty, as it may be, for one that has no name
/// here.
std::string_view reason_phrase(unsigned status) noexcept;

/// "HTTP/1.1 404 Not Found" and its line end, at the end of `text`.
void append_status_line(std::string& text, unsigned status);

} // namespace http

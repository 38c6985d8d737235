// printable: what others have said, as a terminal may be shown it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace app {

/// `text` with everything in it that would do something to a terminal, instead of being seen,
/// written out: "\x1b[31m" in place of ESC [31m, which turns what follows red; "\r", "\x9b",
/// "\u009b", "\u202e". Line feeds and tabs stay, and so does a CR in front of a line feed.
///
/// Written out are control characters, C0 and C1 (ECMA-48 §5), the invisible characters that
/// rearrange a line or end it (Unicode: Bidi_Control, U+2028, U+2029), tags, and every byte that is
/// not UTF-8 (RFC 3629 §3).
std::string printable(std::string_view text);

/// The same, in one line: line feeds and tabs are written out too.
std::string printable_line(std::string_view text);

/// The first `longest` bytes, or up to three fewer: no character of UTF-8 is cut in two.
std::string_view head_of(std::string_view text, std::size_t longest) noexcept;

} // namespace app

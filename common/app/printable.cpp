#include "app/printable.hpp"

#include <cstdio>

namespace app {

namespace {

struct character {
    char32_t code_point;
    std::size_t size; ///< in bytes; 0: the first byte is not UTF-8
};

// Well-formed sequences are the shortest, end at U+10FFFF, and leave out the surrogates (RFC 3629
// §4).
character first_character(std::string_view text)
{
    const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto first = byte(0);
    if (first < 0x80)
        return {first, 1};
    const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < size)
        return {first, 0};
    char32_t code_point = first & (0x7fU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0) != 0x80)
            return {first, 0};
        code_point = code_point << 6 | (byte(i) & 0x3fU);
    }
    constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    if (code_point < smallest[size] || code_point > 0x10ffff || is_surrogate)
        return {first, 0};
    return {code_point, size};
}

bool is_between(char32_t low, char32_t code_point, char32_t high)
{
    return low <= code_point && code_point <= high;
}

bool is_shown(char32_t c)
{
    if (c == '\n' || c == '\t')
        return true;
    return !(c < 0x20 || is_between(0x7f, c, 0x9f) || c == 0x61c || is_between(0x200e, c, 0x200f) ||
             is_between(0x2028, c, 0x202e) || is_between(0x2066, c, 0x2069) ||
             is_between(0xe0000, c, 0xe007f));
}

std::string written_out(const character& one)
{
    if (one.code_point == '\r')
        return "\\r";
    char text[16];
    const char* format = one.size < 2 ? "\\x%02x" : one.size < 4 ? "\\u%04x" : "\\u{%x}";
    std::snprintf(text, sizeof text, format, static_cast<unsigned>(one.code_point));
    return text;
}

} // namespace

std::string printable(std::string_view text)
{
    std::string result;
    while (!text.empty()) {
        const auto one = first_character(text);
        const bool ends_line = text.starts_with("\r\n");
        if (one.size > 0 && (is_shown(one.code_point) || ends_line))
            result += text.substr(0, one.size);
        else
            result += written_out(one);
        text.remove_prefix(one.size > 0 ? one.size : 1);
    }
    return result;
}

std::string printable_line(std::string_view text)
{
    std::string result;
    for (const char c : printable(text))
        result += c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : std::string(1, c);
    return result;
}

std::string_view head_of(std::string_view text, std::size_t longest) noexcept
{
    if (text.size() <= longest)
        return text;
    constexpr std::size_t most_behind_the_first = 3; // bytes of a character
    std::size_t size = longest;
    while (size > 0 && longest - size < most_behind_the_first &&
           (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
        --size;
    return text.substr(0, size);
}

} // namespace app

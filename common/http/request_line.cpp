#include "http/request_line.hpp"

#include "http/character_set.hpp"

namespace http {

namespace {

// Visible ASCII, and no fragment (RFC 9112 §3.2).
constexpr character_set target_characters([](char c) { return c > ' ' && c < '\x7f' && c != '#'; });

} // namespace

std::size_t request_line::check(std::string_view bytes) noexcept
{
    std::size_t used = 0;
    if (part_ == part::method)
        used += take(bytes, token_characters, part::target);
    if (part_ == part::target)
        used += take(bytes.substr(used), target_characters, part::version);
    while (part_ == part::version && used < bytes.size())
        take_of_version(bytes[used++]);
    return used;
}

// The characters of this part, and the byte behind them, if that has come: a space, before the next
// part.
std::size_t request_line::take(std::string_view bytes, const character_set& characters,
                               part next) noexcept
{
    const auto length = characters.span(bytes);
    length_ += length;
    if (length == bytes.size())
        return length;
    part_ = bytes[length] == ' ' && length_ > 0 ? next : part::malformed;
    length_ = 0;
    return length + 1;
}

void request_line::take_of_version(char c) noexcept
{
    constexpr std::string_view form = "HTTP/0.0\r\n"; // 0: a digit
    const char expected = form[length_];
    if (expected == '0' ? !is_digit(c) : c != expected)
        part_ = part::malformed;
    else if (length_ == form.find('0'))
        major_version_ = c - '0';
    if (++length_ == form.size() && part_ == part::version)
        part_ = part::complete;
}

} // namespace http

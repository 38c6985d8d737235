#include "http/request_line.hpp"

#include "http/message.hpp"

namespace http {

std::size_t request_line::check(std::string_view bytes) noexcept
{
    std::size_t used = 0;
    while (used < bytes.size() && part_ != part::complete && part_ != part::malformed) {
        const auto before = part_;
        part_ = next(bytes[used++]);
        length_ = part_ == before ? length_ + 1 : 0;
    }
    return used;
}

request_line::part request_line::next(char c) noexcept
{
    switch (part_) {
    case part::method: // a token
        if (c == ' ' && length_ > 0)
            return part::target;
        return is_token({&c, 1}) ? part_ : part::malformed;
    case part::target: // visible ASCII, and no fragment (RFC 9112 §3.2)
        if (c == ' ' && length_ > 0)
            return part::version;
        return c > ' ' && c < '\x7f' && c != '#' ? part_ : part::malformed;
    case part::version: {
        constexpr std::string_view form = "HTTP/0.0\r\n"; // 0: a digit
        const char expected = form[length_];
        if (expected == '0' ? c < '0' || c > '9' : c != expected)
            return part::malformed;
        if (length_ == form.find('0'))
            major_version_ = c - '0';
        return length_ + 1 == form.size() ? part::complete : part_;
    }
    case part::complete:
    case part::malformed:
        break;
    }
    return part_;
}

} // namespace http

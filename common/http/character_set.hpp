// character_set: which bytes may stand somewhere in a message. Nearly every byte of a request is
// asked about, so the answer is looked up, not worked out.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace http {

class character_set {
public:
    /// Those of all 256 for which `has(c)` is true.
    template<class Predicate>
    constexpr explicit character_set(Predicate has) noexcept
    {
        for (std::size_t c = 0; c < has_.size(); ++c)
            has_[c] = has(static_cast<char>(c));
    }

    /// How many of them `text` begins with.
    constexpr std::size_t span(std::string_view text) const noexcept
    {
        std::size_t length = 0;
        while (length < text.size() && has_[static_cast<unsigned char>(text[length])])
            ++length;
        return length;
    }

    /// `text` has no others.
    constexpr bool has_all(std::string_view text) const noexcept
    {
        return span(text) == text.size();
    }

private:
    std::array<bool, 256> has_{};
};

constexpr bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

constexpr bool is_alphanumeric(char c) noexcept
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// "tchar", what a field name or a method is made of (RFC 9110 §5.6.2).
inline constexpr character_set token_characters([](char c) {
    return is_alphanumeric(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
});

} // namespace http

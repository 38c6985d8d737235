#include "http/message.hpp"

#include "http/character_set.hpp"

#include <algorithm>

namespace http {

namespace {

char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

bool is_token(std::string_view text) noexcept
{
    return !text.empty() && token_characters.has_all(text);
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return x == y || lower(x) == lower(y); });
}

std::optional<std::string_view> header_list::find(std::string_view name) const noexcept
{
    for (const auto& field : *this)
        if (equal_ignoring_case(field.name, name))
            return field.value;
    return std::nullopt;
}

} // namespace http

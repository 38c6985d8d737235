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

std::string_view take_element(std::string_view& list) noexcept
{
    const auto comma = std::min(list.find(','), list.size());
    auto element = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    element.remove_prefix(std::min(element.find_first_not_of(" \t"), element.size()));
    return element.substr(0, element.find_last_not_of(" \t") + 1);
}

std::optional<std::string_view> header_list::find(std::string_view name) const noexcept
{
    for (const auto& field : *this)
        if (equal_ignoring_case(field.name, name))
            return field.value;
    return std::nullopt;
}

bool header_list::lists(std::string_view name, std::string_view element) const noexcept
{
    for (auto [field, list] : *this)
        while (equal_ignoring_case(field, name) && !list.empty())
            if (equal_ignoring_case(take_element(list), element))
                return true;
    return false;
}

} // namespace http

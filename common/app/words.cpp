#include "app/words.hpp"

#include <stdexcept>
#include <string_view>

namespace app {

namespace {

bool is_one_of(std::string_view these, char c)
{
    return these.find(c) != std::string_view::npos;
}

} // namespace

std::vector<std::string> split_words(const std::string& command)
{
    std::vector<std::string> words;
    bool inside = false; // a word, be it empty yet
    char quote = '\0';   // the one that is open
    const auto end = command.end();
    for (auto at = command.begin(); at != end; ++at) {
        if (quote == '\0' && is_one_of(" \t\n", *at)) {
            inside = false;
            continue;
        }
        if (quote != '\'' && *at == '\\' && at + 1 != end && at[1] == '\n') {
            ++at; // the line goes on, as if neither were there
            continue;
        }
        if (!inside)
            words.emplace_back();
        inside = true;
        std::string& word = words.back();
        if (quote != '\0' && *at == quote) {
            quote = '\0';
        } else if (quote != '\'' && *at == '\\') {
            if (++at == end)
                throw std::invalid_argument("nothing follows the backslash at its end");
            if (quote == '"' && !is_one_of("\\\"$`", *at))
                word += '\\';
            word += *at;
        } else if (quote == '\0' && is_one_of("'\"", *at)) {
            quote = *at;
        } else {
            word += *at;
        }
    }
    if (quote != '\0')
        throw std::invalid_argument(std::string("the quote ") + quote + " is not closed");
    return words;
}

} // namespace app

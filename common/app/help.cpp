#include "app/help.hpp"

#include <sstream>

namespace app {

namespace {

constexpr std::size_t left_margin = 2;
constexpr std::size_t left_columns = 32;   // with the margin and the space behind it
constexpr std::size_t narrow_columns = 8;  // the margin of the right, where there is no room for it
constexpr std::size_t least_for_text = 24; // columns, for two of them to be worth it

// Flags with a choice of words may be wider than the screen: `{one,another}` goes on behind a
// comma.
std::string flags_within(std::string flags, std::size_t width)
{
    std::string lines;
    std::string line(left_margin, ' ');
    while (line.size() + flags.size() > width) {
        const auto room = width > line.size() ? width - line.size() : 1;
        const auto comma = flags.rfind(',', room - 1);
        if (comma == std::string::npos)
            break;
        lines += line + flags.substr(0, comma + 1) + '\n';
        line.assign(narrow_columns, ' ');
        flags.erase(0, comma + 1);
    }
    return lines + line + flags;
}

} // namespace

std::string help_options(const std::vector<help_option>& options, std::size_t width)
{
    const bool two_columns = width >= left_columns + least_for_text;
    const std::size_t margin = two_columns ? left_columns : narrow_columns;
    std::string text;
    for (const auto& option : options) {
        std::string line = flags_within(option.flags, width);
        if (!two_columns || line.size() >= margin) {
            text += line + '\n';
            line.clear();
        }
        line.resize(margin, ' ');
        std::istringstream words(option.about);
        for (std::string word; words >> word;) {
            if (line.size() > margin && line.size() + 1 + word.size() > width) {
                text += line + '\n';
                line.assign(margin, ' ');
            }
            line += (line.size() > margin ? " " : "") + word;
        }
        text += line + '\n';
    }
    return text;
}

} // namespace app

#include "app/terminal.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace app {

void print(const std::string& text)
{
    std::fputs((text + '\n').c_str(), stdout);
    std::fflush(stdout);
}

void note(const std::string& text)
{
    std::fputs((text + '\n').c_str(), stderr);
}

std::string tally(const std::vector<std::pair<std::string, std::size_t>>& counts)
{
    constexpr std::size_t full_bar = 40;
    std::size_t total = 0;
    std::size_t most = 1;
    std::size_t name_width = 0;
    for (const auto& [name, count] : counts) {
        total += count;
        most = std::max(most, count);
        name_width = std::max(name_width, name.size());
    }
    std::string result;
    for (const auto& [name, count] : counts) {
        char numbers[64];
        std::snprintf(numbers, sizeof numbers, " %7zu %5.1f %%", count,
                      total == 0 ? 0.0
                                 : 100.0 * static_cast<double>(count) / static_cast<double>(total));
        result += name + std::string(name_width - name.size(), ' ') + numbers + "  " +
                  std::string(count * full_bar / most, '#') + '\n';
    }
    if (!result.empty())
        result.pop_back();
    return result;
}

std::size_t columns(int descriptor)
{
    if (const char* said = std::getenv("COLUMNS")) {
        const std::string_view text = said;
        std::uint16_t number = 0;
        const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
        if (error == std::errc() && end == text.end() && number > 0)
            return number;
    }
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

void open_standard_streams()
{
    int fd = 0;
    do
        fd = ::open("/dev/null",
                    O_RDWR); // the lowest free number; not close-on-exec, as 0..2 never are
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        ::close(fd);
}

} // namespace app

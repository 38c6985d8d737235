#include "app/terminal.hpp"

#include "app/options.hpp"
#include "app/printable.hpp"
#include "log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace app {

using std::chrono::milliseconds;

namespace {

// They live until the process ends, and so does the thread of each.
output* out = nullptr;
output* err = nullptr;

bool hang_up_expected = false;

bool has_failed(const output& stream)
{
    return stream.error() != 0 && !(hang_up_expected && stream.error() == EIO);
}

bool are_same_file(int a, int b)
{
    struct stat one {};
    struct stat other {};
    return ::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

void open_closed_ones()
{
    int fd = 0;
    do
        fd = ::open("/dev/null",
                    O_RDWR); // the lowest free number; not close-on-exec, as 0..2 never are
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        ::close(fd);
}

// Said on stderr, by whoever has dropped them.
void say_dropped(std::size_t lines, const std::string& of_what)
{
    log_warning(std::to_string(lines) + (lines == 1 ? " line" : " lines") + of_what +
                " dropped: nobody was reading");
}

std::string of_stdout()
{
    return out == err ? "" : " of stdout";
}

} // namespace

void open_standard_streams(std::size_t capacity)
{
    open_closed_ones();
    out = new output(STDOUT_FILENO, capacity);
    err = are_same_file(STDOUT_FILENO, STDERR_FILENO) ? out : new output(STDERR_FILENO, capacity);
    log_line = [](const std::string& line) { note(printable(line)); }; // --trace shows what came
    out->on_dropped([](std::size_t lines) { say_dropped(lines, of_stdout()); });
    if (err != out)
        err->on_dropped([](std::size_t lines) { say_dropped(lines, ""); });
}

void print(const std::string& text)
{
    if (print_instead)
        print_instead(text);
    else
        out->write(text + '\n');
}

void note(const std::string& text)
{
    if (err)
        err->write(text + '\n');
    else // so early that nobody waits for us yet
        std::fputs((text + '\n').c_str(), stderr);
}

output& standard_output()
{
    return *out;
}

output& standard_error()
{
    return *err;
}

void expect_hang_up()
{
    hang_up_expected = true;
}

int end_output(const std::string& program, int code, milliseconds patience)
{
    const auto limit = std::max(4 * patience, milliseconds(1'000));
    out->wait_until_written(patience, limit);
    if (const auto lost = out->unwritten_lines(); lost > 0 && out != err)
        say_dropped(lost, of_stdout());
    if (has_failed(*out))
        note(cannot_write(program, "stdout", out->error()));
    err->wait_until_written(patience, limit);
    return code == ok && (has_failed(*out) || has_failed(*err)) ? failed : code;
}

std::string cannot_write(const std::string& program, const std::string& stream, int error)
{
    return program + ": cannot write to " + stream + ": " + std::strerror(error);
}

// ---- colours -----------------------------------------------------------------------------------

namespace {

/// One of the palette, as terminals of three kinds take it: 24 bits, the nearest of xterm's 256,
/// and of the 16 one that can be read on black and on white. The first eight of the pictures
/// (tests/bench/chart.js): blue, orange, green and violet, which also those tell apart who do not
/// see red or green; and nothing is told by colour alone.
struct colour {
    const char* of_16_million;
    const char* of_256;
    const char* of_16;
};
constexpr std::array<colour, 8> palette{{
    {"38;2;47;126;216", "38;5;32", "94"},   // #2f7ed8
    {"38;2;217;130;43", "38;5;172", "33"},  // #d9822b
    {"38;2;46;158;91", "38;5;35", "32"},    // #2e9e5b
    {"38;2;155;107;196", "38;5;98", "35"},  // #9b6bc4
    {"38;2;192;80;77", "38;5;131", "31"},   // #c0504d
    {"38;2;91;154;160", "38;5;73", "36"},   // #5b9aa0
    {"38;2;140;140;140", "38;5;245", "90"}, // #8c8c8c
    {"38;2;184;161;46", "38;5;142", "34"},  // #b8a12e
}};

std::string_view environment(const char* name)
{
    const char* value = std::getenv(name);
    return value ? value : "";
}

bool shows_colours(stream where)
{
    return environment("NO_COLOR").empty() && !environment("TERM").empty() &&
           environment("TERM") != "dumb" && ::isatty(static_cast<int>(where));
}

const char* code(const colour& one)
{
    const auto claim = environment("COLORTERM"); // a convention: there is no terminfo entry for it
    if (claim == "truecolor" || claim == "24bit")
        return one.of_16_million;
    return environment("TERM").find("256color") != std::string_view::npos ? one.of_256 : one.of_16;
}

} // namespace

std::string in_colour_of(std::size_t slot, const std::string& text, stream where)
{
    if (!shows_colours(where))
        return text;
    return std::string("\033[") + code(palette[slot % palette.size()]) + 'm' + text + "\033[0m";
}

// ---- tally -------------------------------------------------------------------------------------

namespace {

bool continues_character(char byte)
{
    return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; // UTF-8
}

/// Columns that the character which begins with this byte takes: Chinese ones two.
std::size_t width(char first_byte)
{
    return static_cast<unsigned char>(first_byte) < 0xE3 ? 1 : 2;
}

std::size_t width(const std::string& text)
{
    std::size_t result = 0;
    for (const char byte : text)
        if (!continues_character(byte))
            result += width(byte);
    return result;
}

std::string shortened(const std::string& text, std::size_t limit)
{
    if (width(text) <= limit)
        return text;
    std::size_t used = 1; // the sign at the end
    std::size_t size = 0;
    for (; size < text.size(); ++size)
        if (!continues_character(text[size]) && (used += width(text[size])) > limit)
            break;
    return text.substr(0, size) + "…";
}

} // namespace

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

std::string tally(const std::vector<tally_row>& rows, stream where)
{
    constexpr std::size_t full_bar = 40;
    constexpr std::size_t least_bar = 5; // shorter ones say nothing
    constexpr std::size_t longest_name = 40;

    std::size_t total = 0;
    std::size_t most = 1;
    for (const auto& row : rows) {
        total += row.count;
        most = std::max(most, row.count);
    }
    const int descriptor = static_cast<int>(where);
    const auto room = ::isatty(descriptor) ? columns(descriptor) : 80; // elsewhere always the same
    const auto count_width = std::max<std::size_t>(7, std::to_string(most).size());
    const auto numbers_width = count_width + 9;
    const auto name_limit = std::min(longest_name, room > numbers_width ? room - numbers_width : 1);
    std::size_t name_width = 0;
    for (const auto& row : rows)
        name_width = std::max(name_width, std::min(width(row.name), name_limit));
    const auto taken = name_width + numbers_width + 2;
    const auto bar = taken + least_bar > room ? 0 : std::min(full_bar, room - taken);

    std::string result;
    for (const auto& row : rows) {
        const auto name = shortened(row.name, name_limit);
        char numbers[64];
        std::snprintf(
            numbers, sizeof numbers, " %*zu %5.1f %%", static_cast<int>(count_width), row.count,
            total == 0 ? 0.0 : 100.0 * static_cast<double>(row.count) / static_cast<double>(total));
        auto line = name + std::string(name_width - width(name), ' ') + numbers;
        if (bar > 0)
            line += "  " + std::string(row.count * bar / most, '#');
        result += in_colour_of(row.slot, line, where) + '\n';
    }
    if (!result.empty())
        result.pop_back();
    return result;
}

} // namespace app

// What the programs say: the document's lines on stdout, everything for humans on stderr.
#pragma once

#include "app/output.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace app {

/// How much may wait for a reader who does not read. A service drops the rest and says how much
/// that was; a filter waits itself, and so needs no limit.
constexpr std::size_t service_output = 1024 * 1024;
constexpr std::size_t filter_output = output::no_limit;

/// Opens /dev/null on whichever of 0, 1, 2 is closed, so that no socket gets
/// such a number and is then taken for the terminal. From here on nothing that is printed, the
/// libraries' warnings included, waits for its reader: up to `capacity` bytes wait for him. Where
/// he has gone, SIGPIPE must be ignored.
void open_standard_streams(std::size_t capacity);

/// One line on stdout. Text may hold several lines that belong together.
void print(const std::string& text);

/// Where there is one, print() gives its text to this function and writes nothing.
inline void (*print_instead)(const std::string& text) = nullptr;

/// One line on stderr.
void note(const std::string& text);

/// The two streams; one and the same where both are the same file, terminal or pipe, so that their
/// lines stay in order.
output& standard_output();
output& standard_error();

/// Call it last in main: gives the readers a moment, as long as they take something in every
/// `patience`, and says what could not be written. Returns the exit code: `code`, or, if that is 0
/// and something could not be written (a full disk), 1. A reader who has gone or does not read
/// changes nothing.
int end_output(const std::string& program, int code, std::chrono::milliseconds patience);

/// After SIGHUP: that a terminal takes nothing more (EIO) is no failure then.
void expect_hang_up();

/// "socket_fanout: cannot write to stdout: No space left on device"
std::string cannot_write(const std::string& program, const std::string& stream, int error);

enum class stream { out = 1, err = 2 };

/// `text` in the colour of the worker in place `slot`, which is its colour in the notes' pictures
/// too; as it is where `where` is no terminal, TERM is unset or "dumb", or NO_COLOR is set and not
/// empty (https://no-color.org). After the eighth the colours begin again.
std::string in_colour_of(std::size_t slot, const std::string& text, stream where);

struct tally_row {
    std::string name;
    std::size_t count;
    std::size_t slot; ///< whose colour
};

/// A bar for each name with its count and share, in the given order; no wider than the terminal
/// that `where` is, else than 80 columns.
std::string tally(const std::vector<tally_row>& rows, stream where);

/// How wide what is printed on this descriptor may be: $COLUMNS, else what the terminal says
/// (TIOCGWINSZ, ioctl_tty(2)), else 80.
std::size_t columns(int descriptor);

} // namespace app

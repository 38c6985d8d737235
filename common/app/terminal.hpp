// What the programs say: the document's lines on stdout, everything for humans on stderr.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace app {

/// One line on stdout, flushed, in one write: output of several processes does not mix within a
/// line. Text may hold several lines that belong together.
void print(const std::string& text);

/// One line on stderr.
void note(const std::string& text);

/// A bar for each name with its count and share, in the given order.
std::string tally(const std::vector<std::pair<std::string, std::size_t>>& counts);

/// How wide what is printed on this descriptor may be: $COLUMNS, else what the terminal says
/// (TIOCGWINSZ, ioctl_tty(2)), else 80.
std::size_t columns(int descriptor);

/// Opens /dev/null on whichever of 0, 1, 2 is closed, so that no socket gets such a number and is
/// then taken for the terminal. Call it first in main.
void open_standard_streams();

} // namespace app

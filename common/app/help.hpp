// The options part of --help. CLI11 lays it out differently from version to version, and never to a
// terminal's width; so the layout is ours.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace app {

struct help_option {
    std::string flags; ///< "-p,--port N=8888"
    std::string about; ///< what it is for, of any length, without line ends
};

/// Flags on the left (a choice of words may go on behind a comma), what they are for on the right,
/// broken between words so that no line has more than `width` columns if its longest word allows
/// that. Where flags are too long for the left, or `width` is too small for two columns, it follows
/// on the next line. One byte is taken for one column.
std::string help_options(const std::vector<help_option>& options, std::size_t width);

} // namespace app

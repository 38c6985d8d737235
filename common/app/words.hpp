// A command line as a shell reads it, but for what a shell would do with it.
#pragma once

#include <string>
#include <vector>

namespace app {

/// The words of `command`: split at blanks, tabs and newlines, with the quotes of the shell (POSIX,
/// Shell Command Language, 2.2): 'nothing is special', "but \, \" and such", and \ before one
/// character. Nothing is expanded: $, * and ~ are ordinary, and so are | and &. Throws
/// std::invalid_argument when a quote is not closed, or nothing follows a backslash.
std::vector<std::string> split_words(const std::string& command);

} // namespace app

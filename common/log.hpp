// Where the libraries' lines for the human go: warnings, and what --trace shows.
#pragma once

#include <cstdio>
#include <string>
#include <unistd.h>

/// Prints one line, given without its newline. To stderr in one write, unless the program has put
/// another function here, as ours do: theirs never waits for whoever reads stderr. Set it before
/// there is a second thread. It must not throw.
inline void (*log_line)(const std::string& line) = [](const std::string& line) {
    std::fputs((line + '\n').c_str(), stderr);
};

/// "[7751] cannot accept: ...": with the PID, because several processes share the terminal.
inline void log_warning(const std::string& what)
{
    log_line("[" + std::to_string(::getpid()) + "] " + what);
}

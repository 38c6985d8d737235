// A terminal for tests: what a program prints on it, and what its user does to it.
#pragma once

#include "support/process.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace support {

/// A pty(7) of `columns` columns: what is printed arrives here byte by byte as it is; of what is
/// typed, Ctrl-C alone means something.
class pseudo_terminal {
public:
    explicit pseudo_terminal(std::uint16_t columns = 80);
    ~pseudo_terminal();
    pseudo_terminal(const pseudo_terminal&) = delete;
    pseudo_terminal& operator=(const pseudo_terminal&) = delete;

    /// The program's side, for before_exec: ::dup2(terminal.slave(), 1).
    int slave() const { return slave_; }

    /// For start_options::terminal.
    std::string name() const;

    void type(std::string_view keys);

    /// Closes its window; the text stays.
    void close();

    /// stty tostop: whoever prints in the background is stopped.
    void stop_background_writers();

    /// Ctrl-S and Ctrl-Q: whoever prints meanwhile waits.
    void stop_output();
    void go_on();

    /// All that has been printed until it contains `part`. Throws std::runtime_error, with the
    /// text, at the deadline.
    const std::string& read_until(std::string_view part, milliseconds limit = a_while);

    /// The whole line that contains `part`, once it is there.
    std::string line_with(std::string_view part);

    /// All that has been printed so far.
    const std::string& text();

private:
    void read_available();

    int master_ = -1;
    int slave_ = -1;
    std::string text_;
};

} // namespace support

// A program that a child is to become, found and prepared before the fork.
#pragma once

#include <string>
#include <vector>

namespace ipc {

/// The descriptor of the channel in the child: what Node's fork() uses.
inline constexpr int channel_number = 3;

/// All that exec needs: after the fork nothing may be allocated.
class program {
public:
    /// `command` (not empty): a path, or a name to be looked up in PATH, then the arguments. The
    /// environment is ours, unless `inherits` is false, with the child's channel instead of our
    /// own, and with `more` ("NAME=value"), which wins.
    explicit program(std::vector<std::string> command, std::vector<std::string> more = {},
                     bool inherits = true);
    program(const program&) = delete;
    program& operator=(const program&) = delete;

    /// What execvp(3) does, which is not on the list of signal-safety(7). Returns the errno when
    /// there is no such program. A candidate that is there and must not be executed, a folder say,
    /// is passed over, and remembered.
    int execute() noexcept;

private:
    std::vector<std::string> command_, paths_, environment_;
    std::vector<char*> arguments_, path_pointers_, environment_pointers_;
    std::string shell_ = "/bin/sh";
    std::vector<char*> shell_arguments_;
};

} // namespace ipc

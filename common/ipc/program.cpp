#include "ipc/program.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace ipc {

namespace {

/// "PATH=..." strings for the child: ours, if it inherits them, with its channel instead of our
/// own, and `more`.
std::vector<std::string> child_environment(std::vector<std::string> more, bool inherits)
{
    const auto is_replaced = [&](std::string_view variable) {
        const auto equals = variable.find('=');
        const auto name = variable.substr(0, equals == variable.npos ? equals : equals + 1);
        return variable.starts_with("NODE_CHANNEL_") || name == "NODE_UNIQUE_ID=" ||
               std::any_of(more.begin(), more.end(),
                           [&](const std::string& one) { return one.starts_with(name); });
    };
    std::vector<std::string> result;
    for (char** entry = environ; inherits && *entry; ++entry)
        if (!is_replaced(*entry))
            result.emplace_back(*entry);
    result.push_back("NODE_CHANNEL_FD=" + std::to_string(channel_number));
    result.push_back("NODE_CHANNEL_SERIALIZATION_MODE=json");
    result.insert(result.end(), std::make_move_iterator(more.begin()),
                  std::make_move_iterator(more.end()));
    return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings)
{
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (auto& string : strings)
        result.push_back(string.data());
    result.push_back(nullptr);
    return result;
}

std::string search_path()
{
    if (const char* path = std::getenv("PATH"))
        return path;
    std::string standard(::confstr(_CS_PATH, nullptr, 0), '\0');
    ::confstr(_CS_PATH, standard.data(), standard.size());
    standard.pop_back(); // the NUL
    return standard;
}

/// Where `name` may be, in the order to try: in the folders of PATH, unless it contains a slash. An
/// empty entry of PATH, for the shell the current directory, is passed over.
std::vector<std::string> candidates(const std::string& name)
{
    if (name.find('/') != std::string::npos)
        return {name};
    std::vector<std::string> result;
    const std::string path = search_path();
    for (std::size_t begin = 0, end; begin < path.size(); begin = end + 1) {
        end = std::min(path.find(':', begin), path.size());
        if (end > begin)
            result.push_back(path.substr(begin, end - begin) + "/" + name);
    }
    return result;
}

} // namespace

program::program(std::vector<std::string> command, std::vector<std::string> more, bool inherits)
    : command_(std::move(command)),
      paths_(candidates(command_.front())),
      environment_(child_environment(std::move(more), inherits)),
      arguments_(pointers(command_)),
      path_pointers_(pointers(paths_)),
      environment_pointers_(pointers(environment_)),
      shell_arguments_{shell_.data(), nullptr}
{
    shell_arguments_.insert(shell_arguments_.end(), arguments_.begin() + 1, arguments_.end());
}

int program::execute() noexcept
{
    int error = ENOENT;
    for (char* const* path = path_pointers_.data(); *path; ++path) {
        ::execve(*path, arguments_.data(), environment_pointers_.data());
        if (errno == ENOEXEC) { // a script without "#!"
            shell_arguments_[1] = *path;
            ::execve(shell_.c_str(), shell_arguments_.data(), environment_pointers_.data());
        }
        switch (errno) {
        case EACCES:
        case ENOENT:
        case ENOTDIR:
        case ESTALE: // of a network's file system, as the next two
        case ENODEV:
        case ETIMEDOUT:
            if (error != EACCES)
                error = errno;
            break;
        default:
            return errno;
        }
    }
    return error;
}

} // namespace ipc

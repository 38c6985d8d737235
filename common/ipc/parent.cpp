#include "ipc/parent.hpp"

#include "posix.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace ipc {

namespace {

std::optional<std::string> take_variable(const char* name)
{
    const char* found = std::getenv(name);
    if (!found)
        return std::nullopt;
    std::string value = found;
    ::unsetenv(name);
    return value;
}

bool is_unix_stream(int fd)
{
    int family = 0;
    int type = 0;
    socklen_t length = sizeof(int);
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0 ||
        ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
        if (errno != EBADF && errno != ENOTSOCK) // a sandbox refuses the call
            throw posix::last_error("getsockopt");
        return false;
    }
    return family == AF_UNIX && type == SOCK_STREAM;
}

} // namespace

channel connect_to_parent(asio::any_io_executor executor, channel_options options)
{
    const auto number = take_variable("NODE_CHANNEL_FD");
    const auto mode = take_variable("NODE_CHANNEL_SERIALIZATION_MODE");
    take_variable("NODE_UNIQUE_ID");

    if (!number)
        throw error("ERR_IPC_NO_PARENT",
                    "no channel to a parent process (NODE_CHANNEL_FD is not set)");
    if (mode && *mode != "json")
        throw error(
            "ERR_IPC_SERIALIZATION",
            "the parent wants serialization '" + *mode +
                "', this program speaks 'json' only: start it with {serialization: 'json'}");

    int fd = -1;
    const auto [end, problem] =
        std::from_chars(number->data(), number->data() + number->size(), fd);
    if (problem != std::errc() || end != number->data() + number->size() || fd < 0 ||
        !is_unix_stream(fd))
        throw error("ERR_IPC_NO_PARENT",
                    "NODE_CHANNEL_FD=" + *number + " is no Unix stream socket");
    options.peer = ::getppid();
    return {std::move(executor), unique_fd(fd), std::move(options)};
}

} // namespace ipc

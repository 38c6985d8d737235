#include "ipc/handle.hpp"

#include <cerrno>
#include <cstdlib>
#include <cxxabi.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>

namespace ipc {

namespace {

constexpr auto send_instead = "send a connection (net.Socket) or a listening server (net.Server)";

std::optional<int> socket_option(int fd, int option)
{
    int value = 0;
    socklen_t length = sizeof value;
    if (::getsockopt(fd, SOL_SOCKET, option, &value, &length) != 0)
        return std::nullopt;
    return value;
}

std::string describe_non_socket(int fd)
{
    struct stat status {};
    if (::fstat(fd, &status) != 0)
        return "a closed descriptor";
    switch (status.st_mode & S_IFMT) {
    case S_IFREG:
        return "a regular file";
    case S_IFDIR:
        return "a directory";
    case S_IFCHR:
        return "a character device";
    case S_IFIFO:
        return "a pipe";
    default:
        return "an epoll, event or similar descriptor";
    }
}

using name_call = int (*)(int, sockaddr*, socklen_t*);

// An AF_UNIX socket without a path, or a TCP socket without a port, is "unnamed" (unix(7)).
bool has_name(int fd, name_call call)
{
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    if (call(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0)
        return false;
    if (name.ss_family == AF_INET)
        return reinterpret_cast<const sockaddr_in&>(name).sin_port != 0;
    if (name.ss_family == AF_INET6)
        return reinterpret_cast<const sockaddr_in6&>(name).sin6_port != 0;
    return length > sizeof(sa_family_t);
}

} // namespace

handle::kind handle::kind_of(int fd)
{
    const auto type = socket_option(fd, SO_TYPE);
    if (!type)
        throw invalid_handle_type(describe_non_socket(fd), send_instead);
    const auto family = socket_option(fd, SO_DOMAIN);
    if (type == SOCK_DGRAM)
        throw invalid_handle_type("a datagram (UDP) socket", send_instead);
    if (type != SOCK_STREAM || (family != AF_INET && family != AF_INET6 && family != AF_UNIX))
        throw invalid_handle_type("a socket that is no TCP or Unix stream", send_instead);
    if (socket_option(fd, SO_ACCEPTCONN) == 1)
        return kind::server;
    // Not getpeername alone: it fails for a connection that the client has reset meanwhile, which
    // is still a connection and must be handed on and closed like any other.
    if (has_name(fd, ::getsockname) || has_name(fd, ::getpeername))
        return kind::connection;
    throw invalid_handle_type(family == AF_UNIX
                                  ? "an end of a socketpair, such as a channel"
                                  : "a socket that is neither connected nor listening",
                              send_instead);
}

unique_fd handle::duplicate(int fd)
{
    unique_fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy)
        throw std::system_error(errno, std::generic_category(), "fcntl F_DUPFD_CLOEXEC");
    return copy;
}

void handle::refuse(const char* mangled_type, const char* instead)
{
    int status = 0;
    char* readable = abi::__cxa_demangle(mangled_type, nullptr, nullptr, &status);
    const std::string name = readable ? readable : mangled_type;
    std::free(readable);
    throw invalid_handle_type("an object of type " + name, instead);
}

connection handle::connection(asio::any_io_executor executor) &&
{
    asio::ip::tcp::socket socket(executor);
    const auto family = socket_option(fd_.get(), SO_DOMAIN);
    // O_NONBLOCK belongs to the open socket, not to the number: the sender should have set it, but
    // what a peer should do is not what it does. Never the other way round: others share this
    // socket.
    if (::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK) != 0)
        throw std::system_error(errno, std::generic_category(), "fcntl F_SETFL");
    socket.assign(family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), fd_.get());
    (void)fd_.release();
    return {std::move(socket), std::move(lease_)};
}

} // namespace ipc

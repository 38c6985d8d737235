#include "ipc/handle.hpp"

#include "ipc/tcp_state.hpp"
#include "posix.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cxxabi.h>
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

struct socket_name {
    sockaddr_storage address{};
    socklen_t length = 0; // 0: it has none
};

socket_name name_of(int fd, name_call call)
{
    socket_name name;
    name.length = sizeof name.address;
    if (call(fd, reinterpret_cast<sockaddr*>(&name.address), &name.length) != 0)
        name.length = 0;
    return name;
}

// An AF_UNIX socket without a path is "unnamed" (unix(7)): an end of a socketpair is, and so is the
// client of a server, but not the server's end of the connection.
bool has_path(const socket_name& name)
{
    return name.length > sizeof(sa_family_t);
}

bool is_bound_stream(int fd)
{
    const auto name = name_of(fd, ::getsockname);
    if (socket_option(fd, SO_TYPE) != SOCK_STREAM || name.length == 0 ||
        name_of(fd, ::getpeername).length > 0)
        return false;
    if (name.address.ss_family == AF_INET)
        return reinterpret_cast<const sockaddr_in&>(name.address).sin_port != 0;
    if (name.address.ss_family == AF_INET6)
        return reinterpret_cast<const sockaddr_in6&>(name.address).sin6_port != 0;
    return name.address.ss_family == AF_UNIX && has_path(name);
}

[[noreturn]] void refuse_unconnected()
{
    throw invalid_handle_type("a socket that is neither connected nor listening", send_instead);
}

// A socket of AF_UNIX, by its names.
handle::kind kind_of_unix_stream(int fd)
{
    if (socket_option(fd, SO_ACCEPTCONN) == 1)
        return handle::kind::server;
    const auto peer = name_of(fd, ::getpeername);
    if (peer.length == 0)
        refuse_unconnected();
    if (!has_path(peer) && !has_path(name_of(fd, ::getsockname)))
        throw invalid_handle_type("an end of a socketpair, such as a channel", send_instead);
    return handle::kind::connection;
}

} // namespace

handle::kind handle::kind_of(int fd)
{
    switch (tcp_state_of(fd)) {
    case tcp_state::listening:
        return kind::server;
    case tcp_state::connected:
        return kind::connection;
    case tcp_state::neither:
        refuse_unconnected();
    case tcp_state::no_tcp:
        break;
    }
    const auto type = socket_option(fd, SO_TYPE);
    if (!type)
        throw invalid_handle_type(describe_non_socket(fd), send_instead);
    if (type == SOCK_DGRAM)
        throw invalid_handle_type("a datagram (UDP) socket", send_instead);
    if (type != SOCK_STREAM || socket_option(fd, SO_DOMAIN) != AF_UNIX)
        throw invalid_handle_type("a socket that is no TCP or Unix stream", send_instead);
    return kind_of_unix_stream(fd);
}

handle::kind handle::kind_as(std::string_view type, int fd)
{
    if (type != "net.Socket" && type != "net.Server" && type != "net.Native")
        return kind::none;
    auto is = kind::none;
    try {
        is = kind_of(fd);
    } catch (const invalid_handle_type&) {
    }
    if (type == "net.Native") // a bare handle: what it is decides
        return is;
    if (type == "net.Socket")
        return is == kind::connection ? is : kind::none;
    // For a connection, and for what is not even bound, listen fails; but TCP would bind it to some
    // port then, and listen there.
    if (is == kind::none && is_bound_stream(fd) && ::listen(fd, SOMAXCONN) == 0)
        return kind::server;
    return is == kind::server ? is : kind::none;
}

std::string handle::address_of(int fd)
{
    const auto name = name_of(fd, ::getsockname);
    if (name.length == 0)
        throw posix::last_error("getsockname");
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (name.address.ss_family == AF_INET) {
        const auto& address = reinterpret_cast<const sockaddr_in&>(name.address);
        ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
        return std::string(text.data()) + ':' + std::to_string(ntohs(address.sin_port));
    }
    if (name.address.ss_family == AF_INET6) {
        const auto& address = reinterpret_cast<const sockaddr_in6&>(name.address);
        ::inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
        return '[' + std::string(text.data()) + "]:" + std::to_string(ntohs(address.sin6_port));
    }
    if (name.address.ss_family != AF_UNIX)
        throw std::system_error(EAFNOSUPPORT, std::generic_category(), "getsockname");
    const auto& address = reinterpret_cast<const sockaddr_un&>(name.address);
    const std::string_view path(address.sun_path, name.length - offsetof(sockaddr_un, sun_path));
    if (path.starts_with('\0')) // an abstract name, which is no path (unix(7))
        return '@' + std::string(path.substr(1));
    return std::string(path.substr(0, path.find('\0')));
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
    posix::set_non_blocking(fd_.get());
    posix::assign(socket, fd_, family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4());
    return ipc::connection(std::move(socket), std::move(lease_));
}

} // namespace ipc

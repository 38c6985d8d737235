#include "cluster/bound_socket.hpp"

#include "posix.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace cluster {

namespace {

using posix::check;

std::system_error failure(int error, const char* call)
{
    return {error, std::generic_category(), call};
}

unique_fd stream_socket(int family)
{
    return unique_fd(
        check(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
}

template<class Address>
unique_fd bind_to(const Address& address, int family, bool ipv6_only)
{
    auto fd = stream_socket(family);
    const int on = 1;
    const int only = ipv6_only ? 1 : 0;
    check(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on),
          "setsockopt SO_REUSEADDR");
    if (family == AF_INET6)
        check(::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only),
              "setsockopt IPV6_V6ONLY");
    check(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
    return fd;
}

unique_fd bind_to_address(const char* text, const query& asked)
{
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(static_cast<std::uint16_t>(asked.port));
    if (::inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
        return bind_to(ipv4, AF_INET, false);
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(static_cast<std::uint16_t>(asked.port));
    if (::inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1)
        return bind_to(ipv6, AF_INET6, asked.ipv6_only);
    throw failure(EINVAL, "bind"); // a name would have to be looked up: the worker does that
}

unique_fd bind_to_all(const query& asked)
{
    try {
        return bind_to_address("::", asked);
    } catch (const std::system_error& error) { // this machine may have no IPv6
        if (error.code() != std::errc::address_family_not_supported &&
            error.code() != std::errc::address_not_available)
            throw;
        return bind_to_address("0.0.0.0", asked);
    }
}

// An absolute path may be too long (unix(7)), and the same from here short enough: as in Node.
unique_fd bind_to_path(const std::string& path)
{
    const auto relative =
        std::filesystem::path(path).lexically_relative(std::filesystem::current_path());
    const auto& shorter =
        !relative.empty() && relative.native().size() < path.size() ? relative.native() : path;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (shorter.empty() || shorter.size() >= sizeof address.sun_path)
        throw failure(shorter.empty() ? EINVAL : ENAMETOOLONG, "bind");
    std::memcpy(address.sun_path, shorter.data(), shorter.size());
    auto fd = stream_socket(AF_UNIX);
    check(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
    return fd;
}

// A number from a worker may be any descriptor of ours.
unique_fd bound_stream(int fd)
{
    auto copy = posix::duplicate(fd);
    int type = 0;
    socklen_t length = sizeof type;
    check(::getsockopt(copy.get(), SOL_SOCKET, SO_TYPE, &type, &length), "getsockopt SO_TYPE");
    sockaddr_storage peer{};
    length = sizeof peer;
    if (type != SOCK_STREAM ||
        ::getpeername(copy.get(), reinterpret_cast<sockaddr*>(&peer), &length) == 0)
        throw failure(EINVAL, "listen"); // a connection, or a channel to a worker
    posix::set_non_blocking(copy.get());
    return copy;
}

mode_t mode_of(const query& asked)
{
    return (asked.readable_all ? S_IRUSR | S_IRGRP | S_IROTH : 0U) |
           (asked.writable_all ? S_IWUSR | S_IWGRP | S_IWOTH : 0U);
}

} // namespace

bound_socket::bound_socket(const query& asked)
{
    if (asked.fd) {
        fd_ = bound_stream(*asked.fd);
    } else if (asked.is_path()) {
        fd_ = bind_to_path(asked.address.value_or(""));
        path_ = *asked.address;
        struct stat file {};
        if (const auto more = mode_of(asked); more != 0 && ::stat(path_.c_str(), &file) == 0)
            check(::chmod(path_.c_str(), file.st_mode | more), "chmod");
    } else {
        fd_ = asked.address ? bind_to_address(asked.address->c_str(), asked) : bind_to_all(asked);
    }
}

bound_socket::~bound_socket()
{
    if (!path_.empty())
        ::unlink(path_.c_str());
}

unique_fd bound_socket::listen(int backlog)
{
    check(::listen(fd_.get(), backlog > 0 ? backlog : SOMAXCONN), "listen");
    return std::move(fd_);
}

std::optional<socket_name> name_of(int fd)
{
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    check(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET) {
        const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
        ::inet_ntop(AF_INET, &ipv4.sin_addr, text.data(), text.size());
        return socket_name{text.data(), "IPv4", ntohs(ipv4.sin_port)};
    }
    if (address.ss_family == AF_INET6) {
        const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
        ::inet_ntop(AF_INET6, &ipv6.sin6_addr, text.data(), text.size());
        return socket_name{text.data(), "IPv6", ntohs(ipv6.sin6_port)};
    }
    return std::nullopt;
}

} // namespace cluster

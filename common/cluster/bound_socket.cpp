#include "cluster/bound_socket.hpp"

#include "posix.hpp"

#include <arpa/inet.h>
#include <array>
#include <asio/ip/address.hpp>

#include <cerrno>
#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <system_error>

namespace cluster {

namespace {

using posix::check;

std::system_error failure(int error, const char* call)
{
    return {error, std::generic_category(), call};
}

net::bound_socket bind_to_address(const std::string& text, const query& asked)
{
    std::error_code no_address; // a name would have to be looked up: the worker does that
    const auto address = asio::ip::make_address(text, no_address);
    if (no_address || text.find('\0') != text.npos) // the function looks no further than that
        throw failure(EINVAL, "bind");
    return net::bound_socket::to({address, static_cast<std::uint16_t>(asked.port)},
                                 asked.ipv6_only);
}

net::bound_socket bind_to_all(const query& asked)
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

net::bound_socket bind(const query& asked)
{
    if (asked.fd)
        return net::bound_socket(bound_stream(*asked.fd));
    if (asked.is_path())
        return net::bound_socket::to_path(
            asked.address.value_or(""),
            net::permissions_for_all(asked.readable_all, asked.writable_all));
    return asked.address ? bind_to_address(*asked.address, asked) : bind_to_all(asked);
}

} // namespace

bound_socket::bound_socket(const query& asked) : net::bound_socket(bind(asked)) {}

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

#include "support/tcp.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace support {

namespace {

std::system_error last_error(const char* call)
{
    return {errno, std::generic_category(), call};
}

struct socket_address {
    socket_address(const std::string& host, std::uint16_t port)
    {
        if (host.find(':') != std::string::npos) {
            auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
            v6.sin6_family = AF_INET6;
            v6.sin6_port = htons(port);
            ::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr);
            size = sizeof v6;
        } else {
            auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
            v4.sin_family = AF_INET;
            v4.sin_port = htons(port);
            ::inet_pton(AF_INET, host.c_str(), &v4.sin_addr);
            size = sizeof v4;
        }
    }
    const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage); }
    sockaddr_storage storage{};
    socklen_t size = 0;
};

// A socket that listens nowhere yet, or -1. It may share its port with others of its kind until one
// of them listens (SO_REUSEADDR in socket(7)).
int bound(const std::string& host, std::uint16_t port)
{
    const socket_address wanted(host, port);
    const int fd = ::socket(wanted.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (fd < 0)
        return -1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd, wanted.data(), wanted.size) == 0)
        return fd;
    const int error = errno;
    ::close(fd);
    errno = error;
    return -1;
}

std::uint16_t port_of(int socket)
{
    sockaddr_storage got{};
    socklen_t size = sizeof got;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&got), &size);
    return ntohs(got.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(got).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(got).sin_port);
}

bool becomes_readable(int fd, milliseconds time)
{
    pollfd event{fd, POLLIN, 0};
    return ::poll(&event, 1, static_cast<int>(time.count())) == 1;
}

milliseconds until(std::chrono::steady_clock::time_point deadline)
{
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
    return std::max(left, milliseconds(0));
}

} // namespace

connection& connection::operator=(connection&& other) noexcept
{
    std::swap(fd_, other.fd_);
    return *this;
}

connection::~connection()
{
    close();
}

void connection::send(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size < 0)
            throw last_error("send");
        bytes.remove_prefix(static_cast<std::size_t>(size));
    }
}

bool connection::read_some(std::string& text, milliseconds left)
{
    if (!becomes_readable(fd_, left))
        throw std::runtime_error("the connection says nothing more; so far: \"" + text + "\"");
    char buffer[16 * 1024];
    const auto size = ::recv(fd_, buffer, sizeof buffer, 0);
    if (size < 0)
        throw last_error("recv");
    text.append(buffer, static_cast<std::size_t>(size));
    return size > 0;
}

std::string connection::read_to_end(milliseconds limit)
{
    const auto deadline = std::chrono::steady_clock::now() + patient(limit);
    std::string text;
    while (read_some(text, until(deadline))) {
    }
    return text;
}

std::string connection::read_until(std::string_view end, milliseconds limit)
{
    const auto deadline = std::chrono::steady_clock::now() + patient(limit);
    std::string text;
    while (text.find(end) == std::string::npos)
        if (!read_some(text, until(deadline)))
            throw std::runtime_error("the connection ended after \"" + text + "\"");
    return text;
}

bool connection::is_readable() const
{
    return becomes_readable(fd_, milliseconds(0));
}

bool connection::has_ended() const
{
    char byte;
    const auto size = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN);
}

void connection::reset()
{
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
}

void connection::end_sending()
{
    ::shutdown(fd_, SHUT_WR);
}

void connection::close()
{
    if (fd_ >= 0)
        ::close(fd_);
    fd_ = -1;
}

connection connect(std::uint16_t port, const std::string& host)
{
    const socket_address address(host, port);
    const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connection result(fd);
    if (::connect(fd, address.data(), address.size) != 0)
        throw last_error("connect");
    return result;
}

std::string ask(std::uint16_t port, const std::string& host)
{
    return connect(port, host).read_to_end();
}

bool is_free(std::uint16_t port)
{
    const int socket = bound("127.0.0.1", port);
    if (socket >= 0)
        ::close(socket);
    return socket >= 0;
}

std::uint16_t unused_port()
{
    return port_of(bound("127.0.0.1", 0)); // which stays open
}

listener::listener(const std::string& host, std::uint16_t port) : listener(host, port, SOMAXCONN) {}

listener::listener(const std::string& host, std::uint16_t port, int backlog) : fd_(-1), port_(port)
{
    fd_ = bound(host, port);
    if (fd_ < 0)
        throw last_error("bind");
    if (::listen(fd_, backlog) != 0) {
        const auto error = last_error("listen");
        ::close(fd_);
        throw error;
    }
    port_ = port_of(fd_);
}

listener::~listener()
{
    ::close(fd_);
}

connection listener::accept(milliseconds limit)
{
    if (!somebody_waits(patient(limit)))
        throw std::runtime_error("nobody connects to port " + std::to_string(port_));
    return connection(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
}

full_listener::full_listener() : listener("127.0.0.1", 0, 0)
{
    const socket_address address("127.0.0.1", port());
    for (int& fd : in_queue_) {
        fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ::connect(fd, address.data(), address.size);
    }
}

full_listener::~full_listener()
{
    for (const int fd : in_queue_)
        ::close(fd);
}

bool listener::somebody_waits(milliseconds time)
{
    return becomes_readable(fd_, time);
}

bool has_ipv6()
{
    try {
        const listener there("::1");
        return true;
    } catch (const std::system_error& error) {
        if (error.code() == std::errc::address_not_available ||
            error.code() == std::errc::address_family_not_supported)
            return false;
        throw;
    }
}

std::vector<std::string> loopback_addresses()
{
    if (has_ipv6())
        return {"127.0.0.1", "::1"};
    return {"127.0.0.1"};
}

bool sockets_can_be_filtered()
{
    const listener socket;
    sock_filter pass_all[] = {BPF_STMT(BPF_RET | BPF_K, 0xffff'ffff)};
    const sock_fprog program{1, pass_all};
    return ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &program,
                        sizeof program) == 0;
}

} // namespace support

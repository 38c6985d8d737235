#include "net/bound_socket.hpp"

#include "observer.hpp"
#include "posix.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace net {

namespace {

using posix::check;

unique_fd stream_socket(int family)
{
    return unique_fd(
        check(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
}

// What the kernel has no room for may be short enough from the current folder.
std::string name_for_the_kernel(const std::string& path)
{
    if (path.size() < sizeof sockaddr_un::sun_path)
        return path;
    std::error_code none; // then it is no help
    const auto relative =
        std::filesystem::path(path).lexically_relative(std::filesystem::current_path(none));
    return relative.empty() ? path : relative.native();
}

// Where its file is, whatever the current folder will be.
std::string from_anywhere(const std::string& path)
{
    std::error_code failed;
    const auto absolute = std::filesystem::absolute(path, failed);
    return failed ? path : absolute.native();
}

} // namespace

socket_file::socket_file(std::string path) noexcept : path_(std::move(path))
{
    struct stat file {};
    if (::stat(path_.c_str(), &file) == 0) {
        device_ = file.st_dev;
        inode_ = file.st_ino;
    }
}

socket_file::socket_file(socket_file&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_)
{
}

socket_file& socket_file::operator=(socket_file&& other) noexcept
{
    if (this != &other) {
        remove();
        path_ = std::exchange(other.path_, {});
        device_ = other.device_;
        inode_ = other.inode_;
    }
    return *this;
}

void socket_file::remove() noexcept
{
    struct stat file {};
    if (!path_.empty() && ::stat(path_.c_str(), &file) == 0 && file.st_dev == device_ &&
        file.st_ino == inode_)
        ::unlink(path_.c_str());
    path_.clear();
}

bound_socket bound_socket::to(const asio::ip::tcp::endpoint& address, bool ipv6_only)
{
    auto fd = stream_socket(address.protocol().family());
    const int on = 1;
    const int only = ipv6_only ? 1 : 0;
    check(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on),
          "setsockopt SO_REUSEADDR");
    if (address.protocol() == asio::ip::tcp::v6())
        check(::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only),
              "setsockopt IPV6_V6ONLY");
    check(::bind(fd.get(), address.data(), static_cast<socklen_t>(address.size())), "bind");
    return bound_socket(std::move(fd));
}

bound_socket bound_socket::to_path(const std::string& path, mode_t more_permissions)
{
    const auto name = name_for_the_kernel(path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (name.empty() || name.find('\0') != name.npos)
        throw std::system_error(EINVAL, std::generic_category(), "bind");
    if (name.size() >= sizeof address.sun_path)
        throw std::system_error(ENAMETOOLONG, std::generic_category(), "bind");
    std::memcpy(address.sun_path, name.data(), name.size());
    auto fd = stream_socket(AF_UNIX);
    check(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
    bound_socket bound(std::move(fd), socket_file(from_anywhere(path)));
    struct stat file {};
    if (more_permissions != 0 && ::stat(path.c_str(), &file) == 0)
        check(::chmod(path.c_str(), file.st_mode | more_permissions), "chmod");
    return bound;
}

unique_fd bound_socket::listen(int backlog)
{
    check(::listen(fd_.get(), backlog > 0 ? backlog : SOMAXCONN), "listen");
    if (observing)
        observing->listening(fd_.get());
    return std::move(fd_);
}

mode_t permissions_for_all(bool readable, bool writable) noexcept
{
    return (readable ? S_IRUSR | S_IRGRP | S_IROTH : 0U) |
           (writable ? S_IWUSR | S_IWGRP | S_IWOTH : 0U);
}

} // namespace net

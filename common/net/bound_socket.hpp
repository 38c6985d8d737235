// A stream socket that is bound and does not listen yet: what net::listen() and Node's cluster
// begin with.
#pragma once

#include "unique_fd.hpp"

#include <asio/ip/tcp.hpp>

#include <string>
#include <sys/stat.h>
#include <sys/types.h>

namespace net {

/// Owns the file that bind(2) has made for a path (unix(7)): whoever holds the socket can be
/// reached by it, and nobody removes it but us. Move-only; removed with this object.
class socket_file {
public:
    socket_file() noexcept = default;

    /// The file that is there now.
    explicit socket_file(std::string path) noexcept;

    socket_file(socket_file&& other) noexcept;
    socket_file& operator=(socket_file&& other) noexcept;
    ~socket_file() { remove(); }

    /// Removes it, unless another is there meanwhile: of a service that has been started anew, say.
    void remove() noexcept;

    /// Leaves it there for others.
    void leave() noexcept { path_.clear(); }

    const std::string& path() const noexcept { return path_; } ///< empty: none

private:
    std::string path_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

/// Owns the socket and, on a path, its file. Move-only.
class bound_socket {
public:
    /// socket(2) and bind(2): close-on-exec, non-blocking, SO_REUSEADDR, so that a restart does not
    /// wait for TIME_WAIT; a second living listener is refused all the same. `ipv6_only`: an IPv6
    /// wildcard takes no IPv4 clients. Throws std::system_error (EADDRINUSE, EACCES, ...).
    static bound_socket to(const asio::ip::tcp::endpoint& address, bool ipv6_only = false);

    /// The same on a Unix path, where nothing may be, not even what an earlier socket has left
    /// (EADDRINUSE). Its file gets these permissions beside those that umask(2) leaves. A path that
    /// is too long for the kernel (ENAMETOOLONG: more than 107 bytes) may still do when it is
    /// short enough from the current folder.
    static bound_socket to_path(const std::string& path, mode_t more_permissions = 0);

    explicit bound_socket(unique_fd fd, socket_file file = {}) noexcept
        : fd_(std::move(fd)), file_(std::move(file))
    {
    }

    int native_handle() const noexcept { return fd_.get(); }

    /// Begins to listen, with room for so many that wait to be accepted (0: as many as the kernel
    /// allows, net.core.somaxconn), and gives the socket to the caller; the file stays here. Throws
    /// std::system_error.
    unique_fd listen(int backlog = 0);

    /// The file, to the caller.
    socket_file release_file() noexcept { return std::move(file_); }

private:
    unique_fd fd_;
    socket_file file_;
};

/// The permissions that Node's options `readableAll` and `writableAll` of server.listen() give.
mode_t permissions_for_all(bool readable, bool writable) noexcept;

} // namespace net

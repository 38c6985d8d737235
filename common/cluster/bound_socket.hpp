// The socket that a query asks for, bound and not listening yet.
#pragma once

#include "cluster/message.hpp"
#include "unique_fd.hpp"

#include <optional>
#include <string>

namespace cluster {

/// Owns the socket and, on a Unix path, the file, which goes with it.
class bound_socket {
public:
    /// socket(2) and bind(2) as Node's primary does it: close-on-exec, non-blocking, SO_REUSEADDR;
    /// all interfaces means "::", which takes IPv4 clients too, or 0.0.0.0 where there is no IPv6.
    /// For a query with a descriptor a copy of that one of ours, when it is a stream socket that is
    /// bound. Throws std::system_error (EADDRINUSE, EACCES, ENAMETOOLONG, EINVAL for what is no
    /// address).
    explicit bound_socket(const query& asked);
    ~bound_socket();
    bound_socket(const bound_socket&) = delete;
    bound_socket& operator=(const bound_socket&) = delete;

    int native_handle() const noexcept { return fd_.get(); }

    /// Begins to listen, with room for so many that wait (0: as many as the kernel allows), and
    /// gives the socket to the caller; the file stays here. Throws std::system_error.
    unique_fd listen(int backlog);

private:
    unique_fd fd_;
    std::string path_; // ours to remove, or empty
};

/// Where a socket is; nullopt for one on a path.
std::optional<socket_name> name_of(int fd);

} // namespace cluster

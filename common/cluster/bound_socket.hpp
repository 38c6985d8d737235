// The socket that a query asks for, bound and not listening yet.
#pragma once

#include "cluster/message.hpp"
#include "net/bound_socket.hpp"

#include <optional>

namespace cluster {

/// The one that net::listen() begins with, for what Node's primary binds.
class bound_socket : public net::bound_socket {
public:
    /// All interfaces means "::", which takes IPv4 clients too, or 0.0.0.0 where there is no IPv6.
    /// For a query with a descriptor a copy of that one of ours, when it is a stream socket that is
    /// bound. Throws std::system_error (EADDRINUSE, EACCES, ENAMETOOLONG, EINVAL for what is no
    /// address).
    explicit bound_socket(const query& asked);
};

/// Where a socket is; nullopt for one on a path.
std::optional<socket_name> name_of(int fd);

} // namespace cluster

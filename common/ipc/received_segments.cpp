#include "ipc/received_segments.hpp"

// <linux/tcp.h> has the newer fields of tcp_info and clashes with <netinet/tcp.h>, which Asio
// includes: that is why this is a file of its own.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace ipc {

bool has_received_segments(int tcp_socket) noexcept
{
    tcp_info info{};
    socklen_t length = sizeof info;
    return ::getsockopt(tcp_socket, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
           length >= offsetof(tcp_info, tcpi_segs_in) + sizeof info.tcpi_segs_in &&
           info.tcpi_segs_in > 0;
}

} // namespace ipc

#include "ipc/tcp_state.hpp"

// <linux/tcp.h> has the newer fields of tcp_info and clashes with <netinet/tcp.h>, which Asio
// includes: that is why this is a file of its own.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace ipc {

tcp_state tcp_state_of(int fd) noexcept
{
    tcp_info info{};
    socklen_t length = sizeof info;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return tcp_state::no_tcp;
    // TCP_SYN_SENT, TCP_CLOSE and TCP_LISTEN of the kernel; in all other states there is a peer.
    constexpr unsigned syn_sent = 2;
    constexpr unsigned closed = 7;
    constexpr unsigned listening = 10;
    if (info.tcpi_state == listening)
        return tcp_state::listening;
    if (info.tcpi_state != syn_sent && info.tcpi_state != closed)
        return tcp_state::connected;
    const bool has_heard = length >= offsetof(tcp_info, tcpi_segs_in) + sizeof info.tcpi_segs_in &&
                           info.tcpi_segs_in > 0;
    return has_heard ? tcp_state::connected : tcp_state::neither;
}

} // namespace ipc

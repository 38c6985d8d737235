#include "workers/connection_progress.hpp"

// <linux/tcp.h> has the newer fields of tcp_info and clashes with <netinet/tcp.h>, which Asio
// includes: that is why this is a file of its own.
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

namespace workers {

bool was_touched(int connection) noexcept
{
    tcp_info info{};
    socklen_t length = sizeof info;
    int unread = 0;
    int unsent = 0;
    if (::getsockopt(connection, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
        length < offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent ||
        ::ioctl(connection, SIOCINQ, &unread) != 0 || ::ioctl(connection, SIOCOUTQ, &unsent) != 0)
        return true;

    // Any other state: somebody has shut the connection down, or the client has reset it.
    constexpr unsigned established = 1; // TCP_ESTABLISHED
    constexpr unsigned close_wait = 8;  // TCP_CLOSE_WAIT: the client has ended its side
    if (info.tcpi_state != established && info.tcpi_state != close_wait)
        return true;

    // [touched]
    // The client's FIN counts as one received byte and is never among the unread ones.
    const auto fin = info.tcpi_state == close_wait ? 1U : 0U;
    const bool consumed = info.tcpi_bytes_received > static_cast<unsigned>(unread) + fin;
    const bool answered = info.tcpi_bytes_sent > 0 || unsent > 0; // unsent: corked, or no window
    return consumed || answered;
    // [/touched]
}

} // namespace workers

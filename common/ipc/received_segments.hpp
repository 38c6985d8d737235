// Has this TCP socket ever heard from anybody?
#pragma once

namespace ipc {

/// True when a segment has come for this very socket (tcpi_segs_in of TCP_INFO in tcp(7), since
/// Linux 4.2): it is or was connected. A connection that its client has reset looks, by all other
/// signs, like a socket that was only bound.
bool has_received_segments(int tcp_socket) noexcept;

} // namespace ipc

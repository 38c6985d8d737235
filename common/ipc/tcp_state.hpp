// What a TCP socket is: asked once.
#pragma once

namespace ipc {

enum class tcp_state {
    no_tcp,    ///< another kind of socket, or none
    listening, ///< LISTEN
    connected, ///< or it was, until one of its ends reset it
    neither,   ///< never connected: only made, only bound, or still connecting
};

/// One system call, for IPv4 and IPv6 alike (TCP_INFO in tcp(7), with tcpi_segs_in since Linux
/// 4.2): every other kind of descriptor refuses it. A connection that was reset looks, by all other
/// signs, like a socket that was only bound; but a segment has come for it.
tcp_state tcp_state_of(int fd) noexcept;

} // namespace ipc

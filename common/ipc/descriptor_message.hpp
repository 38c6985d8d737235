// One sendmsg(2) or recvmsg(2) on a Unix stream socket, with descriptors: the only file that knows
// cmsghdr.
//
// Sources: unix(7), cmsg(3), recvmsg(2). Notes: chapter 02.
#pragma once

#include "posix.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace ipc {

/// The kernel refuses more descriptors in one message (SCM_MAX_FD, unix(7)).
inline constexpr std::size_t max_descriptors = 253;

/// Writes as much of `bytes` as the socket takes now and returns how much; 0 means it would block,
/// and then nothing has gone, neither bytes nor descriptor.
///
/// With `descriptor` >= 0 a copy of it rides on the first byte: a result >= 1 means it has gone,
/// and the rest of the bytes must be written without it, or the receiver gets a second copy. The
/// caller keeps its own descriptor in every case.
///
/// Throws std::invalid_argument for a descriptor with no byte to ride on (the kernel would drop it
/// without an error), std::system_error for everything else: EPIPE when the peer has closed (never
/// SIGPIPE), ETOOMANYREFS when too many descriptors of this user are in flight.
std::size_t send_bytes(int socket, std::string_view bytes, int descriptor = -1);

/// The same with several descriptors. The channel sends one at most; tests play bad peers with
/// this.
std::size_t send_bytes(int socket, std::string_view bytes, std::span<const int> descriptors);

struct received {
    std::size_t size = 0;        ///< bytes read
    bool would_block = false;    ///< nothing there now
    bool end = false;            ///< end of file, or ECONNRESET, which says the same less politely
    std::size_t descriptors = 0; ///< how many have been appended
    bool truncated = false; ///< MSG_CTRUNC: descriptors were sent that this process could not take
};

/// Reads up to `buffer.size()` bytes and appends the descriptors that came with them, each owned at
/// once and close-on-exec. Bytes written before a descriptor's first byte may come in the same
/// read, bytes written after its message never do; so two messages' descriptors never mix, but a
/// descriptor may come long before the end of its line. Throws std::system_error, and then nothing
/// has been read.
received receive_bytes(int socket, std::span<char> buffer, std::vector<unique_fd>& descriptors);

} // namespace ipc

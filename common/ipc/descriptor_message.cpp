#include "ipc/descriptor_message.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <sys/socket.h>

namespace ipc {

namespace {

// Room for the most the kernel can send. A smaller buffer is no protection: CMSG_SPACE of one int
// and of two are equal, so a second descriptor slips in unseen, and what does not fit is lost.
struct control_buffer {
    alignas(cmsghdr) char bytes[CMSG_SPACE(max_descriptors * sizeof(int))];
};

} // namespace

std::size_t send_bytes(int socket, std::string_view bytes, int descriptor)
{
    return send_bytes(socket, bytes,
                      descriptor < 0 ? std::span<const int>{}
                                     : std::span<const int>{&descriptor, 1});
}

std::size_t send_bytes(int socket, std::string_view bytes, std::span<const int> descriptors)
{
    if (bytes.empty() && !descriptors.empty())
        throw std::invalid_argument("a descriptor needs at least one byte to travel on");
    if (descriptors.size() > max_descriptors + 1) // one more lets a test see the kernel's EINVAL
        throw std::invalid_argument("too many descriptors for one message");

    iovec data{const_cast<char*>(bytes.data()), bytes.size()}; // sendmsg does not write through it
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;

    alignas(cmsghdr) char control[CMSG_SPACE((max_descriptors + 1) * sizeof(int))];
    if (!descriptors.empty()) {
        // [attach]
        const auto size = descriptors.size_bytes();
        std::memset(control, 0, CMSG_SPACE(size)); // the padding would carry our stack otherwise
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(size);
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(rights), descriptors.data(), size);
        // [/attach]
    }

    const ssize_t sent =
        posix::retry([&] { return ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT); });
    if (sent >= 0)
        return static_cast<std::size_t>(sent);
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
    throw posix::last_error("sendmsg");
}

received receive_bytes(int socket, std::span<char> buffer, std::vector<unique_fd>& descriptors)
{
    iovec data{buffer.data(), buffer.size()};
    control_buffer control;
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;

    descriptors.reserve(descriptors.size() + max_descriptors); // afterwards nothing may throw

    // MSG_CMSG_CLOEXEC: there must be no moment in which a fork could inherit them.
    const ssize_t size =
        posix::retry([&] { return ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });

    received result;
    if (size < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            result.would_block = true;
        else if (errno == ECONNRESET) // the peer closed with something of ours unread
            result.end = true;
        else
            throw posix::last_error("recvmsg");
        return result;
    }
    result.size = static_cast<std::size_t>(size);
    result.end = size == 0 && !buffer.empty();
    result.truncated = (header.msg_flags & MSG_CTRUNC) != 0;

    // [take_out]
    for (cmsghdr* item = CMSG_FIRSTHDR(&header); item; item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
            continue;
        const std::size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof fd);
            descriptors.push_back(unique_fd(fd));
            ++result.descriptors;
        }
    }
    // [/take_out]
    return result;
}

} // namespace ipc

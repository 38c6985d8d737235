// Loaded into a program before the C library (LD_PRELOAD): on each TCP connection that does not
// block, the first send finds no room, as when a client reads slowly. Who then forgets what is not
// sent yet, or the connection, is seen to lose it.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace {

std::array<std::atomic<bool>, 4096> refused{}; // by descriptor: once on this connection

bool is_tcp_that_does_not_block(int fd)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;
    return ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
           protocol == IPPROTO_TCP && (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

bool refuse(int fd)
{
    if (fd < 0 || static_cast<std::size_t>(fd) >= refused.size() || !is_tcp_that_does_not_block(fd))
        return false;
    return !refused[static_cast<std::size_t>(fd)].exchange(true);
}

template<class Function>
Function* next(const char* name)
{
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

} // namespace

extern "C" ssize_t send(int fd, const void* data, std::size_t size, int flags)
{
    static const auto original = next<decltype(send)>("send");
    if (refuse(fd)) {
        errno = EAGAIN;
        return -1;
    }
    return original(fd, data, size, flags);
}

extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags)
{
    static const auto original = next<decltype(sendmsg)>("sendmsg");
    if (refuse(fd)) {
        errno = EAGAIN;
        return -1;
    }
    return original(fd, message, flags);
}

extern "C" int close(int fd)
{
    static const auto original = next<decltype(close)>("close");
    if (fd >= 0 && static_cast<std::size_t>(fd) < refused.size())
        refused[static_cast<std::size_t>(fd)] = false;
    return original(fd);
}

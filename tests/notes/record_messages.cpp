// Loaded before the C library (LD_PRELOAD), writes down what crosses a process's sockets: one JSON
// line for each sendmsg and recvmsg that moved something, appended to the file that RECORD_MESSAGES
// names. The programs are the ordinary ones.

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

void append_hex(std::string& text, const void* bytes, std::size_t size)
{
    constexpr char digits[] = "0123456789abcdef";
    for (std::size_t i = 0; i < size; ++i) {
        const auto byte = static_cast<const unsigned char*>(bytes)[i];
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
}

// `size` bytes have crossed. Of the control part there is what the caller gave, or what the kernel
// filled in: the padding behind the last item is not written when receiving.
void record(const char* call, int socket, const msghdr& header, std::size_t size)
{
    const char* path = std::getenv("RECORD_MESSAGES");
    if (!path)
        return;
    std::string line = "{\"pid\":" + std::to_string(::getpid()) + ",\"call\":\"" + call +
                       "\",\"socket\":" + std::to_string(socket) + ",\"data\":\"";
    for (std::size_t i = 0; i < header.msg_iovlen && size > 0; ++i) {
        const std::size_t part = std::min(size, header.msg_iov[i].iov_len);
        append_hex(line, header.msg_iov[i].iov_base, part);
        size -= part;
    }
    line += "\",\"control\":\"";
    if (header.msg_control && header.msg_controllen > 0)
        append_hex(line, header.msg_control, header.msg_controllen);
    line += "\"}\n";

    const int fd = ::open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd >= 0) {
        [[maybe_unused]] const auto written = ::write(fd, line.data(), line.size());
        ::close(fd);
    }
}

template<class Function>
Function* next(const char* name)
{
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

} // namespace

extern "C" ssize_t sendmsg(int socket, const msghdr* header, int flags)
{
    static const auto real = next<decltype(sendmsg)>("sendmsg");
    const ssize_t size = real(socket, header, flags);
    if (size > 0)
        record("sendmsg", socket, *header, static_cast<std::size_t>(size));
    return size;
}

extern "C" ssize_t recvmsg(int socket, msghdr* header, int flags)
{
    static const auto real = next<decltype(recvmsg)>("recvmsg");
    const ssize_t size = real(socket, header, flags);
    if (size > 0)
        record("recvmsg", socket, *header, static_cast<std::size_t>(size));
    return size;
}

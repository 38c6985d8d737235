// What every caller of system calls needs, written once: errno as an exception, EINTR, the want of
// resources, the flags of a descriptor.
#pragma once

#include "unique_fd.hpp"

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

namespace posix {

/// errno as an exception that names the call which has just failed: "epoll_ctl: No space left on
/// device". To be thrown; read before anything else can change errno.
std::system_error last_error(const char* call);

/// `result`, unless it is negative: then throws last_error(call).
///
///     unique_fd epoll(posix::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
int check(int result, const char* call);

/// Makes the call again as long as a signal interrupts it (EINTR in signal(7)). Not for close(2),
/// which has done its work even then, and not where a signal is what is waited for.
///
///     const auto size = posix::retry([&] { return ::read(fd, buffer, sizeof buffer); });
template<class Call>
auto retry(Call call)
{
    for (;;)
        if (const auto result = call(); result >= 0 || errno != EINTR)
            return result;
}

/// Does the error say that this process, its user or the machine has run out of something:
/// descriptors, processes, kernel memory, epoll watches, descriptors between processes? Nobody at
/// the other end is to blame, and it passes as soon as somebody lets go of something: wait, and try
/// again.
///
/// EAGAIN is among them, since fork(2) says so; of a read, write or accept that does not block it
/// means "nothing yet", and whoever makes such a call looks for it first.
bool out_of_resources(const std::error_code& error) noexcept;

/// Sets O_NONBLOCK. It belongs to the open file, not to the number: whoever holds a copy, in any
/// process, has it set too. So it is never taken away here. Throws std::system_error.
void set_non_blocking(int fd);

/// Sets FD_CLOEXEC, which belongs to the number alone. Throws std::system_error.
void set_close_on_exec(int fd);

/// How many descriptors this process may open yet (RLIMIT_NOFILE in getrlimit(2)), counted from the
/// lowest free number: what is open above it is not seen.
std::size_t free_descriptors() noexcept;

/// A second number for the same open file (dup(2)), close-on-exec. Throws std::system_error.
unique_fd duplicate(int fd);

/// Hands `fd` to an Asio object, such as a tcp::socket with its protocol or a stream_descriptor.
/// Throws std::system_error when Asio cannot watch it (no room in epoll, say); then `fd` still owns
/// it.
template<class Object, class... Protocol>
void assign(Object& object, unique_fd& fd, const Protocol&... protocol)
{
    object.assign(protocol..., fd.get());
    (void)fd.release();
}

} // namespace posix

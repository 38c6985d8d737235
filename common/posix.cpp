#include "posix.hpp"

#include <algorithm>
#include <fcntl.h>
#include <string_view>
#include <sys/resource.h>

namespace posix {

std::system_error last_error(const char* call)
{
    const int error = errno;
    return {error, std::generic_category(), call};
}

int check(int result, const char* call)
{
    if (result < 0)
        throw last_error(call);
    return result;
}

bool out_of_resources(const std::error_code& error) noexcept
{
    // Asio, which this part does not know, reports errno in a category of its own.
    const std::string_view category = error.category().name();
    if (category != "generic" && category != "system" && category != "asio.system")
        return false;
    switch (error.value()) {
    case EMFILE:       // this process's descriptors (RLIMIT_NOFILE)
    case ENFILE:       // everybody's
    case ENOMEM:       // kernel memory
    case ENOBUFS:      // and that of sockets
    case ENOSPC:       // epoll watches (max_user_watches in epoll(7))
    case ETOOMANYREFS: // this user's descriptors between processes (unix(7))
    case EAGAIN:       // processes (fork(2)), locked memory
        return true;
    default:
        return false;
    }
}

void set_non_blocking(int fd)
{
    const int flags = check(::fcntl(fd, F_GETFL), "fcntl F_GETFL");
    if ((flags & O_NONBLOCK) == 0)
        check(::fcntl(fd, F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
}

void set_close_on_exec(int fd)
{
    check(::fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl F_SETFD");
}

std::size_t free_descriptors() noexcept
{
    rlimit limit{};
    const unique_fd lowest(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!lowest || ::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    return limit.rlim_cur - std::min(limit.rlim_cur, static_cast<rlim_t>(lowest.get()));
}

unique_fd duplicate(int fd)
{
    return unique_fd(check(::fcntl(fd, F_DUPFD_CLOEXEC, 0), "fcntl F_DUPFD_CLOEXEC"));
}

} // namespace posix

#include "failing_calls.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <new>
#include <sys/socket.h>

namespace {

struct failure {
    int error = 0;
    int times = 0;

    bool happens()
    {
        if (times == 0)
            return false;
        --times;
        errno = error;
        return true;
    }
};
failure of_recvmsg, of_sendmsg;
std::size_t largest_allocation = std::numeric_limits<std::size_t>::max();
std::atomic<std::size_t> allocations_so_far{0}; // child_process_test has threads

} // namespace

extern "C" {
ssize_t __real_recvmsg(int, msghdr*, int);
ssize_t __real_sendmsg(int, const msghdr*, int);
ssize_t __wrap_recvmsg(int socket, msghdr* message, int flags)
{
    return of_recvmsg.happens() ? -1 : __real_recvmsg(socket, message, flags);
}
ssize_t __wrap_sendmsg(int socket, const msghdr* message, int flags)
{
    return of_sendmsg.happens() ? -1 : __real_sendmsg(socket, message, flags);
}
}

void* operator new(std::size_t size)
{
    ++allocations_so_far;
    if (size > largest_allocation)
        throw std::bad_alloc();
    if (void* memory = std::malloc(size > 0 ? size : 1))
        return memory;
    throw std::bad_alloc();
}

void operator delete(void* memory) noexcept
{
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}

namespace failing_calls {

void recvmsg_fails(int error, int times)
{
    of_recvmsg = {error, times};
}

int recvmsg_failures_left()
{
    return of_recvmsg.times;
}

void sendmsg_fails(int error, int times)
{
    of_sendmsg = {error, times};
}

std::size_t allocations()
{
    return allocations_so_far;
}

no_allocation_above::no_allocation_above(std::size_t bytes)
{
    largest_allocation = bytes;
}

no_allocation_above::~no_allocation_above()
{
    largest_allocation = std::numeric_limits<std::size_t>::max();
}

} // namespace failing_calls

// Calls that fail when a test wants them to (the linker's --wrap, see tests/CMakeLists.txt), and
// allocations, limited and counted.
#pragma once

#include <cstddef>

namespace failing_calls {

/// The next `times` calls fail with this errno, and do nothing else.
void recvmsg_fails(int error, int times);
int recvmsg_failures_left();
void sendmsg_fails(int error, int times);

/// How often operator new has been called so far.
std::size_t allocations();

/// While one lives, operator new throws std::bad_alloc for more than so many bytes.
class no_allocation_above {
public:
    explicit no_allocation_above(std::size_t bytes);
    ~no_allocation_above();
    no_allocation_above(const no_allocation_above&) = delete;
    no_allocation_above& operator=(const no_allocation_above&) = delete;
};

} // namespace failing_calls

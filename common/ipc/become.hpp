// become: from fork to exec, in the child.
#pragma once

#include "ipc/program.hpp"

#include <array>
#include <sys/types.h>

namespace ipc {

/// Why a child could not become its program.
struct failure {
    const char* call = nullptr; ///< a literal: it has the same address in the child, a copy of us
    int error = 0;
};

/// A standard stream of the child that stays as it is, or becomes /dev/null: no descriptor.
constexpr int as_it_is = -1;
constexpr int null_device = -2;

/// What the child does: nothing but async-signal-safe calls (signal-safety(7)), no memory
/// allocation. Of `streams`, each is a descriptor or one of the two above. `channel_end` becomes
/// descriptor 3, whatever else is open goes. The first failure is written to `report`, as a
/// `failure`; a successful exec closes that.
[[noreturn]] void become(program& program, const char* directory, std::array<int, 3> streams,
                         int channel_end, int report, pid_t parent);

} // namespace ipc

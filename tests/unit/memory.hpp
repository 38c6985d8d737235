// How much memory this process has in use.
#pragma once

#include "support/proc_fs.hpp"

#include <cstddef>
#include <string>
#include <unistd.h>

namespace memory {

/// AddressSanitizer keeps what has been freed, to see who uses it after that.
#if defined(ADDRESS_SANITIZER)
inline constexpr bool is_given_back = false;
#else
inline constexpr bool is_given_back = true;
#endif

inline constexpr std::size_t mebibyte = 1024 * 1024;

/// In bytes.
inline std::size_t resident()
{
    return 1024 * std::stoul(support::status_field(::getpid(), "VmRSS"));
}

/// The most by which it has been above what it was at first, at the moments it was looked at.
class growth {
public:
    void look()
    {
        const auto now = resident();
        if (now > first_ && now - first_ > most_)
            most_ = now - first_;
    }
    std::size_t most() const { return most_; }

private:
    std::size_t first_ = resident();
    std::size_t most_ = 0;
};

} // namespace memory

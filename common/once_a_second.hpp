// A limit for warnings about what may happen thousands of times a second.
#pragma once

#include <chrono>
#include <optional>

/// True when it has not been so within the last second: `if (may_warn()) ...`.
class once_a_second {
public:
    bool operator()()
    {
        const auto now = std::chrono::steady_clock::now();
        if (last_ && now - *last_ < std::chrono::seconds(1))
            return false;
        last_ = now;
        return true;
    }

private:
    std::optional<std::chrono::steady_clock::time_point> last_;
};

// To whoever has fewest connections open. Not in Node, whose workers do not tell.
#pragma once

#include "cluster/accepting.hpp"

#include <algorithm>

namespace cluster {

/// Our own workers tell how many of their connections have ended (the act "ended"). Of Node's
/// workers only that is known which they have not answered yet, and of these none gets another: so
/// among them it is round robin.
class least_busy : public accepting {
public:
    using accepting::accepting;

private:
    // [pick]
    members::const_iterator pick(const members& free) const override
    {
        return std::min_element(free.begin(), free.end(),
                                [](const auto& a, const auto& b) { return a->open() < b->open(); });
    }
    // [/pick]
    bool wants_ended() const override { return true; }
};

} // namespace cluster

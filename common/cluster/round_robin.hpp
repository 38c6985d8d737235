// In turn: whoever has had nothing to do for longest gets the next connection. Node's SCHED_RR.
#pragma once

#include "cluster/accepting.hpp"

namespace cluster {

/// Exactly even among workers that have time; one that is slow to answer gets fewer.
class round_robin : public accepting {
public:
    using accepting::accepting;

private:
    // [pick]
    members::const_iterator pick(const members& free) const override { return free.begin(); }
    // [/pick]
};

} // namespace cluster

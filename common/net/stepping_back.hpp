// stepping_back: when a process leaves a connection to its siblings (accepting::step_back). Knows
// neither sockets nor clocks, so it can be tested alone. Notes: chapter 08.
#pragma once

#include <algorithm>

namespace net {

/// All who share a listening socket are woken for each connection. Who slept before it accepted one
/// owes the next few to the siblings: woken for one, it steps back for a moment, and then looks
/// whether it is still there. If each does so, they take turns; with as many to leave as here, the
/// busiest of four or more gets about a quarter.
///
/// If the connection is still there, nobody else was free: then it leaves fewer. Where there are no
/// siblings, or all of them are busy, it soon leaves none, but for one that it tries now and then.
class stepping_back {
public:
    /// It has accepted a connection. `slept`: there was nothing to do before, for a while.
    void accepted(bool slept) noexcept
    {
        if (!slept)
            return;
        owed_ = trust_ / trust_for_one;
        if (owed_ == 0 && ++since_last_try_ == accepts_between_tries) {
            since_last_try_ = 0;
            owed_ = 1;
        }
    }

    /// There is a connection: whether to step back from it.
    bool leaves_this_one() noexcept
    {
        if (owed_ == 0)
            return false;
        --owed_;
        return true;
    }

    /// What became of the one that was left.
    void was_taken(bool by_a_sibling) noexcept
    {
        if (by_a_sibling)
            trust_ = std::clamp(trust_ + 1, trust_for_one, most * trust_for_one);
        else
            trust_ = std::max(trust_ - trust_for_one, 0);
    }

private:
    static constexpr int most = 3;
    static constexpr int trust_for_one = 4;
    static constexpr int accepts_between_tries = 16;

    int trust_ = most * trust_for_one; // that siblings take what is left to them
    int owed_ = 0;
    int since_last_try_ = 0;
};

} // namespace net

// How many connections went where.
#pragma once

#include <cstddef>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace workers {

/// Since the start. Of those given to hand_over(): accepted = handed_over + closed, once none is on
/// its way.
struct tally {
    std::vector<std::pair<pid_t, std::size_t>>
        acknowledged;            ///< per worker process, in order of start; send() counts too
    std::size_t accepted = 0;    ///< given to hand_over()
    std::size_t handed_over = 0; ///< and acknowledged by a worker in the end
    std::size_t closed = 0;    ///< or nobody could take them, or a dead worker had begun to answer
    std::size_t came_back = 0; ///< how often one came back from a dead worker, untouched
};

} // namespace workers

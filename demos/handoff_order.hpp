// The order in which the document's main sends the server to its workers.
#pragma once

#include <cstddef>
#include <numeric>
#include <vector>

/// 0 2 1 3 for the document's four workers, else slot order. Any order does: each worker gets a
/// copy.
inline std::vector<std::size_t> handoff_order(std::size_t workers)
{
    if (workers == 4)
        return {0, 2, 1, 3};
    std::vector<std::size_t> order(workers);
    std::iota(order.begin(), order.end(), std::size_t{0});
    return order;
}

// Who leaves a connection to its siblings, and how many.
#include "net/stepping_back.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace {

/// Connections come one by one to processes that sleep in between and are woken in `order`; the
/// busiest one's share.
double share_of_the_busiest(std::size_t processes, int connections,
                            std::size_t (*first_to_run)(int connection))
{
    std::vector<net::stepping_back> all(processes);
    std::vector<int> has(processes, 0);
    for (int connection = 0; connection < connections; ++connection) {
        std::vector<std::size_t> rest;
        bool taken = false;
        for (std::size_t i = 0; i < processes; ++i) {
            const auto one = (first_to_run(connection) + i) % processes;
            if (taken)
                continue; // woken for nothing: it finds none
            if (all[one].leaves_this_one()) {
                rest.push_back(one);
            } else {
                all[one].accepted(true);
                ++has[one];
                taken = true;
            }
        }
        for (const auto one : rest) {
            all[one].was_taken(taken);
            has[one] += taken ? 0 : 1;
            taken = true;
        }
    }
    return double(*std::max_element(has.begin(), has.end())) / connections;
}

std::size_t always_the_same(int)
{
    return 0;
}

TEST(SteppingBack, FourTakeTurnsThoughAlwaysTheSameRunsFirst)
{
    EXPECT_EQ(share_of_the_busiest(4, 1000, always_the_same), 0.25);
}

TEST(SteppingBack, WithMoreTheBusiestHasAQuarterAtMost)
{
    EXPECT_LE(share_of_the_busiest(8, 1000, always_the_same), 0.25);
}

TEST(SteppingBack, TwoShareNearlyEvenly)
{
    EXPECT_LE(share_of_the_busiest(2, 1000, always_the_same), 0.6);
}

TEST(SteppingBack, WhoHasNotSleptLeavesNone)
{
    net::stepping_back one;
    one.accepted(false);
    EXPECT_FALSE(one.leaves_this_one());
}

TEST(SteppingBack, WhoIsAloneSoonStopsButTriesNowAndThen)
{
    net::stepping_back one;
    int left = 0;
    for (int connection = 0; connection < 1000; ++connection) {
        if (one.leaves_this_one()) {
            ++left;
            one.was_taken(false);
        } else {
            one.accepted(true);
        }
    }
    EXPECT_GT(left, 1000 / 20);
    EXPECT_LT(left, 1000 / 14);
}

TEST(SteppingBack, WhoStoppedBeginsAgainWhenSiblingsAreThere)
{
    net::stepping_back one;
    const auto leaves = [&](bool to_siblings) {
        one.accepted(true);
        int left = 0;
        while (one.leaves_this_one()) {
            ++left;
            one.was_taken(to_siblings);
        }
        return left;
    };
    while (leaves(false) > 0) {
    }
    int accepts = 0;
    while (leaves(true) < 3)
        ASSERT_LT(++accepts, 100);
    EXPECT_EQ(leaves(true), 3);
}

} // namespace

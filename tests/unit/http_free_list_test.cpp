// What is kept for the next user, and what is not.
#include "http/free_list.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

using list = http::free_list<std::unique_ptr<int>>;

namespace {

/// How many of `wanted` it has to make.
std::size_t made(list& spare, std::size_t wanted)
{
    std::size_t made = 0;
    for (std::size_t i = 0; i < wanted; ++i)
        spare.take([&] { return ++made, std::make_unique<int>(); });
    return made;
}

TEST(FreeList, LendsWhatWasGivenBackAndMakesWhatIsMissing)
{
    list spare;
    int number = 0;
    const auto make = [&] { return std::make_unique<int>(++number); };
    auto first = spare.take(make);
    const auto second = spare.take(make);
    EXPECT_EQ(*first, 1);
    EXPECT_EQ(*second, 2);
    spare.give_back(std::move(first), 10);
    EXPECT_EQ(*spare.take(make), 1);
    EXPECT_EQ(*spare.take(make), 3);
}

TEST(FreeList, KeepsNeitherTooManyNorTooLargeOnes)
{
    list spare;
    spare.give_back(std::make_unique<int>(), list::max_memory + 1);
    EXPECT_EQ(made(spare, 1), 1u);
    spare.give_back(std::make_unique<int>(), list::max_memory);
    EXPECT_EQ(made(spare, 1), 0u);
    for (std::size_t i = 0; i < 2 * list::max_kept; ++i)
        spare.give_back(std::make_unique<int>(), 1);
    EXPECT_EQ(made(spare, 2 * list::max_kept), list::max_kept);
}

} // namespace

// What is kept for the next user, and what is not.
#include "http/free_list.hpp"

#include <gtest/gtest.h>

#include <memory>

using list = http::free_list<std::unique_ptr<int>>;

namespace {

TEST(FreeList, LendsWhatWasGivenBackAndMakesWhatIsMissing)
{
    list spare;
    const auto make = [made = 0]() mutable { return std::make_unique<int>(++made); };
    auto first = spare.take(make);
    auto second = spare.take(make);
    EXPECT_EQ(*first, 1);
    EXPECT_EQ(*second, 2);
    spare.give_back(std::move(first), 10);
    EXPECT_EQ(spare.size(), 1u);
    EXPECT_EQ(*spare.take(make), 1);
    EXPECT_EQ(*spare.take(make), 3);
}

TEST(FreeList, KeepsNeitherTooManyNorTooLargeOnes)
{
    list spare;
    spare.give_back(std::make_unique<int>(), list::max_memory + 1);
    EXPECT_EQ(spare.size(), 0u);
    spare.give_back(std::make_unique<int>(), list::max_memory);
    EXPECT_EQ(spare.size(), 1u);
    for (std::size_t i = 0; i < 2 * list::max_kept; ++i)
        spare.give_back(std::make_unique<int>(), 1);
    EXPECT_EQ(spare.size(), list::max_kept);
}

} // namespace

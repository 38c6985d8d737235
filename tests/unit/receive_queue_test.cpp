// When to stop reading, and how many of the peer's sockets are open here.
#include "ipc/receive_queue.hpp"
#include "ipc/socket_counts.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using ipc::receive_queue;
using ipc::socket_counts;

void push(receive_queue& queue, std::size_t times, std::size_t size = 1)
{
    for (std::size_t i = 0; i < times; ++i)
        queue.push({ipc::value("m"), {}}, size);
}

TEST(ReceiveQueue, GivesMessagesInTheirOrder)
{
    receive_queue queue(100);
    for (const std::string text : {"a", "b", "c"})
        queue.push({ipc::value(text), {}}, 1);
    for (const std::string text : {"a", "b", "c"})
        EXPECT_EQ(queue.pop()->body.to_string(), text);
    EXPECT_FALSE(queue.pop());
}

TEST(ReceiveQueue, IsFullAtALimitAndHasRoomBelowItsHalf)
{
    constexpr auto limit = receive_queue::max_messages;
    receive_queue queue(1'000'000);
    push(queue, limit - 1);
    EXPECT_FALSE(queue.is_full(false));
    push(queue, 1);
    EXPECT_TRUE(queue.is_full(false));
    for (std::size_t i = 0; i < limit / 2; ++i) {
        EXPECT_FALSE(queue.has_room(false)) << i;
        queue.pop();
    }
    queue.pop();
    EXPECT_TRUE(queue.has_room(false));
}

TEST(ReceiveQueue, CountsBytesAsWellAsMessages)
{
    receive_queue queue(100);
    push(queue, 1, 100);
    EXPECT_FALSE(queue.is_full(false));
    push(queue, 1, 1);
    EXPECT_TRUE(queue.is_full(false));
    queue.pop();
    EXPECT_TRUE(queue.has_room(false));
}

TEST(ReceiveQueue, TakesMoreWhileAnAcknowledgementIsAwaitedUpToALimit)
{
    constexpr auto limit = receive_queue::max_messages;
    receive_queue queue(1'000'000);
    push(queue, limit);
    EXPECT_TRUE(queue.is_full(false));
    EXPECT_FALSE(queue.is_full(true));
    EXPECT_TRUE(queue.has_room(true));
    push(queue, limit * (receive_queue::while_in_doubt - 1));
    EXPECT_TRUE(queue.is_full(true));
}

TEST(SocketCounts, AKeyNeverSeenHasNoSocketOpen)
{
    socket_counts counts;
    EXPECT_EQ(counts.open("k"), 0U);
    EXPECT_TRUE(counts.all_closed_or_tell("k"));
    EXPECT_FALSE(counts.closed("k"));
    EXPECT_EQ(counts.keys(), 0U) << "to ask costs nothing";
}

TEST(SocketCounts, TellsOnceWhenTheLastHasClosed)
{
    socket_counts counts;
    counts.opened("k");
    counts.opened("k");
    counts.opened("other");
    EXPECT_EQ(counts.open("k"), 2U);
    EXPECT_FALSE(counts.all_closed_or_tell("k"));
    EXPECT_FALSE(counts.all_closed_or_tell("k"));
    EXPECT_FALSE(counts.closed("k"));
    EXPECT_TRUE(counts.closed("k"));
    EXPECT_FALSE(counts.closed("k"));
    EXPECT_FALSE(counts.closed("other")) << "nobody has asked";
    counts.opened("k");
    EXPECT_FALSE(counts.closed("k")) << "the question was answered";
}

TEST(SocketCounts, ForgetsAKeyWithItsLastSocket)
{
    socket_counts counts;
    for (int i = 0; i < 100'000; ++i) {
        counts.opened(std::to_string(i));
        counts.closed(std::to_string(i));
    }
    EXPECT_EQ(counts.keys(), 0U);
}

} // namespace

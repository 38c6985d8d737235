// What a hand-over asks of the memory allocator, at both ends. Each allocation is some tens of
// nanoseconds; many are a design that copies.
#include "channel_fixture.hpp"
#include "failing_calls.hpp"

#include <asio/detached.hpp>

using namespace ipc_test;
using asio::awaitable;

namespace {

awaitable<void> send_all(ipc::channel& channel, std::vector<ipc::handle>& handles)
{
    for (auto& handle : handles)
        co_await channel.send("http server", handle);
}

awaitable<void> receive_all(ipc::channel& channel, std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i) {
        auto message = co_await channel.receive();
        EXPECT_TRUE(message && *message->body.text() == "http server");
    }
}

TEST(ChannelAllocations, OfAHandOverAreFewAtBothEnds)
{
    asio::io_context context{1};
    auto [ours, theirs] = unix_pair();
    ipc::channel sender(context.get_executor(), std::move(ours));
    ipc::channel receiver(context.get_executor(), std::move(theirs));
    const auto hand_over = [&](std::size_t count) {
        std::vector<ipc::handle> handles;
        for (std::size_t i = 0; i < count; ++i)
            handles.push_back(connection_handle(tcp_pair().first));
        const auto before = failing_calls::allocations();
        bool done = false;
        asio::co_spawn(context, receive_all(receiver, count), asio::detached);
        asio::co_spawn(context, send_all(sender, handles),
                       [&](std::exception_ptr) { done = true; });
        while (!done)
            context.run_one();
        return failing_calls::allocations() - before;
    };
    hand_over(20); // what is kept for the next one
    EXPECT_LE(hand_over(100) / 100, 32u) << "29 with Asio 1.22";
}

} // namespace

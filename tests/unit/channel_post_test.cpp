// The channel against a scripted peer: posting beside sending, how much waits, and waiting for it
// and for the end.
#include "channel_fixture.hpp"

#include "ipc/error.hpp"
#include "ipc/receive_queue.hpp"
#include "ipc/send_queue.hpp"

#include <asio/experimental/awaitable_operators.hpp>
#include <asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <stdexcept>

using namespace ipc_test;
using nlohmann::json;
using strings = std::vector<std::string>;

namespace {

class ChannelPosts : public ChannelTest {};

std::string line(const std::string& text)
{
    return '"' + text + "\"\n";
}

TEST_F(ChannelPosts, StandInTheOrderOfTheCallsAmongWhatIsSent)
{
    auto [accepted, client] = tcp_pair();
    channel->post("one");
    const auto sent = send("two");
    channel->post("three");
    channel->post("four", connection_handle(std::move(accepted)));
    channel->post("five"); // waits behind the handle
    EXPECT_TRUE(sent->done);
    EXPECT_EQ(read(),
              line("one") + line("two") + line("three") + envelope("net.Socket", "\"four\""));
    write(ack);
    run_ready();
    EXPECT_EQ(read(), line("five"));
}

TEST_F(ChannelPosts, GoOutWithoutARunningContext)
{
    channel->post("now");
    EXPECT_EQ(read(), line("now"));
}

// To write is to learn that the peer has gone, and then to read its last words. While reading is
// paused nothing of the channel's own keeps it alive.
TEST_F(ChannelPosts, AndReportsSurviveAHandlerThatDestroysTheChannel)
{
    const std::vector<std::function<void()>> speak{[this] { channel->post("too late"); },
                                                   [this] { channel->report("too late"); }};
    for (const auto& say : speak) {
        ipc::channel_options options;
        options.on_report = [this](pid_t, const ipc::value&) { channel.reset(); };
        open_channel(options);
        for (std::size_t i = 0; i < ipc::receive_queue::max_messages; ++i)
            write("1\n");
        run_ready();
        write("{\"cmd\":\"NODE_REPORT\",\"msg\":1}\n");
        peer.reset();
        say();
        EXPECT_FALSE(channel);
    }
}

TEST_F(ChannelPosts, ThrowAtOnceWhatIsKnownAtOnce)
{
    ipc::channel_options options;
    options.max_queue = 1000;
    open_channel(options);
    EXPECT_THROW(channel->post(json{{"cmd", "NODE_HANDLE"}}), std::invalid_argument);
    EXPECT_THROW(channel->post("\xff"), std::invalid_argument);
    EXPECT_THROW(channel->post("none", ipc::handle()), ipc::invalid_handle_type);
    EXPECT_THROW(channel->post(std::string(1000, 'x')), ipc::queue_full);
    EXPECT_EQ(channel->queued_bytes(), 0U);
    channel->close();
    EXPECT_THROW(channel->post("late"), ipc::channel_closed);
    EXPECT_EQ(read(), "") << "nothing of all that was written";
}

TEST_F(ChannelPosts, CloseTheirHandleWhateverBecomesOfIt)
{
    ipc::channel_options options;
    options.max_queue = 100'000;
    open_channel(options);
    const auto before = open_descriptors();
    const auto post_a_connection = [&](const std::string& text) {
        auto [accepted, client] = tcp_pair();
        channel->post(text, connection_handle(std::move(accepted)));
        return std::move(client);
    };

    auto client = post_a_connection("acknowledged");
    EXPECT_EQ(open_descriptors(), before + 2);
    read();
    write(ack);
    run_ready();
    received.clear();
    client.reset();
    EXPECT_EQ(open_descriptors(), before);

    client = post_a_connection("refused");
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(read(), envelope("net.Socket", "\"refused\""));
        write(nack);
        run_ready();
    }
    received.clear();
    client.reset();
    EXPECT_EQ(read(), "");
    EXPECT_EQ(open_descriptors(), before);

    channel->post("a server", ipc::handle(tcp_server()));
    read();
    write(ack);
    run_ready();
    received.clear();
    EXPECT_EQ(open_descriptors(), before) << "given away: not even a server stays";

    EXPECT_THROW(post_a_connection(std::string(100'000, 'x')), ipc::queue_full);
    EXPECT_EQ(open_descriptors(), before);

    client = post_a_connection("in doubt");
    auto waits = post_a_connection("waits");
    channel->close();
    client.reset();
    waits.reset();
    EXPECT_EQ(open_descriptors(), before - 1) << "but for the channel's own";
}

TEST_F(ChannelPosts, WhatWaitsIsCountedInBytesUntilItIsWrittenOrAcknowledged)
{
    EXPECT_EQ(channel->queued_bytes(), 0U);
    channel->post("written");
    EXPECT_EQ(channel->queued_bytes(), 0U);

    auto [accepted, client] = tcp_pair();
    channel->post("m", connection_handle(std::move(accepted)));
    EXPECT_EQ(channel->queued_bytes(), envelope("net.Socket").size());
    channel->post("behind");
    EXPECT_EQ(channel->queued_bytes(), envelope("net.Socket").size() + line("behind").size());
    read();
    write(ack);
    run_ready();
    EXPECT_EQ(channel->queued_bytes(), 0U);

    const std::string large(4'000'000, 'x');
    channel->post(large);
    EXPECT_EQ(channel->queued_bytes(), line(large).size()) << "whole, until it is through";
    channel->close();
    EXPECT_EQ(channel->queued_bytes(), 0U);
}

TEST_F(ChannelPosts, AreDrainedWhenAllIsWrittenAndAcknowledged)
{
    EXPECT_TRUE(begin(channel->drained())->done) << "nothing waits";

    channel->post(std::string(4'000'000, 'x'));
    auto [accepted, client] = tcp_pair();
    channel->post("socket", connection_handle(std::move(accepted)));
    const auto one = begin(channel->drained());
    const auto other = begin(channel->drained());
    std::string got;
    ASSERT_TRUE(run_until([&] { return (got += read()).ends_with("}\n"); }));
    EXPECT_FALSE(one->done) << "the handle is not acknowledged";
    write(ack);
    run_ready();
    EXPECT_TRUE(one->done && other->done);
    EXPECT_EQ(one->error + other->error, "");

    channel->post("again", ipc::handle(tcp_server()));
    const auto refused = begin(channel->drained());
    for (int i = 0; i < 4; ++i) {
        read();
        write(nack);
        run_ready();
    }
    EXPECT_TRUE(refused->done);
    EXPECT_EQ(refused->error, "") << "refused for good is an end, too";
}

TEST_F(ChannelPosts, AreNotDrainedWhenTheChannelHasEndedBefore)
{
    channel->post("written");
    const auto nothing_lost = begin(channel->drained());
    EXPECT_EQ(nothing_lost->error, "");

    channel->post(std::string(4'000'000, 'x'));
    const auto waits = begin(channel->drained());
    EXPECT_FALSE(waits->done);
    peer.reset();
    ASSERT_TRUE(run_until([&] { return waits->done; }));
    EXPECT_EQ(waits->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_EQ(begin(channel->drained())->error, "ERR_IPC_CHANNEL_CLOSED") << "also afterwards";

    open_channel({});
    channel->post("written");
    channel->close();
    const auto all_written = begin(channel->drained());
    EXPECT_TRUE(all_written->done);
    EXPECT_EQ(all_written->error, "");
}

// An acknowledgement of ours, say, is the peer's affair: it takes room, and nobody waits for it.
TEST(SendQueue, DoesNotCountAnswersAmongWhatSomebodyHasSent)
{
    ipc::send_queue queue(1000);
    queue.push_answer("answer\n", true);
    EXPECT_EQ(queue.bytes(), 7U);
    EXPECT_EQ(queue.unsettled(), 0U);
    queue.push("message\n");
    EXPECT_EQ(queue.unsettled(), 1U);
    queue.close();
    EXPECT_EQ(queue.bytes(), 0U);
    EXPECT_EQ(queue.unsettled(), 0U);
}

TEST_F(ChannelPosts, WaitingForThemMayBeGivenUp)
{
    using namespace asio::experimental::awaitable_operators;
    channel->post("waits", ipc::handle(tcp_server()));
    asio::steady_timer at_once(context, std::chrono::seconds(0));
    asio::steady_timer too(context, std::chrono::seconds(0));
    bool both = false;
    const auto give_up = [&]() -> asio::awaitable<void> {
        co_await (channel->drained() || at_once.async_wait(asio::use_awaitable));
        co_await (channel->disconnected() || too.async_wait(asio::use_awaitable));
        both = true;
    };
    const auto given_up = begin(give_up());
    ASSERT_TRUE(run_until([&] { return given_up->done; }));
    EXPECT_TRUE(both) << given_up->error;
    read();
    write(ack);
    run_ready();
    EXPECT_EQ(begin(channel->drained())->error, "");
}

class ChannelEnds : public ChannelPosts {};

TEST_F(ChannelEnds, AreAwaitedWhoeverHasEndedIt)
{
    const auto by_the_peer = begin(channel->disconnected());
    const auto and_another = begin(channel->disconnected());
    write(line("last"));
    run_ready();
    EXPECT_FALSE(by_the_peer->done);
    peer.reset();
    ASSERT_TRUE(run_until([&] { return by_the_peer->done && and_another->done; }));
    EXPECT_EQ(by_the_peer->error, "");
    EXPECT_EQ(receive_until_end(), strings{"\"last\""}) << "what had arrived is still there";

    open_channel({});
    const auto by_us = begin(channel->disconnected());
    channel->close();
    run_ready();
    EXPECT_TRUE(by_us->done);
    EXPECT_TRUE(begin(channel->disconnected())->done) << "long ago";

    open_channel({});
    const auto by_a_mistake = begin(channel->disconnected());
    write("no JSON\n");
    ASSERT_TRUE(run_until([&] { return by_a_mistake->done; }));
    EXPECT_EQ(by_a_mistake->error, "") << "receive() tells of it";
    receive();
    EXPECT_NE(receive_error, "");
}

TEST_F(ChannelEnds, InOrderAreAwaitedToo)
{
    auto [accepted, client] = tcp_pair();
    channel->post("socket", connection_handle(std::move(accepted)));
    const auto end = begin(channel->disconnected());
    const auto asked = begin(channel->disconnect());
    EXPECT_FALSE(channel->connected());
    EXPECT_FALSE(end->done) << "a handle is not acknowledged yet";
    read();
    write(ack);
    run_ready();
    peer = {};
    run_ready();
    EXPECT_TRUE(end->done && asked->done);
}

// Whoever waits need not keep the channel.
TEST_F(ChannelEnds, OfADestroyedChannelAreTold)
{
    const auto end = begin(channel->disconnected());
    channel->post("waits", ipc::handle(tcp_server()));
    const auto drained = begin(channel->drained());
    channel.reset();
    run_ready();
    EXPECT_TRUE(end->done);
    EXPECT_EQ(drained->error, "ERR_IPC_CHANNEL_CLOSED");
}

} // namespace

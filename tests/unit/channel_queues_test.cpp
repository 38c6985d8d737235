// The channel against a scripted peer that does not read or never stops: what waits is bounded.

#include "channel_fixture.hpp"
#include "memory.hpp"

#include "support/process.hpp"

#include <algorithm>

using namespace ipc_test;
using nlohmann::json;

namespace {

TEST_F(ChannelTest, A18_HoldsABoundedAmountForAPeerThatDoesNotRead)
{
    ipc::channel_options options;
    options.max_queue = 1'000'000;
    open_channel(options);
    std::vector<std::shared_ptr<outcome>> sent;
    for (int i = 0; i < 100; ++i)
        sent.push_back(send(std::to_string(i) + std::string(100'000, 'x')));
    std::size_t refused = 0;
    std::string expected;
    for (std::size_t i = 0; i < sent.size(); ++i) {
        if (sent[i]->error == "ERR_IPC_QUEUE_FULL")
            ++refused;
        else
            expected += "\"" + std::to_string(i) + std::string(100'000, 'x') + "\"\n";
    }
    EXPECT_GT(refused, 80U);

    std::string got;
    ASSERT_TRUE(run_until([&] {
        got += read();
        return std::all_of(sent.begin(), sent.end(), [](const auto& one) { return one->done; });
    }));
    got += read();
    EXPECT_TRUE(got == expected) << "whole and in order; " << got.size() << " bytes";
}

TEST_F(ChannelTest, A18_AHundredThousandMessagesToAStoppedPeerArriveInOrderWhenItGoesOn)
{
    constexpr std::size_t total = 100'000;
    std::size_t completed = 0, failed = 0;
    std::string expected;
    for (std::size_t i = 0; i < total; ++i) {
        expected += std::to_string(i) + "\n";
        asio::co_spawn(context, channel->send(json(i)), [&](std::exception_ptr error) {
            ++completed;
            failed += error != nullptr;
        });
    }
    run_ready();
    EXPECT_LT(completed, total) << "the rest waits for the peer";
    std::string got;
    ASSERT_TRUE(run_until([&] {
        got += read();
        return completed == total;
    }));
    got += read();
    EXPECT_EQ(failed, 0U);
    EXPECT_TRUE(got == expected) << got.size() << " of " << expected.size() << " bytes";
}

TEST_F(ChannelTest, A18_EndsTheChannelOfAPeerThatDoesNotReadItsAnswers)
{
    std::string questions; // each is an envelope without a descriptor, and is refused
    for (int i = 0; i < 20'000; ++i)
        questions += envelope("net.Socket");
    EXPECT_THROW(write(questions), std::system_error); // EPIPE
    receive();
    EXPECT_EQ(receive_error, "it does not read our answers");
    EXPECT_FALSE(channel->connected());
}

TEST_F(ChannelTest, APeerThatNeverStopsTalkingLeavesTimeForOthers)
{
    constexpr std::size_t messages = 100;
    for (std::size_t i = 0; i < messages; ++i) // each is a read of its own, for its descriptor
        write("{\"cmd\":\"NODE_nothing\"}\n", {peer.get()});
    while (channel->unclaimed_descriptors() == 0)
        ASSERT_GT(context.run_one_for(support::patient(support::a_while)), 0u);
    EXPECT_LT(channel->unclaimed_descriptors(), messages);
    run_ready();
    EXPECT_EQ(channel->unclaimed_descriptors(), messages);
}

TEST_F(ChannelTest, StopsReadingWhenNobodyReceivesAndGoesOnWhenSomebodyDoes)
{
    constexpr std::size_t total = 20'000;
    std::size_t written = 0;
    while (written < total) {
        const auto size = ipc::send_bytes(peer.get(), "1\n");
        if (size == 0)
            break;
        ASSERT_EQ(size, 2U);
        ++written;
        run_ready();
    }
    EXPECT_LT(written, total) << "a peer that talks faster than we listen must be made to wait";
    for (std::size_t i = 0; i < written; ++i)
        ASSERT_EQ(receive()->body.dump(), "1");
    write("\"after\"\n");
    EXPECT_EQ(receive()->body.dump(), "\"after\"");
}

TEST_F(ChannelTest, A18_WhatNobodyReceivesIsBoundedInBytesAsWellAsInNumber)
{
    constexpr std::size_t total = 80;
    const std::string text(memory::mebibyte, 'x');
    const std::string line = "\"" + text + "\"\n";
    std::size_t lines = 0;   // written
    std::size_t written = 0; // of the next one
    const auto write_what_is_taken = [&] {
        while (lines < total) {
            const auto size = ipc::send_bytes(peer.get(), std::string_view(line).substr(written));
            if (size == 0)
                return;
            written += size;
            if (written == line.size()) {
                written = 0;
                ++lines;
            }
            run_ready();
        }
    };
    memory::growth growth;
    write_what_is_taken();
    growth.look();
    EXPECT_LT(lines, 64U);
    if (memory::is_given_back) {
        EXPECT_LT(growth.most(), 64 * memory::mebibyte);
    }
    for (std::size_t i = 0; i < total; ++i) { // and nothing is lost by it
        write_what_is_taken();
        const auto message = receive();
        ASSERT_TRUE(message);
        ASSERT_TRUE(*message->body.text() == text);
    }
}

} // namespace

// Several handles on their way at a time, to a peer that answers as it likes.
#include "channel_fixture.hpp"

#include <array>
#include <memory>
#include <vector>

using namespace ipc_test;

namespace {

class InFlight : public ChannelTest {
protected:
    InFlight()
    {
        ipc::channel_options options;
        options.in_flight = 3;
        open_channel(std::move(options));
    }

    /// Sends a server with this message.
    std::shared_ptr<outcome> send_server(const std::string& message)
    {
        handles.push_back(std::make_unique<ipc::handle>(tcp_server()));
        return send(message, handles.back().get());
    }

    static std::string server(const std::string& message)
    {
        return envelope("net.Server", '"' + message + '"');
    }

    /// Starts a send that is expected to end with channel_closed; `may_have_arrived` is what that
    /// said.
    std::shared_ptr<std::optional<bool>> send_to_be_closed(ipc::handle& object)
    {
        auto result = std::make_shared<std::optional<bool>>();
        asio::co_spawn(context, channel->send("m", object), [result](std::exception_ptr failure) {
            try {
                if (failure)
                    std::rethrow_exception(failure);
            } catch (const ipc::channel_closed& closed) {
                *result = closed.may_have_arrived();
            }
        });
        run_ready();
        return result;
    }

    std::vector<std::unique_ptr<ipc::handle>> handles;
};

TEST_F(InFlight, AsManyAsTheWindowHoldsAreWrittenAndEachAcknowledgementSettlesTheOldest)
{
    std::vector<std::shared_ptr<outcome>> sent;
    for (const auto* message : {"1", "2", "3", "4", "5"})
        sent.push_back(send_server(message));
    EXPECT_EQ(read(), server("1") + server("2") + server("3"));
    EXPECT_EQ(received.size(), 3U);
    write(std::string(ack) + ack);
    ASSERT_TRUE(run_until([&] { return sent[1]->done; }));
    EXPECT_TRUE(sent[0]->done);
    EXPECT_FALSE(sent[2]->done);
    EXPECT_EQ(read(), server("4") + server("5"));
    write(std::string(ack) + ack + ack);
    ASSERT_TRUE(run_until([&] { return sent[4]->done; }));
    for (const auto& one : sent)
        EXPECT_EQ(one->error, "");
}

TEST_F(InFlight, A8_WhatIsSentBehindAHandleArrivesBehindIt)
{
    send_server("1");
    const auto message = send("a");
    send_server("2");
    EXPECT_TRUE(message->done) << "two may still be on their way: it waits for nobody";
    send_server("3");
    const auto held = send("b");
    EXPECT_EQ(read(), server("1") + "\"a\"\n" + server("2") + server("3"));
    EXPECT_FALSE(held->done);
    write(ack);
    ASSERT_TRUE(run_until([&] { return held->done; }));
    EXPECT_EQ(read(), "\"b\"\n");
}

TEST_F(InFlight, A8_OneThatIsRefusedInTheMiddleGoesAgainBehindTheOthers)
{
    std::vector<std::shared_ptr<outcome>> sent;
    for (const auto* message : {"1", "2", "3", "4"})
        sent.push_back(send_server(message));
    read();
    write(std::string(ack) + nack + ack);
    ASSERT_TRUE(run_until([&] { return sent[2]->done; }));
    EXPECT_TRUE(sent[0]->done);
    EXPECT_FALSE(sent[1]->done);
    EXPECT_EQ(read(), server("4") + server("2"));
    write(std::string(ack) + nack);
    ASSERT_TRUE(run_until([&] { return sent[3]->done; }));
    EXPECT_EQ(read(), server("2"));
    write(nack);
    run_ready();
    EXPECT_EQ(read(), server("2"));
    write(nack);
    ASSERT_TRUE(run_until([&] { return sent[1]->done; }));
    EXPECT_EQ(sent[1]->error, "SentHandleNotReceivedWarning");
    EXPECT_TRUE(*handles[1]) << "given back";
}

TEST_F(InFlight, AnAcknowledgementTooManyIsNoDisaster)
{
    const auto sent = send_server("1");
    write(std::string(ack) + ack + ack);
    ASSERT_TRUE(run_until([&] { return sent->done; }));
    const auto next = send_server("2");
    EXPECT_TRUE(channel->connected());
    EXPECT_FALSE(next->done) << "those that came early are forgotten";
}

TEST_F(InFlight, B11_TheEndSaysOfEachWhetherThePeerMayHaveIt)
{
    const auto before = open_descriptors();
    std::vector<ipc::handle> objects;
    for (int i = 0; i < 5; ++i)
        objects.emplace_back(tcp_server());
    std::vector<std::shared_ptr<std::optional<bool>>> outcomes;
    for (auto& object : objects)
        outcomes.push_back(send_to_be_closed(object));
    write(ack); // the first has arrived; the fourth takes its place
    run_ready();
    read();
    ASSERT_EQ(received.size(), 4U);
    peer.reset();
    ASSERT_TRUE(run_until([&] { return outcomes[4]->has_value(); }));
    run_ready();
    EXPECT_FALSE(outcomes[0]->has_value()) << "it has not failed";
    for (int i = 1; i < 4; ++i)
        EXPECT_EQ(*outcomes[static_cast<std::size_t>(i)], true) << i << ": written, and in doubt";
    EXPECT_EQ(*outcomes[4], false) << "not a byte of it was written";
    for (const auto& object : objects)
        EXPECT_TRUE(object);
    objects.clear();
    received.clear();
    EXPECT_LT(open_descriptors(), before) << "the channel's and the peer's are gone";
}

TEST_F(InFlight, AcknowledgementsOfOneTurnLeaveInOnePiece)
{
    const auto listening = tcp_server();
    std::string all;
    for (int i = 0; i < 8; ++i) {
        write(server("x"), {listening.get()});
        all += ack;
    }
    run_ready();
    std::array<char, 4096> buffer{};
    std::vector<unique_fd> none;
    const auto got = ipc::receive_bytes(peer.get(), {buffer.data(), std::size_t{26} * 8 + 1}, none);
    EXPECT_EQ(std::string(buffer.data(), got.size), all);
    for (int i = 0; i < 8; ++i)
        EXPECT_TRUE(receive()->handle.is_server());
}

TEST_F(InFlight, WhatCameBeforeTheEndIsAcknowledgedAllTheSame)
{
    for (const std::string last : {"", "not json\n"}) {
        open_channel({});
        const auto listening = tcp_server();
        write(server("x"), {listening.get()});
        write(server("y") + last, {listening.get()});
        if (last.empty())
            ::shutdown(peer.get(), SHUT_WR);
        run_ready();
        EXPECT_EQ(read(), std::string(ack) + ack) << last;
        EXPECT_TRUE(peer_saw_end);
        EXPECT_TRUE(receive()->handle.is_server());
        EXPECT_TRUE(receive()->handle.is_server());
    }
}

TEST_F(InFlight, WhoeverObservesALineMayCloseTheChannel)
{
    for (const bool outgoing : {true, false}) {
        int seen = 0;
        ipc::channel_options options;
        options.in_flight = 3;
        const line_observer closing([&](bool went_out, std::string_view) {
            if (went_out == outgoing && ++seen == 1)
                channel->close();
        });
        open_channel(std::move(options));
        const auto listening = tcp_server();
        write(server("theirs"), {listening.get()});
        write("\"and more\"\n");
        const auto first = send_server("ours");
        const auto second = send("more");
        ASSERT_TRUE(run_until([&] { return first->done && second->done; }));
        EXPECT_EQ(seen, 1);
        EXPECT_FALSE(channel->connected());
        EXPECT_EQ(first->error, "ERR_IPC_CHANNEL_CLOSED");
    }
}

} // namespace

// What a peer reports beside its messages, and the half-open channel that lets it do so to the end.
#include "channel_fixture.hpp"

#include <numeric>

using namespace ipc_test;
using nlohmann::json;
using std::string;

namespace {

class ChannelReports : public ChannelTest {
protected:
    ChannelReports()
    {
        ipc::channel_options options;
        options.peer = 4711;
        options.on_report = [this](pid_t who, const ipc::value& said) {
            taken.push_back(std::to_string(who) + " " + said.dump());
        };
        open_channel(std::move(options));
    }

    std::vector<string> taken;
};

constexpr auto report = "{\"cmd\":\"NODE_REPORT\",\"msg\":[1]}\n";

TEST_F(ChannelReports, ReachWhoeverHasAskedAndNeverReceive)
{
    write("1\n" + string(report) + "2\n");
    peer.reset();
    EXPECT_EQ(receive_until_end(), (std::vector<string>{"1", "2"}));
    EXPECT_EQ(taken, (std::vector<string>{"4711 [1]"}));
}

TEST_F(ChannelReports, AreIgnoredWhereNobodyHas)
{
    open_channel({});
    write("1\n" + string(report) + "2\n");
    peer.reset();
    EXPECT_EQ(receive_until_end(), (std::vector<string>{"1", "2"}));
}

TEST_F(ChannelReports, ThatSayNothingAreNone)
{
    write("{\"cmd\":\"NODE_REPORT\"}\n3\n");
    peer.reset();
    EXPECT_EQ(receive_until_end(), (std::vector<string>{"3"}));
    EXPECT_TRUE(taken.empty());
}

TEST_F(ChannelReports, AreWrittenAtOnceAndInOneLine)
{
    EXPECT_TRUE(channel->report(json{1}));
    EXPECT_EQ(read(), report);
}

TEST_F(ChannelReports, AreNotSentToAPeerThatDoesNotReadAndDelayNoMessage)
{
    const string text(10'000, 'x');
    std::size_t sent = 0;
    while (channel->report(text))
        ASSERT_LT(++sent, 1000u);
    const auto message = send("behind them");
    EXPECT_FALSE(message->done);
    EXPECT_FALSE(channel->report(text));
    string all;
    EXPECT_TRUE(run_until([&] {
        all += read();
        return message->done;
    }));
    all += read();
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), static_cast<long>(sent + 1));
    EXPECT_TRUE(channel->report(text)) << "there is room again";
}

TEST_F(ChannelReports, AfterTheEndOfTheChannelAreNotSent)
{
    channel->close();
    EXPECT_FALSE(channel->report("late"));
}

TEST_F(ChannelReports, GoOnWhenThePeerHasEndedItsSide)
{
    channel->allow_half_open();
    write("1\n");
    ::shutdown(peer.get(), SHUT_WR);
    EXPECT_EQ(receive_until_end(), (std::vector<string>{"1"}));
    EXPECT_FALSE(channel->connected());
    EXPECT_EQ(send("a message")->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_TRUE(channel->report(json{1}));
    EXPECT_EQ(read(), report);
    channel->close();
    EXPECT_EQ(read(), "");
    EXPECT_TRUE(peer_saw_end);
}

TEST_F(ChannelReports, OfAHalfOpenChannelAreAllSentBeforeItDisconnects)
{
    channel->allow_half_open();
    ::shutdown(peer.get(), SHUT_WR);
    EXPECT_EQ(receive(), std::nullopt);
    const string text(10'000, 'x');
    std::size_t sent = 0;
    while (channel->report(text))
        ++sent;
    bool is_over = false;
    asio::co_spawn(context, channel->disconnect(), [&](std::exception_ptr) { is_over = true; });
    run_ready();
    EXPECT_FALSE(is_over);
    string all;
    EXPECT_TRUE(run_until([&] {
        all += read();
        return is_over;
    }));
    all += read();
    EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), static_cast<long>(sent));
    EXPECT_TRUE(peer_saw_end);
}

TEST_F(ChannelReports, WithoutThatTheEndIsTheEnd)
{
    ::shutdown(peer.get(), SHUT_WR);
    EXPECT_EQ(receive(), std::nullopt);
    EXPECT_FALSE(channel->report("late"));
    EXPECT_EQ(read(), "");
    EXPECT_TRUE(peer_saw_end);
}

TEST_F(ChannelReports, AreStillTakenAfterOurOwnEnd)
{
    channel->end();
    EXPECT_FALSE(channel->connected());
    EXPECT_EQ(read(), "");
    EXPECT_TRUE(peer_saw_end) << "as after close()";
    EXPECT_EQ(send("a message")->error, "ERR_IPC_CHANNEL_CLOSED");
    write(report);
    peer.reset();
    EXPECT_EQ(receive(), std::nullopt);
    EXPECT_EQ(taken, (std::vector<string>{"4711 [1]"}));
}

TEST_F(ChannelReports, AndAHandleThatComesAfterItIsClosedWithThem)
{
    channel->end();
    const unique_fd server = tcp_server();
    write(envelope("net.Server"), {server.get()});
    run_ready();
    EXPECT_EQ(read(), "") << "nothing is acknowledged any more";
    peer.reset();
    EXPECT_EQ(receive_until_end(), (std::vector<string>{"\"m\"+s"}));
}

} // namespace

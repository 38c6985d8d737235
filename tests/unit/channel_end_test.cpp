// The channel against a scripted peer: its end, and what becomes of all that was under way.

#include "channel_fixture.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

using namespace ipc_test;
using nlohmann::json;
using strings = std::vector<std::string>;

namespace {

TEST_F(ChannelTest, EndsForBothSidesWhenThePeerCloses)
{
    ipc::handle server(tcp_server());
    const auto in_doubt = send("server", &server);
    const auto held = send("behind");
    peer.reset();
    ASSERT_TRUE(run_until([&] { return in_doubt->done && held->done; }));
    EXPECT_EQ(in_doubt->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_EQ(held->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_TRUE(server) << "what was not acknowledged is still ours";
    EXPECT_FALSE(channel->connected());
    EXPECT_FALSE(receive());
    EXPECT_EQ(send("late")->error, "ERR_IPC_CHANNEL_CLOSED");
}

TEST_F(ChannelTest, TakesAHalfCloseForTheEnd)
{
    write("\"last\"\n");
    ASSERT_EQ(::shutdown(peer.get(), SHUT_WR), 0);
    EXPECT_EQ(receive_until_end(), strings{"\"last\""});
    EXPECT_FALSE(channel->connected());
}

TEST_F(ChannelTest, A19_DeliversThePeersLastWordsWhenItsCloseComesAsAReset)
{
    send("never read by the peer");
    write("\"last\"\n");
    peer.reset();
    EXPECT_EQ(receive_until_end(), strings{"\"last\""});
    EXPECT_EQ(receive_error, "");
}

TEST_F(ChannelTest, ReadsTheAcknowledgementOfAPeerThatClosedBeforeTheNextWrite)
{
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto sent = send("socket", &handle);
    read();
    write(ack);
    peer.reset();
    const auto late = send("late"); // meets the closed socket before anything was read
    ASSERT_TRUE(run_until([&] { return sent->done && late->done; }));
    EXPECT_EQ(sent->error, "") << "the handle had arrived";
    EXPECT_EQ(late->error, "ERR_IPC_CHANNEL_CLOSED");
}

TEST_F(ChannelTest, DeliversAFiveMegabyteMessageThatIsFollowedByTheEnd)
{
    const std::string large(5'000'000, 'x');
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            co_await channel->send(large);
            channel->close();
        },
        [](std::exception_ptr error) { EXPECT_FALSE(error); });
    std::string got;
    ASSERT_TRUE(run_until([&] {
        got += read();
        return peer_saw_end;
    }));
    EXPECT_EQ(got.size(), large.size() + 3);
}

TEST_F(ChannelTest, CloseGivesBackEverythingAndLeavesNoDescriptor)
{
    const auto before = open_descriptors();
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server);
    write(R"({"cmd":"NODE_HANDLE","type":"net.Server")", {server.native_handle() < 0 ? 0 : 0});
    channel->close();
    ASSERT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_TRUE(server);
    server.close();
    EXPECT_EQ(open_descriptors(), before - 1) << "only our end of the channel is gone";
}

TEST_F(ChannelTest, MayBeDestroyedWhileACoroutineReceives)
{
    bool ended = false;
    asio::co_spawn(context, channel->receive(),
                   [&](std::exception_ptr error, std::optional<ipc::message> message) {
                       ended = !error && !message;
                   });
    run_ready();
    channel.reset();
    EXPECT_TRUE(run_until([&] { return ended; }));
}

// Handles sent = acknowledged + refused for good + given back; messages sent = delivered + failed.
// Each fate is decided by the number in the message, and each is counted on both sides.
TEST_F(ChannelTest, EverySendCompletesOnceAndTheAccountsBalance)
{
    ipc::channel_options options;
    options.max_queue = 40'000; // some are refused at once
    open_channel(options);
    const auto before = open_descriptors();

    struct sent_handle {
        std::shared_ptr<outcome> result;
        std::unique_ptr<ipc::handle> object;
        unique_fd client; // of a connection
    };
    std::vector<sent_handle> handles;
    std::vector<std::shared_ptr<outcome>> messages;
    const auto send_some = [&] {
        for (int i = 0; i < 120; ++i) {
            const auto number = static_cast<int>(handles.size());
            sent_handle one;
            if (number % 7 == 0) {
                one.object = std::make_unique<ipc::handle>(); // empty
            } else if (number % 2 == 0) {
                one.object = std::make_unique<ipc::handle>(tcp_server());
            } else {
                auto pair = tcp_pair();
                one.object = std::make_unique<ipc::handle>(std::move(pair.first));
                one.client = std::move(pair.second);
            }
            one.result = send(json(number), one.object.get());
            handles.push_back(std::move(one));
            for (int j = 0; j < 4; ++j)
                messages.push_back(send(std::string(50, 'x')));
            messages.push_back(send(json{{"cmd", "NODE_forbidden"}}));
        }
    };

    std::size_t acknowledged = 0, refused = 0, delivered = 0;
    std::map<int, int> transmissions;
    // The peer answers each handle as its number says, until so many are settled.
    const auto answer_until = [&](std::size_t settled) {
        bool reached = false;
        return run_until([&] {
            std::istringstream lines(read());
            received.clear();
            for (std::string line; std::getline(lines, line);) {
                const auto parsed = json::parse(line);
                if (!parsed.is_object()) {
                    ++delivered;
                    continue;
                }
                if (acknowledged + refused == settled) {
                    reached = true; // and this one gets no answer
                    continue;
                }
                const int number = parsed.at("msg");
                const int times = ++transmissions[number];
                const int refusals =
                    std::array{0, 4, 2, 0, 3}[static_cast<std::size_t>(number % 5)];
                if (times <= refusals) {
                    write(nack);
                    refused += times == 4;
                } else {
                    write(ack);
                    ++acknowledged;
                }
            }
            return reached;
        });
    };

    send_some();
    ASSERT_TRUE(answer_until(40));
    write(ack); // the one that answer_until() left
    ++acknowledged;
    send_some();
    ASSERT_TRUE(answer_until(90));
    peer.reset();
    const auto completed = [](const auto& result) { return result->completions > 0; };
    ASSERT_TRUE(run_until([&] {
        return std::all_of(messages.begin(), messages.end(), completed) &&
               std::all_of(handles.begin(), handles.end(),
                           [&](const auto& one) { return completed(one.result); });
    }));
    run_ready(); // would complete some a second time

    std::map<std::string, std::size_t> of_handles, of_messages;
    for (const auto& one : messages) {
        EXPECT_EQ(one->completions, 1);
        ++of_messages[one->error];
    }
    std::size_t ends = 0;
    for (const auto& one : handles) {
        EXPECT_EQ(one.result->completions, 1);
        const auto& error = one.result->error;
        ++of_handles[error];
        if (one.client) {
            char byte = 0;
            const bool end = ::recv(one.client.get(), &byte, 1, MSG_DONTWAIT) == 0;
            EXPECT_EQ(end, error.empty()) << error;
            EXPECT_EQ(one.object->is_connection(), !error.empty()) << error;
            ends += end;
        } else {
            EXPECT_EQ(one.object->is_server(), error != "ERR_INVALID_HANDLE_TYPE") << error;
        }
    }
    EXPECT_GT(ends, 0U);

    EXPECT_EQ(handles.size(), 240U);
    EXPECT_EQ(of_handles[""], acknowledged);
    EXPECT_EQ(of_handles["SentHandleNotReceivedWarning"], refused);
    EXPECT_EQ(of_handles["ERR_INVALID_HANDLE_TYPE"], 35U);
    const auto given_back = of_handles["ERR_IPC_CHANNEL_CLOSED"];
    const auto not_taken = of_handles["ERR_IPC_QUEUE_FULL"];
    EXPECT_EQ(acknowledged + refused + given_back + not_taken + 35, handles.size());
    EXPECT_EQ(messages.size(), 1200U);
    EXPECT_EQ(of_messages[""], delivered);
    const auto failed = messages.size() - delivered;
    EXPECT_EQ(of_messages["ERR_IPC_CHANNEL_CLOSED"] + of_messages["ERR_IPC_QUEUE_FULL"] + 240,
              failed);
    for (const auto& fates : {of_handles, of_messages})
        for (const auto& [fate, count] : fates)
            EXPECT_GT(count, 0U) << fate << ": the test tests nothing";

    handles.clear();
    received.clear();
    EXPECT_EQ(open_descriptors(), before - 2) << "the two ends of the channel";
}

} // namespace

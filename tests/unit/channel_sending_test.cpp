// The channel against a scripted peer: the handles it is sent, and how it answers for them.

#include "channel_fixture.hpp"
#include "forked.hpp"

#include "support/process.hpp"

#include <algorithm>
#include <array>

using namespace ipc_test;

namespace {

TEST_F(ChannelTest, B1_SendsAConnectionAndClosesItWhenItIsAcknowledged)
{
    const auto before = open_descriptors();
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto sent = send("socket", &handle);
    EXPECT_EQ(read(), envelope("net.Socket", "\"socket\""));
    ASSERT_EQ(received.size(), 1U);
    EXPECT_FALSE(sent->done) << "written is not acknowledged";
    EXPECT_EQ(open_descriptors(), before + 3) << "client, the peer's copy, and ours until the ACK";

    write(ack);
    ASSERT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_EQ(sent->error, "");
    EXPECT_FALSE(handle);
    EXPECT_EQ(open_descriptors(), before + 2);
    received.clear(); // the last copy
    char byte = 0;
    EXPECT_EQ(::read(client.get(), &byte, 1), 0) << "the client reads end of file";
}

TEST_F(ChannelTest, KeepsAServerOpenOnThisSide)
{
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server);
    EXPECT_EQ(read(), envelope("net.Server", "\"server\""));
    write(ack);
    ASSERT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_TRUE(server.is_server());
}

TEST_F(ChannelTest, B2_RefusesToSendAConnectionTwice)
{
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto first = send("first", &handle);
    EXPECT_EQ(send("second", &handle)->error, "ERR_INVALID_HANDLE_TYPE");
    EXPECT_EQ(read(), envelope("net.Socket", "\"first\""));
    write(ack);
    ASSERT_TRUE(run_until([&] { return first->done; }));
    EXPECT_EQ(first->error, "");
    EXPECT_EQ(send("third", &handle)->error, "ERR_INVALID_HANDLE_TYPE");
    EXPECT_EQ(read(), "");
}

TEST_F(ChannelTest, HoldsEverythingBehindAnUnacknowledgedHandleAndKeepsTheOrder)
{
    auto one = tcp_pair();
    auto two = tcp_pair();
    auto h1 = connection_handle(std::move(one.first));
    auto h2 = connection_handle(std::move(two.first));
    send("h1", &h1);
    send("p1");
    send("p2");
    send("h2", &h2);
    const auto last = send("p3");
    EXPECT_EQ(read(), envelope("net.Socket", "\"h1\""));

    write(ack);
    run_ready();
    EXPECT_EQ(read(), "\"p1\"\n\"p2\"\n" + envelope("net.Socket", "\"h2\""));
    EXPECT_FALSE(last->done);

    write(ack);
    run_ready();
    EXPECT_EQ(read(), "\"p3\"\n");
    EXPECT_TRUE(last->done);
    EXPECT_EQ(received.size(), 2U);
}

TEST_F(ChannelTest, A17_AcknowledgesThePeersHandleWhileItsOwnWaits)
{
    auto ours = tcp_pair();
    auto handle = connection_handle(std::move(ours.first));
    send("ours", &handle);
    read();
    const auto theirs = tcp_server();
    write(envelope("net.Server"), {theirs.get()});
    run_ready();
    EXPECT_EQ(read(), ack);
}

TEST_F(ChannelTest, A17_TwoPeersSendingEachOtherTwoHundredHandlesAtOnceBothFinish)
{
    ipc::channel other(context.get_executor(), std::move(peer));
    const auto before = open_descriptors();
    std::size_t sent = 0;
    const auto send_all = [&](ipc::channel& from) -> asio::awaitable<void> {
        for (int i = 0; i < 200; ++i) {
            ipc::handle server(tcp_server());
            co_await from.send("server", server);
            ++sent;
        }
    };
    std::size_t got = 0;
    const auto receive_all = [&](ipc::channel& at) -> asio::awaitable<void> {
        for (int i = 0; i < 200; ++i)
            got += (co_await at.receive())->handle.is_server();
    };
    const auto rethrow = [](std::exception_ptr error) {
        if (error)
            std::rethrow_exception(error);
    };
    for (auto* end : {&*channel, &other}) {
        asio::co_spawn(context, send_all(*end), rethrow);
        asio::co_spawn(context, receive_all(*end), rethrow);
    }
    EXPECT_TRUE(run_until([&] { return sent == 400 && got == 400; })) << sent << " " << got;
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ChannelTest, A17_TwoPeersSendingEachOtherTenMegabytesAtOnceBothFinish)
{
    ipc::channel other(context.get_executor(), std::move(peer));
    const std::string large(10'000'000, 'x');
    std::size_t finished = 0;
    const auto exchange = [&](ipc::channel& end) {
        asio::co_spawn(context, end.send(large),
                       [&](std::exception_ptr error) { finished += !error; });
        asio::co_spawn(context, end.receive(),
                       [&](std::exception_ptr error, std::optional<ipc::message> message) {
                           finished +=
                               !error && message && message->body.text()->size() == large.size();
                       });
    };
    exchange(*channel);
    exchange(other);
    EXPECT_TRUE(run_until([&] { return finished == 4; }));
}

TEST_F(ChannelTest, RetransmitsUnwrappedThreeTimesAndThenGivesTheHandleBack)
{
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto number = handle.native_handle();
    const auto sent = send("socket", &handle);
    const auto behind = send("behind");
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(read(), envelope("net.Socket", "\"socket\"")) << "transmission " << i + 1;
        EXPECT_FALSE(sent->done);
        write(nack);
        run_ready();
    }
    EXPECT_TRUE(sent->done);
    EXPECT_EQ(sent->error, "SentHandleNotReceivedWarning");
    EXPECT_EQ(handle.native_handle(), number) << "still ours, whole";
    EXPECT_EQ(received.size(), 4U) << "a copy went with each transmission";
    EXPECT_EQ(read(), "\"behind\"\n");
    EXPECT_TRUE(behind->done);
}

TEST_F(ChannelTest, ASuccessfulRetransmissionIsASuccess)
{
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto sent = send("socket", &handle);
    write(std::string(nack) + nack);
    run_ready();
    write(ack);
    run_ready();
    EXPECT_TRUE(sent->done);
    EXPECT_EQ(sent->error, "");
}

TEST_F(ChannelTest, IgnoresAcknowledgementsNobodyWaitsFor)
{
    write(std::string(ack) + nack + ack + "\"still here\"\n");
    EXPECT_EQ(receive()->body.dump(), "\"still here\"");
}

TEST_F(ChannelTest, EndsTheChannelOnAnAcknowledgementBeforeTheWholeEnvelopeIsWritten)
{
    ipc::handle server(tcp_server());
    const auto sent = send(std::string(4'000'000, 'x'), &server);
    write(ack);
    run_ready();
    EXPECT_TRUE(sent->done);
    EXPECT_EQ(sent->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_TRUE(server) << "and the handle is still ours";
    EXPECT_FALSE(receive());
    EXPECT_NE(receive_error, "");
}

TEST_F(ChannelTest, A3_PartialWriteSendsTheDescriptorOnce)
{
    const int small = 4608;
    const auto [ours, theirs] = unix_pair();
    ASSERT_EQ(::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    channel.emplace(context.get_executor(), unique_fd(::dup(ours.get())));
    peer.reset(::dup(theirs.get()));
    ipc::handle server(tcp_server());
    const std::string large(200'000, 'x');
    const auto sent = send(large, &server);
    std::string got;
    ASSERT_TRUE(run_until([&] {
        got += read();
        return got.ends_with("\n");
    }));
    EXPECT_EQ(got, envelope("net.Server", "\"" + large + "\""));
    EXPECT_EQ(received.size(), 1U);
    write(ack);
    EXPECT_TRUE(run_until([&] { return sent->done; }));
}

TEST_F(ChannelTest, A2_TheDescriptorOfALargeMessageGoesOnceHoweverSlowlyItIsRead)
{
    ipc::handle server(tcp_server());
    const std::string large(800'000, 'x');
    const auto sent = send(large, &server);
    std::string got;
    std::array<char, 5'000> buffer; // what the peer reads at a time
    while (!got.ends_with("\n")) {
        const auto size = ipc::receive_bytes(peer.get(), buffer, received).size;
        ASSERT_GT(size, 0U) << "after " << got.size();
        got.append(buffer.data(), size);
        ASSERT_EQ(received.size(), 1U) << "with the first byte, after " << got.size();
        run_ready();
    }
    EXPECT_TRUE(got == envelope("net.Server", "\"" + large + "\"")) << got.size() << " bytes";
    EXPECT_EQ(received.size(), 1U);
    EXPECT_FALSE(sent->done);
    write(ack);
    EXPECT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_EQ(sent->error, "");
}

TEST_F(ChannelTest, ReportsAPeerThatNeverAcknowledges)
{
    int reports = 0;
    ipc::channel_options options;
    options.ack_timeout = std::chrono::milliseconds(20);
    options.on_ack_overdue = [&] { ++reports; };
    open_channel(options);
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server);
    ASSERT_TRUE(run_until([&] { return reports > 0; }));
    EXPECT_FALSE(sent->done) << "the peer may still take it: nobody else may have it yet";
    write(ack);
    ASSERT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_EQ(reports, 1);
    EXPECT_EQ(sent->error, "");
}

TEST_F(ChannelTest, A8_OneHandleIsOnTheWayHoweverManyWaitAndNoneIsLost)
{
    std::vector<std::shared_ptr<outcome>> sent;
    std::vector<ipc::handle> handles;
    handles.reserve(500);
    for (int i = 0; i < 500; ++i) {
        handles.emplace_back(tcp_server());
        sent.push_back(send("server", &handles.back()));
    }
    EXPECT_EQ(read(), envelope("net.Server", "\"server\"")) << "one at a time";
    for (std::size_t i = 0; i < sent.size(); ++i) {
        write(ack);
        run_ready();
        received.clear();
        if (i + 1 < sent.size()) {
            ASSERT_EQ(read(), envelope("net.Server", "\"server\""));
        }
    }
    EXPECT_TRUE(std::all_of(sent.begin(), sent.end(),
                            [](const auto& one) { return one->done && one->error.empty(); }));
}

// What one channel sends does not meet the limit; others of the same user may have used it up.
TEST_F(ChannelTest, A8_TooManyDescriptorsOnTheWayMeansWaitAndNothingIsLost)
{
    const auto body = [&] {
        context.notify_fork(asio::execution_context::fork_child);
        forked::become_nobody(64);
        auto [from, to] = unix_pair();
        const auto something = tcp_server();
        std::size_t on_the_way = 0;
        std::error_code refused;
        while (!refused && on_the_way < 200) {
            try {
                ASSERT_EQ(ipc::send_bytes(from.get(), "x", something.get()), 1U);
                ++on_the_way;
            } catch (const std::system_error& error) {
                refused = error.code();
            }
        }
        ASSERT_EQ(refused.value(), ETOOMANYREFS) << refused.message() << " after " << on_the_way;

        auto [accepted, client] = tcp_pair();
        auto handle = connection_handle(std::move(accepted));
        const auto sent = send("socket", &handle);
        const auto behind = send("behind");
        context.restart();
        const auto tries = context.run_for(std::chrono::milliseconds(200));
        EXPECT_GE(tries, 2U) << "it asks again by itself";
        EXPECT_LE(tries, 25U) << "and not all the time";
        EXPECT_EQ(read(), "");
        EXPECT_FALSE(sent->done || behind->done);

        to.reset(); // all of them have arrived, so to speak
        std::string got;
        ASSERT_TRUE(run_until([&] { return (got += read()).ends_with("\n"); }));
        EXPECT_EQ(got, envelope("net.Socket", "\"socket\""));
        EXPECT_EQ(received.size(), 1U);
        write(ack);
        ASSERT_TRUE(run_until([&] { return sent->done && behind->done; }));
        EXPECT_EQ(sent->error + behind->error, "");
        EXPECT_EQ(read(), "\"behind\"\n");
    };
    context.notify_fork(asio::execution_context::fork_prepare);
    forked::child sender(body);
    context.notify_fork(asio::execution_context::fork_parent);
    EXPECT_EQ(sender.wait(), 0);
}

} // namespace

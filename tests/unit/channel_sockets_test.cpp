// How many of the connections that the peer has got are open there: asked, and answered.
#include "channel_fixture.hpp"

#include "ipc/error.hpp"
#include "ipc/socket_questions.hpp"
#include "net/end.hpp"

#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/steady_timer.hpp>

#include <stdexcept>

using namespace ipc_test;
using std::string;
using strings = std::vector<string>;

namespace {

const string get_count = R"({"cmd":"NODE_SOCKET_GET_COUNT","key":"k"})"
                         "\n";
const string notify_close = R"({"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":"k"})"
                            "\n";
const string all_closed = R"({"cmd":"NODE_SOCKET_ALL_CLOSED","key":"k"})"
                          "\n";

string count(const string& open)
{
    return R"({"cmd":"NODE_SOCKET_COUNT","count":)" + open + R"(,"key":"k"})" + "\n";
}

class PeerSockets : public ChannelTest {
protected:
    struct reply {
        std::optional<std::size_t> open;
        string error;
        bool done = false;
    };
    /// The peer gets a connection, and acknowledges it.
    void give(const string& key = "k")
    {
        auto [accepted, client] = tcp_pair();
        auto connection = connection_handle(std::move(accepted));
        connection.count_under(key);
        channel->post("socket", std::move(connection));
        read();
        received.clear();
        write(ack);
        run_ready();
    }
    std::shared_ptr<reply> ask(const string& key = "k")
    {
        auto result = std::make_shared<reply>();
        asio::co_spawn(context, channel->open_sockets(key),
                       [result](std::exception_ptr failure, std::size_t open) {
                           result->done = true;
                           note(failure, result->error);
                           if (!failure)
                               result->open = open;
                       });
        run_ready();
        return result;
    }
    std::shared_ptr<reply> wait_until_closed(const string& key = "k")
    {
        auto result = std::make_shared<reply>();
        asio::co_spawn(context, channel->sockets_closed(key), [result](std::exception_ptr failure) {
            result->done = true;
            note(failure, result->error);
        });
        run_ready();
        return result;
    }
    static void note(std::exception_ptr failure, string& error)
    {
        try {
            if (failure)
                std::rethrow_exception(failure);
        } catch (const ipc::error& known) {
            error = known.code();
        } catch (const std::exception& other) {
            error = other.what();
        }
    }
};

TEST_F(PeerSockets, TravelWithTheirKeyWhichAServerDoesNot)
{
    auto [accepted, client] = tcp_pair();
    auto connection = connection_handle(std::move(accepted));
    connection.count_under("4:127.0.0.1:\"8888\"");
    channel->post("m", std::move(connection));
    EXPECT_EQ(read(), R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":"m",)"
                      R"("key":"4:127.0.0.1:\"8888\""})"
                      "\n");
    write(ack);
    run_ready();
    ipc::handle server(tcp_server());
    server.count_under("k");
    channel->post("m", std::move(server));
    EXPECT_EQ(read(), envelope("net.Server"));
}

TEST_F(PeerSockets, AreCountedByThePeer)
{
    give();
    const auto asked = ask();
    EXPECT_EQ(read(), get_count);
    EXPECT_FALSE(asked->done);
    write(count("3"));
    run_ready();
    EXPECT_EQ(asked->open, 3U);
}

TEST_F(PeerSockets, AreAwaitedUntilThePeerSaysThatAllAreClosed)
{
    give();
    const auto closed = wait_until_closed();
    EXPECT_EQ(read(), notify_close);
    write(count("0"));
    run_ready();
    EXPECT_FALSE(closed->done) << "that was not the question";
    write(all_closed);
    run_ready();
    EXPECT_TRUE(closed->done);
    EXPECT_EQ(closed->error, "");
}

// An answer bears no mark of its question: who asks while one is under way may have sent one more
// connection since, of which the answer to the first does not know.
TEST_F(PeerSockets, WhoAsksMeanwhileHasTheAnswerToAQuestionOfHisOwn)
{
    give();
    const auto first = ask();
    const auto second = ask();
    const auto third = ask();
    EXPECT_EQ(read(), get_count) << "one at a time";
    write(count("1"));
    run_ready();
    EXPECT_EQ(first->open, 1U);
    EXPECT_FALSE(second->done || third->done);
    EXPECT_EQ(read(), get_count);
    write(count("2"));
    run_ready();
    EXPECT_EQ(second->open, 2U);
    EXPECT_EQ(third->open, 2U);
    EXPECT_EQ(read(), "");

    const auto closed = wait_until_closed();
    const auto later = wait_until_closed();
    EXPECT_EQ(read(), notify_close);
    write(all_closed);
    run_ready();
    EXPECT_TRUE(closed->done);
    EXPECT_FALSE(later->done);
    EXPECT_EQ(read(), notify_close);
    write(all_closed);
    run_ready();
    EXPECT_TRUE(later->done);
}

TEST_F(PeerSockets, QuestionsAboutOtherKeysAreOthers)
{
    give("k");
    give("other");
    const auto one = ask("k");
    const auto other = ask("other");
    EXPECT_EQ(read(), get_count + R"({"cmd":"NODE_SOCKET_GET_COUNT","key":"other"})"
                                  "\n");
    write(R"({"cmd":"NODE_SOCKET_COUNT","key":"other","count":7})"
          "\n");
    run_ready();
    EXPECT_EQ(other->open, 7U);
    EXPECT_FALSE(one->done);
}

TEST_F(PeerSockets, AnAnswerThatNobodyWaitsForIsIgnored)
{
    write(count("1") + all_closed + count("\"many\"") + count("-1") + "\"still here\"\n");
    EXPECT_EQ(receive()->body.to_string(), "still here");
    EXPECT_TRUE(channel->connected());
}

TEST_F(PeerSockets, ACountThatIsNoneEndsTheChannelAndIsNotTakenForAnAnswer)
{
    for (const auto* bad : {"-1", "1.5", "\"1\"", "1e3", "null", "99999999999999999999", "[1]"}) {
        open_channel({});
        give();
        const auto asked = ask();
        write(count(bad));
        ASSERT_TRUE(run_until([&] { return asked->done; })) << bad;
        EXPECT_EQ(asked->error, "ERR_IPC_CHANNEL_CLOSED") << bad;
        receive();
        EXPECT_NE(receive_error, "") << bad;
    }
}

TEST_F(PeerSockets, OfAChannelThatHasEndedAreItsPeersAffair)
{
    give();
    const auto asked = ask();
    const auto closed = wait_until_closed();
    const auto closed_later = wait_until_closed();
    peer.reset();
    ASSERT_TRUE(run_until([&] { return asked->done && closed->done && closed_later->done; }));
    EXPECT_EQ(asked->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_EQ(closed->error + closed_later->error, "");
    EXPECT_EQ(ask()->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_TRUE(wait_until_closed()->done);
}

// It says nothing more, though our side stays: for reports.
TEST_F(PeerSockets, APeerThatHasEndedItsSideIsNotWaitedFor)
{
    for (const bool is_in_doubt : {false, true}) {
        open_channel({});
        channel->allow_half_open();
        if (is_in_doubt) {
            auto [accepted, client] = tcp_pair();
            auto connection = connection_handle(std::move(accepted));
            connection.count_under("k");
            channel->post("socket", std::move(connection));
        } else {
            give();
        }
        const auto asked = ask();
        const auto closed = wait_until_closed();
        EXPECT_FALSE(asked->done || closed->done);
        ::shutdown(peer.get(), SHUT_WR);
        run_ready();
        EXPECT_TRUE(closed->done);
        EXPECT_EQ(asked->error, "ERR_IPC_CHANNEL_CLOSED");
        EXPECT_EQ(ask()->error, "ERR_IPC_CHANNEL_CLOSED");
    }
}

// Of a key that it does not know Node says nothing, for ever.
TEST_F(PeerSockets, APeerThatHasGotNoneUnderAKeyIsNotAsked)
{
    EXPECT_EQ(ask()->open, 0U);
    EXPECT_TRUE(wait_until_closed()->done);

    for (const std::size_t in_flight : {1U, 2U}) { // with two, a question would overtake the answer
        ipc::channel_options options;
        options.in_flight = in_flight;
        open_channel(options);
        auto [accepted, client] = tcp_pair();
        auto connection = connection_handle(std::move(accepted));
        connection.count_under("k");
        channel->post("m", std::move(connection));
        const auto asked = ask();
        const auto closed = wait_until_closed();
        EXPECT_FALSE(asked->done) << "it is in doubt";
        for (int i = 0; i < 4; ++i) {
            EXPECT_NE(read().find("NODE_HANDLE"), string::npos);
            write(nack);
            run_ready();
        }
        EXPECT_EQ(asked->open, 0U);
        EXPECT_TRUE(closed->done);
        EXPECT_EQ(read(), "");
    }
}

TEST_F(PeerSockets, WhatIsOnItsWayIsCounted)
{
    auto [accepted, client] = tcp_pair();
    auto connection = connection_handle(std::move(accepted));
    connection.count_under("k");
    channel->post("m", std::move(connection));
    const auto asked = ask();
    EXPECT_EQ(read().find("COUNT"), string::npos);
    write(ack);
    run_ready();
    EXPECT_EQ(read(), get_count);
    EXPECT_FALSE(asked->done);
}

TEST_F(PeerSockets, AKeyThatNobodyWouldReadIsRefused)
{
    for (const auto& key : {string("\xff"), string(511, 'k'), string(300, '"')}) {
        auto [accepted, client] = tcp_pair();
        auto connection = connection_handle(std::move(accepted));
        connection.count_under(key);
        EXPECT_NE(send("m", &connection)->error, "") << key;
    }
    auto [accepted, client] = tcp_pair();
    auto connection = connection_handle(std::move(accepted));
    connection.count_under(string(511, 'k'));
    EXPECT_NE(send("m", &connection)->error, "");
    EXPECT_TRUE(connection) << "refused before anything was done with it";
    connection.count_under(string(510, 'k'));
    send("m", &connection);
    EXPECT_EQ(received.size(), 0U);
    EXPECT_FALSE(read().empty());
}

TEST_F(PeerSockets, AQuestionMayBeGivenUpAndItsAnswerIsNotTheNextOnes)
{
    give();
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer at_once(context, std::chrono::seconds(0));
    bool given_up = false;
    const auto give_up = [&]() -> asio::awaitable<void> {
        co_await (channel->open_sockets("k") || at_once.async_wait(asio::use_awaitable));
        given_up = true;
    };
    asio::co_spawn(context, give_up(), asio::detached);
    ASSERT_TRUE(run_until([&] { return given_up; }));
    EXPECT_EQ(read(), get_count);
    const auto next = ask();
    write(count("1"));
    run_ready();
    EXPECT_FALSE(next->done);
    EXPECT_EQ(read(), get_count);
    write(count("2"));
    run_ready();
    EXPECT_EQ(next->open, 2U);
}

// Both sides ours: what one counts, the other asks.
TEST_F(PeerSockets, AreCountedUntilTheyAreEndedLeaseIncluded)
{
    ipc::channel other(context.get_executor(), std::move(peer));
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i) {
        auto [accepted, client] = tcp_pair();
        clients.push_back(std::move(client));
        auto connection = connection_handle(std::move(accepted));
        connection.count_under("k");
        channel->post("socket", std::move(connection));
    }
    bool closed = false;
    std::vector<std::size_t> counts;
    const auto story = [&]() -> asio::awaitable<void> {
        std::vector<ipc::handle> got;
        for (int i = 0; i < 3; ++i) {
            auto message = co_await other.receive();
            got.push_back(std::move(message->handle));
        }
        counts.push_back(co_await channel->open_sockets("k"));
        counts.push_back(co_await channel->open_sockets("another"));
        asio::co_spawn(context, channel->sockets_closed("k"),
                       [&](std::exception_ptr) { closed = true; });
        for (auto& one : got) {
            clients.erase(clients.begin()); // it has ended, and so nobody waits for it
            EXPECT_FALSE(closed);
            co_await net::end(std::move(one).connection(context.get_executor()), "bye");
            counts.push_back(co_await channel->open_sockets("k"));
        }
    };
    bool done = false;
    asio::co_spawn(context, story(), [&](std::exception_ptr failure) {
        EXPECT_FALSE(failure);
        done = true;
    });
    ASSERT_TRUE(run_until([&] { return done && closed; }));
    EXPECT_EQ(counts, (std::vector<std::size_t>{3, 0, 2, 1, 0}));
}

TEST(SocketQuestions, AreForgottenWithTheirAnswerAndThoseWhoGaveUpLeaveNothing)
{
    ipc::socket_questions questions;
    int sent = 0;
    const auto send = [&](const string&) { ++sent; };
    const auto first = questions.ask("k", send);
    for (int i = 0; i < 1000; ++i)
        questions.ask("k", send); // and not kept
    EXPECT_EQ(sent, 1);
    questions.take("k", 5, send);
    EXPECT_TRUE(first->has_come);
    EXPECT_EQ(first->open, 5U);
    EXPECT_EQ(sent, 1) << "nobody wants the next";
    EXPECT_EQ(questions.keys(), 0U);
    EXPECT_THROW(questions.ask("k", [](const string&) { throw std::runtime_error("no room"); }),
                 std::runtime_error);
    EXPECT_EQ(questions.keys(), 0U) << "nothing has been asked";
}

} // namespace

// A worker of a cluster against a scripted primary.
#include "channel_fixture.hpp"

#include "cluster/worker.hpp"

#include <sstream>

using namespace ipc_test;
using nlohmann::json;

namespace {

class ClusterWorker : public ChannelTest {
protected:
    ClusterWorker() { worker.emplace(context.get_executor(), *channel, 1); }

    /// All that it has said, one a line, numbers and acknowledgements left out.
    std::vector<json> said()
    {
        run_ready();
        std::vector<json> result;
        std::istringstream lines(read());
        for (std::string line; std::getline(lines, line);)
            if (auto one = json::parse(line); one["cmd"] == "NODE_CLUSTER") {
                one.erase("cmd");
                result.push_back(std::move(one));
            }
        return result;
    }

    void listen()
    {
        asio::co_spawn(context, listen_now(), [this](std::exception_ptr failure) {
            try {
                if (failure)
                    std::rethrow_exception(failure);
            } catch (const std::exception& thrown) {
                error = thrown.what();
            }
        });
        run_ready();
    }

    asio::awaitable<void> listen_now()
    {
        auto got = co_await worker->listen("127.0.0.1", 8888);
        got.on_connection([this](net::accepted one) { taken.push_back(std::move(one)); });
        server = std::move(got);
    }

    std::string failure_of_disconnect()
    {
        std::string what;
        bool done = false;
        asio::co_spawn(context, worker->disconnect(), [&](std::exception_ptr failure) {
            done = true;
            try {
                if (failure)
                    std::rethrow_exception(failure);
            } catch (const std::exception& thrown) {
                what = thrown.what();
            }
        });
        EXPECT_TRUE(run_until([&] { return done; }));
        return what;
    }

    static std::string answer(const std::string& fields)
    {
        return R"({"cmd":"NODE_CLUSTER",)" + fields + R"(,"key":"k","ack":1,"data":null,"seq":0})" +
               "\n";
    }
    static constexpr auto listens =
        R"("errno":null,"sockname":{"address":"127.0.0.1","family":"IPv4","port":8888})";

    void new_connection(const std::string& key)
    {
        auto [accepted, client] = tcp_pair();
        write(envelope("net.Native",
                       R"({"cmd":"NODE_CLUSTER","act":"newconn","key":")" + key + R"(","seq":7})"),
              {accepted.get()});
        clients.push_back(std::move(client));
    }

    std::optional<cluster::worker> worker;
    std::optional<cluster::server> server;
    std::string error;
    std::vector<net::accepted> taken;
    std::vector<unique_fd> clients;
};

TEST_F(ClusterWorker, SaysOnlineAsksAndListens)
{
    listen();
    EXPECT_EQ(said(),
              (std::vector<json>{json{{"act", "online"}, {"seq", 0}}, json{{"act", "queryServer"},
                                                                           {"index", 0},
                                                                           {"data", nullptr},
                                                                           {"address", "127.0.0.1"},
                                                                           {"port", 8888},
                                                                           {"addressType", 4},
                                                                           {"flags", 0},
                                                                           {"backlog", 0},
                                                                           {"seq", 1}}}));
    write(answer(listens));
    EXPECT_EQ(said().at(0)["act"], "listening");
    ASSERT_TRUE(server);
    EXPECT_EQ(server->address().port(), 8888);
    server->close();
    EXPECT_EQ(said(), (std::vector<json>{json{{"act", "close"}, {"key", "k"}, {"seq", 3}}}));
}

/// As Node's: workers that listen again, and others that never stopped, mean the same server.
TEST_F(ClusterWorker, AsksForTheSameServerAgainWhenItHasClosedIt)
{
    for (int seq : {1, 4}) { // online is 0; after the question come "listening" and "close"
        listen();
        EXPECT_EQ(said().back()["index"], 0);
        write(std::string(R"({"cmd":"NODE_CLUSTER",)") + listens + R"(,"key":"k","ack":)" +
              std::to_string(seq) + R"(,"data":null,"seq":0})" + "\n");
        EXPECT_EQ(said().at(0)["act"], "listening");
        server->close();
        EXPECT_EQ(said().at(0)["act"], "close");
        server.reset();
    }
    listen();
    EXPECT_EQ(said().back()["index"], 0);
    listen(); // a second one beside it
    EXPECT_EQ(said().back()["index"], 1);
}

TEST_F(ClusterWorker, TakesAConnectionThatComesRightBehindTheAnswer)
{
    listen();
    (void)said();
    write(answer(listens));
    new_connection("k"); // nothing has run in between
    const auto answers = said();
    ASSERT_EQ(answers.size(), 2u);
    const bool is_first = answers[0].contains("accepted");
    EXPECT_EQ(answers[is_first ? 0 : 1]["accepted"], true);
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_TRUE(taken[0].may_have_copies()) << "the primary's";
}

TEST_F(ClusterWorker, RefusesAConnectionForAServerThatItDoesNotHaveAndClosesIt)
{
    listen();
    write(answer(listens));
    (void)said();
    server->close();
    (void)said();
    const auto before = open_descriptors();
    new_connection("k");
    EXPECT_EQ(said(), (std::vector<json>{json{{"ack", 7}, {"accepted", false}, {"seq", 4}}}));
    EXPECT_EQ(open_descriptors(), before + 1) << "the test's client";
}

TEST_F(ClusterWorker, HasThePrimarysErrorAsItsOwn)
{
    listen();
    write(answer(R"("errno":-98)"));
    (void)said();
    EXPECT_NE(error.find("Address already in use"), std::string::npos) << error;
    EXPECT_NE(error.find("127.0.0.1 port 8888"), std::string::npos) << error;
}

TEST_F(ClusterWorker, HearsThatThePrimaryHasGoneWhileItAsks)
{
    listen();
    peer.reset();
    EXPECT_TRUE(run_until([&] { return !error.empty(); }));
    EXPECT_EQ(error, "Channel closed");
}

/// Node's primary answers no question of a worker that it has told to leave.
TEST_F(ClusterWorker, HearsThatItIsToLeaveWhileItAsks)
{
    listen();
    write("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"disconnect\",\"seq\":3}\n");
    EXPECT_TRUE(run_until([&] { return !error.empty(); }));
    EXPECT_EQ(error, "Channel closed");
    bool done = false;
    asio::co_spawn(context, worker->disconnect(),
                   [&](std::exception_ptr failure) { done = !failure; });
    EXPECT_TRUE(run_until([&] { return done; }));
}

TEST_F(ClusterWorker, LeavesWhenItIsToldAndSaysThatItMeansToWhenItIsNot)
{
    for (const bool is_told : {true, false}) {
        open_channel({});
        worker.emplace(context.get_executor(), *channel, 1);
        (void)said();
        bool done = false;
        if (is_told)
            write("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"disconnect\",\"seq\":3}\n");
        run_ready();
        asio::co_spawn(context, worker->disconnect(),
                       [&](std::exception_ptr failure) { done = !failure; });
        const auto before = said();
        EXPECT_EQ(before.size(), is_told ? 0u : 1u);
        if (!is_told) {
            EXPECT_EQ(before.at(0)["act"], "exitedAfterDisconnect");
            EXPECT_FALSE(done) << "it waits for the answer";
            write("{\"cmd\":\"NODE_CLUSTER\",\"ack\":1,\"seq\":3}\n");
        }
        EXPECT_TRUE(run_until([&] { return done; }));
        EXPECT_EQ(read(), "");
        EXPECT_TRUE(peer_saw_end);
    }
}

TEST_F(ClusterWorker, AMessageThatCannotBeEndsTheChannelAndNotTheProcess)
{
    for (const std::string nonsense :
         {R"("act":"newconn","key":"k","seq":-1)", R"("act":"newconn","seq":1e99)",
          R"("errno":1,"ack":1)", R"("act":7,"seq":18446744073709551616)"}) {
        open_channel({});
        worker.emplace(context.get_executor(), *channel, 1);
        write("{\"cmd\":\"NODE_CLUSTER\"," + nonsense + "}\n");
        run_ready();
        SCOPED_TRACE(nonsense);
    }
}

TEST_F(ClusterWorker, TellsWhatAPrimaryThatBrokeTheProtocolHasSaid)
{
    listen();
    (void)said();
    write("not json\n");
    EXPECT_TRUE(run_until([&] { return !error.empty(); }));
    EXPECT_NE(error.find("not json"), std::string::npos) << error;
    EXPECT_NE(failure_of_disconnect().find("not json"), std::string::npos);
}

} // namespace

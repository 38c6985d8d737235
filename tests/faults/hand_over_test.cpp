// A connection on its way to a worker that fails: whose is it afterwards, and what does the client
// get? The first of two workers is faulty_child, which fails as it is told; the second is ours.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

using namespace support;
using std::string;
using std::vector;

namespace {

// From a death to the end of a client's waiting: less than what would end it otherwise, the 2.25 s
// of grace. How long it is on a quiet machine is the bench's matter.
constexpr milliseconds at_once{2000};

class HandOverFaults : public testing::Test {
protected:
    static vector<string> arguments(const string& how, vector<string> more = {})
    {
        vector<string> result{"--workers", "2",
                              "--child",   quoted(test_program("faulty_child")) + " " + how,
                              "--child",   quoted(demo("socket_fanout_child")) + " --delay 0"};
        result.insert(result.end(), more.begin(), more.end());
        return result;
    }

    /// The first connection, which goes to the faulty worker, is answered by the other one: at once
    /// after the death, which may be `until_killed` after the fault.
    static void expect_answer_of_the_other(const string& how, const string& said,
                                           milliseconds until_killed = milliseconds(0),
                                           const vector<string>& more = {})
    {
        running_demo main("socket_fanout", arguments(how, more));
        ASSERT_TRUE(eventually([&] { return is_at_rest(main.workers[1]); }));
        const end_of faulty(main.workers[0]);
        auto client = connect(main.port);
        faulty.wait(until_killed + at_once);
        const auto answer = parse_reply(client.read_to_end(at_once));
        client.close();
        EXPECT_EQ(answer.pid, main.workers[1]);
        EXPECT_EQ(answer.message, "http socket1");
        EXPECT_NE(main.err_line("worker " + std::to_string(main.workers[0]) + " ").find(said),
                  string::npos)
            << main.err();
        EXPECT_TRUE(
            eventually([&] { return !runs(main.workers[0]) && !is_zombie(main.workers[0]); }));
        for (int i = 0; i < 3; ++i) // the service goes on
            EXPECT_EQ(parse_reply(ask(main.port)).pid, main.workers[1]);
        EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
        EXPECT_NE(
            main.err().find("4 accepted = 4 handed over + 0 closed without an answer; 1 times"),
            string::npos)
            << main.err();
    }

    /// The faulty worker has touched it: it is closed, and nobody else answers.
    static void expect_closed(const string& how, const string& what_the_client_reads)
    {
        running_demo main("socket_fanout", arguments(how));
        const end_of faulty(main.workers[0]);
        auto client = connect(main.port);
        client.send(string(100, 'x'));
        faulty.wait();
        string reply;
        try {
            reply = client.read_to_end(at_once);
        } catch (const std::system_error& error) { // closed with the client's bytes unread
            EXPECT_EQ(error.code().value(), ECONNRESET);
            reply = what_the_client_reads;
        }
        EXPECT_EQ(reply, what_the_client_reads);
        EXPECT_EQ(parse_reply(ask(main.port)).pid, main.workers[1]);
        EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
        EXPECT_NE(main.err().find("2 accepted = 1 handed over + 1 closed without an answer"),
                  string::npos)
            << main.err();
    }
};

// In the suites that are called InTime, time itself is asserted: they run alone (RUN_SERIAL).
class HandOverFaultsInTime : public HandOverFaults {};

TEST_F(HandOverFaultsInTime, B10_B11_AWorkerThatDiesWithTheConnectionUnreadLosesNoClient)
{
    expect_answer_of_the_other("die", "exited with code 9");
}

TEST_F(HandOverFaultsInTime, B16_AWorkerThatHangsUpAndLivesOnIsEndedWithinTheGrace)
{
    expect_answer_of_the_other("hang_up", "has not ended by itself: SIGTERM", milliseconds(2250));
}

TEST_F(HandOverFaultsInTime, A12_B11_AWorkerThatWritesGarbageIsKilledAndItsConnectionGivenOn)
{
    expect_answer_of_the_other("garbage", "not json");
}

TEST_F(HandOverFaultsInTime, B13_AStuckWorkerIsKilledAndReapedBeforeAnotherAnswers)
{
    expect_answer_of_the_other("hang", "has acknowledged nothing for 1000 ms", milliseconds(1000),
                               {"--ack-timeout", "1000"});
}

TEST_F(HandOverFaultsInTime, B12_AConnectionThatTheDeadHadReadFromIsClosedAndNotReplayed)
{
    expect_closed("read", "");
}

TEST_F(HandOverFaultsInTime, B12_AConnectionThatTheDeadHadWrittenToIsClosedAndNotReplayed)
{
    expect_closed("write", "twelve bytes");
}

TEST_F(HandOverFaults, A13_AnEndlessLineCostsABoundedAmountOfMemoryAndThatWorker)
{
    running_demo main("socket_fanout", arguments("endless"));
    auto client = connect(main.port);
    EXPECT_EQ(parse_reply(client.read_to_end()).pid, main.workers[1]);
    const auto peak = std::stoul(status_field(main.pid(), "VmHWM")); // in kB
    if (patient(milliseconds(1)) == milliseconds(1)) {               // sanitizers need more
        EXPECT_LT(peak, 2 * 16 * 1024 + 16 * 1024u);
    }
    EXPECT_NE(main.err_line("broke the channel's protocol").find("16777216"), string::npos);
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

// Of eight clients, those with even numbers are on their way to the faulty worker at the same time.
TEST_F(HandOverFaults, B12_OfSeveralInDoubtEachIsDecidedByItself)
{
    running_demo main("socket_fanout", arguments("read", {"--in-flight", "8"}));
    std::vector<connection> clients;
    for (int i = 0; i < 8; ++i)
        clients.push_back(connect(main.port));
    for (std::size_t i = 1; i < clients.size(); i += 2)
        EXPECT_EQ(parse_reply(clients[i].read_to_end()).pid, main.workers[1]);
    clients[0].send(string(40, 'x')); // it reads that, and dies
    EXPECT_EQ(clients[0].read_to_end(), "") << "touched: nobody else answers";
    for (std::size_t i = 2; i < clients.size(); i += 2)
        EXPECT_EQ(parse_reply(clients[i].read_to_end()).pid, main.workers[1]) << i;
    clients.clear();
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
    EXPECT_NE(main.err().find("8 accepted = 7 handed over + 1 closed without an answer; 3 times"),
              string::npos)
        << main.err();
}

TEST_F(HandOverFaults, B11_WhatHasNotBeenWrittenNeedNotWaitForTheWorkersEnd)
{
    running_demo main("socket_fanout", arguments("hang_up")); // one in flight: the others wait
    std::vector<connection> clients;
    for (int i = 0; i < 6; ++i)
        clients.push_back(connect(main.port));
    for (std::size_t i = 1; i < clients.size(); ++i) // the worker lives on for two seconds more
        EXPECT_EQ(parse_reply(clients[i].read_to_end()).pid, main.workers[1]) << i;
    EXPECT_FALSE(clients[0].has_ended()) << "the worker may still answer it";
    EXPECT_TRUE(runs(main.workers[0]));
    EXPECT_EQ(parse_reply(clients[0].read_to_end()).pid, main.workers[1]);
    clients.clear();
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST_F(HandOverFaults, B15_NothingThatADeadWorkerHasStartedHoldsAConnectionThatIsGivenOn)
{
    running_demo main("socket_fanout", arguments("leave"));
    auto client = connect(main.port);
    const auto said = main.err_line("has it");
    const auto orphan = static_cast<pid_t>(std::stol(said.substr(said.find(':') + 1)));
    const auto reply = client.read_to_end();
    EXPECT_FALSE(runs(orphan));
    EXPECT_EQ(parse_reply(reply).pid, main.workers[1]) << reply;
    EXPECT_EQ(reply.find("orphan"), string::npos);
    client.close();
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

// ---- retiring ----------------------------------------------------------------------------------

/// A worker that answers on as many connections, hangs up, and ends when it has answered them.
struct retiring_worker {
    string name, command;
    int connections;
};

class RetiringFaults : public testing::TestWithParam<retiring_worker> {};
INSTANTIATE_TEST_SUITE_P(
    , RetiringFaults,
    testing::Values(retiring_worker{"without_reading_all",
                                    quoted(test_program("faulty_child")) + " retire", 25},
                    retiring_worker{
                        "node", quoted(node()) + " " + quoted(fixture("faults/retiring_child.js")),
                        75}),
    [](const auto& test) { return test.param.name; });

TEST_P(RetiringFaults, B16_WorkersThatRetireUnderLoadLoseNoClient)
{
    const auto& worker = GetParam();
    running_demo main("socket_fanout", {"--respawn", "--workers", "4", "--child",
                                        worker.command + " " + std::to_string(worker.connections)});
    constexpr int clients = 8;
    constexpr int connections = 75; // of each: 24 of the first kind retire, 8 of the second
    std::atomic<int> answered{0};
    vector<std::thread> load;
    for (int i = 0; i < clients; ++i)
        load.emplace_back([&] {
            for (int k = 0; k < connections; ++k)
                try {
                    answered += parse_reply(ask(main.port)).pid != 0;
                } catch (const std::exception&) { // no answer
                }
        });
    for (auto& one : load)
        one.join();
    EXPECT_EQ(answered, clients * connections);
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(main.err().find("given up"), string::npos) << main.err();
    EXPECT_EQ(main.err().find("has not ended by itself"), string::npos) << main.err();
    EXPECT_NE(main.err().find("takes its place"), string::npos) << main.err();
    if (main.err().find(" accepted = ") != string::npos) { // told where one has come back
        EXPECT_NE(main.err().find("600 accepted = 600 handed over + 0 closed"), string::npos)
            << main.err();
    }
}

// ------------------------------------------------------------------------------------------------

TEST_F(HandOverFaultsInTime, NobodyLeftClosesTheConnectionAtOnce)
{
    running_demo main("socket_fanout",
                      {"--workers", "1", "--child", quoted(test_program("faulty_child")) + " die"});
    const end_of last(main.workers[0]);
    auto client = connect(main.port);
    last.wait();
    EXPECT_EQ(client.read_to_end(at_once), "");
    EXPECT_EQ(main.wait_exit(), exited(1));
}

TEST_F(HandOverFaultsInTime, ModeForkGivesTheConnectionToAnotherChild)
{
    running_demo main("socket_fanout", arguments("die", {"--mode", "fork"}));
    auto client = connect(main.port); // its children are yet to be started
    const auto answer = client.read_to_end(at_once);
    EXPECT_EQ(parse_reply(answer).message, "socket");
    client.close();
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST_F(HandOverFaults, ModeAllIsAnsweredByTheOthers)
{
    running_demo main("socket_fanout",
                      arguments("hang", {"--mode", "all", "--ack-timeout", "1000"}));
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(parse_reply(ask(main.port)).pid, main.workers[1]);
    main.err_line("has acknowledged nothing");
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST_F(HandOverFaults, StopEndsThoughAWorkerHangsWithAConnection)
{
    running_demo main("socket_fanout", arguments("hang"));
    auto client = connect(main.port);
    main.out_line("connection");
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(client.read_to_end(), "");
    EXPECT_NE(main.err().find("1 accepted = 0 handed over + 1 closed"), string::npos) << main.err();
}

// How it goes on, to the end of the last, is a test of the pool's, which may have shorter pauses.
TEST_F(HandOverFaults, D8_ACrashLoopIsSlowedDown)
{
    running_demo main("socket_fanout", {"--respawn", "--workers", "1", "--child", "/bin/false"});
    const string part = "another one in ";
    vector<long> pauses;
    ASSERT_TRUE(eventually([&] {
        (void)main.has_ended(); // reads
        pauses.clear();
        for (const auto& line : lines(main.err()))
            if (const auto at = line.find(part); at != string::npos)
                pauses.push_back(std::stol(line.substr(at + part.size())));
        return pauses.size() >= 4;
    }));
    for (const long least : {100, 200, 400, 800}) {
        EXPECT_GE(pauses.front(), least);
        EXPECT_LE(pauses.front(), least * 11 / 10);
        pauses.erase(pauses.begin());
    }
    EXPECT_EQ(main.stop(), exited(0));
}

// ---- the listening socket ----------------------------------------------------------------------

class HandedServerFaultsInTime : public testing::TestWithParam<string> {};
INSTANTIATE_TEST_SUITE_P(, HandedServerFaultsInTime,
                         testing::Values("server_handoff", "http_cluster"),
                         [](const auto& test) { return test.param; });

TEST_P(HandedServerFaultsInTime, B13_AStoppedWorkerIsReplacedAndItsClientsReadTheEnd)
{
    running_demo main(GetParam(),
                      {"--respawn", "--ack-timeout", "1000", "--workers", "1", "--delay", "60000"});
    main.wait_until_at_rest();
    const auto idle = descriptors(main.workers[0]).size();
    auto client = connect(main.port);
    if (GetParam() == "http_cluster")
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(eventually([&] {
        return descriptors(main.workers[0]).size() == idle + 1 && unread_bytes(main.port) == 0;
    })) << "the worker has taken it";
    const end_of stuck(main.workers[0]);
    ::kill(main.workers[0], SIGSTOP);
    stuck.wait(milliseconds(1000) + at_once);
    EXPECT_EQ(client.read_to_end(at_once), "");
    main.err_line("has been stopped for 1000 ms and was killed");
    main.err_line("takes its place");
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST_P(HandedServerFaultsInTime, B13_AStuckWorkerDelaysTheReadyLineUntilItsDeadlineAndIsNamed)
{
    running_demo main(GetParam(), {"--ack-timeout", "1000", "--workers", "3", "--delay", "0",
                                   "--child", "/bin/sleep 60", "--child",
                                   quoted(demo(GetParam() + "_child")) + " --delay 0"});
    main.err_line("has acknowledged nothing for 1000 ms and was killed; ");
    EXPECT_TRUE(eventually([&] { return children(main.pid()).size() == 1; })); // 0 and 2 are gone
    auto client = open_client(GetParam(), main.port);
    EXPECT_EQ(who_answered(client.read_to_end()), children(main.pid()).at(0));
    client.close();
    EXPECT_EQ(main.stop(), exited(0));
}

TEST(RestartFaults, C6_StartsAgainAtOnceOnThePortItsConnectionsHaveJustLeft)
{
    std::uint16_t port = 0;
    {
        running_demo first("server_handoff", {"--delay", "0"});
        port = first.port;
        for (int i = 0; i < 5; ++i)
            ask(port); // the server closes first, so that TIME_WAIT is on its side
        EXPECT_EQ(first.stop_and_settle_accounts(), exited(0));
    }
    running_demo second(
        vector<string>{demo("server_handoff"), "--delay", "0", "--port", std::to_string(port)});
    EXPECT_EQ(second.port, port);
    EXPECT_NE(parse_reply(ask(port)).pid, 0);
    EXPECT_EQ(second.stop_and_settle_accounts(), exited(0));
}

// ---- bytes that nobody reads -------------------------------------------------------------------

class UnreadInputFaults : public testing::TestWithParam<string> {};
INSTANTIATE_TEST_SUITE_P(, UnreadInputFaults, testing::Values("socket_fanout", "server_handoff"),
                         [](const auto& test) { return test.param; });

TEST_P(UnreadInputFaults, B8_B9_TwoHundredClientsThatTalkGetTheirWholeAnswer)
{
    running_demo main(GetParam(), {"--delay", "0", "--quiet"});
    for (int i = 0; i < 200; ++i) {
        auto client = connect(main.port);
        client.send(string(i % 2 ? 1000 : 1, 'x'));
        EXPECT_NE(parse_reply(client.read_to_end()).pid, 0);
    }
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

} // namespace

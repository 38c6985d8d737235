// Node's cluster with a C++ half: our workers under its primary, its workers under ours, and both
// side by side under either.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <unistd.h>

using namespace support;
using std::string;
using std::vector;

namespace {

string script(const string& file)
{
    return fixture("interop/node/cluster/" + file);
}

string node_with(const string& file)
{
    return quoted(node()) + " " + quoted(script(file));
}

/// Node sends such an answer in chunks, ours in one piece.
pid_t worker_in(const string& answer)
{
    static const std::regex handled("Request handled by worker-([0-9]+)");
    std::smatch found;
    if (!std::regex_search(answer, found, handled))
        throw std::runtime_error("unexpected: \"" + answer + "\"");
    return std::stoi(found[1]);
}

pid_t ask_who(std::uint16_t port)
{
    return worker_in(open_client("cluster", port).read_to_end());
}

/// How often each worker answers, when one client comes after the other.
std::map<pid_t, int> answers(std::uint16_t port, int clients)
{
    std::map<pid_t, int> result;
    for (int i = 0; i < clients; ++i)
        ++result[ask_who(port)];
    return result;
}

struct halves {
    string name;
    bool is_node_primary;
    vector<string> children; ///< in turn
    string policy;           ///< of ours
};

std::ostream& operator<<(std::ostream& out, const halves& given)
{
    return out << given.name;
}

/// Every combination of primary, workers and policy.
class Cluster : public testing::TestWithParam<halves> {
protected:
    running_demo start(vector<string> more = {}, start_options options = {}) const
    {
        const auto& given = GetParam();
        vector<string> command{demo("cluster"), "--policy", given.policy};
        if (given.is_node_primary) {
            command = {node(), script("main.js")};
            options.environment.push_back(string("NODE_CLUSTER_SCHED_POLICY=") +
                                          (given.policy == "shared" ? "none" : "rr"));
        }
        command.insert(command.end(), {"--port", "0", "--workers", "3"});
        for (const auto& child : given.children)
            command.insert(command.end(), {"--child", child});
        command.insert(command.end(), more.begin(), more.end());
        return running_demo(command, options);
    }
    bool takes_turns() const { return GetParam().policy == "round_robin"; }
};

vector<halves> all_halves()
{
    const auto ours = quoted(demo("cluster_child"));
    const auto nodes = node_with("child.js");
    vector<halves> result;
    for (const string policy : {"round_robin", "least_busy", "shared"}) {
        result.push_back({"ours_with_node_" + policy, false, {nodes}, policy});
        result.push_back({"ours_mixed_" + policy, false, {ours, nodes}, policy});
        result.push_back({"ours_" + policy, false, {}, policy});
        if (policy == "least_busy")
            continue;
        result.push_back({"node_with_ours_" + policy, true, {demo("cluster_child")}, policy});
        result.push_back(
            {"node_mixed_" + policy, true, {demo("cluster_child"), "child.js"}, policy});
    }
    return result;
}

INSTANTIATE_TEST_SUITE_P(, Cluster, testing::ValuesIn(all_halves()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Cluster, AnswersEveryClientAndEndsWhenItIsTold)
{
    auto main = start();
    const auto who = answers(main.port, 30);
    for (const auto& [pid, count] : who) {
        EXPECT_TRUE(std::count(main.workers.begin(), main.workers.end(), pid)) << pid;
    }
    // The first three go to three. How many each gets is chance: who is late to say that it has
    // taken one misses a turn.
    if (takes_turns()) {
        EXPECT_EQ(who.size(), 3u);
    }
    const auto asked = run(
        {client("http_client"), "--port", std::to_string(main.port), "--count", "200", "--quiet"});
    EXPECT_EQ(asked.status, exited(0)) << asked.err;
    EXPECT_EQ(main.stop(), exited(0)) << main.err(); // nobody is left who holds its output
    EXPECT_TRUE(is_free(main.port));
    if (GetParam().is_node_primary) {
        std::multiset<string> said;
        for (const auto& line : lines(main.out()))
            said.insert(line);
        EXPECT_EQ(said.count("disconnected"), 1u) << main.out();
        for (int id = 1; id <= 3; ++id)
            EXPECT_EQ(said.count("exit " + std::to_string(id) + " code 0 signal null meant true"),
                      1u)
                << main.out();
    }
}

TEST_P(Cluster, AWorkerThatIsKilledDidNotMeanToAndTheOthersGoOn)
{
    auto main = start();
    ::kill(main.workers.at(1), SIGKILL);
    if (GetParam().is_node_primary)
        main.out_line("exit 2 code null signal SIGKILL meant false");
    else
        main.err_line("worker " + std::to_string(main.workers[1]) + " was killed by SIGKILL");
    const auto who = answers(main.port, 20);
    EXPECT_EQ(who.count(main.workers[1]), 0u);
    EXPECT_EQ(main.stop(), exited(0));
}

TEST_P(Cluster, NoWorkerOutlivesItsPrimary)
{
    auto main = start();
    main.signal(SIGKILL);
    EXPECT_EQ(main.wait_exit(), killed_by(SIGKILL));
    main.wait_output_closed();
    EXPECT_TRUE(eventually([&] { return is_free(main.port); }));
}

// ---- our primary
// ----------------------------------------------------------------------------------

running_demo our_primary(vector<string> more)
{
    return running_demo("cluster", std::move(more));
}

std::size_t count_of(const string& text, const string& part)
{
    std::size_t count = 0;
    for (auto at = text.find(part); at != string::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

TEST(OurPrimary, GivesIdleWorkersConnectionsInTurn)
{
    auto main = our_primary({"--workers", "3"});
    vector<pid_t> order;
    for (int i = 0; i < 9; ++i)
        order.push_back(ask_who(main.port));
    EXPECT_EQ((std::set<pid_t>{order.begin(), order.begin() + 3}.size()), 3u);
    for (std::size_t i = 3; i < order.size(); ++i)
        EXPECT_EQ(order[i], order[i - 3]);
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

/// A client that its worker has not touched is somebody else's when the worker dies: with Node's
/// primary it hangs.
TEST(OurPrimary, GivesWhatADeadWorkerHadNotAnsweredToAnother)
{
    for (const string child : {"", "child.js"}) {
        vector<string> more{"--workers", "2"};
        if (!child.empty())
            more.insert(more.end(), {"--child", node_with(child)});
        auto main = our_primary(more);
        ::kill(main.workers.at(0), SIGSTOP);
        vector<connection> clients;
        clients.push_back(open_client("cluster", main.port));
        clients.push_back(open_client("cluster", main.port));
        // One of them is with the stopped worker: connections are accepted in their order.
        EXPECT_EQ(ask_who(main.port), main.workers[1]);
        ::kill(main.workers[0], SIGKILL);
        for (auto& client : clients)
            EXPECT_EQ(worker_in(client.read_to_end()), main.workers[1]);
        EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
    }
}

TEST(OurPrimary, KillsAWorkerThatDoesNotAnswerAndItsClientGetsAnother)
{
    auto main = our_primary({"--workers", "2", "--ack-timeout", "1000"});
    ::kill(main.workers.at(0), SIGSTOP);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(ask_who(main.port), main.workers[1]);
    main.err_line("worker " + std::to_string(main.workers[0]) +
                  " has a"); // nothing acknowledged, or no connection answered
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

/// Our workers tell when a connection has ended.
TEST(OurPrimary, LeastBusyGivesNothingToAWorkerThatHasMoreThanAnother)
{
    auto main = our_primary({"--workers", "2", "--policy", "least_busy", "--trace"});
    const auto reports = [&](std::size_t count) {
        return eventually([&] {
            (void)main.has_ended(); // reads what it says
            return count_of(main.err(), R"("act":"ended")") >= count;
        });
    };
    ASSERT_TRUE(reports(2)); // that they tell at all
    auto kept = connect(main.port);
    kept.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    string answer = kept.read_until("worker-");
    while (!std::regex_search(answer, std::regex("worker-[0-9]+$")))
        answer += kept.read_until("");
    const auto busy = worker_in(answer);
    for (std::size_t i = 1; i <= 6; ++i) {
        EXPECT_NE(ask_who(main.port), busy);
        ASSERT_TRUE(reports(2 + i));
    }
    kept.close();
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST(OurPrimary, SaysThatThePortIsTakenAndStartsNothing)
{
    const listener other;
    const auto port = std::to_string(other.port());
    const auto result = run({demo("cluster"), "--port", port});
    EXPECT_EQ(result.status, exited(3));
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err.find("port " + port + " is already in use"), string::npos) << result.err;
}

TEST(OurPrimary, RespawnKeepsThePortWhileNobodyIsThere)
{
    auto main = our_primary({"--workers", "1", "--respawn"});
    for (int life = 0; life < 3; ++life) {
        const auto worker = children(main.pid()).at(0);
        ::kill(worker, SIGKILL);
        EXPECT_NE(ask_who(main.port), worker); // waits for the next one
    }
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

/// A worker that hears of a connection and wants it not: another one gets it, and when all say so,
/// they are asked again after a pause. Node's primary asks without one.
TEST(OurPrimary, OffersARefusedConnectionToAnother)
{
    auto main = our_primary({"--workers", "2", "--child", quoted(demo("cluster_child")), "--child",
                             "env -u NODE_UNIQUE_ID " + node_with("speaks.js") + " refuse"});
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(ask_who(main.port), main.workers.at(0));
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
    EXPECT_NE(main.out().find("asked "), string::npos);
}

TEST(OurPrimary, PausesWhenAllRefuse)
{
    auto main = our_primary({"--workers", "2", "--trace", "--child",
                             "env -u NODE_UNIQUE_ID " + node_with("speaks.js") + " refuse"});
    const auto began = std::chrono::steady_clock::now();
    const auto client = open_client("cluster", main.port);
    ASSERT_TRUE(eventually([&] {
        (void)main.has_ended(); // reads what it says
        return count_of(main.err(), "newconn") >= 8;
    }));
    EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(300)); // three pauses
    EXPECT_EQ(main.stop(), exited(0));
}

/// Its workers put a byte 2 before each internal line: theirs end with a sentence that says so, and
/// the others serve.
TEST(OurPrimary, NamesBunWhenAWorkerSpeaksAsBunDoes)
{
    const string bun =
        R"(/bin/sh -c 'printf "\002{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}\n" >&3; read line <&3')";
    auto main =
        our_primary({"--workers", "2", "--child", quoted(demo("cluster_child")), "--child", bun});
    main.err_line("Bun's cluster is not understood here");
    ASSERT_TRUE(eventually([&] { return children(main.pid()).size() == 1; }));
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(ask_who(main.port), children(main.pid()).at(0));
    EXPECT_EQ(main.stop(), exited(0));
}

TEST(OurPrimary, ClosesWhatASilentWorkerHasHadForTooLong)
{
    auto main = our_primary({"--workers", "1", "--ack-timeout", "3000", "--child",
                             "env -u NODE_UNIQUE_ID " + node_with("speaks.js") + " silent"});
    auto client = open_client("cluster", main.port);
    ASSERT_TRUE(eventually([&] { return client.has_ended(); }));
}

TEST(OurPrimary, AnswersForEveryServerThatAWorkerAsksFor)
{
    const auto path = testing::TempDir() + "cluster_test." + std::to_string(::getpid());
    const listener other;
    const auto taken = std::to_string(other.port());
    for (const string policy : {"round_robin", "shared"}) {
        auto main = our_primary(
            {"--workers", "2", "--policy", policy, "--child",
             node_with("several.js") + " '" + R"([{"port":0,"host":"127.0.0.1"},)" +
                 R"({"port":0,"host":"127.0.0.1"},{"port":0,"host":"::1","ipv6Only":true},)" +
                 R"({"port":)" + taken + R"(,"host":"127.0.0.1"},{"udp":true},)" + R"({"path":")" +
                 path + "\"}]'"});
        ASSERT_TRUE(eventually([&] {
            (void)main.has_ended();
            return count_of(main.out(), "done\n") == 2;
        })) << main.out()
            << main.err();
        std::map<string, std::multiset<string>> by_worker; // what each has said, but for its id
        for (const auto& line : lines(main.out()))
            if (const auto colon = line.find(": "); colon == 1)
                by_worker[line.substr(0, 1)].insert(line.substr(3));
        ASSERT_EQ(by_worker.size(), 2u) << main.out();
        EXPECT_EQ(by_worker["1"], by_worker["2"]) << "they share ports; " << main.out();
        EXPECT_EQ(by_worker["1"].size(), 7u) << main.out();
        EXPECT_EQ(by_worker["1"].count("udp ENOTSUP"), 1u) << main.out();
        EXPECT_NE(main.out().find(" EADDRINUSE\n"), string::npos) << main.out();
        EXPECT_NE(main.out().find(" on " + path + "\n"), string::npos) << main.out();
        std::set<string> ports;
        for (const auto& line : by_worker["1"])
            if (const auto at = line.find("} on 127.0.0.1:"); at != string::npos)
                ports.insert(line.substr(at + 15));
        EXPECT_EQ(ports.size(), 2u) << "another index, another port; " << main.out();
        main.err_line("asks for a UDP socket");
        EXPECT_TRUE(std::filesystem::exists(path));
        EXPECT_EQ(main.stop(), exited(0));
        EXPECT_FALSE(std::filesystem::exists(path));
    }
}

// ---- our worker
// -----------------------------------------------------------------------------------

TEST(OurClusterWorker, TakesItsPortFromTheEnvironment)
{
    const auto port = unused_port();
    running_demo main({node(), script("main.js"), "--port", std::to_string(port), "--workers", "2",
                       "--child", demo("cluster_child")});
    EXPECT_EQ(main.port, port);
    EXPECT_EQ(main.stop(), exited(0));
}

TEST(OurClusterWorker, HasNothingToSayWhenItsPrimaryGoesBeforeItListens)
{
    const auto forked = run(
        {node(), "-e",
         "const child = require('child_process').fork('x.js', { execPath: process.argv[1],"
         "  execArgv: [], env: { ...process.env, NODE_UNIQUE_ID: 1 } });"
         "child.on('internalMessage', said => said.act === 'queryServer' && child.disconnect());"
         "child.on('exit', (code, signal) => console.log(code, signal))",
         demo("cluster_child")});
    EXPECT_EQ(forked.status, exited(0));
    EXPECT_EQ(forked.out, "0 null\n");
    EXPECT_EQ(forked.err, "");
}

TEST(OurClusterWorker, WantsAPrimaryAndSaysSo)
{
    const auto by_hand = run({demo("cluster_child")});
    EXPECT_EQ(by_hand.status, exited(2));
    const auto forked =
        run({node(), "-e",
             "require('child_process').fork('x.js', { execPath: process.argv[1], execArgv: [] })"
             ".on('exit', code => process.exit(code))",
             demo("cluster_child")});
    EXPECT_EQ(forked.status, exited(3)) << forked.err;
    EXPECT_NE(forked.err.find("NODE_UNIQUE_ID"), string::npos) << forked.err;
}

} // namespace

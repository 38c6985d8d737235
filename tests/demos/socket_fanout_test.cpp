// Example 1: the main process accepts, and shares each connection with its children.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

using namespace support;
using std::string;
using std::vector;

namespace {

/// "http socket2 子进程：4711": slot 2, and 4711 is that slot's worker.
std::size_t slot_of(const running_demo& main, const string& line)
{
    const auto [message, pid] = parse_reply(line);
    const auto slot =
        static_cast<std::size_t>(std::stoul(message.substr(string("http socket").size())));
    EXPECT_EQ(message, "http socket" + std::to_string(slot));
    EXPECT_EQ(pid, main.workers.at(slot));
    return slot;
}

const std::multiset<std::size_t> documented{0, 0, 1, 2, 3};

TEST(SocketFanout, FiveConnectionsGiveTheDocumentsLinesAHundredTimes)
{
    for (int start = 0; start < 100; ++start) {
        running_demo main("socket_fanout", {"--delay", "0"});
        vector<connection> open; // all at once, as the document's client does
        for (int i = 0; i < 5; ++i)
            open.push_back(connect(main.port));
        std::multiset<std::size_t> slots;
        for (auto& connection : open)
            slots.insert(slot_of(main, connection.read_to_end()));
        ASSERT_EQ(slots, documented) << "start " << start;
        open.clear(); // a client that has not closed is waited for
        ASSERT_EQ(main.stop(), exited(0));
        ASSERT_EQ(main.out(), "connection\nconnection\nconnection\nconnection\nconnection\n");
    }
}

TEST(SocketFanout, ClientPrintsTheDocumentsFiveLines)
{
    running_demo main("socket_fanout");
    const auto asked = run({client("net_client"), "--port", std::to_string(main.port)});
    EXPECT_EQ(asked.status, exited(0));
    EXPECT_EQ(asked.err, "");
    std::multiset<std::size_t> slots;
    for (const auto& line : lines(asked.out))
        slots.insert(slot_of(main, line));
    EXPECT_EQ(slots, documented);
}

TEST(SocketFanout, RotatesThroughTheWorkersInOrder)
{
    running_demo main("socket_fanout", {"--mode", "rotate", "--workers", "3", "--delay", "0"});
    for (std::size_t k = 0; k < 30; ++k)
        EXPECT_EQ(slot_of(main, ask(main.port)), k % 3);
    EXPECT_EQ(main.stop(), exited(0));
}

TEST(SocketFanout, QuietPrintsNoConnectionLines)
{
    running_demo main("socket_fanout", {"--quiet"});
    ask(main.port);
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(main.out(), "");
}

TEST(SocketFanout, TallyOnStopAddsUp)
{
    running_demo main("socket_fanout", {"--delay", "0"});
    for (int i = 0; i < 10; ++i)
        ask(main.port);
    EXPECT_EQ(main.stop(), exited(0));
    std::map<pid_t, int> counts;
    for (const auto& line : lines(main.err().substr(main.err().find("stopping:"))))
        for (const auto worker : main.workers)
            if (line.starts_with(std::to_string(worker) + " "))
                counts[worker] = std::stoi(line.substr(std::to_string(worker).size()));
    EXPECT_EQ(counts, (std::map<pid_t, int>{{main.workers[0], 3},
                                            {main.workers[1], 3},
                                            {main.workers[2], 2},
                                            {main.workers[3], 2}}))
        << main.err();
}

// Who ends a shared connection first has answered; now and then two manage. But somebody always
// does, and nobody dies of being late.
TEST(SocketFanout, B3_ModeAllGivesEveryConnectionAnAnswerAndEveryWorkerSurvives)
{
    running_demo main("socket_fanout", {"--mode", "all", "--delay", "20"});
    main.wait_until_at_rest();
    const auto idle = descriptors(main.pid()).size();
    vector<connection> open;
    for (int i = 0; i < 40; ++i)
        open.push_back(connect(main.port));
    std::size_t answers = 0;
    for (auto& connection : open) {
        string text = connection.read_to_end();
        ASSERT_FALSE(text.empty());
        // Answers of several workers may follow one another without a newline.
        for (std::size_t at = 0; (at = text.find("http socket", at)) != string::npos; ++answers) {
            const auto next = text.find("http socket", at + 1);
            slot_of(main, text.substr(at, next - at));
            at = next;
            if (next == string::npos)
                break;
        }
        ++answers;
    }
    EXPECT_GE(answers, 40u);
    EXPECT_EQ(children(main.pid()).size(), 4u);
    EXPECT_TRUE(std::all_of(main.workers.begin(), main.workers.end(), runs));
    open.clear();
    for (int i = 0; i < 40; ++i)
        ask(main.port);
    EXPECT_TRUE(eventually([&] { return descriptors(main.pid()).size() == idle; }));
    EXPECT_EQ(main.stop(), exited(0));
}

TEST(SocketFanout, ModeForkStartsChildrenForEachConnectionAndOneAnswers)
{
    running_demo main("socket_fanout", {"--mode", "fork", "--trace"});
    EXPECT_TRUE(main.workers.empty());
    EXPECT_NE(main.err().find("no workers yet"), string::npos) << main.err();
    EXPECT_TRUE(children(main.pid()).empty());
    const auto idle = descriptors(main.pid()).size();

    std::set<pid_t> answered;
    for (int i = 0; i < 3; ++i) {
        const auto [message, pid] = parse_reply(ask(main.port));
        EXPECT_EQ(message, "socket");
        EXPECT_TRUE(answered.insert(pid).second) << "each connection has children of its own";
        EXPECT_TRUE(eventually([&] { return children(main.pid()).empty(); }))
            << "children end with their connection";
    }
    EXPECT_TRUE(eventually([&] { return descriptors(main.pid()).size() == idle; }));
    EXPECT_EQ(main.out(), "");
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(main.out(), "connection\nconnection\nconnection\n");

    // Of the four children of each connection one got it, and the others the message alone.
    std::set<string> with_socket, without;
    const string sent = std::to_string(main.pid()) + " -> ";
    for (const auto& line : lines(main.err()))
        if (line.starts_with(sent)) {
            const auto child = line.substr(sent.size(), line.find(' ', sent.size()) - sent.size());
            EXPECT_TRUE((line.find("NODE_HANDLE") != string::npos ? with_socket : without)
                            .insert(child)
                            .second);
        }
    EXPECT_EQ(without.size(), 9u);
    std::set<string> who_answered;
    for (const auto pid : answered)
        who_answered.insert(std::to_string(pid));
    EXPECT_EQ(with_socket, who_answered);
}

TEST(SocketFanout, ModeForkAnswersFiveAtOnce)
{
    running_demo main("socket_fanout", {"--mode", "fork", "--workers", "2"});
    const auto asked = run({client("net_client"), "--port", std::to_string(main.port)});
    EXPECT_EQ(asked.status, exited(0)) << asked.err;
    std::set<pid_t> pids;
    for (const auto& line : lines(asked.out)) {
        EXPECT_EQ(parse_reply(line).message, "socket");
        pids.insert(parse_reply(line).pid);
    }
    EXPECT_EQ(pids.size(), 5u);
    EXPECT_FALSE(pids.contains(main.pid()));
    EXPECT_EQ(main.stop(), exited(0));
}

TEST(SocketFanout, RefusesAnUnknownMode)
{
    const auto result = run({demo("socket_fanout"), "--mode", "random"});
    EXPECT_EQ(result.status, exited(2));
    for (const string mode : {"rotate", "all", "fork"})
        EXPECT_NE(result.err.find(mode), string::npos) << result.err;
}

// ---- when a worker fails while it is being given a connection
// ------------------------------------

// From a worker's death to the end of its clients' waiting: less than the 2.25 s of grace, which
// would end it otherwise.
constexpr milliseconds at_once{2000};

TEST(SocketFanoutFaultsInTime, B10_B11_ConnectionOfAWorkerThatDiesUnacknowledgedGoesToAnother)
{
    running_demo main("socket_fanout", {"--delay", "0"});
    main.wait_until_at_rest();
    ::kill(main.workers[0], SIGSTOP);
    auto first = connect(main.port); // for worker 0, which cannot take it
    main.out_line("connection");
    ::kill(main.workers[0], SIGKILL);
    EXPECT_NE(slot_of(main, first.read_to_end(at_once)), 0u);
    for (int i = 0; i < 8; ++i)
        EXPECT_NE(slot_of(main, ask(main.port)), 0u);
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST(SocketFanoutFaults, B13_SilentWorkerIsKilledAfterTheAckTimeout)
{
    running_demo main("socket_fanout", {"--delay", "0", "--ack-timeout", "1000"});
    ::kill(main.workers[0], SIGSTOP);
    EXPECT_NE(slot_of(main, ask(main.port)), 0u);
    main.err_line("worker " + std::to_string(main.workers[0]));
    EXPECT_TRUE(eventually([&] { return children(main.pid()).size() == 3; }));
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST(SocketFanoutFaults, AckTimeoutOfZeroWaitsForEver)
{
    running_demo main("socket_fanout", {"--delay", "0", "--ack-timeout", "0"});
    ::kill(main.workers[0], SIGSTOP);
    auto first = connect(main.port);
    for (std::size_t k = 1; k < 4; ++k)
        EXPECT_EQ(slot_of(main, ask(main.port)), k);
    ::kill(main.workers[0], SIGCONT);
    EXPECT_EQ(slot_of(main, first.read_to_end()), 0u);
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST(SocketFanoutFaultsInTime, B10_B11_ManyConnectionsOfADeadWorkerAllGetAnAnswer)
{
    running_demo main("socket_fanout", {"--delay", "0"});
    main.wait_until_at_rest();
    ::kill(main.workers[2], SIGSTOP);
    vector<connection> open;
    for (int i = 0; i < 40; ++i)
        open.push_back(connect(main.port));
    ASSERT_TRUE(eventually([&] { return unread_bytes(main.port) == 0; }))
        << "main accepts them all";
    const auto waits_in_vain = [&](std::size_t i) { return i % 4 == 2; };
    for (std::size_t i = 0; i < open.size(); ++i)
        if (!waits_in_vain(i)) {
            EXPECT_EQ(slot_of(main, open[i].read_to_end()), i % 4);
        }
    const auto death = std::chrono::steady_clock::now();
    ::kill(main.workers[2], SIGKILL);
    for (std::size_t i = 0; i < open.size(); ++i)
        if (waits_in_vain(i)) {
            EXPECT_NE(slot_of(main, open[i].read_to_end(at_once)), 2u);
        }
    EXPECT_LT(std::chrono::steady_clock::now() - death, patient(at_once));
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST(SocketFanoutFaults, A7_WorkerWithoutRoomForADescriptorLosesNoClient)
{
    // Each worker has room for a few connections at a time, and the clients are many.
    running_demo main("socket_fanout",
                      {"--child", quoted(demo("socket_fanout_child")) + " --delay 20", "--quiet"});
    for (std::size_t k = 0; k < 4; ++k)
        slot_of(main, ask(main.port)); // now every worker has what it waits with
    main.wait_until_no_connection_is_held();
    for (const auto worker : main.workers) {
        const auto used = descriptors(worker).size();
        const rlimit limit{used + 2, used + 2};
        ASSERT_EQ(::prlimit(worker, RLIMIT_NOFILE, &limit, nullptr), 0);
    }
    const auto asked =
        run({client("net_client"), "--port", std::to_string(main.port), "--count", "60"});
    EXPECT_EQ(asked.status, exited(0)) << asked.err;
    const auto answers = lines(asked.out);
    EXPECT_EQ(answers.size(), 60u);
    for (const auto& line : answers)
        slot_of(main, line);
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST(SocketFanoutFaults, C1_MainWithoutDescriptorsGoesOnWhenItHasSomeAgain)
{
    running_demo main("socket_fanout", {"--delay", "0", "--quiet"}, {.descriptor_limit = 40});
    // They stay open here, in the kernel's queue and in main, whatever main can hold.
    ::kill(main.workers[0], SIGSTOP);
    vector<connection> waiting;
    for (int i = 0; i < 100; ++i)
        waiting.push_back(connect(main.port));
    // Until it has said so twice, a second apart: main waits, it does not try all the time.
    const auto complaints = [&] {
        (void)main.has_ended(); // reads
        return warnings(main.err(), "cannot accept")[main.pid()];
    };
    ASSERT_TRUE(eventually([&] { return complaints() >= 1; }));
    const auto then = std::chrono::steady_clock::now();
    const auto used = cpu_time(main.pid());
    ASSERT_TRUE(eventually([&] { return complaints() >= 2; }));
    EXPECT_LT(cpu_time(main.pid()) - used, (std::chrono::steady_clock::now() - then) / 5);
    ::kill(main.workers[0], SIGCONT);
    for (auto& connection : waiting)
        slot_of(main, connection.read_to_end());
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

} // namespace

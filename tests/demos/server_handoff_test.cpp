// Example 2: the children listen on the same port, and main has no part in any connection.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

using namespace support;
using std::string;

namespace {

/// Each answer names a slot, and its PID is that slot's worker.
void expect_answer_of_its_slot(const running_demo& main, const string& line)
{
    const auto [message, pid] = parse_reply(line);
    const auto slot = static_cast<std::size_t>(message.back() - '0');
    EXPECT_EQ(message, "http server" + std::to_string(slot));
    ASSERT_LT(slot, main.workers.size());
    EXPECT_EQ(pid, main.workers[slot]);
}

TEST(ServerHandoff, OnlyWorkersAnswer)
{
    running_demo main("server_handoff", {"--delay", "0"});
    for (int i = 0; i < 200; ++i)
        expect_answer_of_its_slot(main, ask(main.port));
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(main.out(), "server is start\n");
}

TEST(ServerHandoff, ClientPrintsTheDocumentsLines)
{
    running_demo main("server_handoff");
    const auto asked = run({client("net_client"), "--port", std::to_string(main.port)});
    EXPECT_EQ(asked.status, exited(0));
    EXPECT_EQ(asked.err, "");
    const auto answers = lines(asked.out);
    EXPECT_EQ(answers.size(), 5u);
    for (const auto& line : answers)
        expect_answer_of_its_slot(main, line);
}

TEST(ServerHandoff, FiveConnectionsGiveTheDocumentsLinesAHundredTimes)
{
    for (int start = 0; start < 100; ++start) {
        running_demo main("server_handoff", {"--delay", "0"});
        std::vector<connection> open; // all at once, as the document's client does
        for (int i = 0; i < 5; ++i)
            open.push_back(connect(main.port));
        for (auto& connection : open) // whose they are is the kernel's choice
            expect_answer_of_its_slot(main, connection.read_to_end());
        ASSERT_FALSE(HasFailure()) << "start " << start;
        open.clear();
        ASSERT_EQ(main.stop(), exited(0));
        ASSERT_EQ(main.out(), "server is start\n");
    }
}

TEST(ServerHandoff, EveryWorkerCanAnswer)
{
    running_demo main("server_handoff");
    for (const auto worker : main.workers) {
        for (const auto other : main.workers)
            ::kill(other, other == worker ? SIGCONT : SIGSTOP);
        EXPECT_EQ(parse_reply(ask(main.port)).pid, worker);
    }
    for (const auto worker : main.workers)
        ::kill(worker, SIGCONT);
    EXPECT_EQ(main.stop(), exited(0));
}

TEST(ServerHandoff, B6_MainKeepsNothingOfTheServer)
{
    running_demo main("server_handoff");
    const auto server = listening_socket(main.port);
    for (const auto worker : main.workers) {
        EXPECT_TRUE(holds(worker, server));
        EXPECT_TRUE(epoll_watches(worker, server));
    }
    EXPECT_FALSE(holds(main.pid(), server));
    EXPECT_FALSE(epoll_watches(main.pid(), server));
}

TEST(ServerHandoff, RespawningMainKeepsACopyButNeverAccepts)
{
    running_demo main("server_handoff", {"--respawn"});
    const auto server = listening_socket(main.port);
    EXPECT_TRUE(holds(main.pid(), server));
    EXPECT_FALSE(epoll_watches(main.pid(), server));
}

TEST(ServerHandoff, SendsInTheDocumentsOrder)
{
    const auto order = [](const string& workers) {
        running_demo main("server_handoff", {"--trace", "--workers", workers});
        string slots;
        const string mark = R"("msg":"http server)";
        for (auto at = main.err().find(mark); at != string::npos;
             at = main.err().find(mark, at + 1))
            slots += main.err()[at + mark.size()];
        return slots;
    };
    EXPECT_EQ(order("4"), "0213");
    EXPECT_EQ(order("3"), "012");
    EXPECT_EQ(order("5"), "01234");
}

TEST(ServerHandoff, C8_IsReadyOnlyWhenEveryWorkerHoldsTheServer)
{
    // The first client after the ready line may already meet any of them: let the last worker be
    // the one.
    running_demo main("server_handoff", {"--workers", "8", "--delay", "0"});
    for (const auto worker : main.workers)
        if (worker != main.workers.back())
            ::kill(worker, SIGSTOP);
    EXPECT_EQ(parse_reply(ask(main.port)).pid, main.workers.back());
}

TEST(ServerHandoffFaults, WorkersServeWhileMainIsStopped)
{
    running_demo main("server_handoff", {"--delay", "0"});
    main.signal(SIGSTOP);
    for (int i = 0; i < 20; ++i)
        expect_answer_of_its_slot(main, ask(main.port));
    main.signal(SIGCONT);
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

// How it goes on, to the end of the last attempt, is a test of the pool's, which may have shorter
// pauses.
TEST(ServerHandoffFaults, ACrashLoopIsSlowedDownAndTheOthersServe)
{
    running_demo main("server_handoff",
                      {"--respawn", "--workers", "2", "--child",
                       quoted(demo("server_handoff_child")), "--child",
                       quoted(node()) + " " + quoted(fixture("demos/dying_child.js"))});
    main.err_line("another one in 4"); // hundred ms and a tenth: the third pause
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(parse_reply(ask(main.port)).pid, main.workers[0]);
    EXPECT_EQ(main.stop(), exited(0));
}

} // namespace

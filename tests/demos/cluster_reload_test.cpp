// The cluster when its workers are replaced by new ones (SIGUSR2): nobody notices.
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

pid_t ask_who(std::uint16_t port)
{
    return who_answered(open_client("cluster", port).read_to_end());
}

/// For --child: our worker; and one whose successors, from that number on, run `script` first.
string own_child()
{
    return quoted(demo("cluster_child"));
}
string child_until(int id, const string& script)
{
    return "/bin/sh -c " + quoted("[ $NODE_UNIQUE_ID -lt " + std::to_string(id) + " ] || { " +
                                  script + "; }; exec " + own_child());
}

void expect_all_answer(const running_demo& main, const vector<pid_t>& workers)
{
    std::set<pid_t> answered;
    for (std::size_t i = 0; i < 2 * workers.size(); ++i)
        answered.insert(ask_who(main.port));
    EXPECT_EQ(answered, (std::set<pid_t>{workers.begin(), workers.end()}));
}

/// Its requests go on while something happens.
process load(const running_demo& main, int requests, bool keep_alive)
{
    vector<string> command{client("http_client"),
                           "--port",
                           std::to_string(main.port),
                           "--count",
                           std::to_string(requests),
                           "--concurrency",
                           "8",
                           "--quiet"};
    if (keep_alive)
        command.emplace_back("--keep-alive");
    return process(command);
}

TEST(Reload, F5_ReplacesEveryWorkerUnderLoadAndLosesNoRequest)
{
    for (const string policy : {"round_robin", "least_busy", "shared"})
        for (const bool keep_alive : {false, true}) {
            running_demo main("cluster", {"--workers", "2", "--policy", policy});
            auto clients = load(main, 4000, keep_alive);
            main.signal(SIGUSR2);
            main.err_line("reloaded: 2 new workers");
            for (const auto old : main.workers)
                EXPECT_TRUE(eventually([&] { return !runs(old); }));
            EXPECT_EQ(clients.wait_exit(), exited(0)) << policy << clients.err();
            EXPECT_EQ(clients.err(), "") << policy;
            EXPECT_EQ(main.stop(), exited(0)) << main.err();
        }
}

/// What a trace tells, in the order in which the main has read and written it.
struct told {
    pid_t worker;
    string act; // "listening", "disconnect", "newconn", ...
};

vector<told> all_told(const string& trace)
{
    static const std::regex pattern("[0-9]+ (?:->|<-) ([0-9]+)  .*\"act\":\"([a-zA-Z]+)\".*");
    vector<told> result;
    for (const auto& line : lines(trace))
        if (std::smatch found; std::regex_match(line, found, pattern))
            result.push_back({std::stoi(found[1]), found[2]});
    return result;
}

TEST(Reload, F2_F3_ReadyWorkersAreNeverFewerAndOneThatHasToLeaveGetsNoConnection)
{
    constexpr std::size_t workers = 3;
    running_demo main("cluster", {"--workers", "3", "--trace"});
    auto clients = load(main, 1500, false);
    main.signal(SIGUSR2);
    main.err_line("reloaded: 3 new workers");
    EXPECT_EQ(clients.wait_exit(), exited(0)) << clients.err();
    EXPECT_EQ(main.stop(), exited(0));
    const auto in_order = all_told(main.err().substr(0, main.err().find("stopping: ")));

    std::set<pid_t> ready;
    std::set<pid_t> leaving;
    std::size_t connections = 0;
    for (const auto& [worker, act] : in_order) {
        if (act == "listening")
            ready.insert(worker);
        if (act == "disconnect") {
            EXPECT_GT(ready.size(), workers) << "its successor is not there yet";
            ready.erase(worker);
            leaving.insert(worker);
        }
        if (act == "newconn") {
            EXPECT_FALSE(leaving.contains(worker)) << worker;
            ++connections;
        }
    }
    EXPECT_EQ(ready.size(), workers);
    EXPECT_EQ(leaving, (std::set<pid_t>{main.workers.begin(), main.workers.end()}));
    EXPECT_EQ(connections, 1500u);
}

/// A new version that cannot be started, ends at once, or is killed before it listens.
TEST(Reload, F1_F4_ASuccessorThatDoesNotGetThereLeavesTheOldOnesServing)
{
    const auto program = testing::TempDir() + "reload_test." + std::to_string(::getpid());
    struct {
        string child;
        string why;
    } const cases[] = {{quoted(program), "cannot start a worker"},
                       {child_until(3, "exit 3"), "exited with code 3"},
                       {child_until(3, "kill -KILL $$"), "was killed by SIGKILL"}};
    for (const auto& [child, why] : cases) {
        std::filesystem::create_symlink(demo("cluster_child"), program);
        running_demo main("cluster", {"--workers", "2", "--child", child});
        std::filesystem::remove(program);
        main.signal(SIGUSR2);
        main.err_line(why);
        main.err_line("reload given up after 0 of 2 workers");
        EXPECT_EQ(children(main.pid()).size(), 2u);
        expect_all_answer(main, main.workers);
        EXPECT_EQ(main.stop(), exited(1)) << "it says so at the end, too";
    }
}

/// It runs, has perhaps said that it does, and never listens: nothing that a PID would tell.
TEST(Reload, F1_ASuccessorThatHangsLeavesTheOldOnesServing)
{
    const string hang = "read line <&3; exit 0";
    const string online = R"(echo "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}" >&3; )";
    for (const auto& script : {hang, online + hang, string("kill -STOP $$")}) {
        running_demo main("cluster", {"--workers", "2", "--listen-timeout", "300", "--child",
                                      child_until(3, script)});
        main.signal(SIGUSR2);
        ASSERT_TRUE(eventually([&] { return children(main.pid()).size() == 3; }));
        expect_all_answer(main, main.workers); // while it is waited for
        main.err_line("reload given up after 0 of 2 workers");
        EXPECT_TRUE(eventually([&] { return children(main.pid()).size() == 2; }));
        expect_all_answer(main, main.workers);
        EXPECT_EQ(main.stop(), exited(1)) << "it says so at the end, too";
    }
}

/// The first has been replaced, the second not: both generations serve.
TEST(Reload, F1_WhatHasBeenReplacedStaysWhenTheRestIsGivenUp)
{
    running_demo main("cluster", {"--workers", "2", "--child", child_until(4, "exit 3")});
    main.signal(SIGUSR2);
    main.err_line("reload given up after 1 of 2 workers");
    vector<pid_t> now;
    ASSERT_TRUE(eventually([&] {
        now = children(main.pid());
        return now.size() == 2;
    })) << "the one that was replaced is gone, and has been waited for";
    EXPECT_FALSE(std::count(now.begin(), now.end(), main.workers[0]));
    EXPECT_TRUE(std::count(now.begin(), now.end(), main.workers[1]));
    expect_all_answer(main, now);
    EXPECT_EQ(main.stop(), exited(1));
}

TEST(Reload, F4_OneAtATimeAndADeathInTheMiddleEndsInOneGeneration)
{
    running_demo main("cluster", {"--workers", "2", "--respawn"});
    ::kill(main.workers.at(0), SIGSTOP); // it cannot leave
    auto client = connect(main.port);
    main.signal(SIGUSR2);
    ASSERT_TRUE(eventually([&] { return children(main.pid()).size() == 3; }));
    main.signal(SIGUSR2);
    main.err_line("a reload is under way already");
    ::kill(main.workers[0], SIGKILL);
    main.err_line("reloaded: 2 new workers");
    ASSERT_TRUE(eventually([&] { return children(main.pid()).size() == 2; }));
    expect_all_answer(main, children(main.pid()));
    client.close();
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST(Reload, F4_ThePrimaryThatDiesInTheMiddleTakesAllWithIt)
{
    running_demo main("cluster", {"--workers", "2"});
    ::kill(main.workers.at(0), SIGSTOP);
    main.signal(SIGUSR2);
    ASSERT_TRUE(eventually([&] { return children(main.pid()).size() == 3; }));
    main.signal(SIGKILL);
    EXPECT_EQ(main.wait_exit(), killed_by(SIGKILL));
    main.wait_output_closed();
    EXPECT_TRUE(eventually([&] { return is_free(main.port); }));
}

/// While the successor begins, and while the old one leaves.
TEST(Reload, AStopInTheMiddleIsLikeAnyStop)
{
    for (const bool has_begun : {false, true}) {
        running_demo main("cluster",
                          {"--workers", "2", "--trace", "--child",
                           has_begun ? own_child() : child_until(3, "read line <&3; exit 0")});
        if (has_begun)
            ::kill(main.workers.at(0), SIGSTOP); // it cannot leave
        main.signal(SIGUSR2);
        ASSERT_TRUE(eventually([&] { return children(main.pid()).size() == 3; }));
        if (has_begun) // its successor is in its place
            main.err_line("\"act\":\"disconnect\"");
        main.signal(SIGTERM);
        main.err_line("stopping: 2 workers");
        if (has_begun)
            ::kill(main.workers[0], SIGCONT);
        EXPECT_EQ(main.wait_exit(), exited(0)) << main.err();
        main.wait_output_closed();
        EXPECT_EQ(main.err().find("given up"), string::npos) << main.err();
        EXPECT_EQ(main.err().find("has not ended by itself"), string::npos) << main.err();
    }
}

} // namespace

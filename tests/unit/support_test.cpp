// The tests' own tools: a tool that cannot fail would make every test pass.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <unistd.h>

using namespace support;

namespace {

process shell(const std::string& script)
{
    return process({"/bin/sh", "-c", script});
}

TEST(Support, RunsAProgramAndKeepsItsStreamsApart)
{
    const auto result = run({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"});
    EXPECT_EQ(result.status, exited(3));
    EXPECT_EQ(result.out, "out\n");
    EXPECT_EQ(result.err, "err\n");
    EXPECT_EQ(run({"/bin/sh", "-c", "kill -TERM $$"}).status, killed_by(SIGTERM));
    EXPECT_FALSE(exited(SIGTERM + 128) == killed_by(SIGTERM));
}

TEST(Support, FindsCompleteLinesOnly)
{
    process program = shell("printf 'one\\ntw'; exec sleep 60");
    EXPECT_EQ(program.out_line("on"), "one");
    EXPECT_THROW(program.out_line("tw", milliseconds(50)), std::runtime_error);
    EXPECT_THROW(shell("echo something else").out_line("one"), std::runtime_error)
        << "ended without it";
    EXPECT_THROW(shell("exec sleep 60").wait_exit(milliseconds(50)), std::runtime_error);
}

TEST(Support, KnowsTheLivingFromTheDead)
{
    pid_t pid = 0;
    {
        process program = shell("echo ready; exec sleep 60");
        program.out_line("ready");
        pid = program.pid();
        EXPECT_TRUE(runs(pid));
        EXPECT_EQ(children(::getpid()), std::vector<pid_t>{pid});
        program.signal(SIGKILL);
        EXPECT_TRUE(eventually([&] { return is_zombie(pid); }));
        EXPECT_FALSE(runs(pid));
    }
    EXPECT_FALSE(is_zombie(pid));
}

TEST(Support, FailsTheTestOfAProgramThatLeavesAnotherBehind)
{
    static pid_t orphan = 0;
    EXPECT_NONFATAL_FAILURE(
        {
            process program = shell("sleep 60 >/dev/null 2>&1 & echo $!");
            orphan = std::stoi(program.out_line(""));
            program.wait_exit();
        },
        "has left processes behind");
    EXPECT_FALSE(runs(orphan));
}

TEST(Support, ReadsTheReadyLine)
{
    const auto four = parse_ready_line(
        "listening on 127.0.0.1:8888, workers 28218 28219; try: build/clients/net_client");
    EXPECT_EQ(four.address, "127.0.0.1");
    EXPECT_EQ(four.port, 8888);
    EXPECT_EQ(four.workers, (std::vector<pid_t>{28218, 28219}));
    EXPECT_EQ(four.hint, "build/clients/net_client");
    EXPECT_EQ(parse_ready_line("listening on [::1]:1, no workers yet: wait; try: x").address,
              "[::1]");
    EXPECT_THROW(parse_ready_line("listening on 127.0.0.1:8888, workers; try: x"),
                 std::runtime_error);
    EXPECT_THROW(parse_reply("http socket0 子进程：x"), std::runtime_error);
    EXPECT_EQ(parse_reply("http socket0 子进程：42").pid, 42);
}

TEST(Support, SeesListenersAndWhoHoldsThem)
{
    const listener server;
    const auto socket = listening_socket(server.port());
    EXPECT_TRUE(holds(::getpid(), socket));
    EXPECT_FALSE(epoll_watches(::getpid(), socket));
    EXPECT_FALSE(is_free(server.port()));
    EXPECT_EQ(unread_bytes(server.port()), 0u);
    const auto waiting = connect(server.port());
    EXPECT_TRUE(eventually([&] { return unread_bytes(server.port()) == 1; }))
        << "one connection to be accepted";
}

} // namespace

// What a demo or a client is started with and must not be changed by: signals, children, a channel
// that is somebody else's.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace support;
using std::string;
using std::vector;

namespace {

class EnvironmentOfEveryDemo : public testing::TestWithParam<string> {
protected:
    string name() const { return GetParam(); }

    void expect_served(const running_demo& main) const
    {
        const auto pid = who_answered(open_client(name(), main.port).read_to_end());
        EXPECT_TRUE(std::count(main.workers.begin(), main.workers.end(), pid)) << pid;
    }
};
INSTANTIATE_TEST_SUITE_P(, EnvironmentOfEveryDemo,
                         testing::Values("socket_fanout", "server_handoff", "http_cluster"),
                         [](const auto& test) { return test.param; });

/// Everything blocked; and ignored, but for SIGHUP.
start_options with_odd_signals()
{
    start_options options;
    options.before_exec = [] {
        sigset_t all;
        ::sigfillset(&all);
        ::sigprocmask(SIG_SETMASK, &all, nullptr);
        for (int signal = 1; signal < NSIG; ++signal)
            if (signal != SIGHUP)
                ::signal(signal, SIG_IGN);
    };
    return options;
}

std::uint64_t ignored_by(pid_t pid)
{
    return std::stoul(status_field(pid, "SigIgn"), nullptr, 16);
}
std::uint64_t bit(int signal)
{
    return std::uint64_t{1} << (signal - 1);
}

TEST_P(EnvironmentOfEveryDemo, D13_InheritedSignalsChangeNothing)
{
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        running_demo main(name(), {"--workers", "2"}, with_odd_signals());
        EXPECT_EQ(status_field(main.pid(), "SigBlk"), "0000000000000000");
        const auto died = main.workers[0];
        ::kill(died, SIGKILL);
        main.err_line("worker " + std::to_string(died) + " was killed by SIGKILL");
        expect_served(main);
        main.signal(signal);
        EXPECT_EQ(main.wait_exit(), exited(0));
        EXPECT_NE(main.err().find("stopping: 1 worker"), string::npos) << main.err();
    }
}

class EnvironmentOfEveryClient : public testing::TestWithParam<string> {};
INSTANTIATE_TEST_SUITE_P(, EnvironmentOfEveryClient, testing::Values("net_client", "http_client"),
                         [](const auto& test) { return test.param; });

TEST_P(EnvironmentOfEveryClient, D13_InheritedSignalsChangeNothing)
{
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        listener server;
        process program({client(GetParam()), "--port", std::to_string(server.port()), "--count",
                         "1", "--host", "127.0.0.1"},
                        with_odd_signals());
        const auto silent = server.accept();
        program.signal(signal);
        EXPECT_EQ(program.wait_exit(), exited(128 + signal));
    }
}

TEST_P(EnvironmentOfEveryClient, UnderNohupTheHangUpIsNotHeard)
{
    start_options nohup;
    nohup.before_exec = [] { ::signal(SIGHUP, SIG_IGN); };
    listener server;
    process program({client(GetParam()), "--port", std::to_string(server.port()), "--count", "1",
                     "--host", "127.0.0.1"},
                    nohup);
    const auto silent = server.accept();
    program.signal(SIGHUP);
    program.signal(SIGHUP);
    program.signal(SIGINT);
    EXPECT_EQ(program.wait_exit(), exited(130)) << "the first that it has heard";
}

// Our workers ignore what they choose themselves.
TEST_P(EnvironmentOfEveryDemo, D11_WorkersBlockNoSignalAndIgnoreNoneOfMains)
{
    running_demo main(name(), {}, with_odd_signals());
    const auto glibc = bit(32) | bit(33);
    for (const auto worker : main.workers) {
        EXPECT_EQ(status_field(worker, "SigBlk"), "0000000000000000");
        EXPECT_EQ(ignored_by(worker) & ~(bit(SIGPIPE) | bit(SIGXFSZ) | glibc), 0u);
    }
}

TEST_P(EnvironmentOfEveryDemo, UnderNohupTheHangUpIsNotHeard)
{
    start_options nohup;
    nohup.before_exec = [] { ::signal(SIGHUP, SIG_IGN); };
    running_demo main(name(), {"--workers", "2"}, nohup);
    EXPECT_NE(ignored_by(main.pid()) & bit(SIGHUP), 0u);
    main.signal(SIGHUP);
    main.signal(SIGHUP);
    expect_served(main);
    EXPECT_EQ(main.stop(), exited(0));
}

TEST_P(EnvironmentOfEveryDemo, WorkersLeadSessionsOfTheirOwn)
{
    running_demo main(name());
    for (const auto worker : main.workers) {
        EXPECT_EQ(::getsid(worker), worker);
        EXPECT_EQ(::getpgid(worker), worker);
    }
}

// As the first process of a container it gets every orphan; so does a subreaper, without a
// container (prctl(2)).
TEST_P(EnvironmentOfEveryDemo, OrphansOfWorkersAreReaped)
{
    start_options subreaper;
    subreaper.before_exec = [] { ::prctl(PR_SET_CHILD_SUBREAPER, 1); };
    const string child =
        "sh -c '(true &); (true &); exec \"$0\"' " + quoted(demo(name() + "_child"));
    running_demo main(name(), {"--workers", "2", "--respawn", "--child", child}, subreaper);
    const auto only_workers = [&] {
        const auto all = children(main.pid());
        return all.size() == 2 && std::none_of(all.begin(), all.end(), is_zombie);
    };
    EXPECT_TRUE(eventually(only_workers)) << children(main.pid()).size() << " children";
    ::kill(main.workers[0], SIGKILL);
    main.err_line("worker " + std::to_string(main.workers[0]) + " was killed by SIGKILL");
    main.err_line("takes its place");
    EXPECT_TRUE(eventually(only_workers)) << children(main.pid()).size() << " children";
    EXPECT_EQ(main.stop(), exited(0));
}

TEST_P(EnvironmentOfEveryDemo, ChildrenFromBeforeExecAreReaped)
{
    running_demo main({"/bin/sh", "-c", "true & true & exec \"$0\" --port 0", demo(name())});
    EXPECT_TRUE(eventually([&] { return children(main.pid()).size() == 4; }))
        << children(main.pid()).size() << " children";
    EXPECT_EQ(main.stop(), exited(0));
}

/// A channel of whoever started us, PM2 say, as descriptor 3.
class foreign_channel {
public:
    foreign_channel()
    {
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) != 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
    }
    ~foreign_channel()
    {
        for (const auto end : ends_)
            ::close(end);
    }
    foreign_channel(const foreign_channel&) = delete;
    foreign_channel& operator=(const foreign_channel&) = delete;

    start_options options() const
    {
        start_options result;
        result.environment = {"NODE_CHANNEL_FD=3", "NODE_CHANNEL_SERIALIZATION_MODE=advanced",
                              "NODE_UNIQUE_ID=7"};
        result.before_exec = [end = ends_[1]] { ::dup2(end, 3); };
        return result;
    }

private:
    int ends_[2];
};

TEST_P(EnvironmentOfEveryDemo, TheChannelOfWhoeverStartedItIsNotItsWorkers)
{
    const foreign_channel channel;
    running_demo main(name(), {}, channel.options());
    const auto foreign = descriptors(main.pid()).at(3);
    for (const auto worker : main.workers)
        EXPECT_FALSE(holds(worker, foreign));
    expect_served(main);
    EXPECT_EQ(main.stop(), exited(0));
}

TEST_P(EnvironmentOfEveryDemo, D7_AWorkerWhoseStandardStreamsAreClosedOpensNothingInTheirPlace)
{
    auto channel = std::make_unique<foreign_channel>();
    auto options = channel->options();
    options.environment = {"NODE_CHANNEL_FD=3"};
    options.before_exec = [before = options.before_exec] {
        before();
        for (const int standard : {0, 1, 2})
            ::close(standard);
    };
    process worker({demo(name() + "_child")}, options);
    EXPECT_TRUE(eventually([&] {
        const auto all = descriptors(worker.pid());
        return std::any_of(all.begin(), all.end(), [](const auto& entry) {
            return entry.second == "anon_inode:[eventpoll]";
        });
    })) << "it has begun";
    for (const int standard : {0, 1, 2})
        EXPECT_EQ(descriptors(worker.pid()).at(standard), "/dev/null");
    channel.reset();
    EXPECT_EQ(worker.wait_exit(), exited(0));
}

TEST(Environment, InvalidHandleStartedWithAChannelShowsItsExample)
{
    const foreign_channel channel;
    const auto result = run({demo("invalid_handle")}, channel.options());
    EXPECT_EQ(result.status, exited(0)) << result.err;
    EXPECT_EQ(lines(result.out).size(), 6u) << result.out << result.err;
}

TEST(Environment, InvalidHandleStartedByNodeShowsItsExample)
{
    const auto result = run({node(), "-e",
                             "const { spawn } = require('child_process');"
                             "spawn(process.argv[1], { stdio: ['ignore', 1, 2, 'ipc'] })"
                             ".on('exit', code => process.exit(code))",
                             demo("invalid_handle")});
    EXPECT_EQ(result.status, exited(0)) << result.err;
    EXPECT_EQ(lines(result.out).size(), 6u) << result.out << result.err;
}

TEST_P(EnvironmentOfEveryDemo, AChildIsFoundAndReadAsByTheShell)
{
    const string folder = testing::TempDir() + "it's \"here\"." + std::to_string(::getpid()) + "/";
    std::filesystem::create_directories(folder + "first/worker"); // a folder of its name
    std::filesystem::create_directories(folder + "second");
    std::ofstream(folder + "second/worker") << "exec \"$1\" --delay 0\n"; // no #!
    std::filesystem::permissions(folder + "second/worker", std::filesystem::perms::owner_all);
    start_options options;
    options.environment = {"PATH=" + folder + "first:" + folder + "second:" + ::getenv("PATH")};
    {
        running_demo main(name(), {"--child", "worker " + quoted(demo(name() + "_child"))},
                          options);
        expect_served(main);
        EXPECT_EQ(main.stop(), exited(0));
    }
    std::filesystem::create_symlink(demo(name() + "_child"), folder + "my child");
    {
        const auto quoted = testing::TempDir() + "it\\'s' \"here\"'." + std::to_string(::getpid()) +
                            "/\"my child\" --delay \\0";
        running_demo main(name(), {"--child", quoted});
        expect_served(main);
        EXPECT_EQ(main.stop(), exited(0));
    }
    std::filesystem::remove_all(folder);
}

} // namespace

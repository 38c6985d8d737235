// The demos when somebody dies, hangs, or is told twice to stop.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <sys/resource.h>
#include <unistd.h>

using namespace support;
using std::string;
using std::vector;

namespace {

bool none_runs(const vector<pid_t>& pids)
{
    return std::none_of(pids.begin(), pids.end(), runs);
}

/// Parameter: the demo's name.
class EveryDemoFaults : public testing::TestWithParam<string> {
protected:
    string name() const { return GetParam(); }
    bool is_http() const { return name().ends_with("cluster"); }
    bool main_accepts() const { return name() == "socket_fanout" || name() == "cluster"; }
    string client_name() const { return is_http() ? "http_client" : "net_client"; }

    /// A worker written in JavaScript that ignores SIGTERM and the end of its channel.
    static vector<string> stubborn(vector<string> more = {})
    {
        more.insert(more.end(),
                    {"--child", quoted(node()) + " " + quoted(fixture("demos/stubborn_child.js"))});
        return more;
    }

    /// The PIDs in the answers to `count` connections, all of which must be answered.
    std::multiset<pid_t> ask_who(std::uint16_t port, int count) const
    {
        const auto asked = run({client(client_name()), "--port", std::to_string(port), "--count",
                                std::to_string(count)});
        EXPECT_EQ(asked.status, exited(0)) << asked.err;
        std::multiset<pid_t> result;
        for (const auto& line : lines(asked.out))
            if (line != "end")
                result.insert(is_http() ? parse_http_reply(line) : parse_reply(line).pid);
        EXPECT_EQ(result.size(), static_cast<std::size_t>(count));
        return result;
    }

    /// The lines main has written on stderr after the ready line.
    static vector<string> said_later(const process& main)
    {
        auto all = lines(main.err());
        all.erase(all.begin());
        return all;
    }
};

const auto every_demo =
    testing::Values("server_handoff", "socket_fanout", "http_cluster", "cluster");
const auto its_name = [](const auto& test) { return test.param; };
INSTANTIATE_TEST_SUITE_P(, EveryDemoFaults, every_demo, its_name);

TEST_P(EveryDemoFaults, SecondSignalForces)
{
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        running_demo main(name(), stubborn());
        main.signal(signal);
        main.err_line("stopping: 4 workers (again to force)");
        EXPECT_FALSE(none_runs(main.workers)) << "nothing to force";
        main.signal(signal);
        EXPECT_EQ(main.wait_exit(), exited(128 + signal));
        EXPECT_TRUE(eventually([&] { return none_runs(main.workers); }));
        EXPECT_TRUE(eventually([&] { return is_free(main.port); }));
    }
}

TEST_P(EveryDemoFaults, KilledWorkerIsOneLineAndTheOthersServe)
{
    running_demo main(name());
    const auto dead = main.workers[1];
    ::kill(dead, SIGKILL);
    main.err_line("worker " + std::to_string(dead));
    ASSERT_TRUE(eventually([&] { return !is_zombie(dead) && !runs(dead); })) << "not reaped";

    const auto answers = ask_who(main.port, 12);
    for (const auto pid : answers)
        EXPECT_TRUE(pid != dead && std::count(main.workers.begin(), main.workers.end(), pid))
            << pid;
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
    const auto said = said_later(main);
    ASSERT_GE(said.size(), 2u);
    EXPECT_NE(said[0].find("SIGKILL"), string::npos) << said[0];
    EXPECT_EQ(said[1], "stopping: 3 workers (again to force)");
}

TEST_P(EveryDemoFaults, LastWorkerGoneEndsMainWithExitCode1)
{
    running_demo main(name(), {"--workers", "3"});
    for (const auto worker : main.workers)
        ::kill(worker, SIGKILL);
    EXPECT_EQ(main.wait_exit(), exited(1));
    EXPECT_TRUE(is_free(main.port));
    for (const auto worker : main.workers)
        EXPECT_NE(main.err().find(std::to_string(worker), main.err().find('\n')), string::npos)
            << main.err();
    EXPECT_NE(main.err().find(name() + ": no worker is left"), string::npos) << main.err();
}

TEST_P(EveryDemoFaults, D3_KilledMainLeavesNobodyAndAFreePort)
{
    for (const auto& arguments : {vector<string>{}, stubborn()}) {
        running_demo main(name(), arguments);
        // Somebody is being served at that moment.
        auto busy = connect(main.port);
        main.signal(SIGKILL);
        EXPECT_EQ(main.wait_exit(), killed_by(SIGKILL));
        EXPECT_TRUE(eventually([&] { return none_runs(main.workers); }));
        EXPECT_TRUE(eventually([&] { return is_free(main.port); }));
        main.wait_output_closed();
    }
}

TEST_P(EveryDemoFaults, RespawnReplacesAKilledWorker)
{
    running_demo main(name(), {"--respawn"});
    const auto dead = main.workers[0];
    ::kill(dead, SIGKILL);
    vector<pid_t> now;
    ASSERT_TRUE(eventually([&] {
        now = children(main.pid());
        return now.size() == 4 && !std::count(now.begin(), now.end(), dead);
    }));
    const auto replacement = *std::find_if(now.begin(), now.end(), [&](pid_t pid) {
        return !std::count(main.workers.begin(), main.workers.end(), pid);
    });
    // It serves: it is the only one left to do so.
    for (const auto worker : main.workers)
        if (worker != dead)
            ::kill(worker, SIGSTOP);
    main.err_line(std::to_string(replacement));
    if (!main_accepts()) { // it would wait for the stopped ones to acknowledge
        EXPECT_EQ(ask_who(main.port, 3),
                  (std::multiset<pid_t>{replacement, replacement, replacement}));
    }
    for (const auto worker : main.workers)
        if (worker != dead)
            ::kill(worker, SIGCONT);
    const auto answers = ask_who(main.port, 8);
    for (const auto pid : answers)
        EXPECT_TRUE(std::count(now.begin(), now.end(), pid)) << pid;
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
    EXPECT_NE(main.err().find("stopping: 4 workers"), string::npos) << main.err();
}

TEST_P(EveryDemoFaults, RespawnKeepsThePortWhileNobodyIsThere)
{
    running_demo main(name(), {"--respawn", "--workers", "1"});
    ::kill(main.workers[0], SIGKILL);
    const auto answers = ask_who(main.port, 3); // not refused, though it comes between two workers
    EXPECT_EQ(answers.count(main.workers[0]), 0u);
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST_P(EveryDemoFaults, ClientsThatVanishLeaveNoDescriptor)
{
    running_demo main(name(), {"--delay", "50", "--quiet"});
    main.wait_until_at_rest();
    const auto before = descriptor_counts(main);
    for (int i = 0; i < 50; ++i) {
        connect(main.port).reset();
        auto polite = connect(main.port);
        polite.send("GET / HTTP/1.1\r\n");
    }
    EXPECT_TRUE(eventually([&] {
        return unread_bytes(main.port) == 0 && descriptor_counts(main) == before;
    })) << testing::PrintToString(before)
        << " became " << testing::PrintToString(descriptor_counts(main));
    EXPECT_EQ(ask_who(main.port, 4).size(), 4u);
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

/// Another name for a worker's program, which can be taken away.
class removable_worker {
public:
    explicit removable_worker(const string& program)
        : program_(program),
          path_(testing::TempDir() + std::to_string(::getpid()) + "." +
                std::filesystem::path(program).filename().string())
    {
        put_back();
    }
    ~removable_worker() { std::filesystem::remove(path_); }
    removable_worker(const removable_worker&) = delete;
    removable_worker& operator=(const removable_worker&) = delete;

    const string& path() const { return path_; }
    void remove() const { std::filesystem::remove(path_); }
    void put_back() const { std::filesystem::create_symlink(program_, path_); }

private:
    string program_;
    string path_;
};

TEST_P(EveryDemoFaults, D6_AReplacementThatCannotBeStartedIsNamedAndLeavesNothing)
{
    const removable_worker program(demo(name() + "_child"));
    running_demo main(name(), {"--respawn", "--workers", "2", "--child", quoted(program.path()),
                               "--child", quoted(demo(name() + "_child"))});
    program.remove();
    ::kill(main.workers[0], SIGKILL);
    EXPECT_NE(main.err_line("cannot start a worker").find(program.path() + ": No such file"),
              string::npos)
        << main.err();
    EXPECT_TRUE(eventually([&] { return children(main.pid()) == vector{main.workers[1]}; }))
        << "a zombie, perhaps";
    EXPECT_EQ(ask_who(main.port, 4).count(main.workers[1]), 4u);
    program.put_back();
    main.err_line("takes its place");
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

// ---- in time, and alone
// --------------------------------------------------------------------------

/// Worker 0 takes a minute for an answer, worker 1 no time.
class EveryDemoFaultsInTime : public EveryDemoFaults {
protected:
    /// From a death to the end of a client's waiting: less than the grace, 2.25 s.
    static constexpr milliseconds at_once{2000};

    vector<string> slow_and_fast(vector<string> more = {}) const
    {
        const auto child = quoted(demo(name() + "_child")) + " --host 127.0.0.1 --port 0 --delay ";
        if (name() == "cluster") // so that who accepts is who runs
            more.insert(more.end(), {"--policy", "shared"});
        more.insert(more.end(),
                    {"--workers", "2", "--child", child + "60000", "--child", child + "0"});
        return more;
    }

    /// A client of worker 0, which has taken it, acknowledged it where there is something to
    /// acknowledge, and read what there is to read.
    connection client_of_the_slow_one(const running_demo& main) const
    {
        main.wait_until_at_rest();
        ::kill(main.workers[1], SIGSTOP); // it would accept it
        EXPECT_TRUE(eventually([&] { return is_stopped(main.workers[1]); }));
        auto client = connect(main.port);
        if (is_http())
            client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        EXPECT_TRUE(eventually([&] {
            const auto open = connections(main.port);
            return open.size() == 1 && holds(main.workers[0], open[0]) &&
                   !holds(main.pid(), open[0]) && unread_bytes(main.port) == 0;
        })) << "worker 0 alone holds it";
        ::kill(main.workers[1], SIGCONT);
        return client;
    }

    /// Worker 0 has it when the signal comes.
    void expect_end_of_file_when_it_dies_of(int signal, const string& signal_name) const
    {
        start_options options;
        options.environment = {"ASAN_OPTIONS=handle_segv=0"}; // let the kernel end it
        options.before_exec = [] {
            const rlimit nothing{0, 0};
            ::setrlimit(RLIMIT_CORE, &nothing); // it leaves no core
        };
        running_demo main(name(), slow_and_fast({"--quiet"}), options);
        auto client = client_of_the_slow_one(main);
        const end_of slow(main.workers[0]);
        ::kill(main.workers[0], signal);
        slow.wait();
        EXPECT_EQ(client.read_to_end(at_once), "");
        main.err_line("worker " + std::to_string(main.workers[0]));
        EXPECT_EQ(ask_who(main.port, 4).count(main.workers[1]), 4u);
        EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
        EXPECT_EQ(said_later(main),
                  vector<string>{name() + ": worker " + std::to_string(main.workers[0]) +
                                 " was killed by " + signal_name + "; 1 left"});
    }
};
INSTANTIATE_TEST_SUITE_P(, EveryDemoFaultsInTime, every_demo, its_name);

TEST_P(EveryDemoFaultsInTime, B7_ClientsOfAWorkerKilledWhileItAnswersReadTheEndAtOnce)
{
    expect_end_of_file_when_it_dies_of(SIGKILL, "SIGKILL");
}

TEST_P(EveryDemoFaultsInTime, B7_ClientsOfAWorkerThatCrashesWhileItAnswersReadTheEndAtOnce)
{
    expect_end_of_file_when_it_dies_of(SIGSEGV, "SIGSEGV");
}

TEST_P(EveryDemoFaultsInTime, D2_EveryWorkerGoneAtOnceIsReapedReportedAndReplaced)
{
    running_demo main(name(), {"--workers", "8", "--respawn"});
    std::vector<std::unique_ptr<end_of>> ends;
    for (const auto worker : main.workers)
        ends.push_back(std::make_unique<end_of>(worker));
    for (const auto worker : main.workers)
        ::kill(worker, SIGKILL);
    for (const auto& end : ends)
        end->wait();
    EXPECT_TRUE(eventually(
        [&] { return std::none_of(main.workers.begin(), main.workers.end(), is_zombie); }));

    for (const auto worker : main.workers)
        main.err_line("worker " + std::to_string(worker) + " was killed by SIGKILL; another one");
    EXPECT_TRUE(
        eventually([&] { return children(main.pid()).size() == 8 && none_runs(main.workers); }));
    EXPECT_EQ(ask_who(main.port, 8).size(), 8u);
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
    const auto said = said_later(main);
    EXPECT_EQ(std::count_if(said.begin(), said.end(),
                            [](const auto& line) { return line.find("SIGKILL") != string::npos; }),
              8)
        << main.err();
}

TEST_P(EveryDemoFaultsInTime, D10_StubbornWorkersAreAskedThenTerminatedThenKilled)
{
    running_demo main(name(), stubborn({"--workers", "2"}));
    ASSERT_TRUE(eventually([&] { // a Node that has not begun would obey
        return std::all_of(main.workers.begin(), main.workers.end(), [](pid_t worker) {
            return std::stoul(status_field(worker, "SigCgt"), nullptr, 16) & 1ul << (SIGTERM - 1);
        });
    }));
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(0));
    EXPECT_TRUE(none_runs(main.workers));
    EXPECT_TRUE(is_free(main.port));
    for (const auto worker : main.workers) {
        const auto who = "worker " + std::to_string(worker) + " has not ended by itself: ";
        const auto terminated = main.err().find(who + "SIGTERM\n");
        ASSERT_NE(terminated, string::npos) << main.err();
        EXPECT_NE(main.err().find(who + "SIGKILL\n", terminated), string::npos) << main.err();
    }
}

} // namespace

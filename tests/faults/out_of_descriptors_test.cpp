// Nobody has a descriptor to spare: clients wait until somebody has, and nobody spins meanwhile.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <list>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>
#include <unistd.h>

using namespace support;
using std::string;
using std::vector;
using clock_type = std::chrono::steady_clock;

namespace {

/// What the demo's workers say of it: they cannot take what main hands over, or cannot accept.
string complaint(const string& demo_name)
{
    return demo_name == "socket_fanout" ? "no room for a descriptor" : "cannot accept";
}

/// Once a second at most, of each process.
void expect_few(const std::map<pid_t, std::size_t>& complaints, clock_type::time_point since)
{
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(clock_type::now() - since).count();
    for (const auto& [pid, count] : complaints)
        EXPECT_LE(count, static_cast<std::size_t>(seconds) + 1) << pid;
}

class OutOfDescriptors : public testing::TestWithParam<std::tuple<string, string>> {};
INSTANTIATE_TEST_SUITE_P(
    , OutOfDescriptors,
    testing::Combine(testing::Values("server_handoff", "socket_fanout", "http_cluster"),
                     testing::Values("root", "nobody")),
    [](const auto& test) { return std::get<0>(test.param) + "_as_" + std::get<1>(test.param); });

// All clients are there before the first goes, and 64 descriptors each are not enough for five
// processes: with a client that is there, a worker keeps the connection, be it for a second.
TEST_P(OutOfDescriptors, A7_A8_SixtyFourDescriptorsLoseNoneOfFourHundredClients)
{
    const auto& [name, user] = GetParam();
    start_options options{.descriptor_limit = 64};
    if (user == "nobody") {
        if (::geteuid() != 0)
            GTEST_SKIP() << "we are not root: the other test has shown it";
        options.uid = 65534;
    }
    const auto begin = clock_type::now();
    running_demo main(name, {"--delay", "0", "--quiet"}, options);
    if (descriptors(main.pid()).empty()) // without CAP_SYS_PTRACE, as in a container
        GTEST_SKIP() << "root may not look into a stranger's process here";
    main.wait_until_at_rest();
    const auto before = descriptor_counts(main);
    vector<connection> open;
    for (int i = 0; i < 400; ++i)
        open.push_back(connect(main.port));
    std::size_t answers = 0;
    for (auto& client : open)
        if (name == "http_cluster")
            client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    // Until it is felt: on a busy machine clients could go as fast as others are accepted.
    const auto is_felt = [&] {
        return !main.has_ended() && (main.err().find("cannot accept") != string::npos ||
                                     main.err().find("no room for a descriptor") != string::npos);
    };
    EXPECT_TRUE(eventually(is_felt)) << main.err();
    for (auto& client : open) {
        const auto answer =
            name == "http_cluster" ? client.read_until("handled by worker-") : client.read_to_end();
        answers +=
            answer.find(name == "http_cluster" ? "HTTP/1.1 200" : "子进程：") < answer.size();
        client.close();
    }
    EXPECT_EQ(answers, 400u);
    EXPECT_TRUE(eventually([&] { return descriptor_counts(main) == before; }));
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));

    auto accepting = warnings(main.err(), "cannot accept");
    auto receiving = warnings(main.err(), "no room for a descriptor");
    EXPECT_GE(accepting.size() + receiving.size(), 1u)
        << "nobody was out of descriptors: " << main.err();
    expect_few(accepting, begin);
    expect_few(receiving, begin);
}

// ---- no room at all for a while
// ------------------------------------------------------------------

/// No new descriptor for this process, as long as this lives.
class no_room {
public:
    explicit no_room(pid_t pid) : pid_(pid)
    {
        const auto open = descriptors(pid);
        rlim_t lowest_free = 0;
        while (open.contains(static_cast<int>(lowest_free)))
            ++lowest_free;
        ::prlimit(pid, RLIMIT_NOFILE, nullptr, &before_);
        const rlimit full{lowest_free, before_.rlim_max};
        EXPECT_EQ(::prlimit(pid, RLIMIT_NOFILE, &full, nullptr), 0);
    }
    ~no_room() { ::prlimit(pid_, RLIMIT_NOFILE, &before_, nullptr); }
    no_room(const no_room&) = delete;
    no_room& operator=(const no_room&) = delete;

private:
    pid_t pid_;
    rlimit before_{};
};

class EveryDemoWithoutRoomFaults : public testing::TestWithParam<string> {};
INSTANTIATE_TEST_SUITE_P(, EveryDemoWithoutRoomFaults,
                         testing::Values("server_handoff", "socket_fanout", "http_cluster"),
                         [](const auto& test) { return test.param; });

TEST_P(EveryDemoWithoutRoomFaults, A7_C1_ClientsWaitForAWorkerWithRoomAndNobodySpins)
{
    const auto begin = clock_type::now();
    running_demo main(GetParam(), {"--delay", "0", "--quiet"});
    main.wait_until_at_rest();
    std::list<no_room> all_full;
    for (const auto worker : main.workers)
        all_full.emplace_back(worker);
    auto client = open_client(GetParam(), main.port);

    // A second passes between two complaints of one worker.
    const auto complaints = [&] {
        (void)main.has_ended(); // reads
        const auto of_each = warnings(main.err(), complaint(GetParam()));
        return std::accumulate(
            of_each.begin(), of_each.end(), std::size_t{0},
            [](auto most, const auto& one) { return std::max(most, one.second); });
    };
    const auto everybody = [&] {
        auto pids = main.workers;
        pids.push_back(main.pid());
        return pids;
    }();
    ASSERT_TRUE(eventually([&] { return complaints() >= 1; })) << main.err();
    const auto then = clock_type::now();
    std::map<pid_t, std::chrono::nanoseconds> used;
    for (const auto pid : everybody)
        used[pid] = cpu_time(pid);
    ASSERT_TRUE(eventually([&] { return complaints() >= 2; })) << main.err();
    for (const auto pid : everybody)
        EXPECT_LT(cpu_time(pid) - used[pid], (clock_type::now() - then) / 5) << pid << " spins";
    EXPECT_FALSE(client.has_ended());

    all_full.clear();
    const auto pid = who_answered(client.read_to_end());
    EXPECT_TRUE(std::count(main.workers.begin(), main.workers.end(), pid)) << pid;
    client.close();
    expect_few(warnings(main.err(), complaint(GetParam())), begin);
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
}

TEST_P(EveryDemoWithoutRoomFaults, AWorkerWhoseComplaintNobodyReadsServesOn)
{
    int unread[2];
    ASSERT_EQ(::pipe2(unread, O_CLOEXEC), 0);
    ASSERT_EQ(::fcntl(unread[1], F_SETPIPE_SZ, 4096), 4096);
    ASSERT_EQ(::write(unread[1], string(4096, '.').data(), 4096), 4096);
    start_options stalled;
    stalled.before_exec = [fd = unread[1]] { ::dup2(fd, 2); };
    const auto port = unused_port(); // the ready line waits too
    process main(
        {demo(GetParam()), "--port", std::to_string(port), "--workers", "1", "--delay", "0"},
        stalled);
    ASSERT_TRUE(eventually([&] {
        try {
            return who_answered(open_client(GetParam(), port).read_to_end()) > 0;
        } catch (const std::system_error&) {
            return false; // it does not listen yet
        }
    }));
    const auto worker = children(main.pid()).at(0);
    ASSERT_TRUE(
        eventually([&] { return no_connection_is_held(main.pid(), port) && is_at_rest(worker); }));

    std::optional<no_room> full(std::in_place, worker);
    auto client = open_client(GetParam(), port);
    EXPECT_TRUE(eventually([&] { return waits_in_write(worker, 2); })) << "it complains";
    full.reset();
    EXPECT_EQ(who_answered(client.read_to_end()), worker);
    client.close();
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(0));
    for (const int end : unread)
        ::close(end);
}

TEST(NoRoomFaults, A7_ConnectionsForAWorkerWithoutRoomAreAnsweredByTheOthers)
{
    const auto begin = clock_type::now();
    running_demo main("socket_fanout", {"--delay", "0", "--quiet"});
    main.wait_until_at_rest();
    std::map<pid_t, std::size_t> answers;
    {
        const no_room full(main.workers[0]);
        for (int i = 0; i < 40; ++i)
            ++answers[parse_reply(ask(main.port)).pid];
    }
    EXPECT_EQ(answers, (std::map<pid_t, std::size_t>{{main.workers[1], 20}, // its own and those
                                                     {main.workers[2], 10},
                                                     {main.workers[3], 10}}));
    const auto complaints = warnings(main.err_line(complaint("socket_fanout")) + "\n", "");
    EXPECT_EQ(complaints.begin()->first, main.workers[0]);
    EXPECT_EQ(parse_reply(ask(main.port)).pid, main.workers[0]); // connection 40, and it has room
    EXPECT_EQ(main.stop_and_settle_accounts(), exited(0));
    const auto of_each = warnings(main.err(), complaint("socket_fanout"));
    EXPECT_EQ(of_each.size(), 1u) << main.err();
    expect_few(of_each, begin);
}

TEST(NoRoomFaults, AMainWithoutRoomReplacesAWorkerAsSoonAsItHasSome)
{
    for (const string name : {"socket_fanout", "server_handoff", "http_cluster"}) {
        SCOPED_TRACE(name);
        running_demo main(name, {"--respawn", "--workers", "2", "--delay", "0", "--quiet"});
        main.wait_until_at_rest();
        const auto victim = main.workers[0];
        {
            const no_room full(main.pid()); // a dead worker leaves two rows of the table
            ::kill(victim, SIGKILL);
            main.err_line("Too many open files");
            EXPECT_EQ(who_answered(open_client(name, main.port).read_to_end()), main.workers[1]);
        }
        EXPECT_TRUE(eventually([&] { return children(main.pid()).size() == 2; })) << main.err();
        EXPECT_EQ(main.stop(), exited(0));
    }
}

TEST(NoRoomFaults, AMainThatWillHaveNoneEndsWhenItIsTold)
{
    for (const string mode : {"rotate", "all", "fork"}) {
        SCOPED_TRACE(mode);
        running_demo main("socket_fanout", {"--mode", mode, "--workers", "2", "--quiet"});
        main.wait_until_at_rest();
        const no_room full(main.pid());
        auto client = connect(main.port);
        main.err_line("Too many open files");
        EXPECT_EQ(main.stop(), exited(0));
        EXPECT_NE(main.err().find("the service ends without them"), string::npos) << main.err();
        try {
            EXPECT_EQ(client.read_to_end(), "");
        } catch (const std::system_error& error) {
            EXPECT_EQ(error.code(), std::errc::connection_reset);
        }
    }
}

// Some have their answer and keep their connections; nobody can accept the others.
TEST(NoRoomFaults, B14_WhenTheServiceEndsThoseWhoKeepTheirConnectionsMakeRoomForThoseWhoWait)
{
    running_demo main("http_cluster", {"--workers", "2", "--quiet"}, {.descriptor_limit = 64});
    main.wait_until_at_rest();
    vector<connection> clients;
    for (int i = 0; i < 140; ++i) {
        clients.push_back(connect(main.port));
        clients.back().send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    for (const auto worker : main.workers)
        main.err_line("[" + std::to_string(worker) + "] cannot accept");
    main.signal(SIGTERM);
    std::size_t answers = 0;
    for (auto& client : clients)
        answers += client.read_to_end().find("handled by worker-") != string::npos;
    EXPECT_EQ(answers, clients.size());
    EXPECT_EQ(main.wait_exit(), exited(0));
}

/// Parameter: how many clients come at once, and how main shares them.
class EveryModeWithoutRoomFaults : public testing::TestWithParam<std::pair<string, int>> {};
INSTANTIATE_TEST_SUITE_P(, EveryModeWithoutRoomFaults,
                         testing::Values(std::pair{"rotate", 200}, std::pair{"all", 100},
                                         std::pair{"fork", 24}),
                         [](const auto& test) { return test.param.first; });

TEST_P(EveryModeWithoutRoomFaults, C1_ClientsWaitForDescriptorsAndNoneIsLost)
{
    const auto& [mode, clients] = GetParam();
    running_demo main("socket_fanout",
                      {"--mode", mode, "--workers", "2", "--delay", "0", "--quiet"},
                      {.descriptor_limit = 32});
    const auto before = descriptors(main.pid()).size();
    vector<connection> open;
    for (int i = 0; i < clients; ++i)
        open.push_back(connect(main.port));
    int answers = 0;
    for (auto& client : open) {
        answers += client.read_to_end().find("子进程：") != string::npos;
        client.close();
    }
    EXPECT_EQ(answers, clients) << main.err();
    EXPECT_TRUE(eventually([&] { return descriptors(main.pid()).size() == before; }));
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_TRUE(main.err().find("every 100 ms") != string::npos ||
                main.err().find("no room for a descriptor") != string::npos)
        << "nobody was out of descriptors: " << main.err();
}

} // namespace

// A primary and the lives of its workers, what they ask for, and how they leave.
#include "cluster_fixture.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <set>
#include <sys/socket.h>
#include <utility>

namespace {

using namespace cluster_test;

TEST_F(ClusterPrimary, TellsOfAWorkersLifeInNodesOrder)
{
    primary->fork(shell(listens + tell("hello") + hear + "exit 7"));
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"hello 1\""); }));
    EXPECT_EQ(complete(primary->stop()), "");
    EXPECT_EQ(events,
              (std::vector<string>{"1: online", "1: listening on 127.0.0.1:1", "1: \"hello 1\"",
                                   "1: disconnect", "1: exited with code 7, meant"}));
}

/// Its successor has its place by then.
TEST_F(ClusterPrimary, AMessageOfAWorkerThatLeavesIsItsOwn)
{
    primary->fork(shell(listens + hear + tell("bye") + "exit 0"));
    const auto replaced = reload();
    EXPECT_EQ(replaced, 1u) << what_happened();
    EXPECT_TRUE(has_happened("1: \"bye 1\"")) << what_happened();
    EXPECT_FALSE(has_happened("2: \"bye 1\""));
    EXPECT_EQ(complete(primary->stop()), "");
}

TEST_F(ClusterPrimary, AStopDuringAReloadIsAStopAndNoFailure)
{
    const string never_listens[] = {hear + "exit 0", // it goes when it is told
                                    "sleep 60"};     // or when it is killed
    for (const auto& successor : never_listens) {
        make(cluster::scheduling::round_robin);
        events.clear();
        primary->fork(shell("if [ $NODE_UNIQUE_ID = 1 ]; then " + listens + hear + "exit 0; fi; " +
                            online + successor));
        std::optional<std::size_t> replaced = 7;
        bool has_ended = false;
        const auto reload = [&]() -> awaitable<void> {
            (void)co_await primary->listening();
            replaced = co_await primary->reload(support::a_while);
            has_ended = true;
        };
        asio::co_spawn(context, reload(), asio::detached);
        ASSERT_TRUE(run_until([&] { return has_happened("2: online"); })) << what_happened();
        EXPECT_EQ(complete(primary->stop()), "");
        EXPECT_TRUE(run_until([&] { return has_ended; }));
        EXPECT_FALSE(replaced) << *replaced;
        EXPECT_FALSE(primary->is_reloading());
        EXPECT_EQ(primary->pool().pids(), (std::vector<pid_t>{0}));

        replaced = 7;
        const auto again = [&]() -> awaitable<void> {
            replaced = co_await primary->reload(support::a_while);
        };
        EXPECT_EQ(complete(again()), "");
        EXPECT_FALSE(replaced) << "none begins any more";
    }
}

/// Of each: between its "listening" and what it is told when it has to leave.
TEST_F(ClusterPrimary, F2_NeverAreThereFewerReadyWorkersThanBefore)
{
    constexpr std::size_t workers = 3;
    std::set<int> ready;
    std::size_t fewest = workers;
    std::size_t most = 0;
    on_event = [&](const auto& who, const string& what) {
        if (what.starts_with("listening"))
            ready.insert(who.id);
        else if (what.starts_with("\"told"))
            ready.erase(who.id);
        else
            return;
        most = std::max(most, ready.size());
        if (most >= workers)
            fewest = std::min(fewest, ready.size());
    };
    for (std::size_t i = 0; i < workers; ++i)
        primary->fork(shell(listens + hear + tell("told") + "exit 0"));
    const auto replaced = reload();
    EXPECT_EQ(replaced, workers);
    EXPECT_EQ(fewest, workers) << what_happened();
    EXPECT_EQ(most, workers + 1) << what_happened();
    on_event = nullptr;
    EXPECT_EQ(complete(primary->stop()), "");
}

/// It has served: its end, from outside, says nothing of its program.
TEST_F(ClusterPrimary, AWorkerThatListenedAndIsKilledIsReplacedHoweverOften)
{
    make(cluster::scheduling::round_robin, [](auto& options) {
        options.respawn = true;
        options.restart.max_failures = 2;
    });
    on_event = [](const auto& who, const string& what) {
        if (what.starts_with("listening"))
            ::kill(who.pid, SIGKILL);
    };
    primary->fork(shell(listens + hear + "exit 0"));
    EXPECT_TRUE(run_until([&] { return has_happened("5: was killed by SIGKILL"); }))
        << what_happened();
    EXPECT_FALSE(has_said("given up")) << said;
    EXPECT_EQ(complete(primary->stop()), "");
}

// ---- what they ask for --------------------------------------------------------------------------

/// What this process listens with: the backlog of each such socket, by its port.
std::map<std::uint16_t, unsigned> backlogs()
{
    std::map<std::uint16_t, unsigned> result;
    for (int fd = 3; fd < 256; ++fd) {
        sockaddr_in address{};
        socklen_t length = sizeof address;
        tcp_info info{};
        socklen_t size = sizeof info;
        if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
            info.tcpi_state == TCP_LISTEN &&
            ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0)
            result[ntohs(address.sin_port)] = info.tcpi_sacked; // of a listener: its backlog
    }
    return result;
}

TEST_F(ClusterPrimary, ListensWithTheBacklogThatIsAskedFor)
{
    const auto before = backlogs();
    primary->fork(shell(online +
                        query(R"("address":"127.0.0.1","port":0,"addressType":4,"backlog":7)") +
                        hear + hear + "exit 0"));
    std::optional<unsigned> backlog;
    ASSERT_TRUE(run_until([&] {
        for (const auto& [port, size] : backlogs())
            if (!before.contains(port))
                backlog = size;
        return backlog.has_value();
    })) << what_happened();
    EXPECT_EQ(backlog, 7u);
    EXPECT_EQ(complete(primary->stop()), "");
}

/// Any number will do for Node.
TEST_F(ClusterPrimary, ListensWhateverTheBacklogIs)
{
    int id = 0;
    for (const string backlog : {"2147483648", "9007199254740991", "-2147483649", "1e300", "1.5"}) {
        primary->fork(
            shell(online +
                  query(R"("address":"127.0.0.1","port":0,"addressType":4,"backlog":)" + backlog) +
                  hear + tell_errno + hear + "exit 0"));
        ++id;
        EXPECT_TRUE(run_until([&] { return has_got(id, "null"); })) << what_happened();
    }
    EXPECT_EQ(complete(primary->stop()), "");
}

/// An address with a NUL is none; a path that begins with one has no file (unix(7), "abstract").
TEST_F(ClusterPrimary, RefusesAnAddressThatItCannotBind)
{
    int id = 0;
    for (const string address :
         {R"("\u0000","port":1,"addressType":4)", R"("127.0.0.1\u0000","port":0,"addressType":4)",
          R"("\u0000name","port":-1,"addressType":-1)", R"("a\u0000b","port":-1,"addressType":-1)",
          R"("no address","port":0,"addressType":4)"}) {
        primary->fork(
            shell(online + query(R"("address":)" + address) + hear + tell_errno + hear + "exit 0"));
        ++id;
        EXPECT_TRUE(run_until([&] { return has_got(id, "-22"); })) << address << what_happened();
    }
    EXPECT_EQ(complete(primary->stop()), "");
}

TEST_F(ClusterPrimary, AWorkerThatAsksForTooManyServersIsNamed)
{
    primary->fork(
        shell(online + "port=1; while [ $port -lt 80 ]; do " +
              R"(echo "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"queryServer\",\"seq\":$port,)"
              R"(\"address\":\"127.0.0.1\",\"port\":0,\"addressType\":4,\"index\":$port}" >&3; )" +
              hear + "port=$((port + 1)); done; " + tell_errno + hear + "exit 0"));
    EXPECT_TRUE(run_until([&] { return has_got(1, "-24"); })) << what_happened(); // EMFILE
    EXPECT_TRUE(has_said("asks for more than 64 servers at once: EMFILE")) << said;
    EXPECT_EQ(complete(primary->stop()), "");
}

/// server.listen({ fd }): a number of a descriptor of ours.
TEST_F(ClusterPrimary, ListensOnADescriptorOfItsOwnWhenItIsABoundSocketAndNothingElse)
{
    const auto socket = [](int type) {
        unique_fd result(::socket(AF_INET, type, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(result.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        return result;
    };
    const auto bound = socket(SOCK_STREAM);
    const auto datagrams = socket(SOCK_DGRAM);
    const auto [connection, other_end] = ipc_test::tcp_pair();
    struct {
        int fd;
        string expected;
    } const cases[] = {{bound.get(), "\"got errno:null\""},
                       {datagrams.get(), "\"got errno:-22\""}, // EINVAL
                       {connection.get(), "\"got errno:-22\""},
                       {0, "\"got errno:-"}, // ENOTSOCK, or a terminal's
                       {9999, "\"got errno:-9\""}};
    int id = 0;
    for (const auto& [fd, expected] : cases) {
        ++id;
        primary->fork(shell(
            online +
            query(R"("address":null,"port":null,"addressType":null,"fd":)" + std::to_string(fd)) +
            hear + tell_errno + hear + "exit 0"));
        const auto heard = [&] {
            return std::any_of(events.begin(), events.end(), [&](const auto& one) {
                return one.starts_with(std::to_string(id) + ": \"got ");
            });
        };
        ASSERT_TRUE(run_until(heard)) << what_happened();
        const auto wanted = std::to_string(id) + ": " + expected;
        EXPECT_TRUE(std::any_of(events.begin(), events.end(),
                                [&](const auto& one) { return one.starts_with(wanted); }))
            << fd << ": " << what_happened();
    }
    EXPECT_EQ(complete(primary->stop()), "");
    int listening = 0;
    socklen_t length = sizeof listening;
    EXPECT_EQ(::getsockopt(bound.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length), 0)
        << "it is still the caller's";
}

TEST_F(ClusterPrimary, IPv6OnlyLeavesThePortToIPv4)
{
    if (!support::has_ipv6())
        GTEST_SKIP() << "no IPv6 here";
    primary->fork(shell(
        online + query(R"("address":"::","port":0,"addressType":6,"flags":1)") + hear +
        R"(port=${line##*port\":}; echo "{\"port\":${port%%[!0-9]*}}" >&3; )" + hear + "exit 0"));
    std::uint16_t port = 0;
    ASSERT_TRUE(run_until([&] {
        for (const auto& one : events)
            if (const auto at = one.find("{\"port\":"); at != string::npos)
                port = static_cast<std::uint16_t>(std::stoi(one.substr(at + 8)));
        return port != 0;
    })) << what_happened();
    // Its option; to bind the same port for IPv4 would fail where somebody else has that.
    int found = 0;
    for (int fd = 3; fd < 1024; ++fd) {
        sockaddr_in6 address{};
        socklen_t length = sizeof address;
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
            address.sin6_family != AF_INET6 || ntohs(address.sin6_port) != port)
            continue;
        int only = 0;
        length = sizeof only;
        EXPECT_EQ(::getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &length), 0);
        EXPECT_EQ(only, 1);
        ++found;
    }
    EXPECT_EQ(found, 1);
    EXPECT_EQ(complete(primary->stop()), "");
}

/// Node's primary dies of the second (a failed assertion).
TEST_F(ClusterPrimary, TheSameQuestionTwiceIsRefused)
{
    const auto ask = query(R"("address":"127.0.0.1","port":0,"addressType":4)");
    primary->fork(shell(online + ask + ask + hear + hear + hear + "exit 0"));
    EXPECT_TRUE(run_until([&] { return has_happened("1: refused Address already in use"); }))
        << what_happened();
    EXPECT_EQ(complete(primary->stop()), "");
}

// Each costs a descriptor of the primary's.
TEST_F(ClusterPrimary, AWorkerThatAsksForEverMoreServersGetsNoMore)
{
    const auto before = ipc_test::open_descriptors();
    primary->fork(shell(
        online +
        R"(i=0; while [ $i -lt 200 ]; do echo '{"cmd":"NODE_CLUSTER","act":)"
        R"("queryServer","address":"127.0.0.1","port":0,"addressType":4,"index":'$i',"seq":'$i'}' >&3; )"
        "i=$((i+1)); done; " +
        tell("done") + "while read -r line <&3; do :; done; exit 0"));
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"done 1\""); })) << what_happened();
    EXPECT_TRUE(has_happened("1: refused Too many open files")) << what_happened();
    EXPECT_LT(ipc_test::open_descriptors(), before + 100);
    EXPECT_EQ(complete(primary->stop()), "");
}

// ---- leaving ------------------------------------------------------------------------------------

TEST_F(ClusterPrimary, AWorkerThatSaysThatItLeavesIsAnsweredAndMeansIt)
{
    primary->fork(shell(
        listens + R"(echo '{"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":5}' >&3; )" +
        hear + R"(case $line in *\"ack\":5*) exit 0;; esac; exit 1)"));
    EXPECT_TRUE(run_until([&] { return has_happened("1: exited with code 0, meant"); }))
        << what_happened();
    EXPECT_EQ(complete(primary->stop()), "");
}

TEST_F(ClusterPrimary, NobodyIsAnsweredWhoIsOnTheWayOut)
{
    primary->fork(shell(online + say(R"("act":"exitedAfterDisconnect")") + hear +
                        query(R"("address":"127.0.0.1","port":0,"addressType":4)") + tell("asked") +
                        "while read -r line <&3; do " + tell("heard") + "done; exit 0"));
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"asked 1\""); })) << what_happened();
    EXPECT_FALSE(has_happened("1: \"heard 1\""));
    EXPECT_EQ(complete(primary->stop()), "");
    // The word "disconnect", of the stop.
    EXPECT_EQ(std::count(events.begin(), events.end(), "1: \"heard 1\""), 1) << what_happened();
}

TEST_F(ClusterPrimary, AMessageThatCannotBeEndsItsWorkerAndNobodyElse)
{
    const auto good = primary->fork(shell(listens + hear + "exit 0"));
    for (const string nonsense :
         {R"("act":"queryServer","port":65536)", R"("act":"queryServer","index":-1)",
          R"("act":"ended","ended":-1)", R"("act":"close","ack":-2)"}) {
        const auto bad = primary->fork(shell(say(nonsense) + "sleep 60"));
        EXPECT_TRUE(run_until([&] {
            return has_happened(std::to_string(bad.id) + ": was killed by SIGKILL");
        })) << nonsense
            << "\n"
            << what_happened();
        EXPECT_TRUE(has_said(std::to_string(bad.pid) + " broke the channel's protocol")) << said;
    }
    EXPECT_EQ(primary->pool().pids().at(0), good.pid);
    EXPECT_EQ(complete(primary->stop()), "");
}

} // namespace

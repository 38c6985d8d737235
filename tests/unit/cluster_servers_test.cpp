// The servers of a primary: how long each has its port.
#include "cluster_fixture.hpp"

#include <asio/post.hpp>

#include <csignal>
#include <optional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace cluster_test;

/// A worker.disconnect() of its own, at the first connection, which it has taken.
string retire_from(int where)
{
    return hear + acknowledge_it + accept_it + close_server(where) +
           say(R"("act":"exitedAfterDisconnect")") + hear + "exit 0; ";
}

string by_id(const string& first, const string& second, const string& others)
{
    return "case $NODE_UNIQUE_ID in 1) " + first + ";; 2) " + second + ";; esac; " + others;
}

const string nothing = ":";

class ClusterServers : public ClusterPrimary {
protected:
    /// A successor comes after `delay`.
    void make_with_respawn(milliseconds delay = milliseconds(1))
    {
        make(cluster::scheduling::round_robin, [=](auto& options) {
            options.respawn = true;
            options.restart.min_delay = options.restart.max_delay = delay;
        });
    }

    bool run_until_free(std::uint16_t where)
    {
        return run_until([&] { return support::is_free(where); });
    }

    const std::uint16_t port = support::unused_port();
};

// ---- it is kept ---------------------------------------------------------------------------------

TEST_F(ClusterServers, WhileASuccessorOfOneThatDiedIsDueAPortIsKeptWhoeverElseLeaves)
{
    make_with_respawn(milliseconds(200));
    const auto first = primary->fork(
        shell(by_id(nothing, listens_on(port) + retire_from(port), listens_on(port) + serve)));
    primary->fork(
        shell(by_id(nothing, listens_on(port) + retire_from(port), listens_on(port) + serve)));
    ASSERT_TRUE(run_until([&] { return all_listen(2); })) << what_happened();
    ::kill(first.pid, SIGKILL);
    ASSERT_TRUE(run_until([&] { return has_happened("1: was killed by SIGKILL"); }));
    const auto last_of_the_second = support::connect(port);
    ASSERT_TRUE(run_until([&] { return has_happened("2: exited with code 0, meant"); }))
        << what_happened();
    const auto visitor = support::connect(port);
    EXPECT_TRUE(run_until([&] { // whoever of the two is up first
        return has_happened("3: \"took 3\"") || has_happened("4: \"took 4\"");
    })) << what_happened();
    EXPECT_EQ(complete(primary->stop()), "");
}

/// It has closed its server before it says that it leaves.
TEST_F(ClusterServers, AnOnlyWorkerThatRetiresLosesNoPortAndNoClient)
{
    make_with_respawn(milliseconds(50));
    primary->fork(
        shell(by_id(listens_on(port) + retire_from(port), nothing, listens_on(port) + serve)));
    ASSERT_TRUE(run_until([&] { return all_listen(1); })) << what_happened();
    const auto last_of_the_first = support::connect(port);
    ASSERT_TRUE(run_until([&] { return has_happened("1: exited with code 0, meant"); }))
        << what_happened();
    const auto visitor = support::connect(port);
    EXPECT_TRUE(run_until([&] { return has_happened("2: \"took 2\""); })) << what_happened();
    EXPECT_EQ(complete(primary->stop()), "");
}

TEST_F(ClusterServers, ASuccessorThatDiesKeepsThePortThoughTheOldOneEndsMeanwhile)
{
    make_with_respawn(milliseconds(200));
    const auto old =
        primary->fork(shell(by_id(listens_on(port) + hear + tell("told") + "exec sleep 60",
                                  listens_on(port) + hear + "exit 1", listens_on(port) + serve)));
    bool has_ended = false;
    const auto when_all_listen = [&]() -> awaitable<void> {
        (void)co_await primary->listening();
        (void)co_await primary->reload(support::a_while);
        has_ended = true;
    };
    asio::co_spawn(context, when_all_listen(), asio::detached);
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"told 1\""); })) << what_happened();
    const auto first = support::connect(port); // the successor dies of it
    ASSERT_TRUE(run_until([&] { return has_happened("2: exited with code 1"); }))
        << what_happened();
    ::kill(old.pid, SIGKILL);
    ASSERT_TRUE(run_until([&] { return has_ended && has_happened("1: disconnect"); }))
        << what_happened();
    const auto second = support::connect(port);
    EXPECT_TRUE(run_until([&] { return primary->counted().handed_over == 2; })) << what_happened();
    EXPECT_EQ(complete(primary->stop()), "");
}

// ---- it is closed -------------------------------------------------------------------------------

TEST_F(ClusterServers, AfterAReloadAPortThatNobodyHasAnyMoreIsFree)
{
    make_with_respawn();
    const auto elsewhere = support::unused_port();
    primary->fork(shell(by_id(listens_on(port) + hear + close_server(port) + "exit 0", nothing,
                              listens_on(elsewhere) + serve)));
    EXPECT_EQ(reload(), 1u) << what_happened();
    EXPECT_TRUE(run_until_free(port)) << what_happened();
    EXPECT_FALSE(support::is_free(elsewhere));
    EXPECT_EQ(complete(primary->stop()), "");
}

TEST_F(ClusterServers, APlaceThatIsGivenUpLeavesNoPortAndNoClientBehind)
{
    make(cluster::scheduling::round_robin, [](auto& options) {
        options.respawn = true;
        options.restart.max_failures = 2;
        options.restart.min_delay = options.restart.max_delay = milliseconds(100);
    });
    primary->fork(shell(listens_on(port) + "exit 1"));
    ASSERT_TRUE(run_until([&] { return has_happened("1: exited with code 1"); }))
        << what_happened();
    const auto visitor = support::connect(port);
    ASSERT_TRUE(run_until([&] { return has_said("given up"); })) << what_happened();
    EXPECT_TRUE(run_until_free(port)) << what_happened();
    EXPECT_TRUE(run_until([&] { return visitor.has_ended(); }));
    EXPECT_EQ(complete(primary->stop()), "");
}

/// A connection is still in doubt: its worker has hung up, and runs.
TEST_F(ClusterServers, APortIsFreeAtOnceForAWorkerThatIsForkedWhenTheLastIsGone)
{
    primary->fork(shell(listens_on(port) + hear + "exec 3>&-; exec sleep 60"));
    ASSERT_TRUE(run_until([&] { return all_listen(1); })) << what_happened();
    on_event = [&](const auto& who, const string& what) {
        if (who.id == 1 && what == "disconnect")
            primary->fork(shell(listens_on(port) + serve));
    };
    const auto first = support::connect(port);
    ASSERT_TRUE(run_until([&] { return all_listen(2) && !support::is_free(port); }))
        << what_happened();
    EXPECT_FALSE(has_happened("2: refused Address already in use"));
    const auto second = support::connect(port);
    EXPECT_TRUE(run_until([&] { return has_happened("2: \"took 2\""); })) << what_happened();
    EXPECT_TRUE(run_until([&] { return first.has_ended(); }));
    EXPECT_EQ(complete(primary->stop()), "");
}

TEST_F(ClusterServers, WhoClosesAServerAndAsksForAnotherIsNotAboutToLeave)
{
    make_with_respawn();
    const auto elsewhere = support::unused_port();
    primary->fork(shell(listens_on(port) + close_server(port) + listens_on(elsewhere) + serve));
    EXPECT_TRUE(run_until_free(port)) << what_happened();
    EXPECT_TRUE(run_until([&] { return !support::is_free(elsewhere); })) << what_happened();
    EXPECT_EQ(complete(primary->stop()), "");
}

TEST_F(ClusterServers, WhoClosesItsOnlyServerAndStaysLetsNobodyWaitForLong)
{
    make(cluster::scheduling::round_robin, [](auto& options) {
        options.respawn = true;
        options.grace = milliseconds(1000);
    });
    primary->fork(shell(listens_on(port) + close_server(port) + tell("closed") + hear + "exit 0"));
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"closed 1\""); })) << what_happened();
    const auto visitor = support::connect(port);
    EXPECT_TRUE(run_until_free(port)) << what_happened();
    EXPECT_TRUE(run_until([&] { return visitor.has_ended(); }));
    EXPECT_FALSE(has_happened("1: exited with code 0"));
    EXPECT_EQ(complete(primary->stop()), "");
}

// ---- a copy for each ----------------------------------------------------------------------------

TEST_F(ClusterServers, WhoCouldNotHaveACopyForWantOfADescriptorMayAskAgain)
{
    make(cluster::scheduling::shared);
    const auto ask =
        query(R"("address":"127.0.0.1","port":)" + std::to_string(port) + R"(,"addressType":4)");
    primary->fork(shell(online + ask + hear + acknowledge_it + says_listening + hear + "exit 0"));
    ASSERT_TRUE(run_until([&] { return all_listen(1); })) << what_happened();
    const auto second =
        primary->fork(shell(online + "kill -STOP $$; " + ask + hear + tell("heard") +
                            "kill -STOP $$; " + ask + hear + "case $line in *net.Native*) " +
                            acknowledge_it + tell("has it") + ";; esac; " + hear + "exit 0"));
    ASSERT_TRUE(run_until([&] { return has_happened("2: online"); })) << what_happened();
    wait_until_stopped(second.pid);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    auto none_left = before;
    none_left.rlim_cur = static_cast<rlim_t>(unique_fd(::dup(0)).get());
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none_left), 0);
    ::kill(second.pid, SIGCONT);
    const bool has_heard = run_until([&] { return has_happened("2: \"heard 2\""); });
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_TRUE(has_heard) << what_happened();
    EXPECT_TRUE(has_happened("2: refused Too many open files")) << what_happened();
    wait_until_stopped(second.pid);
    ::kill(second.pid, SIGCONT);
    EXPECT_TRUE(run_until([&] { return has_happened("2: \"has it 2\""); })) << what_happened();
    EXPECT_EQ(complete(primary->stop()), "");
}

TEST_F(ClusterServers, WhoHadNoRoomForItsCopyMayAskAgain)
{
    make(cluster::scheduling::shared);
    const auto ask =
        query(R"("address":"127.0.0.1","port":)" + std::to_string(port) + R"(,"addressType":4)");
    const string refuse_it = hear + R"(echo '{"cmd":"NODE_HANDLE_NACK"}' >&3; )";
    const auto worker = primary->fork(shell(online + ask + refuse_it + refuse_it + refuse_it +
                                            refuse_it + tell("refused") + "kill -STOP $$; " + ask +
                                            hear + "case $line in *net.Native*) " + acknowledge_it +
                                            tell("has it") + ";; esac; " + hear + "exit 0"));
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"refused 1\""); })) << what_happened();
    context.poll();
    wait_until_stopped(worker.pid);
    ::kill(worker.pid, SIGCONT);
    EXPECT_TRUE(run_until([&] { return has_happened("1: \"has it 1\""); })) << what_happened();
    EXPECT_FALSE(has_happened("1: refused Address already in use")) << what_happened();
    EXPECT_EQ(complete(primary->stop()), "");
}

/// Node's workers tell of a close first and close then.
TEST_F(ClusterServers, WhoListensAgainWaitsForTheCopyThatAnotherIsStillClosing)
{
    make(cluster::scheduling::shared);
    const auto ask =
        query(R"("address":"127.0.0.1","port":)" + std::to_string(port) + R"(,"addressType":4)");
    const string has_it = hear + acknowledge_it;
    const auto worker = primary->fork(
        shell(online + ask + has_it + close_server(port) + tell("closed") + "kill -STOP $$; " +
              ask + tell("asked") + has_it + tell("has it") + hear + "exit 0"));
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"closed 1\""); })) << what_happened();
    std::optional<support::listener> copy; // as the other worker has it
    ASSERT_TRUE(run_until_free(port));
    copy.emplace("127.0.0.1", port);
    wait_until_stopped(worker.pid);
    ::kill(worker.pid, SIGCONT);
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"asked 1\""); })) << what_happened();
    for (int i = 0; i < 3; ++i) // each waits, and it is asked for again meanwhile
        context.run_one_for(milliseconds(100));
    copy.reset();
    EXPECT_TRUE(run_until([&] { return has_happened("1: \"has it 1\""); })) << what_happened();
    EXPECT_FALSE(has_happened("1: refused Address already in use"));
    EXPECT_EQ(complete(primary->stop()), "");
}

/// The answer finds the channel closed; what it has said before is read then and there.
TEST_F(ClusterServers, AWorkerMayCloseAServerInTheLastWordsThatItsAnswerBringsToLight)
{
    auto other = std::make_optional<support::listener>(); // so that it is asked for twice
    const auto taken = other->port();
    on_event = [&](const auto& who, const string& what) {
        if (what != "online")
            return;
        asio::post(context, [&, pid = who.pid] { // before the second time
            other.reset();
            wait_until_stopped(pid);
            ::kill(pid, SIGCONT);
            siginfo_t info{};
            ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
        });
    };
    primary->fork(shell(
        R"(printf '%s\n%s\n' '{"cmd":"NODE_CLUSTER","act":"online","seq":0}' )"
        R"('{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"address":"127.0.0.1","port":)" +
        std::to_string(taken) + R"(,"addressType":4,"seq":1}' >&3; kill -STOP $$; )" +
        close_server(taken) + "exit 0"));
    EXPECT_TRUE(run_until([&] { return has_happened("1: exited with code 0"); }))
        << what_happened();
    EXPECT_TRUE(support::is_free(taken));
    EXPECT_EQ(complete(primary->stop()), "");
}

} // namespace

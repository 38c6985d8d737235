// A primary that stops: nobody comes any more, and nobody is let in.
#include "cluster_fixture.hpp"

#include <csignal>

namespace {

using namespace cluster_test;

const string answer_all = "while read -r line <&3; do " + tell("heard") + "done; exit 0";

class ClusterStop : public ClusterPrimary {};

/// Before it tells the workers to leave, a stop lets what has begun arrive.
TEST_F(ClusterStop, ASuccessorThatIsDueDoesNotCome)
{
    make(cluster::scheduling::round_robin, [](auto& options) {
        options.respawn = true;
        options.restart.min_delay = options.restart.max_delay = milliseconds(20);
    });
    const auto port = support::unused_port();
    const auto script = shell(listens_on(port) + hear + "sleep 0.1; exit 0");
    const auto first = primary->fork(script);
    primary->fork(script);
    ASSERT_TRUE(run_until([&] { return all_listen(2); })) << what_happened();
    ::kill(first.pid, SIGKILL);
    ASSERT_TRUE(run_until([&] { return has_happened("1: was killed by SIGKILL"); }));
    EXPECT_EQ(complete(primary->stop()), "");
    EXPECT_FALSE(has_happened("3: online")) << what_happened();
    EXPECT_FALSE(has_said("takes its place")) << said;
}

TEST_F(ClusterStop, NorDoesOneForAWorkerThatDiesMeanwhile)
{
    make(cluster::scheduling::round_robin, [](auto& options) { options.respawn = true; });
    const auto port = support::unused_port();
    const auto dies_of_a_connection = "if [ $NODE_UNIQUE_ID = 1 ]; then " + hear + "exit 1; fi; ";
    primary->fork(shell(listens_on(port) + dies_of_a_connection + hear + "exit 0"));
    ASSERT_TRUE(run_until([&] { return all_listen(1); })) << what_happened();
    const auto visitor = support::connect(port); // accepted when the stop has begun
    EXPECT_EQ(complete(primary->stop()), "");
    EXPECT_TRUE(has_happened("1: exited with code 1") ||
                has_happened("1: exited with code 1, meant"))
        << what_happened();
    EXPECT_FALSE(has_happened("2: online")) << what_happened();
    EXPECT_TRUE(visitor.has_ended());
}

/// As many a program does, in the handler of Node's 'exit'.
TEST_F(ClusterStop, AWorkerThatIsForkedMeanwhileIsToldToLeave)
{
    primary->fork(shell(listens + hear + "exit 0"));
    const auto busy = primary->fork(shell(listens + "exec sleep 60"));
    ASSERT_TRUE(run_until([&] { return all_listen(2); })) << what_happened();
    on_event = [&](const auto& who, const string& what) {
        if (who.id == 1 && what.starts_with("exited"))
            primary->fork(shell(online + hear + tell("told") + "exit 0"));
        if (what == "\"told 3\"")
            ::kill(busy.pid, SIGKILL);
        if (who.id == 2 && what.starts_with("was killed")) // by then the channels are closed, too
            primary->fork(shell("while read -r line <&3; do :; done; exit 0"));
    };
    EXPECT_EQ(complete(primary->stop()), "");
    EXPECT_TRUE(has_happened("3: \"told 3\"")) << what_happened();
    EXPECT_TRUE(has_happened("3: exited with code 0, meant")) << what_happened();
    EXPECT_TRUE(has_happened("4: exited with code 0, meant")) << what_happened();
}

TEST_F(ClusterStop, NoPortIsBoundAnyMore)
{
    const auto port = support::unused_port();
    const auto other = support::unused_port();
    const auto worker = primary->fork(shell(
        listens_on(port) + hear + "kill -STOP $$; " +
        query(R"("address":"127.0.0.1","port":)" + std::to_string(other) + R"(,"addressType":4)") +
        tell("asked") + answer_all));
    ASSERT_TRUE(run_until([&] { return all_listen(1); })) << what_happened();
    const auto visitor = support::connect(port); // never answered: so the stop has to wait for it
    ASSERT_TRUE(run_until([&] { return primary->counted().accepted == 1; }));
    context.poll();
    wait_until_stopped(worker.pid);
    bool has_stopped = false;
    asio::co_spawn(context, primary->stop(), [&](std::exception_ptr) { has_stopped = true; });
    context.restart();
    context.poll();
    ::kill(worker.pid, SIGCONT);
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"asked 1\""); })) << what_happened();
    EXPECT_FALSE(has_stopped);
    EXPECT_TRUE(support::is_free(other));
    EXPECT_TRUE(run_until([&] { return has_stopped; })) << what_happened();
}

} // namespace

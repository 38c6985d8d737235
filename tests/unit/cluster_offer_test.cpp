// A connection between a primary and a worker: who has it when one of them is late, or goes.
#include "cluster_fixture.hpp"

#include <chrono>
#include <csignal>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace cluster_test;
using std::chrono::steady_clock;

const string stop_itself = "kill -STOP $$; ";

class ClusterOffer : public ClusterPrimary {
protected:
    void make_with(milliseconds ack_timeout)
    {
        make(cluster::scheduling::round_robin,
             [=](auto& options) { options.ack_timeout = ack_timeout; });
    }

    /// A worker with a visitor's connection on offer, which it has and stops itself, this long ago.
    cluster::worker_info stopped_for(milliseconds time, const string& since_it_heard)
    {
        const auto port = support::unused_port();
        const auto worker = primary->fork(shell(listens_on(port) + hear + since_it_heard));
        EXPECT_TRUE(run_until([&] { return all_listen(1); })) << what_happened();
        its_client = support::connect(port);
        EXPECT_TRUE(run_until_offered());
        const auto offered = steady_clock::now();
        wait_until_stopped(worker.pid);
        std::this_thread::sleep_until(offered + time);
        return worker;
    }

    /// Until a connection has been offered.
    bool run_until_offered()
    {
        const bool is_here = run_until([&] { return primary->counted().accepted == 1; });
        context.poll();
        return is_here;
    }

    support::connection its_client{-1}; // of the worker that stopped
};

TEST_F(ClusterOffer, AWorkerThatAnsweredWhileThePrimaryStoodStillIsNotOverdue)
{
    constexpr milliseconds limit{50};
    make_with(limit);
    const auto worker = stopped_for(2 * limit, acknowledge_it + accept_it + stop_itself +
                                                   tell("goes on") + hear + "exit 0");
    EXPECT_TRUE(run_until([&] { return primary->counted().handed_over == 1; })) << what_happened();
    ::kill(worker.pid, SIGCONT);
    EXPECT_TRUE(run_until([&] { return has_happened("1: \"goes on 1\""); })) << what_happened();
    EXPECT_EQ(complete(primary->stop()), "");
}

/// A frozen container: all stand still, and one goes on first.
TEST_F(ClusterOffer, WhatAPrimaryComesLateItsWorkersGetBack)
{
    constexpr milliseconds limit{50};
    make_with(limit);
    const auto worker = stopped_for(15 * limit, acknowledge_it + stop_itself + accept_it +
                                                    tell("took") + hear + "exit 0");
    context.restart();
    context.poll(); // its deadline has long passed
    ::kill(worker.pid, SIGCONT);
    EXPECT_TRUE(run_until([&] { return has_happened("1: \"took 1\""); })) << what_happened();
    EXPECT_EQ(primary->counted().handed_over, 1u);
    EXPECT_EQ(complete(primary->stop()), "");
}

TEST_F(ClusterOffer, AWorkerThatAcknowledgesAndDoesNotAnswerIsKilled)
{
    make_with(milliseconds(50));
    const auto port = support::unused_port();
    primary->fork(shell(listens_on(port) + hear + acknowledge_it + "exec sleep 60"));
    ASSERT_TRUE(run_until([&] { return all_listen(1); })) << what_happened();
    const auto visitor = support::connect(port);
    EXPECT_TRUE(run_until([&] { return has_happened("1: was killed by SIGKILL"); }))
        << what_happened();
    EXPECT_TRUE(has_said("has answered no connection for 50 ms")) << said;
    EXPECT_EQ(complete(primary->stop()), "");
}

TEST_F(ClusterOffer, AnUnansweredConnectionEndsWithThePrimary)
{
    const auto port = support::unused_port();
    primary->fork(
        shell(listens_on(port) + hear + acknowledge_it + tell("acknowledged") + "exec sleep 60"));
    ASSERT_TRUE(run_until([&] { return all_listen(1); })) << what_happened();
    const auto visitor = support::connect(port);
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"acknowledged 1\""); }))
        << what_happened();
    const auto waiting = support::connect(port);
    ASSERT_TRUE(run_until([&] { return primary->counted().accepted == 2; }));
    primary.reset();
    EXPECT_TRUE(support::is_free(port));
    EXPECT_TRUE(run_until([&] { return visitor.has_ended() && waiting.has_ended(); }));
}

// ---- of which not a byte was sent ---------------------------------------------------------------

/// Behind one that it has not acknowledged.
TEST_F(ClusterOffer, AConnectionThatWaitedForAWorkerThatHangsUpDoesNotWaitForItsEnd)
{
    const auto first = support::unused_port();
    const auto second = support::unused_port();
    const auto slow =
        primary->fork(shell(listens_on(first) + listens_on(second) + tell("has both") + hear +
                            stop_itself + "exec 3>&-; exec sleep 60"));
    ASSERT_TRUE(run_until([&] { return has_happened("1: \"has both 1\""); })) << what_happened();
    const auto in_doubt = support::connect(first);
    ASSERT_TRUE(run_until_offered());
    wait_until_stopped(slow.pid);
    const auto behind_it = support::connect(second);
    ASSERT_TRUE(run_until([&] { return primary->counted().accepted == 2; }));
    context.poll();
    primary->fork(shell(listens_on(second) + serve));
    ASSERT_TRUE(run_until([&] { return has_happened("2: listening on 127.0.0.1:1"); }))
        << what_happened();
    ::kill(slow.pid, SIGCONT);
    EXPECT_TRUE(run_until([&] { return has_happened("2: \"took 2\""); })) << what_happened();
    EXPECT_FALSE(has_said("has not ended by itself")) << said;
    EXPECT_EQ(complete(primary->stop()), "");
}

/// A path: whether a connection has been touched cannot be told of it.
TEST_F(ClusterOffer, AConnectionThatADeadWorkerCannotHaveReadGoesToAnother)
{
    const string path = testing::TempDir() + "cluster_offer_" + std::to_string(::getpid());
    const auto listens_there = online +
                               query(R"("address":")" + path + R"(","port":-1,"addressType":-1)") +
                               hear + says_listening;
    const auto first = primary->fork(shell(listens_there + serve));
    ASSERT_TRUE(run_until([&] { return all_listen(1); })) << what_happened();
    primary->fork(shell(listens_there + serve));
    ASSERT_TRUE(run_until([&] { return all_listen(2); })) << what_happened();
    const unique_fd visitor(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(path.size(), sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    ASSERT_EQ(::connect(visitor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    ::kill(first.pid, SIGKILL);
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(first.pid), &info, WEXITED | WNOWAIT), 0);
    EXPECT_TRUE(run_until([&] { return has_happened("2: \"took 2\""); })) << what_happened();
    EXPECT_EQ(primary->counted().closed, 0u);
    EXPECT_EQ(complete(primary->stop()), "");
}

} // namespace

// A pool of workers, from inside: what no program shows.
#include "pool_fixture.hpp"

#include "event.hpp"

#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

namespace {

using namespace pool_test;
using asio::awaitable;

class Pool : public PoolTest {};

ipc::value nothing(std::size_t)
{
    return "a connection";
}

// Its coroutines hold the children too, and they wait in the context that goes on.
TEST_F(Pool, D3_ItsEndIsThatOfItsChildren)
{
    std::optional<workers::pool> pool;
    pool.emplace(context.get_executor(), options_for({shell(stay), shell(stay)}));
    pool->start();
    const auto pids = pool->pids();
    context.poll();
    pool.reset();
    EXPECT_TRUE(run_until([&] { return is_gone(pids[0]) && is_gone(pids[1]); }));
    context.restart();
    context.run(); // nothing is left to wait for
}

TEST_F(Pool, ACommandThatCannotBeRunLeavesNoneRunning)
{
    std::size_t before = 0;
    for (int i = 0; i < 2; ++i) { // the first time, Asio opens what it waits with
        before = ipc_test::open_descriptors();
        workers::pool pool(context.get_executor(),
                           options_for({shell(stay), {"/no/such/program"}}));
        EXPECT_THROW(pool.start(), std::system_error);
        context.restart();
        context.run();
    }
    EXPECT_EQ(ipc_test::open_descriptors(), before);
}

TEST_F(Pool, ARenewedPlaceHasAnotherWorkerAndTheOldOneEndsWithinTheGrace)
{
    workers::pool pool(context.get_executor(), options_for({}));
    pool.add(shell("read line <&3; exit 0")); // until its channel ends
    const auto before = pool.pids().at(0);
    std::optional<std::shared_ptr<ipc::child_process>> old;
    const auto renew = [&]() -> awaitable<void> { old = co_await pool.renew(0, support::a_while); };
    EXPECT_EQ(complete(renew()), "");
    ASSERT_TRUE(old && *old);
    EXPECT_EQ((*old)->pid(), before);
    EXPECT_NE(pool.pids().at(0), before);
    EXPECT_FALSE(is_gone(before)) << "who it belongs to tells it to leave";
    EXPECT_TRUE(run_until([&] { return is_gone(before); }));
    EXPECT_EQ(said, "");
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(Pool, APlaceWhoseSuccessorEndsKeepsItsWorker)
{
    workers::pool pool(context.get_executor(), options_for({}));
    bool never = false;
    event changed(context.get_executor());
    pool.add(shell("mkdir " + testing::TempDir() + "renew.$PPID || exit 1; read line <&3"));
    const auto before = pool.pids();
    ASSERT_TRUE(run_until([&] {
        return std::filesystem::exists(testing::TempDir() + "renew." + std::to_string(::getpid()));
    }));
    // Nobody who comes now ever gets what it needs.
    EXPECT_EQ(complete(pool.each({},
                                 [&](std::size_t) -> awaitable<void> {
                                     co_await changed.wait_until([&] { return never; });
                                 })),
              "");
    std::optional<std::shared_ptr<ipc::child_process>> old;
    bool is_done = false;
    const auto renew = [&]() -> awaitable<void> {
        old = co_await pool.renew(0, support::a_while);
        is_done = true;
    };
    EXPECT_EQ(complete(renew()), "");
    std::filesystem::remove(testing::TempDir() + "renew." + std::to_string(::getpid()));
    EXPECT_TRUE(is_done);
    EXPECT_FALSE(old);
    EXPECT_EQ(pool.pids(), before);
    EXPECT_TRUE(has_said("exited with code 1")) << said;
    EXPECT_EQ(complete(pool.stop()), "");
}

// ---- replacing ---------------------------------------------------------------------------------

TEST_F(Pool, D8_ACrashLoopIsBrokenAndTheLastIsReported)
{
    auto options = options_for({{"/bin/false"}});
    options.respawn = true;
    options.restart.max_failures = 8;
    workers::pool pool(context.get_executor(), options);
    int gone = 0;
    pool.on_last_gone([&] { ++gone; });
    pool.start();
    ASSERT_TRUE(run_until([&] { return gone > 0; })) << said;
    EXPECT_EQ(pool.counted().acknowledged.size(), 8u); // lives
    EXPECT_EQ(times_said("exited with code 1; another one in"), 7u) << said;
    EXPECT_TRUE(has_said("exited with code 1; given up after 8 that ended at once; 0 left"))
        << said;
    EXPECT_EQ(gone, 1);
    EXPECT_EQ(pool.pids(), std::vector<pid_t>{0});
}

TEST_F(Pool, D8_ACrashLoopIsGivenUpAndTheOthersServe)
{
    auto options = options_for({shell(acknowledge_all), {"/bin/false"}});
    options.respawn = true;
    options.restart.max_failures = 3;
    workers::pool pool(context.get_executor(), options);
    pool.start();
    ASSERT_TRUE(run_until([&] { return has_said("given up after 3"); })) << said;
    EXPECT_TRUE(has_said("; 1 left")) << said;
    EXPECT_EQ(pool.pids()[1], 0);
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(complete(pool.hand_over(1, connection(), nothing)), "");
    EXPECT_EQ(pool.counted().handed_over, 4u);
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(Pool, D8_WorkersThatServeOneConnectionAndRetireAreReplacedForEver)
{
    auto options = options_for({shell(acknowledge)});
    options.respawn = true;
    options.restart.max_failures = 2;
    workers::pool pool(context.get_executor(), options);
    pool.start();
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(complete(pool.hand_over(0, connection(), nothing)), "");
    EXPECT_EQ(pool.counted().handed_over, 20u) << said;
    EXPECT_FALSE(has_said("given up")) << said;
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(Pool, D8_WorkersThatServeAndAreKilledAreReplacedForEver)
{
    auto options = options_for({shell(acknowledge_all)});
    options.respawn = true;
    options.restart.max_failures = 2;
    workers::pool pool(context.get_executor(), options);
    pool.start();
    for (const int signal : {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGKILL, SIGKILL}) {
        EXPECT_EQ(complete(pool.hand_over(0, connection(), nothing)), "");
        const auto victim = pool.pids()[0];
        ::kill(victim, signal);
        ASSERT_TRUE(run_until([&] { return pool.pids()[0] != victim && pool.pids()[0] != 0; }))
            << said;
    }
    EXPECT_FALSE(has_said("given up")) << said;
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(Pool, D8_WorkersThatServeAndCrashAreGivenUp)
{
    auto options = options_for({shell(acknowledge + "kill -SEGV $$")});
    options.respawn = true;
    options.restart.max_failures = 3;
    workers::pool pool(context.get_executor(), options);
    bool gone = false;
    pool.on_last_gone([&] { gone = true; });
    pool.start();
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(complete(pool.hand_over(0, connection(), nothing)), "");
    EXPECT_TRUE(run_until([&] { return gone; })) << said;
    EXPECT_TRUE(has_said("was killed by SIGSEGV; given up after 3")) << said;
}

TEST_F(Pool, AConnectionWaitsForAReplacementAndIsClosedWhenNoneWillCome)
{
    auto options = options_for({shell(acknowledge_all)});
    options.respawn = true;
    workers::pool pool(context.get_executor(), options);
    pool.start();
    ::kill(pool.pids()[0], SIGKILL);
    EXPECT_EQ(complete(pool.hand_over(0, connection(), nothing)), "");
    EXPECT_EQ(pool.counted().handed_over, 1u);
    EXPECT_EQ(complete(pool.stop()), "");
    EXPECT_EQ(complete(pool.hand_over(0, connection(), nothing)), "");
    EXPECT_EQ(pool.counted().closed, 1u);
    char byte = 0;
    EXPECT_EQ(::read(client.get(), &byte, 1), 0);
}

// ---- what they need ----------------------------------------------------------------------------

/// Sends each a listening server of its own.
class PoolGreeting : public Pool {
protected:
    awaitable<void> greet(workers::pool& pool, std::size_t slot)
    {
        greeted.push_back(slot);
        co_await pool.send(slot, "a server", ipc::handle(ipc_test::tcp_server()));
        has_it.insert(slot);
    }
    std::string greet_all(workers::pool& pool, std::vector<std::size_t> order)
    {
        return complete(
            pool.each(std::move(order), [&](std::size_t slot) { return greet(pool, slot); }));
    }

    std::vector<std::size_t> greeted; // begun
    std::set<std::size_t> has_it;
};

TEST_F(PoolGreeting, EachBeginsInTheGivenOrder)
{
    workers::pool pool(
        context.get_executor(),
        options_for({shell(acknowledge_all), shell(acknowledge_all), shell(acknowledge_all)}));
    pool.start();
    EXPECT_EQ(greet_all(pool, {2, 0, 1}), "");
    EXPECT_EQ(greeted, (std::vector<std::size_t>{2, 0, 1}));
    EXPECT_EQ(has_it, (std::set<std::size_t>{0, 1, 2}));
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(PoolGreeting, OneThatIsStuckDelaysNoOtherAndIsNamedAndKilled)
{
    auto options = options_for({shell(stay), shell(acknowledge_all)});
    options.ack_timeout = milliseconds(200);
    workers::pool pool(context.get_executor(), options);
    pool.start();
    const auto stuck = pool.pids()[0];
    bool ready = false;
    asio::co_spawn(context, pool.each({0, 1}, [&](std::size_t slot) { return greet(pool, slot); }),
                   [&](std::exception_ptr) { ready = true; });
    ASSERT_TRUE(run_until([&] { return has_it.contains(1); }));
    EXPECT_FALSE(ready);
    EXPECT_EQ(complete(pool.hand_over(0, connection(), nothing)), ""); // the other serves
    ASSERT_TRUE(run_until([&] { return ready && is_gone(stuck) && !said.empty(); }));
    EXPECT_EQ(pool.pids()[0], 0);
    EXPECT_EQ(said, "worker " + std::to_string(stuck) +
                        " has acknowledged nothing for 200 ms and was killed; 1 left\n");
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(PoolGreeting, OneThatHangsUpInsteadIsNobodyFromThenOnThoughItStillRuns)
{
    workers::pool pool(context.get_executor(),
                       options_for({shell("exec 3<&-; " + stay), shell(acknowledge_all)}));
    pool.start();
    const auto pids = pool.pids();
    EXPECT_EQ(greet_all(pool, {0, 1}), "");
    EXPECT_FALSE(is_gone(pids[0]));
    EXPECT_EQ(pool.pids(), (std::vector<pid_t>{0, pids[1]}));
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(PoolGreeting, OneThatStaysStuckThroughItsReplacementsDelaysTheRestOnce)
{
    auto options = options_for({shell(stay), shell(acknowledge_all)});
    options.ack_timeout = milliseconds(100);
    options.respawn = true;
    workers::pool pool(context.get_executor(), options);
    pool.start();
    EXPECT_EQ(greet_all(pool, {0, 1}), "");
    EXPECT_EQ(greeted, (std::vector<std::size_t>{0, 1})) << "it has waited for a second greeting";
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(PoolGreeting, OneThatIsSlowAndMayTakeForEverIsNamedAndServesLater)
{
    auto options = options_for({shell("read -r go <&3; " + acknowledge_all), // a message first
                                shell(acknowledge_all)});
    options.ack_timeout = milliseconds(0);
    options.greeting_time = milliseconds(500);
    workers::pool pool(context.get_executor(), options);
    pool.start();
    const auto slow = std::to_string(pool.pids()[0]);
    EXPECT_EQ(greet_all(pool, {0, 1}), "");
    EXPECT_EQ(said, "worker " + slow + " does not have what it needs yet: going on without it\n");
    EXPECT_EQ(has_it, std::set<std::size_t>{1});
    EXPECT_EQ(complete(pool.hand_over(0, connection(), nothing)), "");
    EXPECT_EQ(pool.counted().acknowledged[0].second, 0u); // the other one took it
    EXPECT_EQ(pool.counted().acknowledged[1].second, 1u);
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(PoolGreeting, NobodyWhoCouldServeIsAnError)
{
    for (const auto& command : {shell("exit 3"), shell(stay)}) {
        auto options = options_for({command, command});
        options.ack_timeout = milliseconds(100);
        workers::pool pool(context.get_executor(), options);
        pool.start();
        EXPECT_EQ(greet_all(pool, {0, 1}), "no worker could be kept running");
    }
}

TEST_F(PoolGreeting, D8_AReplacementIsGreetedOnceThoughTheFirstGreetingsAreStillUnderWay)
{
    auto options = options_for({shell(stay), shell(stay)});
    options.respawn = true;
    workers::pool pool(context.get_executor(), options);
    pool.start();
    const auto first = pool.pids();
    bool may_go_on = false;
    std::vector<std::pair<std::size_t, pid_t>> by;
    bool all_greeted = false;
    asio::co_spawn(context,
                   pool.each({0, 1},
                             [&](std::size_t slot) -> awaitable<void> {
                                 by.emplace_back(slot, pool.pids()[slot]);
                                 while (!may_go_on) {
                                     asio::steady_timer soon(context, milliseconds(1));
                                     co_await soon.async_wait(asio::use_awaitable);
                                 }
                             }),
                   [&](std::exception_ptr) { all_greeted = true; });

    ASSERT_TRUE(run_until([&] { return by.size() == 2; }));
    ::kill(first[1], SIGKILL);
    ASSERT_TRUE(run_until([&] { return by.size() == 3; })); // the one that takes its place
    const auto second = pool.pids()[1];
    may_go_on = true;
    ASSERT_TRUE(run_until([&] { return all_greeted; }));
    EXPECT_EQ(by, (std::vector<std::pair<std::size_t, pid_t>>{
                      {0, first[0]}, {1, first[1]}, {1, second}}));
}

TEST_F(PoolGreeting, B5_AServerIsMadeNonBlockingAgainEachTimeItIsSent)
{
    workers::pool pool(context.get_executor(), options_for({shell(acknowledge_all)}));
    pool.start();
    const auto server = ipc_test::tcp_server();
    for (int i = 0; i < 2; ++i) {
        ::fcntl(server.get(), F_SETFL, ::fcntl(server.get(), F_GETFL) & ~O_NONBLOCK);
        EXPECT_EQ(complete(pool.send(0, "a server", ipc::handle(unique_fd(::dup(server.get()))))),
                  "");
        EXPECT_TRUE(::fcntl(server.get(), F_GETFL) & O_NONBLOCK);
    }
    EXPECT_EQ(complete(pool.stop()), "");
}

// ---- what they say -----------------------------------------------------------------------------

const std::string three_words = "echo 1 >&3; echo '\"two\"' >&3; echo '[3]' >&3; ";

TEST_F(Pool, ASignalReachesTheWorkerOfItsSlotAndNobodyWhereNoneIs)
{
    workers::pool pool(context.get_executor(), options_for({shell(stay), shell(stay)}));
    pool.start();
    const auto pids = pool.pids();
    EXPECT_TRUE(pool.signal(1, SIGKILL));
    EXPECT_TRUE(run_until([&] { return is_gone(pids[1]) && has_said("was killed by SIGKILL"); }));
    EXPECT_FALSE(pool.signal(1, SIGKILL)) << "nobody is there any more";
    EXPECT_FALSE(pool.signal(2, SIGKILL)) << "there never was";
    EXPECT_FALSE(is_gone(pids[0]));
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(Pool, WhatAWorkerSaysIsForWhoeverAsksForIt)
{
    workers::pool pool(context.get_executor(),
                       options_for({shell(stay), shell(three_words + stay)}));
    std::vector<std::string> heard;
    pool.on_message([&](std::size_t slot, ipc::message message) {
        heard.push_back(std::to_string(slot) + ": " + message.body.to_string());
        throw std::runtime_error("cannot use it");
    });
    pool.start();
    ASSERT_TRUE(run_until([&] { return heard.size() == 3; }));
    EXPECT_EQ(heard, (std::vector<std::string>{"1: 1", "1: two", "1: [3]"}));
    EXPECT_TRUE(pool.serves(1));
    EXPECT_EQ(times_said("cannot use it"), 3u);
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(Pool, WhatAWorkerSaysUnaskedIsDroppedAndSaidOnce)
{
    workers::pool pool(context.get_executor(), options_for({shell(three_words + "exit 5")}));
    pool.start();
    const auto who = "worker " + std::to_string(pool.pids()[0]);
    ASSERT_TRUE(run_until([&] { return has_said("exited with"); }));
    EXPECT_EQ(said, who + " sends messages, which nobody here reads\n" + who +
                        " exited with code 5; 0 left\n");
}

// ---- a copy for each ---------------------------------------------------------------------------

TEST_F(Pool, AllGetACopyOfTheConnectionAndNoneIsLeftHere)
{
    workers::pool pool(context.get_executor(),
                       options_for({shell(acknowledge_all), shell(acknowledge_all)}));
    pool.start();
    const auto before = ipc_test::open_descriptors();
    EXPECT_EQ(complete(pool.hand_over_to_all(connection(), nothing)), "");
    EXPECT_EQ(ipc_test::open_descriptors(), before + 1); // `client`
    for (const auto& [pid, count] : pool.counted().acknowledged)
        EXPECT_EQ(count, 1u);
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(Pool, A7_AWorkerThatRefusesItsCopyIsAskedAgainUntilAnotherHasOne)
{
    const std::string refuse =
        R"(for i in 1 2 3 4 5; do read -r line <&3 && echo '{"cmd":"NODE_HANDLE_NACK"}' >&3; done; )";
    workers::pool pool(context.get_executor(), options_for({shell(refuse + acknowledge_all)}));
    pool.start();
    EXPECT_EQ(complete(pool.hand_over_to_all(connection(), nothing)), "");
    EXPECT_EQ(pool.counted().acknowledged[0].second, 1u);
    EXPECT_EQ(complete(pool.stop()), "");
}

// ---- stopping ----------------------------------------------------------------------------------

TEST_F(Pool, D10_StubbornWorkersAreAskedThenTerminatedThenKilled)
{
    auto options = options_for({shell("trap '' TERM; while :; do sleep 0.01; done")});
    options.grace = milliseconds(100);
    workers::pool pool(context.get_executor(), options);
    pool.start();
    const auto name = "worker " + std::to_string(pool.pids()[0]);
    EXPECT_EQ(complete(pool.stop()), "");
    EXPECT_TRUE(has_said(name + " has not ended by itself: SIGKILL\n")) << said;
}

TEST_F(Pool, D10_WorkersThatMayReportToTheirEndHaveNoMoreTimeThanOthers)
{
    auto options = options_for({shell("while :; do sleep 0.01; done")});
    options.on_report = [](pid_t, const ipc::value&) {};
    options.grace = milliseconds(2000);
    workers::pool pool(context.get_executor(), options);
    pool.start();
    const auto name = "worker " + std::to_string(pool.pids()[0]);
    asio::steady_timer nearly_twice(context, 2 * options.grace - milliseconds(50));
    std::string said_by_then;
    nearly_twice.async_wait([&](std::error_code) { said_by_then = said; });
    EXPECT_EQ(complete(pool.stop()), "");
    nearly_twice.cancel(); // it has ended before
    ASSERT_TRUE(run_until([&] { return !said_by_then.empty(); }));
    EXPECT_NE(said_by_then.find(name + " has not ended by itself: SIGTERM\n"), std::string::npos);
}

TEST_F(Pool, AConnectionThatWaitsForAReplacementHasItsTimeToArriveBeforeAStop)
{
    auto options = options_for({shell(acknowledge_all)});
    options.respawn = true;
    options.restart.min_delay = milliseconds(50);
    workers::pool pool(context.get_executor(), options);
    pool.start();
    ::kill(pool.pids()[0], SIGKILL);
    ASSERT_TRUE(run_until([&] { return has_said("another one in"); }));
    asio::co_spawn(context, pool.hand_over(0, connection(), nothing), asio::detached);
    EXPECT_EQ(complete(pool.stop()), "");
    EXPECT_EQ(pool.counted().handed_over, 1u) << said;
}

TEST_F(Pool, AStopDuringABackoffDoesNotWaitForIt)
{
    auto options = options_for({{"/bin/false"}});
    options.respawn = true;
    options.restart.min_delay = options.restart.max_delay = std::chrono::hours(1);
    workers::pool pool(context.get_executor(), options);
    pool.start();
    ASSERT_TRUE(run_until([&] { return has_said("another one in"); }));
    EXPECT_EQ(complete(pool.stop()), "");
}

// ---- retiring ----------------------------------------------------------------------------------

TEST_F(Pool, B16_AWorkerThatHangsUpMayFinishWhatItHas)
{
    // Hangs up with a connection unread, and takes longer than a moment for those it has.
    auto options = options_for({shell("exec 3<&-; sleep 0.2; exit 0"), shell(acknowledge_all)});
    options.grace = support::a_while;
    workers::pool pool(context.get_executor(), options);
    pool.start();
    const auto retired = std::to_string(pool.pids()[0]);
    EXPECT_EQ(complete(pool.hand_over(0, connection(), nothing)), "");
    EXPECT_EQ(pool.counted().handed_over, 1u);
    ASSERT_TRUE(run_until([&] { return has_said("exited with"); }));
    EXPECT_EQ(said, "worker " + retired + " exited with code 0; 1 left\n");
    EXPECT_EQ(complete(pool.stop()), "");
}

TEST_F(Pool, B16_AWorkerThatHangsUpAndStaysIsEndedWithinTheGraceAndItsConnectionGivenOn)
{
    auto options = options_for(
        {shell("trap '' TERM; read -r line <&3; exec 3<&-; while :; do sleep 0.01; done"),
         shell(acknowledge_all)});
    options.grace = milliseconds(100);
    workers::pool pool(context.get_executor(), options);
    pool.start();
    const auto stubborn = "worker " + std::to_string(pool.pids()[0]);
    EXPECT_EQ(complete(pool.hand_over(0, connection(), nothing)), "");
    EXPECT_EQ(pool.counted().came_back, 1u);
    EXPECT_EQ(pool.counted().handed_over, 1u);
    EXPECT_TRUE(has_said(stubborn + " has not ended by itself: SIGTERM\n")) << said;
    EXPECT_TRUE(has_said(stubborn + " was killed by SIGKILL; 1 left\n")) << said;
    EXPECT_EQ(complete(pool.stop()), "");
}

} // namespace

// One place of a pool, through its states.
#include "workers/worker.hpp"

#include "pool_fixture.hpp"

#include <memory>

namespace {

using namespace pool_test;
using workers::state;

class Worker : public PoolTest {
protected:
    void make(const std::string& script, bool respawn = false)
    {
        auto options = options_for({shell(script)});
        options.respawn = respawn;
        options.ack_timeout = milliseconds(100);
        make(options);
    }
    void make(const workers::options& options)
    {
        pool = std::make_shared<workers::pool_state>(context.get_executor(), options);
        worker = std::make_shared<workers::worker>(pool, 0);
    }
    bool becomes(state wanted)
    {
        return run_until([&] { return worker->now() == wanted; });
    }
    void stop()
    {
        pool->stopping = true;
        worker->stop();
        EXPECT_TRUE(becomes(state::empty)) << said;
    }
    std::string name() const { return worker->name(); }

    std::shared_ptr<workers::pool_state> pool;
    std::shared_ptr<workers::worker> worker;
};

TEST_F(Worker, IsReadyAtOnceWhenItNeedsNothing)
{
    make(acknowledge_all);
    EXPECT_EQ(worker->now(), state::empty);
    EXPECT_EQ(worker->pid(), 0);
    worker->start();
    EXPECT_EQ(worker->now(), state::ready);
    EXPECT_TRUE(worker->is_ready());
    EXPECT_EQ(pool->filled, 1u);
    EXPECT_EQ(pool->serving, 1u);
    stop();
    EXPECT_EQ(pool->filled, 0u);
    EXPECT_EQ(pool->serving, 0u);
    EXPECT_EQ(said, "") << "who is told to stop needs no obituary";
}

TEST_F(Worker, IsGreetedBeforeItIsReady)
{
    make(acknowledge_all);
    pool->greet = [&](std::size_t slot) -> asio::awaitable<void> {
        EXPECT_EQ(slot, 0u);
        EXPECT_TRUE(worker->serves());
        EXPECT_FALSE(worker->is_ready());
        ipc::handle server(ipc_test::tcp_server());
        co_await worker->child()->channel.send("a server", server);
    };
    worker->start();
    EXPECT_EQ(worker->now(), state::greeting);
    EXPECT_TRUE(worker->may_serve_later());
    ASSERT_TRUE(becomes(state::ready));
    stop();
}

TEST_F(Worker, ThatCannotBeGivenWhatItNeedsIsKilled)
{
    make(stay);
    pool->greet = [](std::size_t) -> asio::awaitable<void> {
        throw std::runtime_error("there is none");
        co_return;
    };
    worker->start();
    const auto who = name();
    ASSERT_TRUE(becomes(state::empty));
    EXPECT_EQ(said, who + " did not get what it needs (there is none) and was killed; 0 left\n");
}

TEST_F(Worker, WaitsForWhatItNeedsWhileWeAreOutOfDescriptors)
{
    make(acknowledge_all);
    int times = 0;
    pool->greet = [&](std::size_t) -> asio::awaitable<void> {
        if (++times < 3)
            throw std::system_error(EMFILE, std::generic_category(), "dup");
        co_return;
    };
    worker->start();
    ASSERT_TRUE(becomes(state::ready));
    EXPECT_EQ(times, 3);
    EXPECT_EQ(times_said("what it needs yet: dup"), 1u) << said;
    stop();
}

TEST_F(Worker, ThatHangsUpMayFinish)
{
    auto options = options_for({shell("exec 3<&-; sleep 0.05; exit 0")});
    options.grace = support::a_while;
    make(options);
    worker->start();
    const auto who = name();
    ASSERT_TRUE(becomes(state::finishing));
    EXPECT_FALSE(worker->serves());
    EXPECT_EQ(pool->serving, 0u);
    EXPECT_EQ(pool->filled, 1u);
    ASSERT_TRUE(becomes(state::empty));
    EXPECT_EQ(said, who + " exited with code 0; 0 left\n");
}

TEST_F(Worker, A12_ThatBreaksTheProtocolIsKilled)
{
    make("echo 'not json' >&3; " + stay);
    worker->start();
    const auto who = name();
    ASSERT_TRUE(becomes(state::killed));
    ASSERT_TRUE(becomes(state::empty));
    EXPECT_TRUE(has_said(who + " broke the channel's protocol (")) << said;
    EXPECT_TRUE(has_said("not json")) << said;
    EXPECT_TRUE(has_said(") and was killed; 0 left\n")) << said;
}

TEST_F(Worker, IsKilledForTheFirstOfItsFaults)
{
    make(stay);
    worker->start();
    const auto who = name();
    worker->kill("was the first to complain");
    EXPECT_EQ(worker->now(), state::killed);
    worker->kill("came second");
    worker->kill_overdue();
    ASSERT_TRUE(becomes(state::empty));
    EXPECT_EQ(said, who + " was the first to complain and was killed; 0 left\n");
    worker->kill("nobody is there");
    EXPECT_EQ(worker->now(), state::empty);
}

TEST_F(Worker, D4_IsOverThoughSomebodyElseHoldsItsChannel)
{
    // setsid: in no group of its own, it is not killed with it.
    make("setsid sleep 1 >/dev/null 2>&1 & exit 4");
    worker->start();
    const auto who = name();
    ASSERT_TRUE(becomes(state::empty));
    EXPECT_EQ(said, who + " exited with code 4; 0 left\n");
}

TEST_F(Worker, D8_IsReplacedAfterAPauseAndItsSuccessorIsGreetedToo)
{
    make(stay, true);
    int greeted = 0;
    pool->greet = [&](std::size_t) -> asio::awaitable<void> {
        ++greeted;
        co_return;
    };
    worker->start();
    ASSERT_TRUE(becomes(state::ready));
    const auto first = worker->pid();
    ::kill(first, SIGKILL);
    ASSERT_TRUE(becomes(state::backoff));
    EXPECT_EQ(worker->pid(), 0);
    EXPECT_TRUE(worker->may_serve_later());
    ASSERT_TRUE(becomes(state::ready));
    EXPECT_NE(worker->pid(), first);
    EXPECT_EQ(greeted, 2);
    stop();
}

TEST_F(Worker, B13_ThatIsStoppedForTooLongIsKilled)
{
    make(stay);
    worker->start();
    const auto who = name();
    ::kill(worker->pid(), SIGSTOP);
    ASSERT_TRUE(run_until([&] { return worker->child()->stopped(); }));
    worker->look_whether_stopped();
    ASSERT_TRUE(becomes(state::empty));
    EXPECT_EQ(said, who + " has been stopped for 100 ms and was killed; 0 left\n");
}

TEST_F(Worker, B13_ThatGoesOnInTimeIsNot)
{
    make(stay);
    worker->start();
    ::kill(worker->pid(), SIGSTOP);
    ASSERT_TRUE(run_until([&] { return worker->child()->stopped(); }));
    worker->look_whether_stopped();
    ::kill(worker->pid(), SIGCONT);
    ASSERT_TRUE(run_until([&] { return !worker->child()->stopped(); }));
    worker->look_whether_stopped();
    const auto later = std::chrono::steady_clock::now() + milliseconds(200);
    run_until([&] { return std::chrono::steady_clock::now() > later; });
    EXPECT_EQ(worker->now(), state::ready);
    stop();
}

TEST_F(Worker, CountsWhatItHasAcknowledgedAndNotWhatItsPredecessorHad)
{
    make(stay, true);
    worker->start();
    const auto first = worker->child();
    worker->count(*first, true);
    worker->count(*first, false); // a server
    ::kill(first->pid(), SIGKILL);
    ASSERT_TRUE(run_until([&] { return worker->pid() != 0 && worker->pid() != first->pid(); }));
    worker->count(*first, true); // one that was under way
    worker->count(*worker->child(), true);
    EXPECT_EQ(pool->counted.acknowledged,
              (std::vector<std::pair<pid_t, std::size_t>>{{first->pid(), 2}, {worker->pid(), 1}}));
    stop();
}

} // namespace

// Waiting for a change that another coroutine makes.
#include "event.hpp"

#include "support/proc_fs.hpp"
#include "support/process.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <unistd.h>

namespace {

using namespace asio::experimental::awaitable_operators;

struct Event : testing::Test {
    template<class Coroutine>
    void spawn(Coroutine coroutine)
    {
        asio::co_spawn(context, std::move(coroutine), asio::detached);
    }

    /// Runs what can run now.
    std::size_t run()
    {
        context.restart();
        return context.poll();
    }

    asio::io_context context;
    event changed{context.get_executor()};
};

TEST_F(Event, WakesAllWhoWaitAndNobodyTwice)
{
    int woken = 0;
    for (int i = 0; i < 3; ++i)
        spawn([&]() -> asio::awaitable<void> {
            co_await changed.wait();
            ++woken;
        });
    run();
    EXPECT_EQ(woken, 0);
    changed.notify();
    EXPECT_EQ(woken, 0) << "inside notify()";
    run();
    EXPECT_EQ(woken, 3);
    changed.notify();
    run();
    EXPECT_EQ(woken, 3);
}

TEST_F(Event, ForgetsANotificationThatNobodyWaitsFor)
{
    changed.notify();
    bool woken = false;
    spawn([&]() -> asio::awaitable<void> {
        co_await changed.wait();
        woken = true;
    });
    run();
    EXPECT_FALSE(woken);
    changed.notify();
    run();
    EXPECT_TRUE(woken);
}

TEST_F(Event, WaitsUntilTheConditionHoldsAndNotAtAllIfItDoes)
{
    int left = 2;
    bool done = false;
    spawn([&]() -> asio::awaitable<void> {
        co_await changed.wait_until([&] { return left == 0; });
        done = true;
    });
    run();
    for (; left > 0; --left) {
        changed.notify();
        run();
        EXPECT_FALSE(done) << left;
    }
    changed.notify();
    run();
    EXPECT_TRUE(done);

    bool at_once = false;
    spawn([&]() -> asio::awaitable<void> {
        co_await changed.wait_until([] { return true; });
        at_once = true;
    });
    run();
    EXPECT_TRUE(at_once);
}

TEST_F(Event, CanBeNotifiedAgainByWhoeverItWakes)
{
    int turns = 0;
    for (int i = 0; i < 2; ++i)
        spawn([&]() -> asio::awaitable<void> {
            for (int turn = 0; turn < 100; ++turn) {
                co_await changed.wait();
                ++turns;
                changed.notify();
            }
        });
    run();
    changed.notify();
    run();
    EXPECT_GE(turns, 100);
}

TEST_F(Event, CanBeCancelledByATimeLimit)
{
    bool over = false;
    spawn([&]() -> asio::awaitable<void> {
        asio::steady_timer limit(context, std::chrono::milliseconds(1));
        co_await (changed.wait() || limit.async_wait(asio::use_awaitable));
        over = true;
    });
    context.run_for(support::patient(support::a_while));
    EXPECT_TRUE(over);
    EXPECT_TRUE(context.stopped()) << "nothing is left waiting";
}

// The owner of an event is often kept alive by the very coroutine that waits for it.
TEST(EventOwner, IsFreedWhenItsExecutionContextIsDestroyed)
{
    struct owner {
        explicit owner(const asio::any_io_executor& executor) : changed(executor) {}
        event changed;
    };
    std::weak_ptr<owner> watched;
    {
        asio::io_context context;
        auto owned = std::make_shared<owner>(context.get_executor());
        watched = owned;
        asio::co_spawn(
            context,
            [owned]() -> asio::awaitable<void> {
                co_await owned->changed.wait();
                ADD_FAILURE() << "woken by nobody";
            },
            asio::detached);
        owned.reset();
        context.poll();
        EXPECT_FALSE(watched.expired()) << "the waiting coroutine owns it";
    }
    EXPECT_TRUE(watched.expired());
}

// A timer at the end of time is for Asio one that has to be looked at every five minutes.
TEST_F(Event, LeavesAnIdleProcessAsleepForEver)
{
    asio::steady_timer another(context); // brings Asio's timerfd into being
    spawn([&]() -> asio::awaitable<void> { co_await changed.wait(); });
    run();
    std::size_t timers = 0;
    for (const auto& [number, what] : support::descriptors(::getpid())) {
        if (what != "anon_inode:[timerfd]")
            continue;
        ++timers;
        std::ifstream info("/proc/self/fdinfo/" + std::to_string(number));
        std::string line;
        while (std::getline(info, line)) {
            if (line.starts_with("it_value")) {
                EXPECT_EQ(line, "it_value: (0, 0)") << "armed";
            }
        }
    }
    EXPECT_EQ(timers, 1U) << "Asio's own";
}

} // namespace

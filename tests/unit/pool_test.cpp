// A pool of workers, from inside: what no program shows.
#include "support/process.hpp"
#include "workers/pool.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <cerrno>
#include <csignal>
#include <functional>
#include <gtest/gtest.h>
#include <optional>

namespace {

using asio::awaitable;

class Pool : public testing::Test {
protected:
    static workers::settings sleepers(bool respawn)
    {
        workers::settings settings;
        settings.count = 2;
        settings.commands = {{"/bin/sleep", "60"}};
        settings.respawn = respawn;
        return settings;
    }
    bool run_until(const std::function<bool()>& condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + support::patient(support::a_while);
        while (!condition() && std::chrono::steady_clock::now() < deadline)
            context.run_one_for(std::chrono::milliseconds(20));
        return condition();
    }
    static bool is_gone(pid_t pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

    asio::io_context context;
};

// The supervisor's coroutines hold the children too, and they wait in the context that goes on.
TEST_F(Pool, D3_ItsEndIsThatOfItsChildren)
{
    std::optional<workers::pool> pool;
    pool.emplace(context.get_executor(), sleepers(false));
    pool->start();
    const auto pids = pool->pids();
    context.poll();
    pool.reset();
    EXPECT_TRUE(run_until([&] { return is_gone(pids[0]) && is_gone(pids[1]); }));
    context.run(); // nothing is left to wait for
}

TEST_F(Pool, D8_AReplacementIsGreetedOnceThoughTheFirstGreetingsAreStillUnderWay)
{
    workers::pool pool(context.get_executor(), sleepers(true));
    pool.start();
    const auto first = pool.pids();
    asio::steady_timer may_go_on(context, asio::steady_timer::time_point::max());
    std::vector<std::size_t> greeted;
    bool all_greeted = false;
    asio::co_spawn(context,
                   pool.each({0, 1},
                             [&](std::size_t slot) -> awaitable<void> {
                                 greeted.push_back(slot);
                                 std::error_code cancelled;
                                 if (slot == 0)
                                     co_await may_go_on.async_wait(
                                         asio::redirect_error(asio::use_awaitable, cancelled));
                             }),
                   [&](std::exception_ptr) { all_greeted = true; });

    ASSERT_TRUE(run_until([&] { return greeted.size() == 1; }));
    ::kill(first[1], SIGKILL);
    ASSERT_TRUE(run_until([&] { return greeted.size() == 2; })); // the one that takes its place
    may_go_on.cancel();
    ASSERT_TRUE(run_until([&] { return all_greeted; }));
    EXPECT_EQ(greeted, (std::vector<std::size_t>{0, 1}));
}

} // namespace

// Whose time it is that runs.
#include "ipc/ack_deadline.hpp"

#include <asio/io_context.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct AckDeadline : testing::Test {
    void run_for(milliseconds time)
    {
        context.restart();
        context.run_for(time);
    }

    asio::io_context context;
    int reports = 0;
    std::optional<ipc::ack_deadline> deadline{std::in_place, context.get_executor(),
                                              milliseconds(20), [this] { ++reports; }};
};

TEST_F(AckDeadline, IsReportedOnceForEachStart)
{
    deadline->start();
    run_for(milliseconds(2000));
    EXPECT_EQ(reports, 1);
    EXPECT_TRUE(context.stopped()) << "nothing is left to wait for";
    deadline->start();
    run_for(milliseconds(2000));
    EXPECT_EQ(reports, 2);
}

TEST_F(AckDeadline, IsNotReportedWhenItWasStoppedAlsoAfterItHasExpired)
{
    deadline->start();
    const auto until = steady_clock::now() + milliseconds(30);
    while (steady_clock::now() < until) { // nobody runs the context: it expires unseen
    }
    deadline->stop();
    run_for(milliseconds(2000));
    EXPECT_EQ(reports, 0);
}

TEST_F(AckDeadline, MayBeDestroyedWhileItRuns)
{
    deadline->start();
    deadline.reset();
    run_for(milliseconds(2000));
    EXPECT_EQ(reports, 0);
}

TEST_F(AckDeadline, DoesNotRunWhileItIsWeWhoKeepThePeerWaiting)
{
    deadline->start();
    deadline->is_our_time(true);
    run_for(milliseconds(100));
    EXPECT_EQ(reports, 0) << "five times the limit, and all of it ours";
    const auto from_now = steady_clock::now();
    deadline->is_our_time(false);
    while (reports == 0 && steady_clock::now() < from_now + milliseconds(10'000))
        run_for(milliseconds(20));
    EXPECT_EQ(reports, 1);
    EXPECT_GE(steady_clock::now() - from_now, milliseconds(15)) << "the peer has got its own back";
}

TEST_F(AckDeadline, ZeroIsForEver)
{
    ipc::ack_deadline never(context.get_executor(), milliseconds(0), [this] { ++reports; });
    never.start();
    EXPECT_EQ(context.poll(), 0U);
    EXPECT_EQ(reports, 0);
}

} // namespace

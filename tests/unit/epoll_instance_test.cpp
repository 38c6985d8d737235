// One wait for many sockets; whoever sleeps, Asio or this.
#include "net/epoll_instance.hpp"

#include "forked.hpp"
#include "support/proc_fs.hpp"
#include "unique_fd.hpp"

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>
#include <vector>

namespace {

struct socket_pair {
    socket_pair()
    {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        ours.reset(ends[0]);
        theirs.reset(ends[1]);
    }
    void send() { EXPECT_EQ(::send(theirs.get(), "x", 1, 0), 1); }
    unique_fd ours;
    unique_fd theirs;
};

constexpr std::uint32_t input = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET; // each arrival once

/// What has been reported since it was last asked.
struct recorder final : net::epoll_instance::watcher {
    void on_events(std::uint32_t events) override
    {
        seen |= events;
        ++times;
        if (then)
            then();
    }
    std::uint32_t reported()
    {
        times = 0;
        return std::exchange(seen, 0u);
    }
    std::uint32_t seen = 0;
    int times = 0;
    std::function<void()> then;
};

/// Whatever is promised is promised in both ways to wait.
class EpollInstance : public testing::TestWithParam<bool> {
protected:
    bool we_sleep() const { return GetParam(); }

    /// Until `done`; in either way it would wait for ever, if nothing came.
    void run_until(const std::function<bool()>& done)
    {
        context.restart();
        if (we_sleep())
            epoll.run_until(context, done);
        else
            while (!done() && context.run_one() > 0) {
            }
    }

    /// Everything that is there is reported.
    void settle()
    {
        // A datagram that comes after all the others, since epoll reports in the order of arrival.
        socket_pair last;
        recorder end;
        epoll.add(last.ours.get(), end, input);
        last.send();
        run_until([&] { return end.times > 0; });
        epoll.remove(last.ours.get(), end);
    }

    asio::io_context context{1};
    net::epoll_instance& epoll = net::epoll_instance::of(context.get_executor());
};

INSTANTIATE_TEST_SUITE_P(Sleeps, EpollInstance, testing::Bool(),
                         [](const auto& sleeper) { return sleeper.param ? "Ours" : "Asios"; });

TEST_P(EpollInstance, IsOneForEachIoContext)
{
    asio::io_context other{1};
    EXPECT_EQ(&net::epoll_instance::of(context.get_executor()), &epoll);
    EXPECT_NE(&net::epoll_instance::of(other.get_executor()), &epoll);
}

TEST_P(EpollInstance, ReportsEachArrivalOnceWhetherOrNotItIsRead)
{
    socket_pair one, other;
    recorder first, second;
    epoll.add(one.ours.get(), first, input);
    epoll.add(other.ours.get(), second, input);
    settle();
    EXPECT_EQ(first.reported() | second.reported(), 0u);
    one.send();
    settle();
    EXPECT_EQ(second.reported(), 0u);
    EXPECT_EQ(first.reported(), std::uint32_t{EPOLLIN});
    settle();
    EXPECT_EQ(first.reported(), 0u) << "it lies there still";
    one.send();
    other.send();
    settle();
    EXPECT_EQ(first.times, 1);
    EXPECT_EQ(second.times, 1);
}

TEST_P(EpollInstance, WhatWasThereBeforeIsTheFirstEvent)
{
    socket_pair one;
    recorder first;
    one.send();
    epoll.add(one.ours.get(), first, input | EPOLLOUT);
    settle();
    EXPECT_EQ(first.reported(), std::uint32_t{EPOLLIN | EPOLLOUT});
}

TEST_P(EpollInstance, ReportsRoomForOutputOnlyIfAsked)
{
    socket_pair one;
    recorder first;
    epoll.add(one.ours.get(), first, input);
    settle();
    EXPECT_EQ(first.reported(), 0u);
    epoll.modify(one.ours.get(), first, input | EPOLLOUT);
    settle();
    EXPECT_EQ(first.reported(), std::uint32_t{EPOLLOUT});
}

TEST_P(EpollInstance, ReportsTheEndOfThePeersSideAndUrgentData)
{
    socket_pair one;
    recorder first;
    epoll.add(one.ours.get(), first, input);
    if (::send(one.theirs.get(), "!", 1, MSG_OOB) == 1) { // AF_UNIX has it since Linux 5.15
        settle();
        EXPECT_TRUE(first.reported() & EPOLLPRI);
    }
    ::shutdown(one.theirs.get(), SHUT_WR);
    settle();
    EXPECT_TRUE(first.reported() & EPOLLRDHUP);
}

TEST_P(EpollInstance, HundredsAtOnceAreAllReported)
{
    std::vector<socket_pair> all(300);
    std::vector<recorder> told(all.size());
    for (std::size_t i = 0; i < all.size(); ++i)
        epoll.add(all[i].ours.get(), told[i], input);
    for (auto& one : all)
        one.send();
    settle();
    for (auto& one : told)
        EXPECT_EQ(one.times, 1);
}

TEST_P(EpollInstance, WithoutSocketsItLeavesTheContextFreeToReturn)
{
    socket_pair one;
    recorder first;
    epoll.add(one.ours.get(), first, input);
    settle();
    epoll.remove(one.ours.get(), first);
    one.send();
    run_until([] { return false; }); // or the test never ends
    EXPECT_EQ(first.reported(), 0u);
    epoll.add(one.ours.get(), first, input);
    settle();
    EXPECT_EQ(first.times, 1) << "it was kept for us";
}

TEST_P(EpollInstance, ForgetsASocketOnDemandThoughACopyLives)
{
    socket_pair one;
    recorder first;
    const unique_fd copy(::dup(one.ours.get()));
    epoll.add(one.ours.get(), first, input);
    epoll.remove(one.ours.get(), first);
    one.ours.reset();
    one.send();
    settle();
    EXPECT_EQ(first.reported(), 0u);
}

TEST_P(EpollInstance, WhoeverIsRemovedIsNotToldOfAnEventThatWasOnItsWay)
{
    socket_pair one, other;
    recorder first, second;
    const auto each_ends_the_other = [&](socket_pair& theirs, recorder& end) {
        return [&] {
            epoll.forget(end);
            theirs.ours.reset();
        };
    };
    first.then = each_ends_the_other(other, second);
    second.then = each_ends_the_other(one, first);
    epoll.add(one.ours.get(), first, input);
    epoll.add(other.ours.get(), second, input);
    one.send();
    other.send();
    settle();
    EXPECT_EQ(first.times + second.times, 1);
}

TEST_P(EpollInstance, NobodyIsToldOfAForgottenSocketThoughACopyLivesAndThePlaceIsTaken)
{
    socket_pair one, other;
    recorder first, second;
    const unique_fd copy(::dup(one.ours.get())); // another process, say
    epoll.add(one.ours.get(), first, input);
    epoll.forget(first);
    one.ours.reset();
    epoll.add(other.ours.get(), second, input);
    one.send();
    settle();
    EXPECT_EQ(first.times + second.times, 0);
    other.send();
    settle();
    EXPECT_EQ(second.times, 1);
}

TEST_P(EpollInstance, WhatAWatcherThrowsLeavesTheRunAndTheOthersAreToldAfterwards)
{
    socket_pair one, other;
    recorder first, second;
    first.then = [] { throw std::runtime_error("of no use"); };
    epoll.add(one.ours.get(), first, input);
    epoll.add(other.ours.get(), second, input);
    one.send();
    other.send();
    EXPECT_THROW(run_until([&] { return second.times > 0; }), std::runtime_error);
    settle();
    EXPECT_EQ(first.times, 1);
    EXPECT_EQ(second.times, 1);
}

TEST_P(EpollInstance, WhoRestsHearsNothingAndThenOfWhatHasCome)
{
    socket_pair one;
    recorder first;
    epoll.add(one.ours.get(), first, EPOLLIN); // as long as it is there
    const auto began = std::chrono::steady_clock::now();
    epoll.rest(one.ours.get(), first, EPOLLIN, std::chrono::milliseconds(20));
    one.send();
    run_until([&] { return first.times > 0; });
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(20));
}

TEST_P(EpollInstance, WhoIsRemovedWhileItRestsDoesNotComeBack)
{
    socket_pair one, other;
    recorder first, second;
    one.send();
    other.send();
    epoll.add(one.ours.get(), first, EPOLLIN);
    epoll.add(other.ours.get(), second, EPOLLIN);
    epoll.rest(one.ours.get(), first, EPOLLIN, std::chrono::microseconds(1));
    epoll.rest(other.ours.get(), second, EPOLLIN, std::chrono::microseconds(500));
    epoll.remove(one.ours.get(), first);
    run_until([&] { return second.times > 0; });
    EXPECT_EQ(first.times, 0);
}

TEST_P(EpollInstance, TimersAndPostedHandlersHaveTheirTurnBesideASocketThatIsAlwaysReady)
{
    socket_pair one;
    recorder always;
    one.send();
    epoll.add(one.ours.get(), always, EPOLLIN);
    asio::steady_timer timer(context, std::chrono::milliseconds(5));
    bool expired = false, posted = false;
    timer.async_wait([&](std::error_code) { expired = true; });
    always.then = [&] {
        if (always.times == 1)
            asio::post(context, [&] { posted = true; });
    };
    run_until([&] { return expired && posted; });
    EXPECT_GT(always.times, 0);
}

TEST_P(EpollInstance, ASocketHasItsTurnBesideAHandlerThatIsAlwaysPostedAgain)
{
    socket_pair one;
    recorder first;
    epoll.add(one.ours.get(), first, input);
    one.send();
    std::function<void()> again = [&] { asio::post(context, again); };
    again();
    run_until([&] { return first.times > 0; });
    EXPECT_EQ(first.times, 1);
    again = [] {};
}

// A worker runs in one way, and ends in the other.
TEST_P(EpollInstance, WhatIsHereStaysWhenTheOtherBeginsToSleep)
{
    socket_pair one;
    recorder first;
    epoll.add(one.ours.get(), first, input);
    settle();
    epoll.run_until(context, [] { return true; });
    one.send();
    context.restart();
    while (first.times == 0)
        context.run_one();
    one.send();
    context.restart();
    epoll.run_until(context, [&] { return first.times > 1; });
}

TEST(EpollInstanceThatSleeps, KnowsWhetherItSleptBeforeAnEvent)
{
    asio::io_context context{1};
    auto& epoll = net::epoll_instance::of(context.get_executor());
    socket_pair one;
    recorder first;
    bool slept = false;
    first.then = [&] { slept = epoll.slept(); };
    epoll.add(one.ours.get(), first, input);
    // Somebody may take the processor from us between the two looks at the clock: once, not always.
    bool once_without = false;
    for (int i = 0; i < 1000 && !once_without; ++i) {
        first.reported();
        one.send();
        epoll.run_until(context, [&] { return first.times > 0; });
        once_without = !slept;
    }
    EXPECT_TRUE(once_without);

    const forked::child sender([&] {
        while (!support::sleeps(::getppid()))
            ::sched_yield();
        ::usleep(1000); // a sleep has a length
        one.send();
    });
    first.reported();
    epoll.run_until(context, [&] { return first.times > 0; });
    EXPECT_TRUE(slept);
}

TEST(EpollInstanceWithoutDescriptors, NamesTheCallThatFailed)
{
    asio::io_context context{1};
    const asio::steady_timer first(context); // Asio opens its own
    rlimit normal{};
    ::getrlimit(RLIMIT_NOFILE, &normal);
    const rlimit none{3, normal.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    std::string what;
    try {
        net::epoll_instance::of(context.get_executor());
    } catch (const std::system_error& error) {
        what = error.what();
    }
    ::setrlimit(RLIMIT_NOFILE, &normal);
    EXPECT_NE(what.find("epoll_create1"), std::string::npos) << what;
    net::epoll_instance::of(context.get_executor()); // and heals
}

} // namespace

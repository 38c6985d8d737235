// One wait for many sockets, and each arrival reported once.
#include "http/epoll_instance.hpp"

#include "unique_fd.hpp"

#include <gtest/gtest.h>

#include <asio/io_context.hpp>

#include <map>
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

class EpollInstance : public testing::Test {
protected:
    /// Everything that has been reported since the last call.
    std::map<std::uint64_t, std::uint32_t> reported()
    {
        context.restart();
        context.poll();
        return std::exchange(seen, {});
    }

    asio::io_context context{1};
    std::map<std::uint64_t, std::uint32_t> seen;
    http::epoll_instance epoll{
        context.get_executor(),
        [this](std::uint64_t key, std::uint32_t events) { seen[key] |= events; }};
};

TEST_F(EpollInstance, ReportsEachArrivalOnceWhetherOrNotItIsRead)
{
    socket_pair one, other;
    epoll.add(one.ours.get(), 1, false);
    epoll.add(other.ours.get(), 1ull << 40, false);
    epoll.start();
    EXPECT_TRUE(reported().empty());
    one.send();
    EXPECT_EQ(reported(), (std::map<std::uint64_t, std::uint32_t>{{1, EPOLLIN}}));
    EXPECT_TRUE(reported().empty()) << "it lies there still";
    one.send();
    other.send();
    EXPECT_EQ(reported().size(), 2u);
}

TEST_F(EpollInstance, WhatWasThereBeforeIsTheFirstEvent)
{
    socket_pair one;
    one.send();
    epoll.add(one.ours.get(), 7, true);
    epoll.start();
    EXPECT_EQ(reported()[7], std::uint32_t{EPOLLIN | EPOLLOUT});
}

TEST_F(EpollInstance, ReportsRoomForOutputOnlyIfAsked)
{
    socket_pair one;
    epoll.add(one.ours.get(), 7, false);
    epoll.start();
    EXPECT_TRUE(reported().empty());
    epoll.modify(one.ours.get(), 7, true);
    EXPECT_EQ(reported()[7], std::uint32_t{EPOLLOUT});
}

TEST_F(EpollInstance, ReportsTheEndOfThePeersSideAndUrgentData)
{
    socket_pair one;
    epoll.add(one.ours.get(), 7, false);
    epoll.start();
    if (::send(one.theirs.get(), "!", 1, MSG_OOB) == 1) { // AF_UNIX has it since Linux 5.15
        EXPECT_TRUE(reported()[7] & EPOLLPRI);
    }
    ::shutdown(one.theirs.get(), SHUT_WR);
    EXPECT_TRUE(reported()[7] & EPOLLRDHUP);
}

TEST_F(EpollInstance, HundredsAtOnceAreAllReported)
{
    std::vector<socket_pair> all(300);
    for (std::size_t i = 0; i < all.size(); ++i)
        epoll.add(all[i].ours.get(), i, false);
    epoll.start();
    for (auto& one : all)
        one.send();
    EXPECT_EQ(reported().size(), all.size());
}

TEST_F(EpollInstance, StoppedItReportsNothingAndLeavesTheContextFreeToReturn)
{
    socket_pair one;
    epoll.add(one.ours.get(), 7, false);
    epoll.start();
    epoll.start();
    EXPECT_TRUE(reported().empty());
    epoll.stop();
    one.send();
    context.restart();
    context.run(); // or the test never ends
    EXPECT_TRUE(seen.empty());
    epoll.start();
    EXPECT_EQ(reported().size(), 1u) << "it was kept for us";
}

TEST_F(EpollInstance, StoppedAndStartedAtOnceItGoesOn)
{
    socket_pair one;
    epoll.add(one.ours.get(), 7, false);
    epoll.start();
    reported();
    epoll.stop();
    epoll.start();
    one.send();
    EXPECT_EQ(reported().size(), 1u);
    one.send();
    EXPECT_EQ(reported().size(), 1u);
}

TEST_F(EpollInstance, ForgetsASocketOnDemandThoughACopyLives)
{
    socket_pair one;
    const unique_fd copy(::dup(one.ours.get()));
    epoll.add(one.ours.get(), 7, false);
    epoll.start();
    epoll.remove(one.ours.get());
    one.ours.reset();
    one.send();
    EXPECT_TRUE(reported().empty());
}

TEST(EpollInstanceWithoutDescriptors, NamesTheCallThatFailed)
{
    asio::io_context context{1};
    const auto ignore = [](std::uint64_t, std::uint32_t) {};
    const http::epoll_instance first(context.get_executor(), ignore); // Asio opens its own, too
    rlimit normal{};
    ::getrlimit(RLIMIT_NOFILE, &normal);
    const rlimit none{3, normal.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    std::string what;
    try {
        const http::epoll_instance second(context.get_executor(), ignore);
    } catch (const std::system_error& error) {
        what = error.what();
    }
    ::setrlimit(RLIMIT_NOFILE, &normal);
    EXPECT_NE(what.find("epoll_create1"), std::string::npos) << what;
}

} // namespace

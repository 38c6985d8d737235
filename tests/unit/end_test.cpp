// net::end: the last word reaches a client that has not stopped talking.
#include "net/end.hpp"

#include "net/lingering.hpp"
#include "support/proc_fs.hpp"
#include "support/process.hpp"
#include "unique_fd.hpp"

#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using asio::ip::tcp;
using net::lingering;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

// --- how long

TEST(Lingering, EndsAfterASecondOfSilence)
{
    const steady_clock::time_point begin{};
    const lingering patience(begin);
    EXPECT_FALSE(patience.is_over(begin));
    EXPECT_FALSE(patience.is_over(begin + 999ms));
    EXPECT_TRUE(patience.is_over(begin + 1s));
    EXPECT_EQ(patience.left(begin + 400ms), 600ms);
}

TEST(Lingering, GoesOnAsLongAsThePeerSendsFor30SecondsInAll)
{
    const steady_clock::time_point begin{};
    lingering patience(begin);
    auto now = begin;
    while (!patience.is_over(now)) {
        patience.heard(now);
        now += 900ms;
    }
    EXPECT_GE(now - begin, 30s);
    EXPECT_LT(now - begin, 31s);
}

TEST(Lingering, HasSomethingLeftUntilItIsOver)
{
    const steady_clock::time_point begin{};
    const lingering patience(begin);
    EXPECT_GT(patience.left(begin + 1s - 1ns), 0ms) << "zero would be no limit";
}

// --- net::end

class NetEnd : public testing::Test {
protected:
    NetEnd()
    {
        tcp::acceptor listening(context, {asio::ip::address_v4::loopback(), 0});
        peer.connect(listening.local_endpoint());
        listening.accept(socket);
    }

    void end(std::string text)
    {
        asio::co_spawn(context, net::end(socket, std::move(text)),
                       [this](std::exception_ptr failed) {
                           ended = true;
                           failure = failed;
                       });
    }

    /// Another one, whose client ends when the result does. Not of TCP, whose end of a stream may
    /// take a while to arrive.
    unique_fd end_one()
    {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        asio::co_spawn(context, net::end(unique_fd(ends[1]), "the text"),
                       [this](std::exception_ptr error) { others_ended += error ? 0 : 1; });
        context.restart(); // the last one may have ended
        context.poll();
        return unique_fd(ends[0]);
    }
    void end_one_whose_client_ends() { end_one(); }

    /// As much as there is room for. False when the connection is broken.
    bool send(std::size_t& left)
    {
        static const std::string block(1024 * 1024, 'x');
        const auto sent = ::send(peer.native_handle(), block.data(), std::min(block.size(), left),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0)
            left -= static_cast<std::size_t>(sent);
        return sent > 0 || errno == EAGAIN;
    }

    /// All until the end of the stream; "RESET" when it is broken.
    std::string received()
    {
        std::string text;
        char buffer[4096];
        for (;;) {
            const auto size = ::recv(peer.native_handle(), buffer, sizeof buffer, 0);
            if (size <= 0)
                return size == 0 ? text : "RESET";
            text.append(buffer, static_cast<std::size_t>(size));
        }
    }

    asio::io_context context{1};
    tcp::socket socket{context};
    tcp::socket peer{context};
    bool ended = false;
    std::size_t others_ended = 0;
    std::exception_ptr failure;
};

TEST_F(NetEnd, B9_AClientThatSends32MiBBeforeItReadsGetsTheText)
{
    end("the text");
    std::size_t left = 32 * 1024 * 1024;
    const auto limit = steady_clock::now() + support::patient(support::a_while);
    while (left > 0 && send(left)) {
        ASSERT_LT(steady_clock::now(), limit);
        context.poll();
    }
    EXPECT_EQ(left, 0u);
    peer.shutdown(tcp::socket::shutdown_send);
    context.run();
    EXPECT_TRUE(ended);
    EXPECT_FALSE(failure);
    EXPECT_FALSE(socket.is_open());
    EXPECT_EQ(received(), "the text");
}

TEST_F(NetEnd, ReturnsAsSoonAsTheClientEnds)
{
    end("the text");
    peer.shutdown(tcp::socket::shutdown_send);
    const auto begin = steady_clock::now();
    context.run();
    EXPECT_LT(steady_clock::now() - begin, 1s) << "what a silent one has";
    EXPECT_TRUE(ended);
    EXPECT_EQ(received(), "the text");
}

TEST_F(NetEnd, AClientThatNeitherSendsNorEndsIsLeftAfterASecond)
{
    const auto begin = steady_clock::now();
    end("the text");
    context.run();
    EXPECT_GE(steady_clock::now() - begin, 1s);
    EXPECT_TRUE(ended);
    EXPECT_FALSE(failure);
}

TEST_F(NetEnd, ClientsThatEndInTimeDoNotPileUpHoweverFastTheyCome)
{
    const auto before = support::descriptors(::getpid()).size();
    for (int i = 0; i < 500; ++i) {
        end_one_whose_client_ends();
        ASSERT_LE(support::descriptors(::getpid()).size(), before + 64 + 4) << "after " << i;
    }
    context.restart();
    context.run();
    EXPECT_EQ(others_ended, 500u);
}

TEST_F(NetEnd, NorDoThoseWhoseClientsTookTheirTime)
{
    const auto before = support::descriptors(::getpid()).size();
    for (int round = 0; round < 5; ++round) {
        std::vector<unique_fd> clients;
        for (int i = 0; i < 200; ++i)
            clients.push_back(end_one());
        clients.clear();
        for (int i = 0; i < 64; ++i)
            end_one_whose_client_ends();
        EXPECT_LE(support::descriptors(::getpid()).size(), before + 64 + 4) << "round " << round;
    }
    context.restart();
    context.run();
    EXPECT_EQ(others_ended, 5u * 264);
}

TEST_F(NetEnd, ASlowClientIsWaitedForHoweverManyComeAfterIt)
{
    end("the text");
    for (int i = 0; i < 200; ++i)
        end_one_whose_client_ends();
    EXPECT_FALSE(ended);
    peer.shutdown(tcp::socket::shutdown_send);
    context.run();
    EXPECT_TRUE(ended);
    EXPECT_EQ(received(), "the text");
}

TEST_F(NetEnd, UrgentDataDoesNotStopItFromReading)
{
    end("the text");
    context.poll();
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(::send(peer.native_handle(), "abc", 3, MSG_OOB), 3);
        ASSERT_EQ(::send(peer.native_handle(), "def", 3, 0), 3);
    }
    peer.shutdown(tcp::socket::shutdown_send);
    context.run();
    EXPECT_TRUE(ended);
    EXPECT_EQ(received(), "the text");
}

} // namespace

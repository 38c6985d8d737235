// The accept loop when accept(2) fails. The linker puts our accept4 in the place of the real one
// (--wrap), so that no line of the program knows about it.
#include "channel_fixture.hpp"

#include "forked.hpp"
#include "net/end.hpp"
#include "net/epoll_instance.hpp"
#include "net/listen.hpp"
#include "support/proc_fs.hpp"
#include "support/tcp.hpp"

#include <asio/post.hpp>
#include <asio/write.hpp>
#include <deque>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <set>
#include <sys/un.h>
#include <thread>

namespace {
std::deque<int> errors_to_come; // one for each call
int calls = 0;
} // namespace

extern "C" int __real_accept4(int fd, sockaddr* address, socklen_t* length, int flags);
extern "C" int __wrap_accept4(int fd, sockaddr* address, socklen_t* length, int flags);
extern "C" int __wrap_accept4(int fd, sockaddr* address, socklen_t* length, int flags)
{
    ++calls;
    if (errors_to_come.empty())
        return __real_accept4(fd, address, length, flags);
    errno = errors_to_come.front();
    errors_to_come.pop_front();
    return -1;
}

namespace {

class Accept : public testing::Test {
protected:
    Accept() : server(context.get_executor(), ipc_test::tcp_server()), port(server.address().port())
    {
        errors_to_come.clear();
        calls = 0;
        server.on_connection([this](asio::ip::tcp::socket) { ++accepted; });
    }
    void connect()
    {
        clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ASSERT_EQ(
            ::connect(clients.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
            0);
    }
    bool all_accepted()
    {
        const auto deadline = std::chrono::steady_clock::now() + support::patient(support::a_while);
        while (accepted < static_cast<int>(clients.size()) &&
               std::chrono::steady_clock::now() < deadline)
            context.run_one_for(std::chrono::milliseconds(20));
        return accepted == static_cast<int>(clients.size());
    }

    asio::io_context context;
    net::server server;
    std::uint16_t port;
    int accepted = 0;
    std::vector<unique_fd> clients;
};

TEST_F(Accept, C9_GoesOnAfterEveryErrorThatConcernsOneConnection)
{
    for (const int error : {EINTR, ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, EPERM, EAGAIN}) {
        errors_to_come = {error, error, error};
        connect();
        EXPECT_TRUE(all_accepted()) << std::strerror(error);
    }
}

TEST_F(Accept, C9_PausesAfterAnErrorThatNobodyKnows)
{
    errors_to_come = {ETIMEDOUT};
    connect();
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(all_accepted());
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(90));
}

TEST_F(Accept, C1_WithoutDescriptorsItTriesTenTimesASecondAndHeals)
{
    errors_to_come = {EMFILE, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    connect();
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(all_accepted());
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(450));
    EXPECT_LE(calls, 10);
}

TEST_F(Accept, C1_WithoutDescriptorsItFirstClosesWhatOnlyWaitsForAClientThatHasEnded)
{
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    bool ended = false;
    asio::co_spawn(context, net::end(unique_fd(ends[0]), "the text"),
                   [&](std::exception_ptr) { ended = true; });
    context.poll();
    ::close(ends[1]);
    ASSERT_FALSE(ended);
    errors_to_come = {EMFILE};
    connect();
    testing::internal::CaptureStderr();
    EXPECT_TRUE(all_accepted());
    EXPECT_TRUE(ended);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "nothing was amiss";
}

TEST_F(Accept, C9_EndsWhenTheListenerItselfIsOfNoUse)
{
    for (const int error : {EBADF, EINVAL}) {
        context.restart();
        errors_to_come = {error};
        connect();
        EXPECT_THROW(while (context.run_one_for(support::patient(support::a_while)) > 0){},
                     std::system_error);
        server = net::server(context.get_executor(), ipc_test::tcp_server());
        port = server.address().port();
        server.on_connection([this](asio::ip::tcp::socket) { ++accepted; });
    }
}

TEST_F(Accept, B14_CloseGivesTheHandlerWhatWaitsAndTheDestructorDoesNot)
{
    for (int i = 0; i < 3; ++i)
        connect();
    server.close();
    EXPECT_EQ(accepted, 3);
    {
        net::server other(context.get_executor(), ipc_test::tcp_server());
        port = other.address().port();
        other.on_connection([this](asio::ip::tcp::socket) { ++accepted; });
        connect();
    }
    EXPECT_EQ(accepted, 3);
}

TEST_F(Accept, B14_TheHandlerMayCloseTheServerWhileItCloses)
{
    server = net::server(context.get_executor(), ipc_test::tcp_server());
    port = server.address().port();
    server.on_connection([this](asio::ip::tcp::socket) {
        ++accepted;
        server.close();
    });
    for (int i = 0; i < 3; ++i)
        connect();
    server.close();
    EXPECT_EQ(accepted, 3);
}

// shutdown(2) on one copy would be the end for all.
TEST_F(Accept, B4_ClosingOneCopyLeavesTheOthersListening)
{
    net::server other(context.get_executor(), unique_fd(::dup(server.native_handle())));
    other.on_connection([this](asio::ip::tcp::socket) { ++accepted; });
    server.close();
    connect();
    connect();
    EXPECT_TRUE(all_accepted());
}

// Node's server.listen(path), handed to us.
TEST(UnixPathServer, AcceptsAndHasNoAddressOfTheInternet)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = "/tmp/accept_test_" + std::to_string(::getpid());
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ::unlink(path.c_str());
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    unique_fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(listening.get(), name, sizeof address), 0);
    ASSERT_EQ(::listen(listening.get(), 1), 0);
    const unique_fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(client.get(), name, sizeof address), 0);
    ::unlink(path.c_str());

    asio::io_context context;
    net::server server(context.get_executor(), std::move(listening));
    try {
        FAIL() << net::to_string(server.address());
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::address_family_not_supported);
    }
    std::size_t bytes = 0;
    server.on_connection([&](asio::ip::tcp::socket socket) {
        bytes = asio::write(socket, asio::buffer("hello", 5));
    });
    context.run_one_for(std::chrono::seconds(10));
    EXPECT_EQ(bytes, 5U);
}

// ---- the handler has no room -------------------------------------------------------------------

TEST_F(Accept, C1_AHandlerWithoutRoomGetsTheSameConnectionAgainAndNoneIsAcceptedMeanwhile)
{
    server = net::server(context.get_executor(), ipc_test::tcp_server());
    port = server.address().port();
    int refusals = 3;
    std::vector<int> seen;
    server.on_connection([&](net::accepted& connection) {
        seen.push_back(connection.native_handle());
        if (refusals-- > 0)
            throw std::system_error(EMFILE, std::generic_category(), "dup");
        const asio::ip::tcp::socket socket = std::move(connection);
        ++accepted;
    });
    connect();
    connect();
    ASSERT_TRUE(all_accepted());
    ASSERT_EQ(seen.size(), 5u);
    EXPECT_EQ(std::vector<int>(seen.begin(), seen.begin() + 4), std::vector<int>(4, seen[0]));
}

TEST_F(Accept, AnyOtherFailureOfTheHandlerCostsThatConnection)
{
    server = net::server(context.get_executor(), ipc_test::tcp_server());
    port = server.address().port();
    server.on_connection([&](net::accepted& connection) {
        ++accepted;
        if (accepted == 1)
            throw std::runtime_error("something else");
        if (accepted == 2) {
            const unique_fd taken = std::move(connection);
            throw std::system_error(EMFILE, std::generic_category(), "it is not ours any more");
        }
    });
    connect();
    connect();
    connect();
    EXPECT_TRUE(all_accepted());
    EXPECT_EQ(accepted, 3);
}

// ---- alone, and with others --------------------------------------------------------------------

class AcceptWays : public Accept {
protected:
    void begin(net::server server_to_try)
    {
        server = std::move(server_to_try);
        port = server.address().port();
        server.on_connection([this](asio::ip::tcp::socket) { ++accepted; });
        calls = 0;
    }
    net::server shared(net::accepting how)
    {
        return {context.get_executor(), ipc_test::tcp_server(), how};
    }
    void run_until_accepted(int count)
    {
        context.restart();
        net::epoll_instance::run_until(context, [&] { return accepted >= count; });
    }
    bool is_looking() { return support::epoll_watches(::getpid(), listening()); }
    std::string listening() { return support::descriptors(::getpid()).at(server.native_handle()); }

    /// From another process, when this one has slept for a while.
    void accept_one_after_a_sleep()
    {
        const forked::child client([&] {
            while (!support::sleeps(::getppid()))
                ::sched_yield();
            ::usleep(1000); // a sleep has a length
            connect();
        });
        run_until_accepted(accepted + 1);
    }
};

TEST_F(AcceptWays, AloneItTakesAllThatWaitInOneTurn)
{
    begin(net::listen(context.get_executor(), "127.0.0.1", 0));
    for (int i = 0; i < 10; ++i)
        connect();
    std::set<int> after_a_turn;
    net::epoll_instance::run_until(context, [&] {
        after_a_turn.insert(accepted);
        return accepted == 10;
    });
    EXPECT_LE(after_a_turn.size(), 3u); // 0, 10; and 1, if somebody took the processor from us
    EXPECT_LE(calls, 11);
}

TEST_F(AcceptWays, WithOthersItTakesOneAndNeverAsksInVain)
{
    for (const auto how :
         {net::accepting::race, net::accepting::step_back, net::accepting::exclusive}) {
        accepted = 0;
        begin(shared(how));
        for (int i = 0; i < 10; ++i)
            connect();
        run_until_accepted(10);
        EXPECT_EQ(calls, 10);
    }
}

TEST_F(AcceptWays, WhoSleptStepsBackFromTheNextAndThenTakesWhatIsStillThere)
{
    begin(shared(net::accepting::step_back));
    accept_one_after_a_sleep();
    connect();
    bool was_looking = true;
    context.restart();
    net::epoll_instance::run_until(context, [&] {
        was_looking = was_looking && is_looking();
        return accepted == 2;
    });
    EXPECT_FALSE(was_looking);
    EXPECT_TRUE(is_looking());
}

TEST_F(AcceptWays, WhatItLeftToASiblingIsTheSiblings)
{
    begin(shared(net::accepting::step_back));
    accept_one_after_a_sleep();
    connect();
    bool has_left_it = false;
    context.restart();
    net::epoll_instance::run_until(context, [&] {
        if (!is_looking() && !std::exchange(has_left_it, true)) // its sibling takes it
            ::close(::accept4(server.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
        return has_left_it && is_looking();
    });
    EXPECT_EQ(accepted, 1);
}

TEST_F(AcceptWays, NobodyStepsBackInARace)
{
    for (const auto how : {net::accepting::race, net::accepting::exclusive}) {
        begin(shared(how));
        accept_one_after_a_sleep();
        EXPECT_TRUE(is_looking());
    }
}

// It may be the last copy but one, and the process is about to end.
TEST_F(AcceptWays, B14_ClosedWhileItStepsBackItTakesWhatWaits)
{
    begin(shared(net::accepting::step_back));
    accept_one_after_a_sleep();
    connect();
    context.restart();
    net::epoll_instance::run_until(context, [&] { return !is_looking() || accepted == 2; });
    server.close();
    EXPECT_EQ(accepted, 2);
    context.restart();
    context.run(); // nothing is left that would keep it busy
}

// ---- the end of the service --------------------------------------------------------------------

class AcceptEnd : public Accept {
protected:
    void close_for_all(net::server& which)
    {
        bool closed = false;
        asio::co_spawn(context, which.close_for_all(), [&](std::exception_ptr) { closed = true; });
        run_until(closed);
    }
    void run_until(const bool& closed)
    {
        context.restart();
        while (!closed)
            context.run_one_for(std::chrono::milliseconds(20));
    }

    /// A client whose connection the kernel takes for complete when data comes, and no sooner.
    void begin_handshake()
    {
        const int seconds = 60;
        ASSERT_EQ(::setsockopt(server.native_handle(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
                               sizeof seconds),
                  0);
        connect();
    }
    void end_handshake()
    {
        context.restart();
        context.poll();
        ASSERT_EQ(::send(clients[0].get(), "data", 4, MSG_NOSIGNAL), 4);
    }

    /// Is a connection made now? Loopback makes it at once.
    bool can_connect()
    {
        const unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        (void)::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
        pollfd made{client.get(), POLLOUT, 0};
        return ::poll(&made, 1, 50) == 1 && made.revents == POLLOUT;
    }
};

TEST_F(AcceptEnd, B14_HandsOnWhatWaitsAndLetsNobodyElseBegin)
{
    if (!support::sockets_can_be_filtered())
        GTEST_SKIP() << "SO_ATTACH_FILTER is refused here: a late client may be reset";
    const unique_fd kept(::dup(server.native_handle())); // by another process, say
    for (int i = 0; i < 10; ++i)
        connect();
    EXPECT_TRUE(can_connect());
    close_for_all(server);
    EXPECT_EQ(accepted, 11);
    EXPECT_EQ(server.native_handle(), -1);
    EXPECT_FALSE(can_connect());
    pollfd waiting{kept.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 0), 0) << "the last holder would reset it";
}

// Whom the kernel has answered when the service ends must find the listener when its ACK comes.
TEST_F(AcceptEnd, B14_AHandshakeThatHasBegunEnds)
{
    begin_handshake();
    bool closed = false;
    asio::co_spawn(context, server.close_for_all(), [&](std::exception_ptr) { closed = true; });
    end_handshake();
    run_until(closed);
    EXPECT_EQ(accepted, 1);
}

// As cluster's primary does, whose workers then close theirs.
TEST_F(AcceptEnd, B14_WhoOnlyKeepsACopyIsDoneWhenTheHandshakesAre)
{
    net::server copy(context.get_executor(), unique_fd(::dup(server.native_handle())));
    begin_handshake();
    bool closed = false;
    asio::co_spawn(context, copy.close_for_all(), [&](std::exception_ptr) {
        server.close();
        closed = true;
    });
    end_handshake();
    run_until(closed);
    EXPECT_EQ(accepted, 1);
}

TEST_F(AcceptEnd, B14_TheConnectionsItHasHandedOnGoOn)
{
    std::vector<asio::ip::tcp::socket> sockets;
    server = net::server(context.get_executor(), ipc_test::tcp_server());
    port = server.address().port();
    server.on_connection(
        [&](asio::ip::tcp::socket socket) { sockets.push_back(std::move(socket)); });
    connect();
    close_for_all(server);
    ASSERT_EQ(sockets.size(), 1u);
    ASSERT_EQ(::send(clients[0].get(), "ping", 4, 0), 4);
    char buffer[4];
    ASSERT_TRUE(sockets[0].available() == 4 || (sockets[0].wait(sockets[0].wait_read), true));
    EXPECT_EQ(::recv(sockets[0].native_handle(), buffer, 4, 0), 4);
    EXPECT_EQ(::send(sockets[0].native_handle(), "pong", 4, 0), 4);
    EXPECT_EQ(::recv(clients[0].get(), buffer, 4, 0), 4);
}

TEST_F(AcceptEnd, WhoeverBeginsToAcceptAdmitsNewcomersAgain)
{
    if (!support::sockets_can_be_filtered())
        GTEST_SKIP() << "SO_ATTACH_FILTER is refused here: a late client may be reset";
    net::server other(context.get_executor(), unique_fd(::dup(server.native_handle())));
    close_for_all(server);
    EXPECT_FALSE(can_connect());
    other.on_connection([this](asio::ip::tcp::socket) { ++accepted; });
    EXPECT_TRUE(can_connect());
}

TEST_F(AcceptEnd, C1_WithoutDescriptorsItWaitsAndLeavesNobodyBehind)
{
    for (int i = 0; i < 3; ++i)
        connect();
    errors_to_come = {EMFILE, EMFILE};
    close_for_all(server);
    EXPECT_EQ(accepted, 3);
}

TEST_F(AcceptEnd, C1_WhereNoDescriptorComesItEndsWithoutThoseWhoWait)
{
    for (int i = 0; i < 3; ++i)
        connect();
    errors_to_come = {EMFILE, EMFILE};
    errors_to_come.resize(1'000, EMFILE);
    close_for_all(server);
    EXPECT_EQ(accepted, 0);
    EXPECT_EQ(server.native_handle(), -1);
    char byte = 0;
    for (const auto& client : clients)
        EXPECT_LE(::recv(client.get(), &byte, 1, 0), 0) << "it is told";
}

TEST_F(AcceptEnd, C1_WhereTheHandlerHasNoRoomItEndsToo)
{
    server = net::server(context.get_executor(), ipc_test::tcp_server());
    port = server.address().port();
    server.on_connection(
        [&](net::accepted&) { throw std::system_error(EMFILE, std::generic_category(), "pipe2"); });
    connect();
    close_for_all(server);
    char byte = 0;
    EXPECT_LE(::recv(clients[0].get(), &byte, 1, 0), 0) << "it is told";
}

TEST_F(AcceptEnd, B5_AHolderThatMadeTheSocketBlockingDoesNotHoldUpTheLastRound)
{
    const auto make_blocking = [](int fd) {
        ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    };
    make_blocking(server.native_handle());
    close_for_all(server); // would wait in accept4 for ever
    server = net::server(context.get_executor(), ipc_test::tcp_server());
    server.on_connection([this](asio::ip::tcp::socket) { ++accepted; });
    make_blocking(server.native_handle());
    server.close();
    EXPECT_EQ(accepted, 0);
}

} // namespace

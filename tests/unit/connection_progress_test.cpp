// Whether somebody has read from or written to a connection, as our copy of it tells.
#include "channel_fixture.hpp"

#include "workers/connection_progress.hpp"

#include <gtest/gtest.h>

#include <netinet/tcp.h>
#include <sys/wait.h>

using ipc_test::tcp_pair;

namespace {

void wait_readable(int fd)
{
    pollfd event{fd, POLLIN, 0};
    ASSERT_EQ(::poll(&event, 1, 5000), 1);
}

class ConnectionProgress : public testing::Test {
protected:
    ConnectionProgress()
    {
        std::tie(ours, client) = tcp_pair();
        workers = unique_fd(::dup(ours.get())); // a dead worker's copy counts as this one does
    }
    void client_sends(std::size_t size)
    {
        const std::string bytes(size, 'x');
        ASSERT_EQ(::send(client.get(), bytes.data(), size, 0), static_cast<ssize_t>(size));
        wait_readable(ours.get());
    }
    bool touched() { return workers::was_touched(ours.get()); }

    unique_fd ours, client, workers;
};

TEST_F(ConnectionProgress, B12_IsUntouchedWhateverTheClientHasSent)
{
    EXPECT_FALSE(touched());
    client_sends(100);
    EXPECT_FALSE(touched());
    client_sends(30'000);
    EXPECT_FALSE(touched());
}

TEST_F(ConnectionProgress, B12_TheClientsEndIsNoByteThatSomebodyHasRead)
{
    client_sends(5);
    ::shutdown(client.get(), SHUT_WR);
    char buffer[8];
    ASSERT_EQ(::recv(ours.get(), buffer, sizeof buffer, MSG_PEEK), 5);
    EXPECT_FALSE(touched());
    ASSERT_EQ(::recv(workers.get(), buffer, 1, 0), 1);
    EXPECT_TRUE(touched());
}

TEST_F(ConnectionProgress, B12_SeesOneByteReadOfMany)
{
    client_sends(1000);
    char buffer[40];
    ASSERT_EQ(::recv(workers.get(), buffer, 1, 0), 1);
    EXPECT_TRUE(touched());
}

TEST_F(ConnectionProgress, B12_SeesTwelveBytesWritten)
{
    ASSERT_EQ(::send(workers.get(), "twelve bytes", 12, 0), 12);
    EXPECT_TRUE(touched());
}

TEST_F(ConnectionProgress, B12_SeesWhatIsCorkedAndNotYetSent)
{
    const int on = 1;
    ASSERT_EQ(::setsockopt(workers.get(), IPPROTO_TCP, TCP_CORK, &on, sizeof on), 0);
    ASSERT_EQ(::send(workers.get(), "half", 4, 0), 4);
    EXPECT_TRUE(touched());
}

TEST_F(ConnectionProgress, B12_SeesAShutdown)
{
    ::shutdown(workers.get(), SHUT_WR);
    EXPECT_TRUE(touched());
}

TEST_F(ConnectionProgress, B12_AConnectionThatTheClientHasResetIsOfNoUse)
{
    const linger at_once{1, 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    client.reset();
    wait_readable(ours.get());
    EXPECT_TRUE(touched());
}

TEST_F(ConnectionProgress, B12_WhatTheKernelCannotTellCountsAsTouched)
{
    EXPECT_TRUE(workers::was_touched(-1));
}

} // namespace

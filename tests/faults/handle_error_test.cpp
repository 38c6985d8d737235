// What the user reads who sends a connection twice.
#include "ipc/channel.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <gtest/gtest.h>

#include <exception>
#include <sys/socket.h>

namespace {

TEST(HandleError, B2_SendingAConnectionASecondTimeSaysSoAndWhatToDo)
{
    asio::io_context context;
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const unique_fd peer(pair[1]);
    ipc::channel channel(context.get_executor(), unique_fd(pair[0]));
    ipc::handle sent_before; // as send() leaves it
    std::exception_ptr outcome;
    asio::co_spawn(context, channel.send("second", sent_before),
                   [&](std::exception_ptr failure) { outcome = failure; });
    context.poll();
    ASSERT_TRUE(outcome) << "it was sent";
    try {
        std::rethrow_exception(outcome);
    } catch (const ipc::invalid_handle_type& error) {
        EXPECT_EQ(error.code(), "ERR_INVALID_HANDLE_TYPE");
        EXPECT_STREQ(error.what(), "This handle type cannot be sent");
        EXPECT_EQ(error.passed(), "an empty handle: closed, or sent before");
        EXPECT_EQ(error.instead(), "send each connection once");
    }
    char byte;
    EXPECT_EQ(::recv(peer.get(), &byte, 1, MSG_DONTWAIT), -1) << "nothing has been written";
}

} // namespace

// A parent that hangs up on one of its children and goes on with the others, as a Node program may
// do with worker.disconnect(). Our own mains never do.
#include "ipc/child_process.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <exception>
#include <unistd.h>

using std::string;
using support::a_while;

namespace {

asio::awaitable<void> give(ipc::child_process& child, ipc::handle& server)
{
    co_await child.channel.send("server", server);
}

asio::awaitable<void> end(ipc::child_process& child)
{
    child.channel.close();
    co_await child.exited();
}

class HangUp : public testing::TestWithParam<string> {
protected:
    ipc::child_process start()
    {
        return ipc::child_process::start(context.get_executor(),
                                         {support::demo(GetParam() + "_child"), "--delay", "0"});
    }

    /// Runs `conversation` to its end.
    void run(asio::awaitable<void> conversation)
    {
        bool done = false;
        asio::co_spawn(context, std::move(conversation), [&](std::exception_ptr failure) {
            done = true;
            if (failure)
                std::rethrow_exception(failure);
        });
        context.restart();
        while (!done && context.run_one_for(a_while) > 0) {
        }
        ASSERT_TRUE(done);
    }

    asio::io_context context;
};
INSTANTIATE_TEST_SUITE_P(, HangUp, testing::Values("server_handoff", "http_cluster"),
                         [](const auto& test) { return test.param; });

TEST_P(HangUp, OnOneOfTwoChildrenLeavesTheOtherItsClients)
{
    const support::listener listener;
    ipc::handle server = unique_fd(::dup(listener.native_handle()));
    auto first = start();
    auto second = start();
    run(give(first, server));
    run(give(second, server));
    run(end(first));
    for (int i = 0; i < 10; ++i) {
        auto client = support::open_client(GetParam(), listener.port());
        EXPECT_EQ(support::who_answered(client.read_to_end()), second.pid());
    }
    run(end(second));
}

} // namespace

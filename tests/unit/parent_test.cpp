// ipc::connect_to_parent, called in this process as a child's main would.
#include "ipc/parent.hpp"

#include "ipc/error.hpp"
#include "support/process.hpp"
#include "support/programs.hpp"
#include "unit/channel_fixture.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

namespace {

const char* const variables[] = {"NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE",
                                 "NODE_UNIQUE_ID"};

class Parent : public testing::Test {
protected:
    ~Parent() override
    {
        for (const auto* name : variables)
            ::unsetenv(name);
    }

    /// What a parent leaves its child: one end as `number`, which is neither close-on-exec nor
    /// non-blocking.
    void leave_channel(int number, const char* mode = "json")
    {
        auto [ours, theirs] = ipc_test::unix_pair();
        peer = std::move(ours);
        ASSERT_EQ(::dup2(theirs.get(), number), number);
        ::setenv("NODE_CHANNEL_FD", std::to_string(number).c_str(), 1);
        ::setenv("NODE_UNIQUE_ID", "7", 1);
        if (mode)
            ::setenv("NODE_CHANNEL_SERIALIZATION_MODE", mode, 1);
    }

    /// "CODE: text" of the error, or "" when there is none.
    std::string refusal()
    {
        try {
            const auto channel = ipc::connect_to_parent(context.get_executor());
            return "";
        } catch (const ipc::error& error) {
            return error.code() + std::string(": ") + error.what();
        }
    }

    asio::io_context context;
    unique_fd peer;
};

bool environment_names(std::string_view prefix)
{
    for (char** entry = environ; *entry; ++entry)
        if (std::string_view(*entry).starts_with(prefix))
            return true;
    return false;
}

TEST_F(Parent, TakesTheChannelFromAnyNumberAndLeavesNothingInTheEnvironment)
{
    for (const auto* mode : {"json", static_cast<const char*>(nullptr)}) { // none means json
        leave_channel(77, mode);
        const auto channel = ipc::connect_to_parent(context.get_executor());
        EXPECT_TRUE(channel.connected());
        for (const auto* name : variables)
            EXPECT_FALSE(environment_names(name)) << name;
    }
}

TEST_F(Parent, ItsChannelIsCloseOnExecAndNonBlocking)
{
    leave_channel(77);
    const auto channel = ipc::connect_to_parent(context.get_executor());
    EXPECT_TRUE(::fcntl(77, F_GETFD) & FD_CLOEXEC);
    EXPECT_TRUE(::fcntl(77, F_GETFL) & O_NONBLOCK);
}

/// A Node process believes the variable without a look at the number (node-ipc trap 16).
TEST_F(Parent, D4_ANodeProcessStartedByTheChildHasNoChannel)
{
    leave_channel(77);
    const auto channel = ipc::connect_to_parent(context.get_executor());
    const auto grandchild =
        support::run({support::node(), "-p", "[process.connected, process.send]"});
    EXPECT_EQ(grandchild.out, "[ undefined, undefined ]\n") << grandchild.err;
}

TEST_F(Parent, RefusesTheAdvancedModeAndSaysWhatToDo)
{
    leave_channel(77, "advanced");
    EXPECT_EQ(refusal(), "ERR_IPC_SERIALIZATION: the parent wants serialization 'advanced', this "
                         "program speaks 'json' only: start it with {serialization: 'json'}");
    EXPECT_FALSE(environment_names("NODE_CHANNEL_"));
    ::close(77);
}

TEST_F(Parent, SaysThatThereIsNone)
{
    EXPECT_EQ(refusal(), "ERR_IPC_NO_PARENT: no channel to a parent process (NODE_CHANNEL_FD is "
                         "not set)");
}

TEST_F(Parent, BelievesNoNumberThatIsNotAChannel)
{
    const auto tcp = ipc_test::tcp_server();
    const auto [datagrams, other] = ipc_test::unix_pair(SOCK_DGRAM);
    const std::vector<std::string> numbers{"",
                                           "three",
                                           "3x",
                                           "-1",
                                           "99999999999",
                                           "999",
                                           std::to_string(tcp.get()),
                                           std::to_string(datagrams.get())};
    for (const auto& number : numbers) {
        ::setenv("NODE_CHANNEL_FD", number.c_str(), 1);
        EXPECT_EQ(refusal(),
                  "ERR_IPC_NO_PARENT: NODE_CHANNEL_FD=" + number + " is no Unix stream socket");
    }
    EXPECT_NE(::fcntl(tcp.get(), F_GETFD), -1); // still open: it was never ours to close
}

} // namespace

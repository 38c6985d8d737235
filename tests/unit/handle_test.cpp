// What may travel, decided from what the kernel says a descriptor is.

#include "channel_fixture.hpp"

#include <asio/ip/tcp.hpp>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/un.h>

using namespace ipc_test;
using ipc::handle;

namespace {

void expect_refused(int fd, const std::string& passed)
{
    try {
        handle::kind_of(fd);
        FAIL() << passed << " was accepted";
    } catch (const ipc::invalid_handle_type& error) {
        EXPECT_EQ(error.code(), "ERR_INVALID_HANDLE_TYPE");
        EXPECT_STREQ(error.what(), "This handle type cannot be sent");
        EXPECT_NE(error.passed().find(passed), std::string::npos) << error.passed();
        EXPECT_FALSE(error.instead().empty());
    }
}

TEST(Handle, TellsConnectionsFromListeningServers)
{
    const auto [accepted, client] = tcp_pair();
    EXPECT_EQ(handle::kind_of(accepted.get()), handle::kind::connection);
    EXPECT_EQ(handle::kind_of(client.get()), handle::kind::connection);
    EXPECT_EQ(handle::kind_of(tcp_server().get()), handle::kind::server);
}

TEST(Handle, TakesAConnectionThatTheClientHasReset)
{
    auto [accepted, client] = tcp_pair();
    const linger reset{1, 0};
    ASSERT_EQ(::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    client.reset();
    pollfd ready{accepted.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, 5000), 1);
    EXPECT_EQ(handle::kind_of(accepted.get()), handle::kind::connection);
}

TEST(Handle, E1_RefusesEverythingElseAndNamesIt)
{
    expect_refused(unique_fd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)).get(), "regular file");
    expect_refused(unique_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get(), "character device");
    expect_refused(unique_fd(::epoll_create1(EPOLL_CLOEXEC)).get(), "epoll");
    expect_refused(unique_fd(::eventfd(0, EFD_CLOEXEC)).get(), "event");
    expect_refused(unique_fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)).get(), "UDP");
    expect_refused(unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)).get(),
                   "neither connected");
    expect_refused(12345, "closed descriptor");
}

TEST(Handle, A20_RefusesTheEndOfAChannel)
{
    expect_refused(unix_pair().first.get(), "socketpair");
}

TEST(Handle, CopiesAnLvalueAndMovesAnRvalue)
{
    asio::io_context context;
    asio::ip::tcp::acceptor server(context, {asio::ip::address_v4::loopback(), 0});
    const int number = server.native_handle();

    const handle copy = server;
    EXPECT_NE(copy.native_handle(), number);
    EXPECT_TRUE(server.is_open());

    const handle moved = std::move(server);
    EXPECT_EQ(moved.native_handle(), number);
    EXPECT_FALSE(server.is_open());
}

TEST(Handle, LeavesARefusedDescriptorWithItsOwner)
{
    unique_fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    EXPECT_THROW(handle{std::move(file)}, ipc::invalid_handle_type);
    EXPECT_TRUE(file);
}

TEST(Handle, RefusesAnObjectThatIsNoDescriptorAtRunTimeAsNodeDoes)
{
    struct parser {
    } object;
    EXPECT_THROW(handle{object}, ipc::invalid_handle_type);
}

TEST(Handle, B5_MakesAReceivedConnectionNonBlockingAndKeepsItSo)
{
    auto [accepted, client] = tcp_pair();
    const unique_fd other_holder(::dup(client.get()));
    asio::io_context context;
    {
        ipc::handle given(std::move(client)); // a blocking socket, as a careless sender leaves it
        const auto connection = std::move(given).connection(context.get_executor());
        EXPECT_TRUE(::fcntl(other_holder.get(), F_GETFL) & O_NONBLOCK);
    }
    EXPECT_TRUE(::fcntl(other_holder.get(), F_GETFL) & O_NONBLOCK)
        << "closing a copy changed the socket";
}

} // namespace

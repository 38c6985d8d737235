// What may travel, decided from what the kernel says a descriptor is.

#include "channel_fixture.hpp"

#include <asio/ip/tcp.hpp>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <tuple>

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
    expect_refused(tcp_server(false).get(), "neither connected"); // bound, and no more than that
    expect_refused(12345, "closed descriptor");
}

/// A Unix socket on a path of its own that goes with it; what is done with it is the caller's.
class unix_socket {
public:
    explicit unix_socket(const std::string& name)
        : path("/tmp/ipc_handle_test_" + std::to_string(::getpid()) + "_" + name),
          fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        ::unlink(path.c_str());
        const auto address = name_of();
        if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            throw std::system_error(errno, std::generic_category(), path);
    }
    ~unix_socket() { ::unlink(path.c_str()); }

    unique_fd connect() const
    {
        unique_fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto address = name_of();
        if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address))
            throw std::system_error(errno, std::generic_category(), path);
        return client;
    }

    const std::string path;
    const unique_fd fd;

private:
    sockaddr_un name_of() const
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        return address;
    }
};

TEST(Handle, KnowsTheSocketsOfAUnixPathApart)
{
    const unix_socket server("server");
    expect_refused(server.fd.get(), "neither connected");
    ASSERT_EQ(::listen(server.fd.get(), 1), 0);
    EXPECT_EQ(handle::kind_of(server.fd.get()), handle::kind::server);
    const auto client = server.connect();
    const unique_fd accepted(::accept4(server.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_EQ(handle::kind_of(client.get()), handle::kind::connection);
    EXPECT_EQ(handle::kind_of(accepted.get()), handle::kind::connection);

    EXPECT_EQ(handle::address_of(server.fd.get()), server.path);
    EXPECT_EQ(handle::address_of(accepted.get()), server.path);
    EXPECT_EQ(handle::address_of(client.get()), "");
}

TEST(Handle, SaysWhereASocketIs)
{
    const auto server = tcp_server();
    EXPECT_EQ(handle::address_of(server.get()),
              "127.0.0.1:" + std::to_string(port_of(server.get())));
    EXPECT_THROW(handle::address_of(-1), std::system_error);
    const unique_fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_THROW(handle::address_of(null.get()), std::system_error);

    unique_fd six(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    if (six && ::bind(six.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        EXPECT_TRUE(handle::address_of(six.get()).starts_with("[::1]:"));
    }
}

TEST(Handle, WhatAnEnvelopeCallsItDecidesWithTheKernel)
{
    constexpr auto none = handle::kind::none;
    constexpr auto connection = handle::kind::connection;
    constexpr auto server = handle::kind::server;
    const auto listening = tcp_server();
    const auto bound = tcp_server(false);
    const unique_fd unbound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto [accepted, client] = tcp_pair();
    const unix_socket path("bound");
    const unique_fd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const std::vector<std::tuple<std::string, int, handle::kind>> cases{
        {"net.Socket", accepted.get(), connection},
        {"net.Socket", listening.get(), none},
        {"net.Socket", bound.get(), none},
        {"net.Server", accepted.get(), none},
        {"net.Server", listening.get(), server},
        {"net.Server", unbound.get(), none},
        {"net.Server", udp.get(), none},
        {"net.Native", accepted.get(), connection},
        {"net.Native", listening.get(), server},
        {"net.Native", udp.get(), none},
        {"net.Native", unbound.get(), none},
        {"net.Sock", accepted.get(), none},
        {"", accepted.get(), none},
        {"net.Server", path.fd.get(), server},
        {"net.Server", bound.get(), server}, // the last two listen now
    };
    for (const auto& [type, fd, kind] : cases)
        EXPECT_EQ(handle::kind_as(type, fd), kind) << type << " " << fd;
    EXPECT_EQ(handle::kind_of(bound.get()), server);
    EXPECT_EQ(handle::kind_of(path.fd.get()), server);
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

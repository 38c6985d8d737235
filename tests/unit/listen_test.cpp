// Listening on an address or on a path, with Node's options of server.listen().
#include "channel_fixture.hpp"

#include "ipc/handle.hpp"
#include "net/listen.hpp"
#include "support/tcp.hpp"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>

using std::string;

namespace {

class Listening : public testing::Test {
protected:
    Listening()
    {
        char name[] = "/tmp/listen_test-XXXXXX";
        folder = ::mkdtemp(name);
        path = folder / "socket";
    }
    ~Listening() override { std::filesystem::remove_all(folder); }

    static unique_fd client_of(const string& path)
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        unique_fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            client.reset();
        return client;
    }

    static std::error_code error_of(const std::function<void()>& action)
    {
        try {
            action();
        } catch (const std::system_error& error) {
            return error.code();
        }
        return {};
    }

    mode_t permissions() const
    {
        struct stat file {};
        ::stat(path.c_str(), &file);
        return file.st_mode & 0777;
    }

    void run_ready()
    {
        context.restart();
        while (context.poll() > 0) {
        }
    }

    asio::io_context context;
    asio::any_io_executor executor = context.get_executor();
    std::filesystem::path folder;
    string path;
};

TEST_F(Listening, OnAPathServesItsClientsUntilItCloses)
{
    auto server = net::listen_on_path(executor, path);
    std::size_t served = 0;
    server.on_connection([&](unique_fd connection) {
        ++served;
        EXPECT_EQ(::write(connection.get(), "here", 4), 4);
    });
    const auto client = client_of(path);
    ASSERT_TRUE(client);
    const auto late = client_of(path);
    while (served < 1)
        context.run_one();
    char text[8];
    EXPECT_EQ(::read(client.get(), text, sizeof text), 4);

    server.close(); // and who waits is served
    EXPECT_EQ(served, 2U);
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_FALSE(client_of(path));
}

TEST_F(Listening, ASecondHandlerGetsTheConnectionsFromThenOn)
{
    auto server = net::listen_on_path(executor, path);
    std::size_t first = 0;
    std::size_t second = 0;
    server.on_connection([&](unique_fd) {
        ++first;
        server.on_connection([&](unique_fd) { ++second; });
        EXPECT_EQ(first, 1U) << "this one is still there";
    });
    const unique_fd clients[] = {client_of(path), client_of(path), client_of(path)};
    while (first + second < std::size(clients))
        context.run_one();
    EXPECT_EQ(first, 1U);
    EXPECT_EQ(second, 2U);

    server.close();
    EXPECT_EQ(error_of([&] { server.on_connection([](unique_fd) {}); }),
              std::errc::bad_file_descriptor);
}

TEST_F(Listening, OnAPathEndsForAllAndServesWhoWaits)
{
    auto server = net::listen_on_path(executor, path);
    std::size_t served = 0;
    server.on_connection([&](unique_fd) { ++served; });
    const auto one = client_of(path);
    const auto other = client_of(path);
    bool done = false;
    asio::co_spawn(context, server.close_for_all(), [&](std::exception_ptr) { done = true; });
    context.restart();
    while (!done)
        context.run_one_for(std::chrono::milliseconds(20));
    EXPECT_EQ(served, 2U);
    EXPECT_FALSE(client_of(path));
}

TEST_F(Listening, TheFileGoesWithTheServerWhereverThatHasBeenMoved)
{
    {
        auto first = net::listen_on_path(executor, path);
        auto moved = std::move(first);
        EXPECT_TRUE(client_of(path));
        moved = net::listen_on_path(executor, path + "2");
        EXPECT_FALSE(std::filesystem::exists(path)) << "that of the one before";
        EXPECT_TRUE(client_of(path + "2"));
    }
    EXPECT_FALSE(std::filesystem::exists(path + "2"));
}

TEST_F(Listening, TheFileStaysWhenTheSocketIsGivenAway)
{
    auto server = net::listen_on_path(executor, path);
    {
        const ipc::handle copy(server);
        EXPECT_TRUE(copy.is_server());
    }
    EXPECT_TRUE(client_of(path)) << "a copy has nothing to do with it";
    const ipc::handle given(std::move(server));
    EXPECT_EQ(ipc::handle::address_of(given.native_handle()), path);
    server.close();
    EXPECT_TRUE(client_of(path)) << "it serves on, elsewhere";
}

// The old service of two ends while the new one serves already.
TEST_F(Listening, AFileThatIsAnothersByNowIsNotRemoved)
{
    auto old = net::listen_on_path(executor, path);
    EXPECT_EQ(error_of([&] { net::listen_on_path(executor, path); }), std::errc::address_in_use);
    std::filesystem::rename(path, path + ".old"); // so that its inode is not given to the next
    auto anew = net::listen_on_path(executor, path);
    old.close();
    EXPECT_TRUE(client_of(path));
}

TEST_F(Listening, APathThatCannotBeSaysWhy)
{
    EXPECT_EQ(error_of([&] { net::listen_on_path(executor, ""); }), std::errc::invalid_argument);
    EXPECT_EQ(error_of([&] { net::listen_on_path(executor, string("a\0b", 3)); }),
              std::errc::invalid_argument);
    EXPECT_EQ(error_of([&] { net::listen_on_path(executor, "/no/such/folder/socket"); }),
              std::errc::no_such_file_or_directory);
    EXPECT_EQ(error_of([&] { net::listen_on_path(executor, folder / string(200, 'x')); }),
              std::errc::filename_too_long);
    std::ofstream(path) << "not a socket";
    EXPECT_EQ(error_of([&] { net::listen_on_path(executor, path); }), std::errc::address_in_use);
    EXPECT_TRUE(std::filesystem::exists(path)) << "and it is left alone";
}

// As in Node: 107 bytes are what the kernel takes, and from here it may be less.
TEST_F(Listening, APathThatIsTooLongMayBeShortEnoughFromHere)
{
    const auto deep = folder / string(90, 'd');
    std::filesystem::create_directory(deep);
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(deep);
    {
        const auto server = net::listen_on_path(executor, deep / "socket");
        EXPECT_TRUE(client_of("socket"));
        std::filesystem::current_path(before); // its file is removed all the same
    }
    EXPECT_FALSE(std::filesystem::exists(deep / "socket"));
}

TEST_F(Listening, APathIsTheOneThatWasGivenAndItsFileGoesFromAnyFolder)
{
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder);
    {
        const auto whole = net::listen_on_path(executor, path);
        EXPECT_EQ(ipc::handle::address_of(whole.native_handle()), path);
        const auto relative = net::listen_on_path(executor, "relative");
        EXPECT_EQ(ipc::handle::address_of(relative.native_handle()), "relative");
        std::filesystem::current_path(before);
    }
    EXPECT_FALSE(std::filesystem::exists(folder / "relative"));
}

TEST_F(Listening, ThePermissionsOfAPathAreWidenedOnRequest)
{
    const auto mask = ::umask(077);
    {
        const auto server = net::listen_on_path(executor, path);
        EXPECT_EQ(permissions(), 0700U);
    }
    net::listen_options options;
    options.writable_all = true;
    {
        const auto server = net::listen_on_path(executor, path, options);
        EXPECT_EQ(permissions(), 0722U);
    }
    options.readable_all = true;
    const auto server = net::listen_on_path(executor, path, options);
    EXPECT_EQ(permissions(), 0766U);
    ::umask(mask);
}

TEST_F(Listening, IPv6OnlyLeavesIPv4ToOthers)
{
    if (!support::has_ipv6())
        GTEST_SKIP() << "no IPv6 here";
    net::listen_options options;
    const auto both = net::listen(executor, "::", 0, options);
    EXPECT_EQ(error_of([&] { net::listen(executor, "0.0.0.0", both.address().port()); }),
              std::errc::address_in_use);
    options.ipv6_only = true;
    bool both_listen = false;
    for (int i = 0; i < 10 && !both_listen; ++i) { // somebody else may have the port
        const auto ipv6 = net::listen(executor, "::", 0, options);
        both_listen = !error_of([&] { net::listen(executor, "0.0.0.0", ipv6.address().port()); });
    }
    EXPECT_TRUE(both_listen);
}

TEST_F(Listening, TheBacklogIsWhatWasAskedFor)
{
    const auto backlog_of = [](const net::server& server) {
        tcp_info info{};
        socklen_t length = sizeof info;
        ::getsockopt(server.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &length);
        return info.tcpi_sacked; // of one that listens (tcp_get_info() in Linux)
    };
    net::listen_options options;
    options.backlog = 7;
    EXPECT_EQ(backlog_of(net::listen(executor, "127.0.0.1", 0, options)), 7U);
    EXPECT_GT(backlog_of(net::listen(executor, "127.0.0.1", 0)), 100U);
}

} // namespace

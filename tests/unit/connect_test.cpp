// Connecting within a limit, to whichever address answers.
#include "net/connect.hpp"
#include "net/error.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/this_coro.hpp>

#include <optional>

using asio::ip::tcp;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

struct outcome {
    std::optional<tcp::endpoint> connected;
    std::error_code error;
};

asio::awaitable<void> connect(std::vector<tcp::endpoint> addresses, std::chrono::milliseconds limit,
                              outcome& result)
{
    try {
        const auto executor = co_await asio::this_coro::executor;
        const auto socket = co_await net::connect(executor, std::move(addresses), limit);
        result.connected = socket.remote_endpoint();
    } catch (const std::system_error& error) {
        result.error = error.code();
    }
}

outcome connect(std::vector<tcp::endpoint> addresses, std::chrono::milliseconds limit)
{
    asio::io_context context{1};
    outcome result;
    asio::co_spawn(context, connect(std::move(addresses), limit, result), asio::detached);
    context.run();
    return result;
}

tcp::endpoint loopback(std::uint16_t port)
{
    return {asio::ip::address_v4::loopback(), port};
}

TEST(Connect, TriesTheNextAddressWhenOneRefuses)
{
    const support::listener good;
    const auto result = connect({loopback(support::unused_port()), loopback(good.port())}, 10s);
    EXPECT_EQ(result.connected, loopback(good.port())) << result.error.message();
}

TEST(Connect, GivesUpOnASilentAddressAfterTheLimit)
{
    const support::full_listener silent;
    const auto begin = steady_clock::now();
    const auto result = connect({loopback(silent.port())}, 100ms);
    EXPECT_EQ(result.error, std::errc::timed_out);
    EXPECT_GE(steady_clock::now() - begin, 100ms);
}

TEST(Connect, ASilentAddressLeavesTimeForTheNext)
{
    const support::full_listener silent;
    const support::listener good;
    const auto begin = steady_clock::now();
    const auto result = connect({loopback(silent.port()), loopback(good.port())}, 400ms);
    EXPECT_EQ(result.connected, loopback(good.port())) << result.error.message();
    EXPECT_GE(steady_clock::now() - begin, 200ms) << "half of it for the first";
}

TEST(Connect, GivesUpOnManySilentAddressesThoughTheLimitIsOverAfterTheFirst)
{
    const support::full_listener silent[5];
    std::vector<tcp::endpoint> addresses;
    for (const auto& one : silent)
        addresses.push_back(loopback(one.port()));
    asio::io_context context{1};
    outcome result;
    asio::co_spawn(context, connect(addresses, 1ms, result), asio::detached);
    context.run_for(support::patient(2s)); // returns when it is done
    EXPECT_TRUE(context.stopped()) << "it still tries";
    EXPECT_EQ(result.error, std::errc::timed_out);
}

TEST(Connect, ReportsTheLastRefusal)
{
    for (const auto limit : {0ms, 1000ms}) {
        const auto result = connect({loopback(support::unused_port())}, limit);
        EXPECT_TRUE(net::means(result.error, std::errc::connection_refused))
            << result.error.message();
    }
}

} // namespace

// The client by itself: what another request may be sent on.
#include "http/client.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <exception>
#include <string>

namespace {

TEST(HttpClientItself, BytesThatNobodyAskedForAreNoAnswerToTheNextRequest)
{
    for (const std::string unasked : {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "x", ""}) {
        support::listener server;
        asio::io_context context{1};
        asio::ip::tcp::socket socket(context);
        socket.connect({asio::ip::address_v4::loopback(), server.port()});
        auto connection = server.accept();
        http::client client(std::move(socket), "a");

        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        std::exception_ptr failure;
        asio::co_spawn(context, client.get("/", true),
                       [&](std::exception_ptr error, const http::answer& answer) {
                           failure = error;
                           EXPECT_EQ(answer.body, "hello");
                       });
        context.run();
        ASSERT_FALSE(failure);
        EXPECT_TRUE(client.reusable());
        if (unasked.empty())
            continue;
        connection.send(unasked);
        EXPECT_TRUE(support::eventually([&] { return !client.reusable(); })) << unasked;
    }
}

} // namespace

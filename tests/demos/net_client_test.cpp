// The document's first client: one line for each connection.
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

using namespace support;
using std::string;

namespace {

TEST(NetClient, WaitsForTheEndOfTheStreamAndPrintsOneLine)
{
    listener server;
    process program({client("net_client"), "--port", std::to_string(server.port()), "-n", "1"});
    auto connection = server.accept();
    connection.send("http socket0 ");
    connection.send("子进程：");
    connection.send("28218");
    connection.close();
    EXPECT_EQ(program.wait_exit(), exited(0));
    EXPECT_EQ(program.out(), "http socket0 子进程：28218\n");
    EXPECT_EQ(program.err(), "");
}

TEST(NetClient, SaysWhenAServerClosesWithoutAWord)
{
    listener server;
    process program({client("net_client"), "--port", std::to_string(server.port()), "-n", "2"});
    server.accept().close();
    server.accept().close();
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), "");
    EXPECT_EQ(program.err(), "net_client: the server closed the connection without a word\n"
                             "net_client: the server closed the connection without a word\n");
}

TEST(NetClient, OpensAtMost64AtOnceUnlessTold)
{
    listener server;
    process program({client("net_client"), "--port", std::to_string(server.port()), "-n", "80"});
    std::vector<connection> open;
    for (int i = 0; i < 64; ++i)
        open.push_back(server.accept());
    EXPECT_FALSE(server.somebody_waits(milliseconds(100))) << "a 65th";
    open.clear();
    for (int i = 64; i < 80; ++i)
        server.accept().close();
    EXPECT_EQ(program.wait_exit(), exited(1));
}

} // namespace

// The document's second client: the body, then "end".
#include "support/programs.hpp"
#include "support/tcp.hpp"
#include "unit/http_response_cases.hpp"

#include <gtest/gtest.h>

#include <system_error>

using namespace support;
using std::string;
using std::vector;

namespace {

class HttpClient : public testing::Test {
protected:
    process start(std::vector<string> more) const
    {
        more.insert(more.begin(), {client("http_client"), "--port", std::to_string(server.port())});
        return process(more);
    }
    listener server;
};

string response(const string& body, const string& header = "")
{
    return "HTTP/1.1 200 OK\r\n" + header + "Content-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

TEST_F(HttpClient, AsksInProperHttp)
{
    process program = start({"-n", "1"});
    auto connection = server.accept();
    const auto request = connection.read_until("\r\n\r\n");
    EXPECT_TRUE(request.starts_with("GET / HTTP/1.1\r\n")) << request;
    EXPECT_NE(request.find("\r\nHost: localhost:" + std::to_string(server.port()) + "\r\n"),
              string::npos)
        << request;
    EXPECT_NE(request.find("\r\nConnection: close\r\n"), string::npos) << request;
    connection.send(response("hello"));
    EXPECT_EQ(program.wait_exit(), exited(0));
    EXPECT_EQ(program.out(), "hello\nend\n");
}

TEST_F(HttpClient, KeepAliveReusesTheConnection)
{
    process program = start({"-n", "3", "-c", "1", "--keep-alive"});
    auto connection = server.accept();
    for (const string body : {"one", "two", "three"}) {
        const auto request = connection.read_until("\r\n\r\n");
        EXPECT_EQ(request.find("Connection: close"), string::npos) << request;
        connection.send(response(body));
    }
    EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
    EXPECT_EQ(program.out(), "one\nend\ntwo\nend\nthree\nend\n");
    EXPECT_FALSE(server.somebody_waits(milliseconds(0)));
}

TEST_F(HttpClient, KeepAliveReconnectsWhenTheServerHasClosed)
{
    process program = start({"-n", "2", "-c", "1", "--keep-alive"});
    auto first = server.accept();
    first.read_until("\r\n\r\n");
    first.send(response("one", "Connection: close\r\n"));
    first.close();
    auto second = server.accept();
    second.read_until("\r\n\r\n");
    second.send(response("two"));
    EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
    EXPECT_EQ(program.out(), "one\nend\ntwo\nend\n");
}

TEST_F(HttpClient, ReadsChunksAndBodiesThatEndWithTheConnection)
{
    process program = start({"-n", "2", "-c", "1"});
    {
        auto chunked = server.accept();
        chunked.read_until("\r\n\r\n");
        chunked.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        chunked.send("6\r\n world\r\n0\r\n\r\n");
    }
    {
        auto endless = server.accept();
        endless.read_until("\r\n\r\n");
        endless.send("HTTP/1.1 200 OK\r\n\r\nuntil I close");
    }
    EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
    EXPECT_EQ(program.out(), "hello world\nend\nuntil I close\nend\n");
}

TEST_F(HttpClient, RefusesHalfAnAnswer)
{
    process program = start({"-n", "1"});
    auto connection = server.accept();
    connection.read_until("\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    connection.close();
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), "") << "no \"end\" for what has not ended";
    EXPECT_EQ(program.err().find("http_client: "), 0u) << program.err();
}

TEST_F(HttpClient, RefusesWhatIsNotHttp)
{
    process program = start({"-n", "1"});
    auto connection = server.accept();
    connection.read_until("\r\n\r\n");
    connection.send("http socket0 子进程：28218");
    connection.close();
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), "");
    EXPECT_EQ(lines(program.err()).size(), 1u) << program.err();
}

TEST_F(HttpClient, RefusesWhatIsNotHttpWithOneLineThatSaysSo)
{
    const vector<string> rubbish{"\r\n\r\nhello\r\n\r\n",
                                 "HTTP/2.0 200 OK\r\n\r\n",
                                 "HTTP/1.1 OK\r\n\r\n",
                                 "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
                                 "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nhi",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                                 string(100, '\0')};
    for (const auto& answer : rubbish) {
        process program = start({"-n", "1"});
        auto connection = server.accept();
        connection.read_until("\r\n\r\n");
        connection.send(answer);
        EXPECT_EQ(program.wait_exit(), exited(1)) << answer;
        EXPECT_EQ(program.out(), "") << answer;
        EXPECT_EQ(lines(program.err()).size(), 1u) << program.err();
        EXPECT_EQ(program.err().find("http_client: the answer is not HTTP/1.1: "), 0u)
            << program.err();
    }
}

TEST_F(HttpClient, EachRawAnswerIsPrintedInFullOrRefusedWithOneLine)
{
    const auto& cases = http_response_cases::all;
    process program = start({"-n", std::to_string(cases.size()), "-c", "1"});
    string printed;
    vector<string> refused;
    for (const auto& one : cases) {
        ASSERT_TRUE(eventually([&] { // the program waits for us, too, when its output is long
            return program.has_ended() || server.somebody_waits(milliseconds(0));
        }));
        auto connection = server.accept();
        connection.read_until("\r\n\r\n");
        try {
            connection.send(one.bytes);
        } catch (const std::system_error&) { // it has seen enough
        }
        if (one.status == 200)
            printed += one.body + "\nend\n";
        else
            refused.push_back(one.name);
    }
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), printed);
    const auto said = lines(program.err());
    ASSERT_EQ(said.size(), refused.size()) << program.err();
    for (std::size_t i = 0; i < said.size(); ++i)
        EXPECT_TRUE(said[i].starts_with("http_client: the ")) << refused[i] << ": " << said[i];
}

TEST_F(HttpClient, SaysInWhichWayAnAnswerIsNotToBeRead)
{
    using namespace http_response_cases;
    const vector<std::pair<string, string>> cases{
        {coded(" xchunked"), "the answer cannot be read: unknown transfer coding"},
        {coded(" gzip, chunked"), "the answer cannot be read: unknown transfer coding"},
        {coded(" chunkedx"), "the answer cannot be read: unknown transfer coding"},
        {head_of(max_header_size + 1), "the head of the answer is too large"},
        {line("HTTP/1.1 200 " + string(max_header_size, 'x')),
         "the head of the answer is too large"},
        {ok("Content-Length: 1048577\r\n"), "the answer is too long"},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n",
         "the answer is not HTTP/1.1: it changes to a protocol that nobody asked for"},
        {line("HTTP/1.1 600 x"), "the server answered with status 600"},
        {ok("Content-Length: 6\r\n", "hello"),
         "the server closed the connection in the middle of its answer"},
    };
    for (const auto& [bytes, text] : cases) {
        process program = start({"-n", "1"});
        auto connection = server.accept();
        connection.read_until("\r\n\r\n");
        connection.send(bytes);
        connection.close();
        EXPECT_EQ(program.wait_exit(), exited(1));
        EXPECT_EQ(program.out(), "");
        EXPECT_EQ(program.err(), "http_client: " + text + "\n");
    }
}

TEST_F(HttpClient, InterimAnswersForEverAreNoAnswer)
{
    process program = start({"-n", "1", "--timeout", "0"});
    auto connection = server.accept();
    connection.read_until("\r\n\r\n");
    try {
        for (;;)
            connection.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    } catch (const std::system_error&) { // it has had enough
    }
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.err(), "http_client: the server announces its answer for ever\n");
}

TEST_F(HttpClient, AStatusOtherThan200IsAFailureWithOneLine)
{
    process program = start({"-n", "2", "-c", "1", "--keep-alive"});
    auto connection = server.accept();
    connection.read_until("\r\n\r\n");
    connection.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy");
    connection.read_until("\r\n\r\n"); // the connection is as good as before
    connection.send(response("hello"));
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), "hello\nend\n");
    EXPECT_EQ(program.err(), "http_client: the server answered with status 503\n");
}

TEST_F(HttpClient, SkipsInterimAnswers)
{
    process program = start({"-n", "1"});
    auto connection = server.accept();
    connection.read_until("\r\n\r\n");
    connection.send("HTTP/1.1 102 Processing\r\n\r\n");
    connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response("hello"));
    EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
    EXPECT_EQ(program.out(), "hello\nend\n");
}

TEST_F(HttpClient, AsksAgainWhenAKeptConnectionHasEndedMeanwhile)
{
    for (const bool reset : {false, true}) {
        process program = start({"-n", "2", "-c", "1", "--keep-alive"});
        auto first = server.accept();
        first.read_until("\r\n\r\n");
        first.send(response("one")); // says nothing about the end
        first.read_until("\r\n\r\n");
        if (reset)
            first.reset();
        else
            first.close();
        auto second = server.accept();
        second.read_until("\r\n\r\n");
        second.send(response("two"));
        EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
        EXPECT_EQ(program.out(), "one\nend\ntwo\nend\n");
    }
}

TEST_F(HttpClient, AsksOnlyOnceOverANewConnection)
{
    process program = start({"-n", "1", "--keep-alive"});
    server.accept().close();
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(lines(program.err()).size(), 1u) << program.err();
    EXPECT_FALSE(server.somebody_waits(milliseconds(0)));
}

TEST_F(HttpClient, SpeaksOfAnIPv6HostInBrackets)
{
    listener v6("::1");
    process program(
        {client("http_client"), "--port", std::to_string(v6.port()), "--host", "::1", "-n", "1"});
    auto connection = v6.accept();
    const auto request = connection.read_until("\r\n\r\n");
    EXPECT_NE(request.find("\r\nHost: [::1]:" + std::to_string(v6.port()) + "\r\n"), string::npos)
        << request;
    connection.send(response("hello"));
    EXPECT_EQ(program.wait_exit(), exited(0));
}

} // namespace

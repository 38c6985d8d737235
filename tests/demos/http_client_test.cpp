// The document's second client: the body, then "end".
#include "support/programs.hpp"
#include "support/tcp.hpp"
#include "unit/http_response_cases.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
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
        {coded(" chunked\t"), "the answer cannot be read: unknown transfer coding"},
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
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 here";
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

TEST_F(HttpClient, LeavesTheZoneOfAnAddressOutOfItsHost)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 here";
    listener v6("::1");
    const auto port = std::to_string(v6.port());
    for (const auto& arguments : {vector<string>{"--host", "::1%1", "--port", port},
                                  vector<string>{"http://[::1%251]:" + port}}) {
        vector<string> command{client("http_client"), "-n", "1"};
        command.insert(command.end(), arguments.begin(), arguments.end());
        process program(command);
        auto connection = v6.accept();
        const auto request = connection.read_until("\r\n\r\n");
        EXPECT_NE(request.find("\r\nHost: [::1]:" + port + "\r\n"), string::npos) << request;
        connection.send(response("hello"));
        EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
    }
}

TEST_F(HttpClient, AsksForAUrl)
{
    const auto port = std::to_string(server.port());
    const vector<std::pair<string, string>> cases{
        {"http://localhost:" + port + "/", "GET / HTTP/1.1\r\nHost: localhost:" + port + "\r\n"},
        {"http://127.0.0.1:" + port, "GET / HTTP/1.1\r\nHost: 127.0.0.1:" + port + "\r\n"},
        {"http://localhost:" + port + "/a b?c=子#d",
         "GET /a%20b?c=%E5%AD%90 HTTP/1.1\r\nHost: localhost:" + port + "\r\n"},
    };
    for (const auto& [url, request] : cases) {
        process program({client("http_client"), url, "-n", "1"});
        auto connection = server.accept();
        EXPECT_EQ(connection.read_until("\r\n\r\n").find(request), 0u) << url;
        connection.send(response("hello"));
        EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
        EXPECT_EQ(program.out(), "hello\nend\n");
    }
}

TEST_F(HttpClient, RefusesAUrlThatItCannotAskForWithExitCode2)
{
    const auto port = std::to_string(server.port());
    const string url = "http://localhost:" + port + "/";
    const vector<vector<string>> mistakes{
        {url, "--host", "localhost"},          {"--port", port, url},       {url, url},
        {"https://localhost:" + port + "/"},   {"ftp://localhost/"},        {"localhost:" + port},
        {"http://me@localhost:" + port + "/"}, {"http://localhost:65536/"}, {url + "\r\nX: y"}};
    for (auto mistake : mistakes) {
        const auto what = join(mistake, " ");
        mistake.insert(mistake.begin(), client("http_client"));
        const auto result = run(mistake);
        EXPECT_EQ(result.status, exited(2)) << what;
        EXPECT_EQ(result.out, "") << what;
        EXPECT_EQ(lines(result.err).size(), 2u) << result.err;
    }
    EXPECT_FALSE(server.somebody_waits(milliseconds(0)));
}

/// In a process of its own network, where lo has a link-local address. Async-signal-safe.
void in_a_network_of_its_own()
{
    if (!enter_a_new_network())
        ::_exit(77);
    const int fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq lo{};
    std::strcpy(lo.ifr_name, "lo");
    lo.ifr_flags = IFF_UP;
    in6_ifreq address{};
    address.ifr6_addr.s6_addr[0] = 0xfe;
    address.ifr6_addr.s6_addr[1] = 0x80;
    address.ifr6_addr.s6_addr[15] = 1;
    address.ifr6_prefixlen = 64;
    address.ifr6_ifindex = 1;
    if (::ioctl(fd, SIOCSIFFLAGS, &lo) != 0 || ::ioctl(fd, SIOCSIFADDR, &address) != 0)
        ::_exit(77);
    sockaddr_in6 here{}; // until the kernel lets us use it
    here.sin6_family = AF_INET6;
    here.sin6_addr = address.ifr6_addr;
    here.sin6_scope_id = 1;
    while (::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 &&
           errno == EADDRNOTAVAIL)
        ::poll(nullptr, 0, 1);
    ::close(fd);
}

TEST_F(HttpClient, FindsADemoAtALinkLocalAddressByTheHintInItsReadyLine)
{
    if (run({"/bin/true"}, {.before_exec = in_a_network_of_its_own}).status == exited(77))
        GTEST_SKIP() << "no network namespace here; LeavesTheZoneOfAnAddressOutOfItsHost is alike";
    running_demo main("http_cluster", {"--host", "fe80::1%lo"},
                      {.before_exec = in_a_network_of_its_own});
    EXPECT_EQ(main.address, "[fe80::1%lo]");
    const auto port = std::to_string(main.port);
    const auto arguments = " --host fe80::1%lo --port " + port;
    EXPECT_TRUE(main.hint.ends_with(arguments)) << main.hint;

    const auto network_of_main = [pid = main.pid()] {
        char path[64];
        for (const char* kind : {"user", "net"}) { // the former fails where it is ours
            std::snprintf(path, sizeof path, "/proc/%d/ns/%s", static_cast<int>(pid), kind);
            const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
            ::setns(fd, 0);
        }
    };
    for (const auto& way : {vector<string>{"--host", "fe80::1%lo", "--port", port},
                            vector<string>{"http://[fe80::1%25lo]:" + port}}) {
        vector<string> command{client("http_client"), "-n", "1"};
        command.insert(command.end(), way.begin(), way.end());
        const auto result = run(command, {.before_exec = network_of_main});
        EXPECT_EQ(result.status, exited(0)) << result.err;
        EXPECT_EQ(result.out.find("Request handled by worker-"), 0u) << result.out;
    }
    EXPECT_EQ(main.stop(), exited(0));
}

} // namespace

// The HTTP service cluster: each worker feeds the connections it accepts to an HTTP server of its
// own.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

using namespace support;
using std::string;

namespace {

const string request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const string last_request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

pid_t worker_in(const string& response)
{
    return parse_http_reply(response.substr(response.find("\r\n\r\n") + 4));
}

bool is_worker(const running_demo& main, pid_t pid)
{
    return std::count(main.workers.begin(), main.workers.end(), pid) == 1;
}

TEST(HttpCluster, AnswersAsTheDocumentSays)
{
    running_demo main("http_cluster");
    auto connection = connect(main.port);
    connection.send(last_request);
    const auto response = connection.read_to_end();
    EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
    EXPECT_NE(response.find("\r\nContent-Type: text/plain\r\n"), string::npos) << response;
    EXPECT_TRUE(is_worker(main, worker_in(response)));
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(main.out(), "server is start\n");
}

TEST(HttpCluster, ClientPrintsBodyAndEnd)
{
    running_demo main("http_cluster");
    const auto asked = run({client("http_client"), "--port", std::to_string(main.port)});
    EXPECT_EQ(asked.status, exited(0));
    EXPECT_EQ(asked.err, "");
    const auto printed = lines(asked.out);
    ASSERT_EQ(printed.size(), 10u) << asked.out;
    for (std::size_t i = 0; i < 10; i += 2) {
        EXPECT_TRUE(is_worker(main, parse_http_reply(printed[i])));
        EXPECT_EQ(printed[i + 1], "end");
    }
}

TEST(HttpCluster, OneConnectionStaysWithOneWorker)
{
    running_demo main("http_cluster");
    auto connection = connect(main.port);
    std::set<pid_t> pids;
    for (int i = 0; i < 8; ++i) { // a browser that reloads
        connection.send(request);
        const auto response = connection.read_until("worker-");
        EXPECT_EQ(response.find("Connection: close"), string::npos) << response;
        const auto length = response.find("Content-Length: ");
        ASSERT_NE(length, string::npos) << response;
        const auto size = std::stoul(response.substr(length + 16));
        auto body = response.substr(response.find("\r\n\r\n") + 4);
        while (body.size() < size)
            body += connection.read_until("");
        pids.insert(parse_http_reply(body));
    }
    EXPECT_EQ(pids.size(), 1u);
    EXPECT_TRUE(is_worker(main, *pids.begin()));
}

TEST(HttpCluster, KeepAliveClientMeetsFewerWorkersThanConnections)
{
    running_demo main("http_cluster");
    const auto asked = run({client("http_client"), "--port", std::to_string(main.port),
                            "--keep-alive", "-n", "20", "-c", "1"});
    EXPECT_EQ(asked.status, exited(0)) << asked.err;
    std::set<pid_t> pids;
    for (const auto& line : lines(asked.out))
        if (line != "end")
            pids.insert(parse_http_reply(line));
    EXPECT_EQ(pids.size(), 1u);
}

TEST(HttpCluster, EveryWorkerAnswersWhenTheOthersCannot)
{
    running_demo main("http_cluster");
    for (const auto worker : main.workers) {
        for (const auto other : main.workers)
            ::kill(other, other == worker ? SIGCONT : SIGSTOP);
        auto connection = connect(main.port);
        connection.send(last_request);
        EXPECT_EQ(worker_in(connection.read_to_end()), worker);
    }
    for (const auto worker : main.workers)
        ::kill(worker, SIGCONT);
    EXPECT_EQ(main.stop(), exited(0));
}

TEST(HttpCluster, RefusesWhatIsNotHttpAndServesTheNext)
{
    running_demo main("http_cluster", {"--workers", "1"});
    auto nonsense = connect(main.port);
    nonsense.send("GET this is not HTTP\r\n\r\n");
    EXPECT_TRUE(nonsense.read_to_end().starts_with("HTTP/1.1 400 "));
    auto connection = connect(main.port);
    connection.send(last_request);
    EXPECT_EQ(worker_in(connection.read_to_end()), main.workers[0]);
    EXPECT_EQ(main.stop(), exited(0));
}

TEST(HttpCluster, PassesItsHttpSettingsToTheWorkers)
{
    running_demo main("http_cluster", {"--max-header-size", "200", "--max-requests-per-socket", "1",
                                       "--headers-timeout", "200", "--keep-alive-timeout", "100"});
    auto big = connect(main.port);
    big.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + string(300, 'x') + "\r\n\r\n");
    EXPECT_TRUE(big.read_to_end().starts_with("HTTP/1.1 431 "));
    auto only_one = connect(main.port);
    only_one.send(request);
    EXPECT_NE(only_one.read_to_end(milliseconds(3000)).find("Connection: close"), string::npos);
    auto slow = connect(main.port);
    slow.send("GET / HTTP/1.1\r\n");
    EXPECT_TRUE(slow.read_to_end(milliseconds(3000)).starts_with("HTTP/1.1 408 "));
}

TEST(HttpCluster, IdleConnectionsDoNotDelayTheStop)
{
    running_demo main("http_cluster");
    auto idle = connect(main.port);
    idle.send(request);
    idle.read_until("worker-");
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_LT(std::chrono::steady_clock::now() - start, patient(milliseconds(1900)))
        << "the drain's limit is 2 s";
}

} // namespace

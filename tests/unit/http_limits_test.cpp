// The limits of the HTTP server: sizes, times, and clients that do not read.
#include "unit/http_fixture.hpp"
#include "unit/memory.hpp"

using namespace http_test;
using std::chrono::steady_clock;

namespace {

TEST_F(HttpServer, E3_64HeadersOfAMebibyteAre431EachAndTheirMemoryIsThatOfTheLimit)
{
    start();
    const string begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    const string header = begin + string(memory::mebibyte - begin.size() - 4, 'x') + "\r\n\r\n";
    vector<client> all;
    for (int i = 0; i < 64; ++i)
        all.push_back(connect());
    settle();
    memory::growth growth;
    for (std::size_t at = 0, piece = 8'000; at < header.size(); at += piece)
        for (auto& one : all) { // all of them at once; most of it goes to those who have refused it
            one.send(std::string_view(header).substr(at, piece));
            settle();
            growth.look();
        }
    for (auto& one : all) {
        EXPECT_TRUE(one.received().starts_with("HTTP/1.1 431 ")) << one.received();
        EXPECT_TRUE(one.has_ended());
    }
    EXPECT_EQ(server->counters().refused, 64u);
    EXPECT_TRUE(served.empty());
    if (memory::is_given_back) {
        EXPECT_LT(growth.most(), 4 * memory::mebibyte) << "64 times 16 KiB is one";
    }
}

TEST_F(HttpServer, E3_AConnectionWithoutAByteIsEndedWithoutAWord)
{
    start({.headers_timeout = 100ms});
    const auto begin = steady_clock::now();
    client peer = connect();
    run_until([&] { return peer.has_ended(); });
    EXPECT_GE(steady_clock::now() - begin, 100ms);
    EXPECT_EQ(peer.received(), "");
}

TEST_F(HttpServer, E3_AHeaderThatDripsIs408AfterHeadersTimeoutAndOthersAreServed)
{
    start({.headers_timeout = 200ms});
    const auto begin = steady_clock::now();
    client slow = connect();
    client other = connect();
    slow.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
    std::size_t asked = 0;
    run_until([&] {
        drip(slow);
        if (replies(other.received()).size() == asked) {
            other.send(get("/"));
            ++asked;
        }
        return slow.has_ended() || slow.is_broken();
    });
    EXPECT_GE(steady_clock::now() - begin, 200ms);
    EXPECT_TRUE(slow.received().starts_with("HTTP/1.1 408 ")) << slow.received();
    EXPECT_GT(asked, 1u);
    EXPECT_FALSE(other.has_ended());
}

TEST_F(HttpServer, E3_TheHeaderOfANewConnectionIsTimedFromItsBeginning)
{
    start({.headers_timeout = 200ms});
    client peer = connect();
    run_for(100ms);
    client later = connect();
    settle();
    peer.send("GET"); // not another 200 ms from here
    settle();
    run_until([&] { return peer.has_ended() || later.has_ended(); });
    EXPECT_TRUE(peer.has_ended());
}

TEST_F(HttpServer, E3_ABodyThatDripsIs408AfterRequestTimeout)
{
    start({.request_timeout = 200ms});
    const auto begin = steady_clock::now();
    client slow = connect();
    slow.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    run_until([&] {
        drip(slow);
        return slow.has_ended() || slow.is_broken();
    });
    EXPECT_GE(steady_clock::now() - begin, 200ms);
    EXPECT_TRUE(slow.received().starts_with("HTTP/1.1 408 ")) << slow.received();
    EXPECT_TRUE(served.empty());
}

TEST_F(HttpServer, E3_AnIdleConnectionIsEndedAfterKeepAliveTimeout)
{
    start({.keep_alive_timeout = 100ms});
    client peer = connect();
    const auto begin = steady_clock::now();
    peer.send(get("/"));
    run_until([&] { return peer.has_ended(); });
    EXPECT_GE(steady_clock::now() - begin, 100ms);
    EXPECT_EQ(replies(peer.received()).size(), 1u) << "no word about it";
}

TEST_F(HttpServer, E3_EmptyLinesDoNotKeepAConnectionAlive)
{
    start({.headers_timeout = 150ms, .keep_alive_timeout = 150ms});
    client idle = connect();
    idle.send(get("/"));
    client silent = connect();
    run_until([&] {
        idle.send("\r\n");
        silent.send("\r\n");
        return (idle.has_ended() || idle.is_broken()) && (silent.has_ended() || silent.is_broken());
    });
    EXPECT_EQ(served.size(), 1u);
}

TEST_F(HttpServer, KeepAliveTimeoutCountsFromTheAnswerNotFromTheRequest)
{
    start({.keep_alive_timeout = 600ms});
    client peer = connect();
    peer.send("GET / HTTP/1.1\r\n");
    run_for(800ms);
    peer.send("Host: a\r\n\r\n");
    run_for(200ms); // several sweeps
    EXPECT_EQ(replies(peer.received()).size(), 1u);
    EXPECT_FALSE(peer.has_ended());
}

TEST_F(HttpServer, ZeroMeansNoLimit)
{
    start({.headers_timeout = 0ms, .request_timeout = 0ms, .keep_alive_timeout = 0ms});
    client silent = connect();
    client slow = connect();
    client idle = connect();
    slow.send("GET / HT");
    idle.send(get("/"));
    run_for(600ms); // two sweeps
    EXPECT_FALSE(silent.has_ended() || slow.has_ended() || idle.has_ended());
    EXPECT_EQ(idle.received().find("Keep-Alive:"), string::npos);
}

TEST_F(HttpServer, AClientThatSendsWithoutReadingIsLeftWithItsRequests)
{
    start();
    client peer = connect();
    const string requests = [] {
        string all;
        for (int i = 0; i < 200; ++i)
            all += get("/again");
        return all;
    }();
    std::size_t sent = 0;
    for (std::size_t taken = 1; taken > 0; sent += taken) {
        taken = peer.send(std::string_view(requests).substr(sent % requests.size()));
        settle();
    }
    // What the kernel holds on either way, and what the server may hold; not what we could send.
    EXPECT_LT(sent, 2'000'000u);
    const auto unread = served.size();
    EXPECT_LT(unread, 20'000u);

    run_until([&] { return peer.received(), settle() == 0; });
    EXPECT_EQ(served.size(), sent / get("/again").size());
    EXPECT_GE(served.size(), unread);
    EXPECT_EQ(replies(peer.received()).size(), served.size());
}

TEST_F(HttpServer, E3_AClientThatDoesNotReadIsCutAfterRequestTimeout)
{
    start([](const http::request&, http::response res) { res.end(string(4'000'000, 'x')); },
          {.request_timeout = 200ms});
    client peer = connect();
    const auto begin = steady_clock::now();
    peer.send(get("/"));
    run_until([&] { return server->connections() == 0; });
    EXPECT_GE(steady_clock::now() - begin, 200ms);
}

} // namespace

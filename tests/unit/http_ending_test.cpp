// How the HTTP server ends connections: one of them, and all when the service ends.
#include "unit/http_fixture.hpp"

#include <algorithm>

using namespace http_test;
using std::string_view;
using std::chrono::steady_clock;

namespace {

TEST_F(HttpServer, B9_200Of200ClientsGetTheAnswerThoughTheirInputIsNotRead)
{
    start();
    vector<client> all;
    for (int i = 0; i < 200; ++i) {
        all.push_back(connect_tcp());
        all.back().send(get("/", "Connection: close\r\n") + string(1000, 'x'));
    }
    run_until([&] {
        return std::all_of(all.begin(), all.end(),
                           [](client& one) { return one.has_ended() || one.is_broken(); });
    });
    for (auto& one : all) {
        EXPECT_TRUE(one.has_ended());
        EXPECT_EQ(replies(one.received()).size(), 1u);
    }
    all.clear();
    run_until([&] { return server->connections() == 0; });
}

TEST_F(HttpServer, B9_AClientInTheMidstOfALargeBodyLearnsThatItIsTooLarge)
{
    start({.max_body_size = 1000});
    client peer = connect_tcp();
    const string body(500'000, 'x');
    peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
    std::size_t sent = 0;
    run_until([&] {
        sent += peer.send(std::string_view(body).substr(sent));
        return sent == body.size();
    });
    run_until([&] { return peer.has_ended() || peer.is_broken(); });
    EXPECT_TRUE(peer.received().starts_with("HTTP/1.1 413 ")) << peer.received();
}

/// Sends all of it before it reads a byte, as Python's http.client does.
TEST_F(HttpServer, B9_AClientThatSends32MiBBeforeItReadsLearnsThatItIsTooLarge)
{
    const std::size_t size = 32 * 1024 * 1024;
    const string block(1024 * 1024, 'x');
    start();
    for (const string framing :
         {"Content-Length: 33554432\r\n", "Transfer-Encoding: chunked\r\n"}) {
        SCOPED_TRACE(framing);
        client peer = connect_tcp();
        client other = connect_tcp();
        peer.send("POST / HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n");
        if (framing.starts_with("T"))
            peer.send("2000000\r\n");
        std::size_t asked = 0;
        std::size_t sent = 0;
        run_until([&] {
            const auto taken =
                peer.send(string_view(block).substr(0, std::min(block.size(), size - sent)));
            sent += taken;
            if (replies(other.received()).size() == asked && ++asked)
                other.send(get("/")); // is served meanwhile
            return sent == size || (taken == 0 && errno != EAGAIN);
        });
        EXPECT_EQ(sent, size);
        EXPECT_GT(asked, 10u);
        run_until([&] { return peer.has_ended() || peer.is_broken(); });
        EXPECT_TRUE(peer.has_ended());
        EXPECT_TRUE(peer.received().starts_with("HTTP/1.1 413 ")) << peer.received();
    }
}

TEST_F(HttpServer, AClientThatIsSilentAfterOurLastWordHasASecond)
{
    start();
    client peer = connect_tcp();
    const auto begin = steady_clock::now();
    peer.send("?\r\n");
    run_until([&] { return peer.has_ended(); });
    run_until([&] { return server->connections() == 0; });
    EXPECT_GE(steady_clock::now() - begin, 1s);
}

TEST_F(HttpServer, AClientThatGoesOnSendingDoesNotDelayTheEndOfTheServiceForEver)
{
    start({.drain_timeout = 10ms});
    client peer = connect_tcp();
    peer.send("?\r\n");
    run_until([&] { return peer.has_ended(); });
    server->close();
    const auto begin = steady_clock::now();
    run_until([&] {
        peer.send("more");
        return server->connections() == 0;
    });
    EXPECT_LT(steady_clock::now() - begin, 1s) << "what it has while the service goes on";
    EXPECT_EQ(server->counters().cut, 0u) << "it had its answer";
}

// --- the end of the service

TEST_F(HttpServer, E5_ARequestThatIsThereWhenTheServiceEndsIsAnsweredAndTold)
{
    start();
    client idle = connect();
    idle.send(get("/"));
    client fresh = connect();
    settle();
    idle.send(get("/late"));
    fresh.send(get("/first"));
    server->close();
    run_until([&] { return idle.has_ended() && fresh.has_ended(); });
    const auto all = replies(idle.received());
    ASSERT_EQ(all.size(), 2u);
    EXPECT_TRUE(all[0].has("Connection: keep-alive"));
    EXPECT_EQ(all[1].body, "GET /late");
    EXPECT_TRUE(all[1].has("Connection: close"));
    EXPECT_TRUE(replies(fresh.received()).at(0).has("Connection: close"));
}

TEST_F(HttpServer, E5_ARequestUnderWayIsAnsweredAndTold)
{
    std::optional<http::response> kept;
    start([&](const http::request&, http::response res) { kept.emplace(std::move(res)); });
    client busy = connect();
    client slow = connect();
    busy.send(get("/"));
    slow.send("GET / HTTP/1.1\r\n");
    settle();
    server->close();
    run_for(200ms); // several sweeps
    EXPECT_FALSE(busy.has_ended() || slow.has_ended());
    kept->end("done");
    run_until([&] { return busy.has_ended(); });
    EXPECT_TRUE(replies(busy.received()).at(0).has("Connection: close"));
    slow.send("Host: a\r\n\r\n");
    settle();
    kept->end("done too");
    run_until([&] { return slow.has_ended(); });
    EXPECT_EQ(replies(slow.received()).at(0).body, "done too");
}

TEST_F(HttpServer, E5_NoRequestIsLostWhenTheServiceEndsUnderKeepAliveLoad)
{
    start();
    vector<client> all;
    vector<std::size_t> asked(32, 0);
    for (std::size_t i = 0; i < 32; ++i)
        all.push_back(connect());
    std::size_t rounds = 0;
    run_until([&] {
        if (++rounds == 200)
            server->close();
        std::size_t ended = 0;
        for (std::size_t i = 0; i < 32; ++i) {
            if (all[i].has_ended()) {
                ++ended;
            } else if (replies(all[i].received()).size() == asked[i]) {
                all[i].send(get("/"));
                ++asked[i];
            }
        }
        return ended == 32;
    });
    for (std::size_t i = 0; i < 32; ++i)
        EXPECT_EQ(replies(all[i].received()).size(), asked[i]);
    EXPECT_GE(rounds, 200u);
}

TEST_F(HttpServer, E6_IdleConnectionsEndLongBeforeTheDeadline)
{
    start({.drain_timeout = 60s});
    vector<client> all;
    for (int i = 0; i < 10; ++i) {
        all.push_back(connect());
        all.back().send(get("/"));
    }
    settle();
    const auto begin = steady_clock::now();
    server->close();
    for (auto& one : all)
        run_until([&] { return one.has_ended(); });
    all.clear(); // as clients do when the server ends
    run_until([&] { return server->connections() == 0; });
    EXPECT_LT(steady_clock::now() - begin, 30s);
    EXPECT_EQ(server->counters().cut, 0u);
}

TEST_F(HttpServer, E6_AClientThatStaysAfterOurEndDoesNotDelayTheDrainForEver)
{
    start({.drain_timeout = 60s});
    client peer = connect();
    peer.send(get("/"));
    settle();
    const auto begin = steady_clock::now();
    server->close();
    run_until([&] { return server->connections() == 0; }); // a second of patience, then no more
    EXPECT_LT(steady_clock::now() - begin, 30s);
    EXPECT_TRUE(peer.has_ended());
}

TEST_F(HttpServer, E6_BusyConnectionsAreCutAtTheDeadlineAndCounted)
{
    vector<http::response> kept;
    start([&](const http::request&, http::response res) { kept.push_back(std::move(res)); },
          {.drain_timeout = 200ms});
    client busy = connect();
    client slow = connect();
    busy.send(get("/"));
    slow.send("GET /");
    settle();
    const auto begin = steady_clock::now();
    server->close();
    run_until([&] { return server->connections() == 0; });
    EXPECT_GE(steady_clock::now() - begin, 200ms);
    EXPECT_EQ(server->counters().cut, 2u);
    EXPECT_TRUE(busy.has_ended());
}

TEST_F(HttpServer, RunReturnsOnceTheServiceHasEnded)
{
    start();
    client peer = connect();
    peer.send(get("/"));
    settle();
    server->close();
    peer.close();
    context.restart();
    context.run(); // or the test never ends
    EXPECT_EQ(server->connections(), 0u);
}

TEST_F(HttpServer, AConnectionThatComesJustAfterTheLastOneHasEndedIsServed)
{
    start();
    client first = connect();
    settle();
    server->close_all_connections();
    client second = connect();
    second.send(get("/"));
    settle();
    EXPECT_EQ(replies(second.received()).size(), 1u);
}

TEST_F(HttpServer, AConnectionThatComesAfterTheServiceHasEndedIsAnsweredOnce)
{
    start();
    client first = connect();
    settle();
    server->close();
    settle();
    first.close();
    run_until([&] { return server->connections() == 0; });
    client late = connect();
    late.send(get("/"));
    client silent = connect();
    run_until([&] { return late.has_ended() && silent.has_ended(); });
    EXPECT_TRUE(replies(late.received()).at(0).has("Connection: close"));
}

} // namespace

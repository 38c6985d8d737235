// The HTTP server and its handler: what a response may say, and when.
#include "unit/http_fixture.hpp"

#include <algorithm>
#include <stdexcept>

#include <sys/epoll.h>

using namespace http_test;
using std::chrono::steady_clock;

namespace {

TEST_F(HttpServer, AHandlerThatThrowsCosts500AndItsConnectionOnly)
{
    start([&](const http::request& req, http::response res) {
        if (req.target == "/throw") {
            res.write_head(200);
            throw std::runtime_error("as the test wants");
        }
        res.end("fine");
    });
    client other = connect();
    client peer = connect();
    testing::internal::CaptureStderr();
    peer.send(get("/throw") + get("/next"));
    settle();
    const auto said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("as the test wants"), string::npos) << said;
    const auto all = replies(peer.received());
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, 500u);
    EXPECT_TRUE(peer.has_ended());
    other.send(get("/"));
    settle();
    EXPECT_EQ(replies(other.received()).size(), 1u);
}

TEST_F(HttpServer, AHealthCheckIsAnsweredAtOnceAndNotByTheHandler)
{
    start(http::server_options{.delay = std::chrono::hours(1), .health_check = "/healthz"});
    client peer = connect();
    peer.send(get("/healthz") + get("/healthz?from=proxy") +
              "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n" +
              get("/healthz", "Connection: close\r\n"));
    settle();
    const auto all = replies(peer.received(), [](std::size_t i) { return i == 2; });
    ASSERT_EQ(all.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(all[i].status, 200u);
        EXPECT_EQ(all[i].body, i == 2 ? "" : "ok\n");
        EXPECT_TRUE(all[i].has("Content-Length: 3"));
    }
    EXPECT_TRUE(peer.has_ended());
    EXPECT_EQ(served, vector<string>{});
    EXPECT_EQ(server->counters().answered, 4u);
}

TEST_F(HttpServer, WhatOnlyLooksLikeAHealthCheckIsForTheHandler)
{
    start(http::server_options{.health_check = "/healthz"});
    client peer = connect();
    peer.send("POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + get("/healthz/") +
              get("/Healthz") + get("/healthzz") + get("/?/healthz"));
    settle();
    EXPECT_EQ(served, (vector<string>{"POST /healthz", "GET /healthz/", "GET /Healthz",
                                      "GET /healthzz", "GET /?/healthz"}));
    start();
    client other = connect();
    other.send(get("/healthz"));
    settle();
    EXPECT_EQ(served.back(), "GET /healthz") << "nobody has asked for a health check";
}

TEST_F(HttpServer, ANameIsInEachAnswerItsOwnOnesToo)
{
    EXPECT_THROW(start(http::server_options{.name = "a\r\nX: y"}), std::invalid_argument);
    start(http::server_options{.health_check = "/healthz", .name = "a"});
    client peer = connect();
    peer.send(get("/healthz") + get("/") + "GET  / HTTP/1.1\r\n\r\n");
    settle();
    const auto all = replies(peer.received());
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[2].status, 400u);
    for (const auto& one : all)
        EXPECT_TRUE(one.has("Served-By: a/" + std::to_string(::getpid()))) << one.head;
}

TEST_F(HttpServer, AnAnswerForWhichThereIsNoMemoryBecomes500)
{
    start([&](const http::request& req, http::response res) {
        res.write_head(200, {{"X", "y"}});
        res.end(req.target == "/" ? std::string_view("fine")
                                  : std::string_view("x", string().max_size())); // length_error
    });
    client peer = connect();
    client other = connect();
    testing::internal::CaptureStderr();
    peer.send(get("/") + get("/large") + get("/"));
    settle();
    const auto said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    const auto all = replies(peer.received());
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].body, "fine");
    EXPECT_EQ(all[1].status, 500u);
    EXPECT_FALSE(all[1].has("X: y"));
    EXPECT_TRUE(peer.has_ended());
    other.send(get("/"));
    settle();
    EXPECT_EQ(replies(other.received()).size(), 1u);
}

TEST_F(HttpServer, AConnectionThatTheKernelCannotWatchAnyMoreIsTheOnlyOneLost)
{
    int watched = -1;
    start([&](const http::request& req, http::response res) {
        if (req.target == "/large") // behind the server's back
            for (const auto& [fd, kind] : support::descriptors(::getpid()))
                if (kind == "anon_inode:[eventpoll]")
                    ::epoll_ctl(fd, EPOLL_CTL_DEL, watched, nullptr);
        res.end(string(req.target == "/large" ? 4'000'000 : 10, 'x'));
    });
    auto pair = tcp_pair();
    client& peer = pair.first;
    watched = pair.second.get();
    server->emit_connection(std::move(pair.second));
    client other = connect();
    settle();
    peer.send(get("/large")); // waits for the client to read, so it must be watched
    testing::internal::CaptureStderr();
    settle();
    const auto said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("epoll_ctl"), string::npos) << said;
    EXPECT_EQ(server->connections(), 1u);
    other.send(get("/"));
    settle();
    EXPECT_EQ(replies(other.received()).size(), 1u);
}

TEST_F(HttpServer, AResponseNobodyEndedIs500)
{
    start([](const http::request&, http::response) {});
    client peer = connect();
    peer.send(get("/"));
    settle();
    EXPECT_TRUE(peer.received().starts_with("HTTP/1.1 500 "));
    EXPECT_TRUE(peer.has_ended());
}

TEST_F(HttpServer, AResponseMayComeLaterOrNeverReachAnybody)
{
    std::optional<http::response> kept;
    start([&](const http::request&, http::response res) { kept.emplace(std::move(res)); });
    client peer = connect();
    peer.send(get("/"));
    settle();
    EXPECT_EQ(peer.received(), "");
    kept->write_head(200).end("later");
    settle();
    EXPECT_EQ(replies(peer.received()).at(0).body, "later");

    peer.send(get("/"));
    settle();
    peer.reset();
    settle();
    kept->end("too late");
    settle();
    EXPECT_EQ(server->connections(), 0u);

    client last = connect();
    last.send(get("/"));
    settle();
    server.reset();
    EXPECT_TRUE(last.has_ended());
    kept->end("later than the server");
}

TEST_F(HttpServer, EndingTheResponseOfAnotherConnectionLeavesTheRequestInHandAlone)
{
    std::optional<http::response> kept;
    string seen;
    start([&](const http::request& req, http::response res) {
        if (req.target == "/kept") {
            kept.emplace(std::move(res));
            return;
        }
        kept->end("at last");
        seen = string(req.target) + " " + string(req.headers.find("x").value_or("?"));
        res.end("fine");
    });
    client first = connect();
    first.send(get("/kept", "Connection: close\r\n"));
    settle();
    first.send(string(4'000, '#')); // to be read and thrown away when its answer is sent
    settle();
    client second = connect();
    second.send(get("/in-hand", "X: y\r\n"));
    settle();
    EXPECT_EQ(seen, "/in-hand y");
    EXPECT_EQ(replies(first.received()).at(0).body, "at last");
    EXPECT_EQ(replies(second.received()).at(0).body, "fine");
}

TEST_F(HttpServer, AHandlerCannotWriteWhatWouldBreakTheMessage)
{
    std::optional<http::response> kept;
    start([&](const http::request&, http::response res) { kept.emplace(std::move(res)); });
    client peer = connect();
    peer.send(get("/"));
    settle();
    const vector<http::header> bad{{"X", "a\r\nY: b"}, {"X", std::string_view("a\0b", 3)},
                                   {"X\r\nY", "b"},    {"", "a"},
                                   {"X Y", "a"},       {"X:", "a"}};
    for (const auto& field : bad)
        EXPECT_THROW(kept->write_head(200, {field}), std::invalid_argument) << field.name;
    for (const auto name :
         {"Content-Length", "transfer-encoding", "Date", "Connection", "keep-alive"})
        EXPECT_THROW(kept->write_head(200, {{name, "1"}}), std::invalid_argument) << name;
    EXPECT_THROW(kept->write_head(199), std::invalid_argument);
    EXPECT_THROW(kept->write_head(1000), std::invalid_argument);
    kept->write_head(404, {{"X", "1"}, {"Connection", "close"}});
    EXPECT_THROW(kept->write_head(200), std::logic_error);
    kept->end("not here");
    EXPECT_THROW(kept->end(), std::logic_error);
    settle();
    const auto all = replies(peer.received());
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, 404u);
    EXPECT_TRUE(all[0].has("X: 1"));
    EXPECT_TRUE(all[0].has("Connection: close"));
    EXPECT_TRUE(peer.has_ended());
}

TEST_F(HttpServer, AnswersThatHaveNoBodyGetNone)
{
    start([&](const http::request& req, http::response res) {
        res.write_head(req.target == "/204" ? 204 : 304);
        res.end("not sent");
    });
    client peer = connect();
    peer.send(get("/204") + get("/304"));
    settle();
    EXPECT_EQ(peer.received().find("not sent"), string::npos);
    EXPECT_EQ(peer.received().find("Content-Length"), string::npos);
    EXPECT_EQ(replies(peer.received()).size(), 2u);
}

TEST_F(HttpServer, ADelayedRequestIsStillWholeWhenTheHandlerGetsIt)
{
    string seen;
    start(
        [&](const http::request& req, http::response res) {
            seen = string(req.method) + " " + string(req.target) + " " +
                   string(req.headers.find("x").value_or("?"));
            res.end("done");
        },
        {.delay = 20ms});
    client peer = connect();
    client other = connect();
    const auto begin = steady_clock::now();
    peer.send(get("/first", "X: y\r\n"));
    settle();
    other.send(get(string(2000, '?'))); // overwrites the buffer that all connections share
    run_until([&] { return !peer.received().empty(); });
    EXPECT_GE(steady_clock::now() - begin, 20ms);
    EXPECT_EQ(replies(peer.received()).at(0).body, "done");
    EXPECT_EQ(seen.substr(0, 12), "GET /first y");
}

} // namespace

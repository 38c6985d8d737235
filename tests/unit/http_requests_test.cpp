// The HTTP server over real sockets: what becomes of each request, byte for byte.
#include "unit/http_cases.hpp"
#include "unit/http_fixture.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <ctime>
#include <regex>

using namespace http_test;

namespace {

/// One of the cases, fed in these pieces.
class HttpServerCases : public HttpServer {
protected:
    HttpServerCases()
    {
        start({.max_header_size = http_cases::max_header_size,
               .max_body_size = http_cases::max_body_size});
    }

    void expect_outcome(const http_cases::http_case& one, const vector<std::string_view>& pieces)
    {
        served.clear();
        client peer = connect();
        settle();
        for (const auto piece : pieces) {
            peer.send(piece);
            settle();
        }
        const auto is_head = [&](std::size_t i) {
            return i < served.size() && served[i].starts_with("HEAD ");
        };
        vector<unsigned> statuses;
        for (const auto& reply : replies(peer.received(), is_head))
            if (reply.status >= 200)
                statuses.push_back(reply.status);

        auto expected = one.answers;
        const bool stays = one.then == http_cases::stays;
        if (stays)
            expected.push_back(200);
        EXPECT_EQ(statuses, expected);
        EXPECT_EQ(peer.has_ended(), !stays);
        EXPECT_EQ(served.size(),
                  static_cast<std::size_t>(std::count(expected.begin(), expected.end(), 200u)));
        for (const auto& target : served)
            EXPECT_EQ(target.find("/smuggled"), string::npos);
        EXPECT_EQ(!served.empty() && served.back() == "GET /next", stays);

        peer.close();
        settle();
        EXPECT_EQ(server->connections(), 0u);
    }
};

TEST_F(HttpServerCases, E2_EachHasItsOutcomeAndNothingIsServedAfterARejection)
{
    for (const auto& one : http_cases::all) {
        SCOPED_TRACE(one.name + " (" + one.source + ")");
        expect_outcome(one, {one.bytes + http_cases::follow_up});
    }
}

TEST_F(HttpServerCases, E2_E4_EachHasTheSameOutcomeByteByByte)
{
    for (const auto& one : http_cases::all) {
        SCOPED_TRACE(one.name);
        const string bytes = one.bytes + http_cases::follow_up;
        vector<std::string_view> pieces;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            pieces.push_back(std::string_view(bytes).substr(i, 1));
        expect_outcome(one, pieces);
    }
}

TEST_F(HttpServerCases, E2_E4_EachHasTheSameOutcomeCutInTwoAnywhere)
{
    for (const auto& one : http_cases::all) {
        const string bytes = one.bytes + http_cases::follow_up;
        for (std::size_t i = 1; i < bytes.size() && !HasFailure(); ++i) {
            SCOPED_TRACE(one.name + " cut at " + std::to_string(i));
            if (http_cases::is_worth_cutting_at(one, i))
                expect_outcome(
                    one, {std::string_view(bytes).substr(0, i), std::string_view(bytes).substr(i)});
        }
    }
}

TEST_F(HttpServerCases, WhatCannotBecomeARequestIsAnsweredWithoutWaitingForMore)
{
    for (const auto& one : http_cases::openings) {
        SCOPED_TRACE(one.name);
        client peer = connect();
        peer.send(one.possible);
        settle();
        EXPECT_EQ(peer.received(), "");
        EXPECT_FALSE(peer.has_ended());
        peer.send(one.rest.substr(0, 1));
        settle();
        EXPECT_TRUE(peer.received().starts_with("HTTP/1.1 400 ")) << peer.received();
        EXPECT_TRUE(peer.has_ended());
    }
}

TEST_F(HttpServer, AnswersWithTheFieldsOfNodeInOneWrite)
{
    start();
    client peer = connect(SOCK_SEQPACKET); // each write of the server is a packet
    const auto before = std::time(nullptr);
    peer.send(get("/a"));
    settle();
    char packet[4096];
    const auto size = ::recv(peer.fd(), packet, sizeof packet, MSG_DONTWAIT);
    ASSERT_GT(size, 0);
    const string text(packet, static_cast<std::size_t>(size));
    std::smatch found;
    ASSERT_TRUE(std::regex_match(text, found,
                                 std::regex("HTTP/1\\.1 200 OK\r\n"
                                            "Content-Type: text/plain\r\n"
                                            "Date: ([^\r]*)\r\n"
                                            "Connection: keep-alive\r\n"
                                            "Keep-Alive: timeout=5\r\n"
                                            "Content-Length: 6\r\n"
                                            "\r\n"
                                            "GET /a")))
        << text;
    std::tm date{};
    const string given = found[1];
    const char* rest = ::strptime(given.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
    ASSERT_TRUE(rest && !*rest) << given;
    EXPECT_EQ(given.size(), 29u) << "IMF-fixdate, RFC 9110 §5.6.7";
    const auto told = ::timegm(&date);
    EXPECT_GE(told, before - 1);
    EXPECT_LE(told, std::time(nullptr));
}

TEST_F(HttpServer, TheDateFollowsTheClock)
{
    start();
    client peer = connect();
    const auto date = [&] {
        peer.send(get("/"));
        settle();
        const auto all = replies(peer.received());
        return all.back().head.substr(all.back().head.find("\r\nDate: "), 37);
    };
    const auto first = date();
    const auto second = std::time(nullptr);
    run_until([&] { return std::time(nullptr) > second; });
    EXPECT_NE(date(), first);
}

TEST_F(HttpServer, E4_FiftyPipelinedRequestsAreAnsweredInOrderInOneWrite)
{
    start();
    client peer = connect(SOCK_SEQPACKET);
    string requests;
    for (int i = 0; i < 50; ++i)
        requests += get("/" + std::to_string(i));
    peer.send(requests);
    settle();
    char packet[16 * 1024];
    const auto size = ::recv(peer.fd(), packet, sizeof packet, MSG_DONTWAIT);
    ASSERT_GT(size, 0);
    const auto all = replies({packet, static_cast<std::size_t>(size)});
    ASSERT_EQ(all.size(), 50u);
    for (std::size_t i = 0; i < 50; ++i)
        EXPECT_EQ(all[i].body, "GET /" + std::to_string(i));
}

TEST_F(HttpServer, E4_AnswersAreByteEqualWhereverTheRequestsAreCut)
{
    start();
    const string requests = get("/one") +
                            "POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" +
                            get("/three", "Connection: close\r\n");
    const std::regex date("Date: [^\r]*");
    string whole;
    for (std::size_t cut = 0; cut < requests.size(); ++cut) {
        client peer = connect();
        peer.send(requests.substr(0, cut));
        settle();
        peer.send(requests.substr(cut));
        settle();
        EXPECT_TRUE(peer.has_ended());
        const auto text = std::regex_replace(peer.received(), date, "Date");
        if (cut == 0)
            whole = text;
        ASSERT_EQ(text, whole) << "cut at " << cut;
    }
    EXPECT_EQ(replies(whole).size(), 3u);
}

TEST_F(HttpServer, E4_WhileARequestIsBeingAnsweredTheNextOnesWaitInOrder)
{
    vector<std::pair<string, http::response>> open;
    start([&](const http::request& req, http::response res) {
        open.emplace_back(req.target, std::move(res));
    });
    client peer = connect();
    peer.send(get("/1") + get("/2"));
    settle();
    ASSERT_EQ(open.size(), 1u) << "one at a time: the answers come in order";
    // The third arrives and is noticed, then the first is answered, and all of that before the
    // server looks at the second, which it had read already.
    peer.send(get("/3"));
    asio::post(context, [&] { open[0].second.end("one"); });
    settle();
    ASSERT_EQ(open.size(), 2u);
    EXPECT_EQ(open[1].first, "/2");
    open[1].second.end("two");
    settle();
    ASSERT_EQ(open.size(), 3u);
    EXPECT_EQ(open[2].first, "/3");
    open[2].second.end("three");
    settle();
    const auto all = replies(peer.received());
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].body + all[1].body + all[2].body, "onetwothree");
}

TEST_F(HttpServer, B8_BytesThatCameBeforeTheHandOverAreReadFrom1ByteTo64KiB)
{
    start();
    for (const std::size_t size : {1u, 20u, 1000u, 16u * 1024, 64u * 1024}) {
        SCOPED_TRACE(size);
        auto pair = tcp_pair(); // clang 14 does not let a lambda use the parts of one
        client& peer = pair.first;
        auto request =
            "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) +
            "\r\n\r\n" + string(size, 'x');
        request += get("/next");
        const std::size_t early = std::min(size, request.size());
        ASSERT_EQ(peer.send(std::string_view(request).substr(0, early)), early);
        server->emit_connection(
            asio::ip::tcp::socket(context, asio::ip::tcp::v4(), pair.second.release()));
        string rest = request.substr(early);
        run_until([&] {
            rest.erase(0, peer.send(rest));
            return replies(peer.received()).size() == 2;
        });
        EXPECT_EQ(replies(peer.received())[1].body, "GET /next");
    }
}

// recv(2) stops at the mark of urgent data (tcp(7), SO_OOBINLINE is off), and so finds less than
// there is. The urgent byte itself is not part of the stream, as Node sees it, too.
TEST_F(HttpServer, UrgentDataAnywhereInARequestStallsNothing)
{
    start();
    const string request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    for (const bool all_at_once : {true, false})
        for (std::size_t at = 0; at <= request.size(); ++at) {
            SCOPED_TRACE(std::to_string(at) + (all_at_once ? ", all at once" : ", bit by bit"));
            served.clear();
            auto pair = tcp_pair();
            client& peer = pair.first;
            const auto pause = [&] {
                if (!all_at_once)
                    settle();
            };
            if (!all_at_once)
                server->emit_connection(std::move(pair.second));
            peer.send(request.substr(0, at));
            pause();
            ASSERT_EQ(::send(peer.fd(), "!", 1, MSG_OOB), 1);
            pause();
            peer.send(request.substr(at) + get("/b"));
            if (all_at_once)
                server->emit_connection(std::move(pair.second));
            settle();
            EXPECT_EQ(served, (vector<string>{"POST /a", "GET /b"}));
            EXPECT_EQ(replies(peer.received()).size(), 2u);
            peer.close();
            settle();
            EXPECT_EQ(server->connections(), 0u);
        }
}

TEST_F(HttpServer, UrgentDataThatComesWhileTheConnectionIsWatchedStallsNothing)
{
    start();
    client peer = connect_tcp();
    std::size_t asked = 0;
    for (std::size_t at = 0; at <= get("/").size(); ++at) {
        // Three requests in one event, the mark in the first, behind it, or in the second.
        const string requests = get("/") + get("/") + get("/");
        peer.send(requests.substr(0, 2 * at));
        ASSERT_EQ(::send(peer.fd(), "!", 1, MSG_OOB), 1);
        peer.send(requests.substr(2 * at));
        settle();
        asked += 3;
        ASSERT_EQ(served.size(), asked) << at;
    }
    EXPECT_EQ(replies(peer.received()).size(), asked);
}

TEST_F(HttpServer, HeadIsAnsweredWithTheLengthAndWithoutTheBody)
{
    start();
    client peer = connect();
    peer.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + get("/b"));
    settle();
    const auto all = replies(peer.received(), [](std::size_t i) { return i == 0; });
    ASSERT_EQ(all.size(), 2u);
    EXPECT_TRUE(all[0].has("Content-Length: 7")) << all[0].head;
    EXPECT_EQ(all[1].body, "GET /b");
}

TEST_F(HttpServer, ARefusedHeadHasNoBodyEither)
{
    start();
    client peer = connect();
    peer.send("HEAD / HTTP/1.1\r\n\r\n"); // no Host
    settle();
    EXPECT_TRUE(peer.received().starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(peer.received().ends_with("\r\n\r\n")) << peer.received();
}

TEST_F(HttpServer, ExpectContinueIsAnsweredBeforeTheBodyComes)
{
    start();
    client peer = connect();
    peer.send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    settle();
    EXPECT_EQ(peer.received(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send("body" + get("/b"));
    settle();
    const auto all = replies(peer.received());
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[1].body, "POST /a");
    EXPECT_EQ(all[2].body, "GET /b");
}

TEST_F(HttpServer, ExpectContinueSaidTwiceIsAnsweredOnce)
{
    start();
    client peer = connect();
    peer.send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, 100-continue\r\n"
              "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    settle();
    peer.send("bo");
    settle();
    EXPECT_EQ(peer.received(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send("dy");
    settle();
    EXPECT_EQ(replies(peer.received()).size(), 2u);
}

TEST_F(HttpServer, ExpectContinueWithTooLargeABodyIsRefusedBeforeItIsSent)
{
    start({.max_body_size = 10});
    client peer = connect();
    peer.send("POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
    settle();
    EXPECT_TRUE(peer.received().starts_with("HTTP/1.1 413 ")) << peer.received();
    EXPECT_TRUE(peer.has_ended());
}

TEST_F(HttpServer, OneZeroIsAnsweredAsOneOneAndToldWhetherItIsKept)
{
    start();
    client peer = connect();
    peer.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n");
    settle();
    const auto all = replies(peer.received());
    ASSERT_EQ(all.size(), 2u);
    EXPECT_TRUE(all[0].has("Connection: keep-alive"));
    EXPECT_TRUE(all[1].has("Connection: close"));
    EXPECT_FALSE(all[1].has("Keep-Alive: timeout=5"));
    EXPECT_TRUE(peer.has_ended());
}

TEST_F(HttpServer, AClientThatOnlyClosesItsOwnSideStillGetsItsAnswers)
{
    start();
    client peer = connect();
    peer.send(get("/a") + get("/b"));
    peer.end_sending();
    settle();
    EXPECT_EQ(replies(peer.received()).size(), 2u);
    EXPECT_TRUE(peer.has_ended());
}

TEST_F(HttpServer, HalfARequestAndThenTheEndIs400)
{
    start();
    client peer = connect();
    peer.send("GET / HTTP/1.1\r\nHost:");
    peer.end_sending();
    settle();
    EXPECT_TRUE(peer.received().starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(peer.has_ended());
    EXPECT_EQ(server->connections(), 0u);
}

TEST_F(HttpServer, TheLastRequestOfMaxRequestsPerSocketIsToldSo)
{
    start({.max_requests_per_socket = 3});
    client peer = connect();
    peer.send(get("/1") + get("/2") + get("/3") + get("/4"));
    settle();
    const auto all = replies(peer.received());
    ASSERT_EQ(all.size(), 3u);
    EXPECT_TRUE(all[1].has("Connection: keep-alive"));
    EXPECT_TRUE(all[2].has("Connection: close"));
    EXPECT_TRUE(peer.has_ended());
    EXPECT_EQ(served.size(), 3u);
}

TEST_F(HttpServer, CountsWhatItServedAndRefused)
{
    start();
    client good = connect();
    client bad = connect();
    client silent = connect();
    good.send(get("/") + get("/"));
    bad.send("?\r\n\r\n");
    settle();
    EXPECT_EQ(server->counters().connections, 3u);
    EXPECT_EQ(server->counters().answered, 2u);
    EXPECT_EQ(server->counters().refused, 1u);
}

} // namespace

// The HTTP server over real sockets: what it answers, byte for byte, and when it ends a connection.
#include "unit/http_cases.hpp"
#include "unit/http_fixture.hpp"
#include "unit/memory.hpp"

#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <ctime>
#include <regex>
#include <stdexcept>

#include <fcntl.h>
#include <sys/resource.h>

using namespace http_test;
using std::chrono::steady_clock;
using support::milliseconds;

namespace {

// --- requests

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

// --- the handler's side

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
    EXPECT_EQ(seen, "");
    other.send(get(string(2000, '?'))); // overwrites the buffer that all connections share
    run_until([&] { return !peer.received().empty(); });
    EXPECT_GE(steady_clock::now() - begin, 20ms);
    EXPECT_EQ(replies(peer.received()).at(0).body, "done");
    EXPECT_EQ(seen.substr(0, 12), "GET /first y");
}

// --- deadlines and limits

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
        slow.send("x"); // steadily
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
    start({.headers_timeout = 600ms});
    const auto begin = steady_clock::now();
    client peer = connect();
    run_for(450ms);
    peer.send("GET"); // not another 600 ms from here
    run_until([&] { return peer.has_ended(); });
    EXPECT_LT(steady_clock::now() - begin, 450ms + 600ms);
}

TEST_F(HttpServer, E3_ABodyThatDripsIs408AfterRequestTimeout)
{
    start({.request_timeout = 200ms});
    const auto begin = steady_clock::now();
    client slow = connect();
    slow.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    run_until([&] {
        slow.send("x");
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
    peer.send(get("/"));
    settle();
    EXPECT_FALSE(peer.has_ended());
    const auto begin = steady_clock::now();
    run_until([&] { return peer.has_ended(); });
    EXPECT_GE(steady_clock::now() - begin, 90ms);
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
    EXPECT_LT(steady_clock::now() - begin, support::patient(1s));
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
    EXPECT_LT(steady_clock::now() - begin, support::patient(2250ms));
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
    EXPECT_LT(steady_clock::now() - begin, 200ms + support::patient(250ms));
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

// --- descriptors

TEST_F(HttpServer, E7_AThousandClientsThatVanishAtEveryStageLeaveNothing)
{
    vector<http::response> kept;
    start([&](const http::request& req, http::response res) {
        if (req.target == "/slow")
            kept.push_back(std::move(res));
        else
            res.end(string(req.target == "/large" ? 4'000'000 : 10, 'x'));
    });
    connect_tcp().close(); // the listener is there
    settle();
    const auto before = open_descriptors();

    const vector<string> stages{
        "",                                                           // before the first byte
        "GET / HT",                                                   // in the header
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", // body
        get("/slow"),                                                 // while the handler is busy
        get("/large"),                                                // in the midst of the answer
        get("/"),                                                     // after it
        get("/", "Connection: close\r\n"),                            // while the server lingers
        "?\r\n"};                                                     // refused
    for (std::size_t i = 0; i < 1000; ++i) {
        client peer = connect_tcp();
        peer.send(stages[i % stages.size()]);
        if (i % 3 != 0)
            settle();
        if (i / stages.size() % 2 == 0)
            peer.close();
        else
            peer.reset();
        if (i % 50 == 0)
            settle();
    }
    for (auto& res : kept)
        res.end("nobody is there");
    run_until([&] { return server->connections() == 0; });
    EXPECT_EQ(open_descriptors(), before);
    client peer = connect_tcp();
    peer.send(get("/"));
    run_until([&] { return replies(peer.received()).size() == 1; });
}

TEST_F(HttpServer, ForgetsASocketOfWhichAnotherProcessHoldsACopy)
{
    start();
    auto [peer, other] = tcp_pair();
    const unique_fd copy(::fcntl(other.get(), F_DUPFD_CLOEXEC, 0));
    server->emit_connection(asio::ip::tcp::socket(context, asio::ip::tcp::v4(), other.release()));
    const auto socket = support::descriptors(::getpid()).at(copy.get());
    peer.send(get("/"));
    settle();
    EXPECT_TRUE(support::epoll_watches(::getpid(), socket));
    server->close_all_connections();
    EXPECT_FALSE(support::epoll_watches(::getpid(), socket)) << "close() alone does not do that";
    peer.send("not for us");
    char text[64];
    EXPECT_EQ(::recv(copy.get(), text, sizeof text, 0), 10) << "the copy lives";
}

TEST_F(HttpServer, C1_OutOfDescriptorsItNeitherSpinsNorDiesAndHeals)
{
    start();
    auto port = net::listen(context.get_executor(), "127.0.0.1", 0);
    const auto address = port.address();
    port.on_connection(
        [&](asio::ip::tcp::socket socket) { server->emit_connection(std::move(socket)); });
    vector<client> all;
    for (int i = 0; i < 5; ++i) {
        auto fd = new_socket(AF_INET, SOCK_STREAM);
        ASSERT_EQ(::connect(fd.get(), address.data(), static_cast<socklen_t>(address.size())), 0);
        all.emplace_back(std::move(fd)).send(get("/"));
    }
    rlimit normal{};
    ::getrlimit(RLIMIT_NOFILE, &normal);
    const rlimit none{3, normal.rlim_max};
    testing::internal::CaptureStderr();
    ::setrlimit(RLIMIT_NOFILE, &none);
    context.restart();
    const auto wakeups = context.run_for(500ms);
    ::setrlimit(RLIMIT_NOFILE, &normal);
    const auto said = testing::internal::GetCapturedStderr();
    EXPECT_LE(wakeups, 25u) << "50 in a second";
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    EXPECT_TRUE(served.empty());

    for (auto& one : all)
        run_until([&] { return replies(one.received()).size() == 1; });
}

TEST_F(HttpServer, C5_500ClientsAtOnceAreAllConnectedBeforeAnybodyAcceptsThem)
{
    start();
    auto port = net::listen(context.get_executor(), "127.0.0.1", 0);
    const auto address = port.address();
    vector<client> all;
    for (int i = 0; i < 500; ++i) {
        auto fd = new_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
        ::connect(fd.get(), address.data(), static_cast<socklen_t>(address.size()));
        all.emplace_back(std::move(fd));
    }
    // A handshake that found the queue full would be tried again after a second; on the loopback
    // device the others are complete when connect() returns, so that each can send.
    for (auto& one : all)
        EXPECT_EQ(one.send(get("/")), get("/").size());
    port.on_connection(
        [&](asio::ip::tcp::socket socket) { server->emit_connection(std::move(socket)); });
    for (auto& one : all)
        run_until([&] { return replies(one.received()).size() == 1; });
    EXPECT_EQ(server->counters().connections, 500u);
}

} // namespace

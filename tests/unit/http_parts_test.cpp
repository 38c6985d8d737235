// Answers in parts: response::write(), and the client that does not read them.
#include "unit/http_fixture.hpp"

#include "http/client.hpp"
#include "http/parser.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/this_coro.hpp>

using namespace http_test;

namespace {

/// What a client makes of one answer, and of nothing but that.
struct whole {
    unsigned status;
    string body;
    bool stays;
};
std::optional<whole> read_whole(std::string_view text, bool is_head = false)
{
    http::parser parser(HTTP_RESPONSE, {});
    if (is_head)
        parser.expect_no_body();
    auto event = parser.parse(text);
    if (event == http::parser::event::need_more)
        event = parser.parse_end();
    if (event != http::parser::event::message)
        return {};
    EXPECT_EQ(text, "") << "bytes behind the answer";
    return whole{parser.status(), parser.body(), parser.keep_alive()};
}

class HttpParts : public HttpServer {
protected:
    /// Keeps each response for the test to write.
    http::server& start_kept(http::server_options options = {})
    {
        return start(
            [this](const http::request&, http::response res) { kept.push_back(std::move(res)); },
            options);
    }

    /// Until the answer's client must read first.
    std::size_t fill(http::response& res)
    {
        const string part(10'000, 'x');
        std::size_t written = part.size();
        while (res.write(part))
            written += part.size();
        return written;
    }

    /// Has drained() completed, and how?
    std::shared_ptr<std::optional<bool>> drain(http::response& res)
    {
        auto how = std::make_shared<std::optional<bool>>();
        asio::co_spawn(context, res.drained(), [how](std::exception_ptr, bool all) { *how = all; });
        return how;
    }

    std::size_t read_all(client& peer)
    {
        settle();
        for (std::size_t before = 0; before != peer.received().size();) {
            before = peer.received().size();
            settle();
        }
        return peer.received().size();
    }

    vector<http::response> kept;
};

TEST_F(HttpParts, EachPartArrivesWhenItIsWritten)
{
    start_kept();
    client peer = connect();
    peer.send(get("/"));
    settle();
    ASSERT_EQ(kept.size(), 1u);
    kept[0].write_head(200, {{"Content-Type", "text/event-stream"}});
    EXPECT_EQ(peer.received(), "");
    EXPECT_TRUE(kept[0].write("one"));
    EXPECT_TRUE(peer.received().ends_with("\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"))
        << peer.received();
    EXPECT_EQ(peer.received().find("Content-Length"), string::npos);
    EXPECT_TRUE(kept[0].write(string(26, 'y')));
    EXPECT_TRUE(peer.received().ends_with("\r\n1a\r\n" + string(26, 'y') + "\r\n"));
    kept[0].end("last");
    const auto answer = read_whole(peer.received());
    ASSERT_TRUE(answer) << peer.received();
    EXPECT_EQ(answer->body, "one" + string(26, 'y') + "last");
    EXPECT_TRUE(answer->stays);
    EXPECT_EQ(server->counters().answered, 1u);
}

TEST_F(HttpParts, AnEmptyPartIsTheHeadAloneAndNotTheEnd)
{
    start_kept();
    client peer = connect();
    peer.send(get("/"));
    settle();
    EXPECT_TRUE(kept[0].write(""));
    EXPECT_TRUE(peer.received().ends_with("\r\n\r\n")) << peer.received();
    EXPECT_TRUE(kept[0].write(""));
    EXPECT_FALSE(read_whole(peer.received()));
    kept[0].end();
    ASSERT_TRUE(read_whole(peer.received()));
    EXPECT_EQ(read_whole(peer.received())->body, "");
}

TEST_F(HttpParts, AllPartsOfAHandlerLeaveTogether)
{
    start([](const http::request&, http::response res) {
        res.write("a");
        res.write("b");
        res.end();
        EXPECT_THROW(res.write("c"), std::logic_error);
        EXPECT_THROW((void)res.drained(), std::logic_error);
    });
    client peer = connect(SOCK_SEQPACKET);
    peer.send(get("/"));
    settle();
    char packet[4096];
    const auto size = ::recv(peer.fd(), packet, sizeof packet, MSG_DONTWAIT);
    ASSERT_GT(size, 0);
    const auto answer = read_whole({packet, static_cast<std::size_t>(size)});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "ab");
}

TEST_F(HttpParts, RequestsBehindAnAnswerInPartsAreAnsweredInTheirOrder)
{
    start_kept();
    client peer = connect();
    peer.send(get("/1") + get("/2"));
    settle();
    ASSERT_EQ(kept.size(), 1u);
    kept[0].write("first");
    settle();
    EXPECT_EQ(kept.size(), 1u);
    kept[0].end();
    settle();
    ASSERT_EQ(kept.size(), 2u);
    kept[1].end("second");
    const auto text = peer.received();
    EXPECT_TRUE(read_whole(text.substr(0, text.find("HTTP/1.1", 1))));
    EXPECT_TRUE(text.ends_with("second"));
}

TEST_F(HttpParts, AClientThatKnowsNoChunksGetsThePartsAndTheEndOfTheConnection)
{
    start_kept();
    client peer = connect_tcp();
    peer.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    run_until([&] { return kept.size() == 1; });
    kept[0].write("one");
    kept[0].write("two");
    EXPECT_EQ(peer.received().find("chunked"), string::npos);
    EXPECT_NE(peer.received().find("\r\nConnection: close\r\n"), string::npos);
    kept[0].end("three");
    run_until([&] { return peer.has_ended(); });
    EXPECT_TRUE(peer.received().ends_with("\r\n\r\nonetwothree")) << peer.received();
}

TEST_F(HttpParts, NoBodyIsWrittenWhereThereMustBeNone)
{
    start_kept();
    for (const auto& [method, status] :
         {std::pair{"HEAD", 200u}, {"GET", 204u}, {"GET", 304u}, {"HEAD", 204u}}) {
        client peer = connect();
        peer.send(string(method) + " / HTTP/1.1\r\nHost: a\r\n\r\n");
        settle();
        kept.back().write_head(status);
        EXPECT_TRUE(kept.back().write("part"));
        kept.back().end("last");
        const auto answer = read_whole(peer.received(), method == string("HEAD"));
        ASSERT_TRUE(answer) << peer.received();
        EXPECT_EQ(answer->body, "");
        EXPECT_EQ(peer.received().find("chunked") != string::npos, status == 200u);
        peer.send(get("/"));
        settle();
        kept.back().end("next");
        EXPECT_TRUE(peer.received().ends_with("next")) << "the connection stays";
    }
}

TEST_F(HttpParts, AWriterIsToldThatTheClientMustReadFirstAndWhenItHas)
{
    start_kept();
    client peer = connect();
    peer.send(get("/"));
    settle();
    const auto drained_at_once = drain(kept[0]);
    settle();
    EXPECT_EQ(*drained_at_once, true) << "nothing waits yet";

    const auto written = fill(kept[0]);
    const auto drained = drain(kept[0]);
    settle();
    EXPECT_FALSE(*drained);
    read_all(peer);
    EXPECT_EQ(*drained, true);
    kept[0].end();
    const auto answer = read_whole(peer.received());
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, string(written, 'x')) << "nothing is lost, nothing twice";
}

TEST_F(HttpParts, AClientThatDoesNotReadHoldsUpNobodyElse)
{
    start_kept();
    client stuck = connect();
    stuck.send(get("/"));
    settle();
    fill(kept[0]);
    for (int i = 1; i <= 20; ++i) {
        client other = connect();
        other.send(get("/"));
        settle();
        kept.back().write("here");
        kept.back().end();
        EXPECT_TRUE(read_whole(other.received()));
    }
}

TEST_F(HttpParts, WhoWritesOnBehindAClientThatDoesNotReadLosesTheConnection)
{
    start_kept({.max_unsent_size = 300'000});
    client peer = connect();
    peer.send(get("/"));
    settle();
    const string part(10'000, 'x');
    std::size_t behind = 0;
    for (int i = 0; i < 10'000 && server->connections() == 1; ++i)
        behind += kept[0].write(part) ? 0 : part.size();
    EXPECT_EQ(server->connections(), 0u);
    EXPECT_LE(behind, 400'000u);
    EXPECT_FALSE(kept[0].write(part));
    const auto drained = drain(kept[0]);
    settle();
    EXPECT_EQ(*drained, false);
    kept[0].end();
    EXPECT_FALSE(read_whole(peer.received())) << "the client must see that it is not whole";
}

TEST_F(HttpParts, AHandlerMayWriteMoreThanThatToAClientThatReads)
{
    start(
        [](const http::request&, http::response res) {
            for (int i = 0; i < 20; ++i)
                res.write(string(5'000, 'x'));
            res.end();
        },
        {.max_unsent_size = 70'000});
    client peer = connect();
    peer.send(get("/"));
    read_all(peer);
    const auto answer = read_whole(peer.received());
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body.size(), 100'000u);
}

TEST_F(HttpParts, AClientThatTakesNothingForRequestTimeoutIsCutHoweverOldTheAnswer)
{
    start_kept({.request_timeout = 400ms});
    client peer = connect();
    peer.send(get("/"));
    settle();
    kept[0].write("it goes on for longer than that");
    run_for(600ms);
    EXPECT_TRUE(kept[0].write("and nobody minds"));
    fill(kept[0]);
    const auto drained = drain(kept[0]);
    settle();
    EXPECT_EQ(server->connections(), 1u) << "its time begins now";
    run_until([&] { return drained->has_value(); });
    EXPECT_EQ(*drained, false);
    EXPECT_EQ(server->connections(), 0u);
}

TEST_F(HttpParts, AClientThatHasNoMoreToAskIsWrittenToAllTheSame)
{
    start_kept();
    client peer = connect_tcp();
    peer.send(get("/"));
    run_until([&] { return kept.size() == 1; });
    kept[0].write("one");
    peer.end_sending();
    run_for(20ms);
    EXPECT_TRUE(kept[0].write("two"));
    kept[0].end();
    run_until([&] { return peer.has_ended(); });
    ASSERT_TRUE(read_whole(peer.received()));
    EXPECT_EQ(read_whole(peer.received())->body, "onetwo");
}

TEST_F(HttpParts, AClientThatGoesEndsItsAnswerAndNoOther)
{
    start_kept();
    client stays = connect();
    stays.send(get("/"));
    settle();
    for (const bool resets : {false, true}) {
        client goes = connect_tcp();
        goes.send(get("/"));
        const auto before = kept.size();
        run_until([&] { return kept.size() > before; });
        EXPECT_TRUE(kept.back().write("one"));
        resets ? goes.reset() : goes.close();
        // A reset is seen at once. The end of a stream alone means nothing, but the first part
        // behind it is answered with a reset.
        run_until(
            [&] { return server->connections() == 1 || (!resets && !kept.back().write("more")); });
        EXPECT_FALSE(kept.back().write("more"));
        kept.back().end();
        EXPECT_EQ(server->connections(), 1u);
    }
    kept[0].end("whole");
    EXPECT_TRUE(read_whole(stays.received()));
}

TEST_F(HttpParts, AnAnswerDroppedInItsMidstEndsTheConnectionWithoutAnEnd)
{
    start([](const http::request& req, http::response res) {
        res.write("begun");
        if (req.target == "/throws")
            throw std::runtime_error("in its midst");
    });
    for (const auto* target : {"/throws", "/forgets"}) {
        client peer = connect();
        peer.send(get(target));
        run_until([&] { return peer.has_ended() || peer.is_broken(); });
        EXPECT_FALSE(read_whole(peer.received())) << peer.received();
        EXPECT_EQ(peer.received().find("500"), string::npos) << "no second head in the body";
        EXPECT_EQ(server->connections(), 0u);
    }
}

TEST_F(HttpParts, AnEndlessAnswerEndsWithTheServiceAtDrainTimeout)
{
    start_kept({.drain_timeout = 500ms});
    client peer = connect();
    peer.send(get("/"));
    settle();
    kept[0].write("one");
    server->close();
    settle();
    EXPECT_TRUE(kept[0].write("two")) << "it has its time";
    run_until([&] { return server->connections() == 0; });
    EXPECT_FALSE(kept[0].write("three"));
    EXPECT_EQ(server->counters().cut, 1u);
    EXPECT_FALSE(read_whole(peer.received()));
}

TEST_F(HttpParts, AnAnswerThatBeginsWhileTheServiceEndsIsTheLastOne)
{
    start_kept();
    client peer = connect();
    peer.send(get("/"));
    settle();
    server->close();
    kept[0].write("one");
    EXPECT_NE(peer.received().find("\r\nConnection: close\r\n"), string::npos);
    kept[0].end();
    run_until([&] { return peer.has_ended(); });
    EXPECT_TRUE(read_whole(peer.received()));
}

TEST_F(HttpParts, TheServerMayGoBeforeTheWriter)
{
    start_kept();
    client peer = connect();
    peer.send(get("/"));
    settle();
    fill(kept[0]);
    const auto drained = drain(kept[0]);
    settle();
    server.reset();
    settle();
    EXPECT_EQ(*drained, false);
    EXPECT_FALSE(kept[0].write("more"));
    kept[0].end();
}

TEST_F(HttpParts, ABodyIsKeptForAHandlerThatWantsIt)
{
    string body = "nothing";
    const auto remember = [&](const http::request& req, http::response res) {
        body = req.body;
        res.end();
    };
    for (const bool keeps : {false, true}) {
        start(remember, {.max_body_size = 20, .keep_body = keeps});
        client peer = connect();
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
        settle();
        peer.send("llo");
        settle();
        EXPECT_EQ(body, keeps ? "hello" : "");
        peer.send(get("/"));
        settle();
        EXPECT_EQ(body, "") << "that of the request before";
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        settle();
        EXPECT_EQ(body, keeps ? "abc" : "");
        peer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 21\r\n\r\n");
        settle();
        EXPECT_TRUE(peer.received().find("HTTP/1.1 413 ") != string::npos);
    }
}

} // namespace

// Connections that leave the HTTP server: Upgrade and CONNECT.
#include "unit/http_fixture.hpp"

#include <fstream>
#include <stdexcept>

#include <fcntl.h>

using namespace http_test;

namespace {

const string websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

class HttpUpgrade : public HttpServer {
protected:
    struct taken {
        string request; ///< "METHOD TARGET"
        string x;       ///< its field X
        unique_fd socket;
        string head;
        std::size_t connections = 0; ///< of the server, in the handler
    };

    http::server::upgrade_handler take()
    {
        return [this](const http::request& req, unique_fd socket, string head) {
            all.push_back({string(req.method) + " " + string(req.target),
                           string(req.headers.find("x").value_or("")), std::move(socket),
                           std::move(head), server->connections()});
        };
    }

    /// A server that gives "websocket" away.
    void begin(http::server_options options = {})
    {
        start(options);
        server->on_upgrade("websocket", take());
    }

    /// What the new owner gets: what was read already, then what there is in the socket.
    static string input_of(taken& one)
    {
        string text = std::move(one.head);
        char buffer[4096];
        for (ssize_t size;
             (size = ::recv(one.socket.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
            text.append(buffer, static_cast<std::size_t>(size));
        return text;
    }

    /// Does any epoll instance of this process watch it?
    static bool is_watched(int fd)
    {
        for (const auto& [number, kind] : support::descriptors(::getpid())) {
            if (kind != "anon_inode:[eventpoll]")
                continue;
            std::ifstream info("/proc/self/fdinfo/" + std::to_string(number));
            for (string word; info >> word;)
                if (word == "tfd:" && info >> word && word == std::to_string(fd))
                    return true;
        }
        return false;
    }

    vector<taken> all;
};

TEST_F(HttpUpgrade, TheHandlerGetsTheRequestTheSocketAndWhatWasReadBehindIt)
{
    begin();
    client peer = connect();
    settle(); // it is watched before it speaks
    peer.send(get("/chat", websocket + "X: y\r\n") + "first ");
    settle();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].request, "GET /chat");
    EXPECT_EQ(all[0].x, "y");
    EXPECT_EQ(all[0].head, "first ");
    EXPECT_EQ(all[0].connections, 0u);
    EXPECT_EQ(peer.received(), "") << "the answer is the handler's to write";

    peer.send("and more");
    EXPECT_FALSE(is_watched(all[0].socket.get()));
    EXPECT_EQ(settle(), 0u) << "nobody here has anything to do with it";
    EXPECT_EQ(input_of(all[0]), "first and more");
    EXPECT_EQ(::write(all[0].socket.get(), "hello", 5), 5);
    EXPECT_EQ(peer.received(), "hello");
    all.clear();
    EXPECT_TRUE(peer.has_ended()) << "it was the only copy";
}

// Wherever the stream is cut, every byte behind the request arrives once, and in order.
TEST_F(HttpUpgrade, NothingIsLostOrReadTwiceInWhateverPiecesItComes)
{
    begin();
    const string request = get("/", websocket + "Content-Length: 4\r\n") + "body";
    const string payload = "\r\nGET / HTTP/1.1\r\n\r\nnot HTTP any more";
    const string bytes = get("/before") + request + payload;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        all.clear();
        client peer = connect();
        peer.send(std::string_view(bytes).substr(0, cut));
        settle();
        peer.send(std::string_view(bytes).substr(cut));
        settle();
        ASSERT_EQ(all.size(), 1u) << cut;
        EXPECT_EQ(input_of(all[0]), payload) << cut;
        EXPECT_EQ(replies(peer.received()).size(), 1u) << cut;
    }
    EXPECT_EQ(server->connections(), 0u);
}

TEST_F(HttpUpgrade, RequestsBeforeItAreAnsweredFirst)
{
    std::optional<http::response> kept;
    start([&](const http::request& req, http::response res) {
        if (req.target == "/later")
            kept.emplace(std::move(res));
        else
            res.end("at once");
    });
    server->on_upgrade("websocket", take());
    client peer = connect();
    peer.send(get("/now") + get("/later") + get("/chat", websocket) + "payload");
    settle();
    EXPECT_TRUE(all.empty()) << "an answer is missing";
    EXPECT_EQ(replies(peer.received()).size(), 1u);
    kept->end("later");
    settle();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(input_of(all[0]), "payload");
    const auto answers = replies(peer.received());
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[1].body, "later");
}

// Of the large one so much waits that the request behind it is not even looked at; with the small
// one it is whole, and the answer waits for the client.
TEST_F(HttpUpgrade, AndTheirAnswersAreSentBeforeTheSocketIsAnothers)
{
    for (const std::size_t size : {4'000'000U, 40'000U}) {
        all.clear();
        const string body(size, 'x');
        start([&](const http::request&, http::response res) { res.end(body); });
        server->on_upgrade("websocket", take());
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        const int least = 1;
        ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
        client peer{unique_fd(ends[0])};
        server->emit_connection(unique_fd(ends[1]));
        peer.send(get("/") + get("/chat", websocket) + "payload");
        settle();
        EXPECT_TRUE(all.empty()) << "the client has not read it";
        EXPECT_EQ(server->connections(), 1u);
        run_until([&] { return peer.received(), !all.empty(); });
        EXPECT_EQ(::write(all.at(0).socket.get(), "HTTP/1.1 101 \r\n\r\n", 17), 17);
        const auto answers = replies(peer.received());
        ASSERT_EQ(answers.size(), 2u) << size;
        EXPECT_EQ(answers[0].body, body);
        EXPECT_EQ(answers[1].status, 101u);
        EXPECT_EQ(input_of(all[0]), "payload");
    }
}

TEST_F(HttpUpgrade, OffersThatNobodyWantsAreIgnored)
{
    begin();
    client peer = connect();
    peer.send(get("/1", "Connection: Upgrade\r\nUpgrade: h2c\r\n") +
              get("/2", "Upgrade: websocket\r\n") +
              get("/3", "Connection: keep-alive\r\nUpgrade: websocket\r\n") +
              get("/4", "Connection: Upgrade\r\n") +
              get("/5", "Connection: Upgrade\r\nUpgrade: websocket/13, websockets,\r\n") +
              "GET /6 HTTP/1.0\r\n" + websocket + "\r\n");
    settle();
    EXPECT_TRUE(all.empty());
    EXPECT_EQ(served, (vector<string>{"GET /1", "GET /2", "GET /3", "GET /4", "GET /5", "GET /6"}));
}

TEST_F(HttpUpgrade, AnOfferIsFoundInAnyCaseAndPlaceAndTheClientsFirstChoiceCounts)
{
    string chosen;
    start();
    for (const string protocol : {"one", "two"})
        server->on_upgrade(protocol, [&chosen, protocol](const http::request&, unique_fd, string) {
            chosen += protocol + ' ';
        });
    for (const string fields :
         {"Connection: keep-alive,\tUPGRADE\r\nUpgrade: h2c , ONE\r\n",
          "Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: two\r\n",
          "connection: upgrade\r\nupgrade: two, one\r\n"}) {
        client peer = connect();
        peer.send(get("/", fields));
        settle();
    }
    EXPECT_EQ(chosen, "one two two ");
}

TEST_F(HttpUpgrade, ASlowApplicationIsSlowForTheseToo)
{
    http::server_options options;
    options.delay = 20ms;
    begin(options);
    client peer = connect();
    peer.send(get("/chat", websocket + "X: y\r\n") + "payload");
    settle();
    EXPECT_TRUE(all.empty());
    run_until([&] { return !all.empty(); });
    EXPECT_EQ(all[0].x, "y");
    EXPECT_EQ(input_of(all[0]), "payload");
}

TEST_F(HttpUpgrade, ASocketOfWhichOthersHoldCopiesLeavesEpollToo)
{
    begin();
    auto [peer, accepted] = tcp_pair();
    const unique_fd copy(::fcntl(accepted.get(), F_DUPFD_CLOEXEC, 0));
    server->emit_connection(std::move(accepted));
    settle();
    peer.send(get("/chat", websocket));
    run_until([&] { return !all.empty(); });
    const auto number = all[0].socket.get();
    all.clear(); // closed; the copy is not
    EXPECT_FALSE(is_watched(number));
    peer.send("for the copy");
    EXPECT_EQ(settle(), 0u);
}

TEST_F(HttpUpgrade, AServerThatClosesDoesNotWaitForThoseThatHaveLeft)
{
    begin();
    std::size_t ended = 0;
    server->on_connection_ended([&] { ++ended; });
    client peer = connect();
    peer.send(get("/") + get("/chat", websocket));
    settle();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(ended, 1u);
    const auto& counted = server->counters();
    EXPECT_EQ(counted.connections, 1u);
    EXPECT_EQ(counted.answered, 1u);
    EXPECT_EQ(counted.taken, 1u);
    EXPECT_EQ(counted.refused + counted.cut, 0u);
    server->close();
    run_for(0ms);
    context.restart();
    EXPECT_EQ(context.run_for(10ms), 0u) << "there is nothing left to do";
    server.reset();
    EXPECT_EQ(::write(all[0].socket.get(), "still", 5), 5);
    EXPECT_EQ(replies(peer.received().substr(0, peer.received().find("still"))).size(), 1u);
}

TEST_F(HttpUpgrade, AHandlerThatThrowsCostsItsConnectionOnly)
{
    start();
    server->on_upgrade("websocket", [](const http::request&, unique_fd, string) {
        throw std::runtime_error("as the test wants");
    });
    client other = connect();
    client peer = connect();
    testing::internal::CaptureStderr();
    peer.send(get("/chat", websocket));
    settle();
    const auto said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("as the test wants"), string::npos) << said;
    EXPECT_TRUE(peer.has_ended());
    other.send(get("/"));
    settle();
    EXPECT_EQ(replies(other.received()).size(), 1u);
}

TEST_F(HttpUpgrade, AConnectionThatIsReadyWhenItComesMayLeaveAtOnce)
{
    begin();
    auto [peer, accepted] = tcp_pair();
    peer.send(get("/chat", websocket) + "payload");
    run_for(1ms);
    server->emit_connection(std::move(accepted));
    run_until([&] { return !all.empty(); });
    EXPECT_EQ(input_of(all[0]), "payload");
    EXPECT_EQ(server->connections(), 0u);
    client next = connect(); // gets its place
    next.send(get("/"));
    settle();
    EXPECT_EQ(replies(next.received()).size(), 1u);
}

TEST_F(HttpUpgrade, ConnectIsForTheHandlerWithItsTarget)
{
    start();
    server->on_connect(take());
    for (const string target : {"example.org:443", "[::1]:80", "127.0.0.1:1"}) {
        all.clear();
        client peer = connect();
        peer.send("CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\ntunnel");
        settle();
        ASSERT_EQ(all.size(), 1u) << target << ": " << peer.received();
        EXPECT_EQ(all[0].request, "CONNECT " + target);
        EXPECT_EQ(input_of(all[0]), "tunnel");
    }
}

TEST_F(HttpUpgrade, AConnectThatIsNoneIsRefused)
{
    start();
    server->on_connect(take());
    for (const string bad :
         {"CONNECT /path HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
          "CONNECT :80 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n",
          "CONNECT a:80x HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT [::1] HTTP/1.1\r\nHost: a\r\n\r\n",
          "CONNECT http://a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a:80 HTTP/1.1\r\n\r\n",
          "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
          "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
        client peer = connect();
        peer.send(bad);
        settle();
        EXPECT_TRUE(peer.received().starts_with("HTTP/1.1 400 ")) << bad << peer.received();
    }
    EXPECT_TRUE(all.empty());

    server.reset();
    begin(); // without a handler for it
    client peer = connect();
    peer.send("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n");
    settle();
    EXPECT_TRUE(peer.received().starts_with("HTTP/1.1 501 "));
}

} // namespace

// The HTTP server and descriptors: none is leaked, and what happens when there are none.
#include "unit/http_fixture.hpp"

#include <asio/ip/tcp.hpp>

#include <algorithm>
#include <functional>

#include <fcntl.h>
#include <sys/resource.h>

using namespace http_test;

namespace {

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

TEST_F(HttpServer, ForgetsASocketOfWhichAnotherProcessHoldsACopyWhateverItComesAs)
{
    using asio::ip::tcp;
    const std::function<void(unique_fd)> ways[] = {
        [&](unique_fd fd) { server->emit_connection(std::move(fd)); },
        [&](unique_fd fd) {
            server->emit_connection(tcp::socket(context, tcp::v4(), fd.release()));
        },
        [&](unique_fd fd) { // as a worker of a cluster has it from its primary
            server->emit_connection(
                net::accepted(context.get_executor(), tcp::v4(), std::move(fd), true));
        },
    };
    start();
    for (const auto& emit : ways) {
        auto [peer, other] = tcp_pair();
        const unique_fd copy(::fcntl(other.get(), F_DUPFD_CLOEXEC, 0));
        emit(std::move(other));
        const auto socket = support::descriptors(::getpid()).at(copy.get());
        peer.send(get("/"));
        settle();
        EXPECT_TRUE(support::epoll_watches(::getpid(), socket));
        server->close_all_connections();
        EXPECT_FALSE(support::epoll_watches(::getpid(), socket)) << "close() alone does not do it";
        peer.send("not for us");
        char text[64];
        EXPECT_EQ(::recv(copy.get(), text, sizeof text, 0), 10) << "the copy lives";
    }
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

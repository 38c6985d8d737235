// A C++ parent's messages, connections and servers as a real Node child sees them.
#include "ipc/child_process.hpp"
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"
#include "unit/channel_fixture.hpp"

#include <gtest/gtest.h>

using namespace support;
using asio::awaitable;
using nlohmann::json;
using std::string;
using std::vector;

namespace {

string node_child()
{
    return fixture("interop/node_child.js");
}

/// Runs `test` with a Node child, hangs up, and returns how the child ended.
template<class Test>
ipc::exit_status with_node_child(Test test)
{
    asio::io_context context;
    ipc::exit_status status;
    const auto story = [&]() -> awaitable<void> {
        auto child = ipc::child_process::start(context.get_executor(), {node(), node_child()});
        co_await test(child.channel);
        child.channel.close();
        status = co_await child.exited();
    };
    std::exception_ptr failure;
    asio::co_spawn(context, story(), [&](std::exception_ptr error) { failure = error; });
    context.run_for(patient(a_while));
    EXPECT_TRUE(context.stopped()) << "the Node child did not answer or did not end";
    if (failure)
        std::rethrow_exception(failure);
    return status;
}

TEST(NodeChild, IsTheNodeThatIsAskedFor)
{
    const char* asked_for = std::getenv("NODE_VERSION"); // by ./run test nodes
    const auto major = std::stoi(run({node(), "-p", "process.versions.node"}).out);
    if (asked_for)
        EXPECT_EQ(major, std::stoi(asked_for));
    else
        EXPECT_GE(major, 18);
}

TEST(NodeChild, SendsBackEveryJsonTypeAndFiveMegabytes)
{
    const vector<json> values{1,
                              -0.5,
                              1e21,
                              "a\nb\r \xe2\x82\xac \xf0\x9f\x98\x80 \xe2\x80\xa8",
                              "",
                              true,
                              false,
                              nullptr,
                              {1, {2, json::array()}},
                              json::object(),
                              {{"cmd", "NODE_"}},
                              string(5'000'000, 'x')};
    const auto status = with_node_child([&](ipc::channel& child) -> awaitable<void> {
        for (const auto& value : values) {
            co_await child.send(value);
            const auto answer = co_await child.receive();
            if (!answer)
                throw std::runtime_error("the Node child hung up");
            EXPECT_EQ(answer->body.json(), value);
        }
    });
    EXPECT_EQ(status.code, 0);
    EXPECT_EQ(status.signal, 0);
}

TEST(NodeChild, AcknowledgesTwoHundredConnectionsAndNoDescriptorStays)
{
    with_node_child([](ipc::channel& child) -> awaitable<void> {
        const auto before = ipc_test::open_descriptors();
        for (int i = 0; i < 200; ++i) {
            auto [accepted, client] = ipc_test::tcp_pair();
            ipc::handle handle(std::move(accepted));
            co_await child.send("socket", handle);
            EXPECT_FALSE(handle); // it is the child's now
            connection talk(client.release());
            talk.send(std::to_string(i) + "\n");
            EXPECT_EQ(talk.read_to_end(), std::to_string(i) + "\n");
        }
        EXPECT_EQ(ipc_test::open_descriptors(), before);
    });
}

TEST(NodeChild, CountsTheConnectionsThatItHasFromUsAndSaysWhenAllAreClosed)
{
    with_node_child([](ipc::channel& child) -> awaitable<void> {
        const string key = "4:127.0.0.1:8888";
        const auto before = co_await child.open_sockets(key); // Node would never answer that
        EXPECT_EQ(before, 0U);
        vector<unique_fd> clients;
        for (int i = 0; i < 3; ++i) {
            auto [accepted, client] = ipc_test::tcp_pair();
            ipc::handle handle(std::move(accepted));
            handle.count_under(key);
            co_await child.send("socket", handle);
            clients.push_back(std::move(client));
        }
        const auto open = co_await child.open_sockets(key);
        EXPECT_EQ(open, 3U);
        for (auto& client : clients) {
            connection talk(client.release());
            talk.send("bye\n");
            EXPECT_EQ(talk.read_to_end(), "bye\n");
        }
        co_await child.sockets_closed(key);
        const auto afterwards = co_await child.open_sockets(key);
        EXPECT_EQ(afterwards, 0U);
        co_await child.sockets_closed(key);
    });
}

/// (B8) Main and child never read what is not theirs: the child is stopped, so the moment of the
/// hand-over lasts as long as the test wants.
TEST(NodeChild, B8_ReadsWhatTheClientSaidBeforeDuringAndAfterTheHandOver)
{
    running_demo main("socket_fanout",
                      {"--workers", "1", "--child", quoted(node()) + " " + quoted(node_child())});
    ::kill(main.workers.at(0), SIGSTOP);
    auto client = connect(main.port);
    client.send("before ");
    main.out_line("connection"); // main has accepted and written
    client.send("during ");
    ::kill(main.workers.at(0), SIGCONT);
    client.send("and after\n");
    EXPECT_EQ(client.read_to_end(), "before during and after\n");
    EXPECT_EQ(main.stop(), exited(0));
}

/// web.listen(server): Node's own way to take over a listener, without the document's trick.
TEST(NodeChild, ServesOurListenerWithWebListen)
{
    running_demo main("http_cluster",
                      {"--workers", "1", "--child", quoted(node()) + " " + quoted(node_child())});
    const auto asked =
        run({client("http_client"), "--port", std::to_string(main.port), "--count", "5"});
    EXPECT_EQ(asked.status, exited(0)) << asked.err;
    string expected;
    for (int i = 0; i < 5; ++i)
        expected += "Request handled by worker-" + std::to_string(main.workers.at(0)) + "\nend\n";
    EXPECT_EQ(asked.out, expected);
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_TRUE(is_free(main.port));
}

} // namespace

// Each example of the document with Node on one side, on the other, and on both sides of a mixed
// cluster.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

using namespace support;
using std::string;
using std::vector;

namespace {

/// Parameter: the example's name, as that of our demo and of the folder with its JavaScript.
class EveryExample : public testing::TestWithParam<string> {
protected:
    string name() const { return GetParam(); }
    bool is_http() const { return name() == "http_cluster"; }
    string client_name() const { return is_http() ? "http_client" : "net_client"; }

    string script(const string& file) const
    {
        return fixture("interop/node/" + name() + "/" + file);
    }
    string node_child() const { return quoted(node()) + " " + quoted(script("child.js")); }
    string our_child() const { return demo(name() + "_child"); }

    vector<string> node_main(vector<string> more = {}) const
    {
        more.insert(more.begin(), {node(), script("main.js"), "--port", "0"});
        return more;
    }

    vector<string> our_client(std::uint16_t port, int count) const
    {
        return {client(client_name()), "--port", std::to_string(port), "--count",
                std::to_string(count)};
    }

    vector<string> node_client(std::uint16_t port, int count) const
    {
        return {node(),    fixture("interop/node/" + client_name() + ".js"),
                "--host",  "127.0.0.1",
                "--port",  std::to_string(port),
                "--count", std::to_string(count)};
    }

    /// Runs a client, checks each of its lines, and returns the PIDs that answered.
    std::multiset<pid_t> answers(const running_demo& main, const vector<string>& client,
                                 int count) const
    {
        const auto asked = run(client);
        EXPECT_EQ(asked.status, exited(0)) << asked.err;
        EXPECT_EQ(asked.err, "");
        std::multiset<pid_t> pids;
        std::size_t ends = 0;
        for (const auto& line : lines(asked.out)) {
            if (is_http() && line == "end")
                ++ends;
            else
                pids.insert(check(main, line));
        }
        EXPECT_EQ(pids.size(), static_cast<std::size_t>(count));
        EXPECT_EQ(ends, is_http() ? static_cast<std::size_t>(count) : 0u);
        return pids;
    }

    /// A line names its worker, and where it names a slot, the worker of that slot.
    pid_t check(const running_demo& main, const string& line) const
    {
        pid_t pid = 0;
        if (is_http()) {
            pid = parse_http_reply(line);
        } else {
            const auto reply = parse_reply(line);
            const string prefix = name() == "socket_fanout" ? "http socket" : "http server";
            EXPECT_TRUE(reply.message.starts_with(prefix)) << line;
            EXPECT_EQ(main.workers.at(std::stoul(reply.message.substr(prefix.size()))), reply.pid)
                << line;
            pid = reply.pid;
        }
        EXPECT_EQ(std::count(main.workers.begin(), main.workers.end(), pid), 1) << line;
        return pid;
    }

    /// One answer from each worker. In socket_fanout they take turns; where they compete, each is
    /// left alone for a moment.
    void expect_every_worker_answers(const running_demo& main) const
    {
        if (name() == "socket_fanout") {
            const auto pids = answers(main, our_client(main.port, 8), 8);
            for (const auto worker : main.workers)
                EXPECT_EQ(pids.count(worker), 2u);
            return;
        }
        for (const auto worker : main.workers) {
            for (const auto other : main.workers)
                ::kill(other, other == worker ? SIGCONT : SIGSTOP);
            EXPECT_EQ(answers(main, our_client(main.port, 1), 1), std::multiset<pid_t>{worker});
        }
        for (const auto worker : main.workers)
            ::kill(worker, SIGCONT);
    }

    /// Both clients, every worker, many connections, and the end.
    void expect_it_works(running_demo& main) const
    {
        answers(main, our_client(main.port, 5), 5);
        answers(main, node_client(main.port, 5), 5);
        expect_every_worker_answers(main);

        // Here, and not before the first clients: Node opens some of its own for those.
        main.wait_until_no_connection_is_held();
        const auto before = descriptor_counts(main);
        answers(main, our_client(main.port, 300), 300);
        EXPECT_TRUE(eventually([&] { return descriptor_counts(main) == before; }))
            << testing::PrintToString(before) << " became "
            << testing::PrintToString(descriptor_counts(main));

        EXPECT_EQ(main.stop(), exited(0)); // its output is closed by all: so no worker is left
        EXPECT_TRUE(eventually([&] { return is_free(main.port); }));
        string printed = "server is start\n";
        if (name() == "socket_fanout") {
            printed.clear();
            for (int i = 0; i < 5 + 5 + 8 + 300; ++i)
                printed += "connection\n";
        }
        EXPECT_EQ(main.out(), printed);
    }
};

INSTANTIATE_TEST_SUITE_P(, EveryExample,
                         testing::Values("socket_fanout", "server_handoff", "http_cluster"),
                         [](const auto& test) { return test.param; });

TEST_P(EveryExample, OurMainWithNodeChildren)
{
    running_demo main(name(), {"--delay", "0", "--child", node_child()},
                      {.environment = {"DELAY=0"}});
    expect_it_works(main);
}

TEST_P(EveryExample, NodeMainWithOurChildren)
{
    running_demo main(node_main({"--delay", "0", "--child", our_child()}));
    for (const auto worker : main.workers)
        EXPECT_NE(command_line(worker).find(name() + "_child"), string::npos);
    expect_it_works(main);
}

TEST_P(EveryExample, NodeMainWithNodeChildrenAndOurClients)
{
    running_demo main(node_main({"--delay", "0"}));
    expect_it_works(main);
}

TEST_P(EveryExample, MixedClusterUnderOurMain)
{
    running_demo main(name(),
                      {"--child", quoted(our_child()) + " --delay 0", "--child", node_child()},
                      {.environment = {"DELAY=0"}});
    ASSERT_EQ(main.workers.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_EQ(command_line(main.workers[i]).find("child.js") != string::npos, i % 2 == 1);
    expect_it_works(main);
}

TEST_P(EveryExample, MixedClusterUnderNodesMain)
{
    running_demo main(
        node_main({"--delay", "0", "--child", our_child(), "--child", script("child.js")}));
    expect_it_works(main);
}

/// A Node child that holds a server would go on serving: the parent-death signal ends it all the
/// same.
TEST_P(EveryExample, KilledMainTakesItsNodeChildrenAlong)
{
    running_demo main(name(), {"--child", node_child()});
    answers(main, our_client(main.port, 4), 4);
    main.signal(SIGKILL);
    EXPECT_EQ(main.wait_exit(), killed_by(SIGKILL));
    EXPECT_TRUE(eventually(
        [&] {
            return std::none_of(main.workers.begin(), main.workers.end(), runs) &&
                   is_free(main.port);
        },
        milliseconds(1000)));
}

/// A Node parent sets no such signal: there it is the end of the channel.
TEST_P(EveryExample, OurChildrenEndWithAKilledNodeMain)
{
    running_demo main(node_main({"--child", our_child()}));
    answers(main, our_client(main.port, 4), 4);
    main.signal(SIGKILL);
    EXPECT_EQ(main.wait_exit(), killed_by(SIGKILL));
    EXPECT_TRUE(eventually(
        [&] {
            return std::none_of(main.workers.begin(), main.workers.end(), runs) &&
                   is_free(main.port);
        },
        milliseconds(3000)));
}

// ---- early bytes
// ---------------------------------------------------------------------------------

/// What a client sends before, during and after the hand-over arrives, in order (B8): an HTTP
/// request in three pieces, the first before anybody can have accepted.
TEST(EarlyBytes, B8_ArriveInOrderAtWhoeverServes)
{
    const string child = fixture("interop/node/http_cluster/child.js");
    const vector<vector<string>> mains{
        {demo("http_cluster"), "--port", "0", "--child", quoted(node()) + " " + quoted(child)},
        {node(), fixture("interop/node/http_cluster/main.js"), "--port", "0", "--child",
         demo("http_cluster_child")},
    };
    for (const auto& command : mains) {
        running_demo main(command);
        for (const auto worker : main.workers)
            ::kill(worker, SIGSTOP);
        auto client = connect(main.port);
        client.send("GET / HTTP/1.1\r\nHo");
        for (const auto worker : main.workers)
            ::kill(worker, SIGCONT);
        client.send("st: localhost\r\n");
        client.send("Connection: close\r\n\r\n");
        const auto response = client.read_to_end();
        EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
        EXPECT_EQ(main.stop(), exited(0));
    }
}

} // namespace

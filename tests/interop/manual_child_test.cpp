// build/tests/manual_child, the shortest program on common/ipc, under scripted parents and under
// real Node.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"
#include "unit/channel_fixture.hpp"

#include <gtest/gtest.h>

using namespace support;
using ipc_test::ack;
using ipc_test::envelope;
using ipc_test::nack;
using std::string;
using std::vector;

namespace {

// ---- a scripted parent
// ---------------------------------------------------------------------------

/// Starts manual_child and speaks to it byte by byte.
class ManualChild : public testing::Test {
protected:
    /// `number` is what NODE_CHANNEL_FD says.
    void start(int number = 3,
               vector<string> environment = {"NODE_CHANNEL_SERIALIZATION_MODE=json"})
    {
        auto [ours, theirs] = ipc_test::unix_pair();
        environment.push_back("NODE_CHANNEL_FD=" + std::to_string(number));
        start_options options{.environment = std::move(environment)};
        // By a detour: dup2 of a number to itself would leave it close-on-exec.
        options.before_exec = [fd = theirs.get(), number] {
            ::dup2(::fcntl(fd, F_DUPFD_CLOEXEC, 100), number);
        };
        child.emplace(vector<string>{test_program("manual_child")}, std::move(options));
        parent = std::move(ours);
    }

    void write(string bytes, int descriptor = -1)
    {
        while (!bytes.empty()) {
            const auto size = ipc::send_bytes(parent.get(), bytes, descriptor);
            if (size > 0)
                descriptor = -1;
            bytes.erase(0, size);
        }
    }

    /// Reads until `count` lines are there.
    string read_lines(std::size_t count)
    {
        string text;
        vector<char> buffer(64 * 1024);
        const auto complete = [&] {
            const auto got = ipc::receive_bytes(parent.get(), buffer, received);
            text.append(buffer.data(), got.size);
            return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) >= count ||
                   got.end;
        };
        EXPECT_TRUE(eventually(complete)) << text;
        return text;
    }

    /// True when the child has nothing more to say up to its answer to an echo.
    bool says_nothing_more()
    {
        write("{\"echo\":\"over\"}\n");
        return read_lines(1) == "{\"echo\":\"over\"}\n";
    }

    string handled() const { return "handled by " + std::to_string(child->pid()) + "\n"; }
    string served() const { return "served by " + std::to_string(child->pid()) + "\n"; }

    void expect_it_ends_with_the_channel()
    {
        parent.reset();
        EXPECT_EQ(child->wait_exit(), exited(0));
        EXPECT_EQ(child->err(), "");
    }

    unique_fd parent;
    std::optional<process> child;
    vector<unique_fd> received;
};

TEST_F(ManualChild, ReadsItsChannelNumberAndNeedsNoMode)
{
    for (const int number : {3, 5, 9, 77}) {
        start(number, number == 5 ? vector<string>{}
                                  : vector<string>{"NODE_CHANNEL_SERIALIZATION_MODE=json"});
        write("{\"echo\":1}\n");
        EXPECT_EQ(read_lines(1), "{\"echo\":1}\n");
        EXPECT_TRUE(is_close_on_exec(child->pid(), number));
        expect_it_ends_with_the_channel();
    }
}

TEST_F(ManualChild, SaysWhatIsWrongWithoutAUsableChannel)
{
    struct {
        vector<string> environment;
        string complaint;
    } const cases[] = {
        {{}, "NODE_CHANNEL_FD is not set"},
        {{"NODE_CHANNEL_FD="}, "NODE_CHANNEL_FD="},
        {{"NODE_CHANNEL_FD=three"}, "NODE_CHANNEL_FD=three"},
        {{"NODE_CHANNEL_FD=-1"}, "NODE_CHANNEL_FD=-1"},
        {{"NODE_CHANNEL_FD=3x"}, "NODE_CHANNEL_FD=3x"},
        {{"NODE_CHANNEL_FD=99"}, "NODE_CHANNEL_FD=99"}, // closed
        {{"NODE_CHANNEL_FD=0"}, "NODE_CHANNEL_FD=0"},   // /dev/null
        {{"NODE_CHANNEL_FD=3", "NODE_CHANNEL_SERIALIZATION_MODE=advanced"}, "'advanced'"},
    };
    for (const auto& [environment, complaint] : cases) {
        const auto result = run({test_program("manual_child")}, {.environment = environment});
        EXPECT_EQ(result.status, exited(1)) << complaint;
        EXPECT_EQ(lines(result.err).size(), 1u) << result.err;
        EXPECT_TRUE(result.err.starts_with("manual_child: ")) << result.err;
        EXPECT_NE(result.err.find(complaint), string::npos) << result.err;
    }
}

TEST_F(ManualChild, AnswersOnASocketAfterAcknowledgingIt)
{
    start();
    auto [accepted, client] = ipc_test::tcp_pair();
    write(envelope("net.Socket", "\"socket\""), accepted.get());
    accepted.reset();
    EXPECT_EQ(read_lines(1), ack);
    EXPECT_EQ(connection(client.release()).read_to_end(), handled());
    EXPECT_TRUE(says_nothing_more());
    expect_it_ends_with_the_channel();
}

TEST_F(ManualChild, ServesAServerOfEitherFamilyListeningOrOnlyBound)
{
    for (const auto& address : loopback_addresses()) {
        start();
        listener server(address);
        write(envelope("net.Server", "\"server\""), server.native_handle());
        EXPECT_EQ(read_lines(1), ack);
        for (int i = 0; i < 3; ++i)
            EXPECT_EQ(ask(server.port(), address), served());
        expect_it_ends_with_the_channel();
    }
    start();
    const unique_fd bound = ipc_test::tcp_server(false);
    write(envelope("net.Server", "\"server\""), bound.get());
    EXPECT_EQ(read_lines(1), ack);
    EXPECT_EQ(ask(ipc_test::port_of(bound.get())), served());
    expect_it_ends_with_the_channel();
}

TEST_F(ManualChild, UnwrapsARetransmissionAnswersOnceAndAcknowledgesOnce)
{
    start();
    auto [accepted, client] = ipc_test::tcp_pair();
    auto inner = envelope("net.Socket", "\"socket\"");
    inner.pop_back();
    write(envelope("net.Native", inner), accepted.get());
    accepted.reset();
    EXPECT_EQ(read_lines(1), ack);
    EXPECT_EQ(connection(client.release()).read_to_end(), handled());
    EXPECT_TRUE(says_nothing_more());
}

TEST_F(ManualChild, RefusesAnEnvelopeWithoutADescriptorOnce)
{
    start();
    write(envelope("net.Socket", "\"socket\""));
    EXPECT_EQ(read_lines(1), nack);
    EXPECT_TRUE(says_nothing_more());
}

TEST_F(ManualChild, SaysWhenTheLastSocketOfAServerIsClosed)
{
    start();
    auto [accepted, client] = ipc_test::tcp_pair();
    auto line = envelope("net.Socket", "\"socket\"");
    line.insert(line.size() - 2, R"(,"key":"4:127.0.0.1:1")");
    write(line, accepted.get());
    accepted.reset();
    EXPECT_EQ(read_lines(1), ack);
    write(R"({"cmd":"NODE_SOCKET_GET_COUNT","key":"unknown"})"
          "\n");
    EXPECT_EQ(read_lines(1), R"({"cmd":"NODE_SOCKET_COUNT","count":0,"key":"unknown"})"
                             "\n");
    write(R"({"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":"4:127.0.0.1:1"})"
          "\n");
    connection(client.release()).read_to_end(); // and closes, so the child does too
    EXPECT_EQ(read_lines(1), R"({"cmd":"NODE_SOCKET_ALL_CLOSED","key":"4:127.0.0.1:1"})"
                             "\n");
    write(R"({"cmd":"NODE_SOCKET_GET_COUNT","key":"4:127.0.0.1:1"})"
          "\n");
    EXPECT_EQ(read_lines(1), R"({"cmd":"NODE_SOCKET_COUNT","count":0,"key":"4:127.0.0.1:1"})"
                             "\n");
    expect_it_ends_with_the_channel();
}

TEST_F(ManualChild, EndsOnAHalfCloseAndAnswersWhatItHas)
{
    start();
    auto [accepted, client] = ipc_test::tcp_pair();
    write(envelope("net.Socket", "\"socket\""), accepted.get());
    accepted.reset();
    ::shutdown(parent.get(), SHUT_WR);
    EXPECT_EQ(connection(client.release()).read_to_end(), handled());
    EXPECT_EQ(child->wait_exit(), exited(0));
}

TEST_F(ManualChild, ClosesItsCopyOfTheServerWhenTheParentHangsUp)
{
    start();
    std::uint16_t port = 0;
    {
        const listener server;
        port = server.port();
        write(envelope("net.Server", "\"server\""), server.native_handle());
        EXPECT_EQ(read_lines(1), ack);
    }
    EXPECT_EQ(ask(port), served());
    expect_it_ends_with_the_channel();
    EXPECT_TRUE(is_free(port));
}

TEST_F(ManualChild, EndsWithAnErrorOnAParentThatBreaksTheProtocol)
{
    for (const string line : {"not json", "", "{\"half\":", "\xff\xfe"}) {
        start();
        write(line + "\n");
        EXPECT_EQ(child->wait_exit(), exited(1));
        EXPECT_EQ(lines(child->err()).size(), 1u) << child->err();
    }
}

TEST_F(ManualChild, TwoHundredSocketsLeaveNoDescriptorBehind)
{
    start();
    EXPECT_TRUE(says_nothing_more());
    const auto before = descriptors(child->pid()).size();
    for (int i = 0; i < 200; ++i) {
        auto [accepted, client] = ipc_test::tcp_pair();
        write(envelope("net.Socket", "\"socket\""), accepted.get());
        accepted.reset();
        ASSERT_EQ(read_lines(1), ack);
        ASSERT_EQ(connection(client.release()).read_to_end(), handled());
    }
    EXPECT_TRUE(eventually([&] { return descriptors(child->pid()).size() == before; }));
}

// ---- real Node parents
// ---------------------------------------------------------------------------

/// Parameter: a scenario of node_parent.js.
class ManualChildUnderNode : public testing::TestWithParam<string> {};

const vector<string> scenarios{
    "server",
    "an http.Server",
    "two children and the parent on one server",
    "socket",
    "a socket that is not paused",
    "a socket with keepOpen",
    "a server that is not IPv4",
    "a child without room for a descriptor",
    "server.close() completes",
    "echo",
    "five hundred messages in order",
    "messages that are not for us",
    "another channel number",
    "the advanced serialization",
    "a parent that hangs up while a client is being answered",
};

INSTANTIATE_TEST_SUITE_P(
    , ManualChildUnderNode, testing::ValuesIn(scenarios), [](const auto& test) {
        string name;
        bool upper = true;
        for (const char c : test.param) {
            if (std::isalnum(static_cast<unsigned char>(c)))
                name += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
            upper = c == ' ';
        }
        return name;
    });

TEST_P(ManualChildUnderNode, DoesWhatANodeChildWould)
{
    const auto result =
        run({node(), fixture("interop/node_parent.js"), test_program("manual_child"), GetParam()});
    EXPECT_EQ(result.status, exited(0)) << result.err;
    EXPECT_EQ(result.out, "ok\n");
}

/// Node sets no parent-death signal: it is the end of the channel that ends the child.
TEST(ManualChildOfAKilledNode, EndsAndFreesThePort)
{
    process parent({node(), "-e",
                    "const server = require('net').createServer();"
                    "const child = require('child_process').fork('x.js',"
                    " {execPath: process.argv[1], execArgv: []});"
                    "server.listen(0, '127.0.0.1', () => {"
                    " child.send('server', server);"
                    " console.log(`port ${server.address().port}`);"
                    " server.close(); })",
                    test_program("manual_child")});
    const auto port = static_cast<std::uint16_t>(std::stoi(parent.out_line("port ").substr(5)));
    const auto answer = ask(port);
    ASSERT_TRUE(answer.starts_with("served by ")) << answer;
    const pid_t child = std::stoi(answer.substr(10));
    ASSERT_EQ(children(parent.pid()), vector<pid_t>{child});
    parent.signal(SIGKILL);
    EXPECT_TRUE(eventually([&] { return !runs(child) && is_free(port); }));
}

TEST(ManualChildScenarios, AreAllRun)
{
    const auto all = run({node(), fixture("interop/node_parent.js")});
    EXPECT_EQ(lines(all.out), scenarios);
}

} // namespace

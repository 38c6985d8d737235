// Values and lines, compared with a real Node in both directions: what it sends, and what it makes
// of what it is sent.
#include "ipc/child_process.hpp"
#include "ipc/error.hpp"
#include "ipc/json_text.hpp"
#include "ipc/wire_format.hpp"
#include "support/programs.hpp"
#include "unit/channel_fixture.hpp"

#include <gtest/gtest.h>

#include <spawn.h>
#include <sys/wait.h>

using namespace support;
using asio::awaitable;
using nlohmann::json;
using std::string;
using std::vector;

namespace {

string wire_js()
{
    return fixture("interop/node/wire.js");
}

// ---- values ------------------------------------------------------------------------------------

// What a Node program may send, in JavaScript.
const vector<string> values{
    // literals and numbers
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "0.5",
    "-0.1",
    "1e20",
    "1e21",
    "-1e21",
    "1e-6",
    "1e-7",
    "2 ** 31",
    "2 ** 32",
    "2 ** 53",
    "2 ** 53 + 2",
    "2 ** 63",
    "-(2 ** 63)",
    "2 ** 64",
    "12345678901234567890",
    "0.1 + 0.2",
    "Number.MAX_VALUE",
    "Number.MIN_VALUE",
    "5e-324",
    "Number.MAX_SAFE_INTEGER",
    "Number.EPSILON",
    "100000000000000000000000",
    "[-0]",
    "[NaN]",
    "[Infinity, -Infinity]",
    // strings
    "''",
    "'a'",
    "'a\\nb\\r\\t\\b\\f'",
    "'\"\\\\/'",
    "'\\u0000'",
    "'a\\u0000b'",
    "'\\u001b[31m'",
    "'\\u007f\\u0080\\u009f'",
    "'é€😀'",
    "'\\u2028\\u2029'",
    "'\\ufeff'",
    "'\\uffff\\ufffe'",
    "'\\ud83d\\ude00'",
    "'😀'.slice(0, 1)",
    "'😀'.slice(1)",
    "'a😀'.slice(0, 2) + 'b'",
    "'\\ude00\\ud83d'",
    "'\\ud800\\ud800\\udc00'",
    "'NODE_HANDLE'",
    "'x'.repeat(1000)",
    "'ß'.repeat(40000)",
    "'</script>'",
    // arrays and objects
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    "{ a: [] }",
    "[1, [2, [3, [4]]]]",
    "[null, undefined, () => 1]",
    "{ a: undefined, b: 1 }",
    "{ b: 1, a: 2, 10: 3, 9: 4 }",
    "{ '': 0 }",
    "{ ' ': { ' ': ' ' } }",
    "{ 'ключ': 'значение', '键': '值' }",
    "{ 'a\"b\\\\': 1 }",
    "{ ['😀'.slice(0, 1)]: 1 }",
    "{ ['\\udc00x']: '\\ud800' }",
    "{ toString: 1, constructor: 2, hasOwnProperty: 3 }",
    "JSON.parse('{\"__proto__\":1}')",
    "new Array(3)",
    "Array.from({ length: 5000 }, (_, i) => i)",
    "Array.from({ length: 2000 }, () => ({}))",
    "Object.fromEntries(Array.from({ length: 3000 }, (_, i) => ['k' + (2999 - i), i]))",
    "Array.from({ length: 500 }).reduce(inner => [inner], 0)",
    // what JSON makes of other things
    "new Date(0)",
    "Buffer.from('hi')",
    "new Map([[1, 2]])",
    "new Set([1])",
    "/x/g",
    "new Uint8Array(3)",
    "new Error('lost')",
    "Object.create({ inherited: 1 })",
    "new String('boxed')",
    "{ toJSON() { return 'instead' } }",
    // nearly the protocol's own
    "{ cmd: 'NODE_' }",
    "{ cmd: 'node_foo' }",
    "{ cmd: 7 }",
    "{ cmd: null }",
    "{ CMD: 'NODE_foo' }",
    "{ x: { cmd: 'NODE_foo' } }",
    "[{ cmd: 'NODE_foo' }]",
    "{ key: 'k', type: 't', msg: 'm' }",
};

TEST(Wire, EveryValueComesFromNodeAndGoesBackAsItWas)
{
    ASSERT_GE(values.size(), 70U);
    asio::io_context context;
    std::exception_ptr failure;
    std::size_t same = 0;
    const auto story = [&]() -> awaitable<void> {
        auto child = ipc::child_process::start(context.get_executor(), {node(), wire_js()});
        for (const auto& expression : values) {
            const json question{{"evaluate", expression}};
            co_await child.channel.send(question);
            const auto value = co_await child.channel.receive();
            if (!value)
                throw std::runtime_error("Node hung up at " + expression);
            const auto read = value->body.dump();
            co_await child.channel.send(value->body);
            const auto verdict = co_await child.channel.receive();
            if (!verdict)
                throw std::runtime_error("Node hung up after " + expression);
            const json told = verdict->body.json();
            EXPECT_TRUE(told.at("same").get<bool>()) << expression << " came as " << read;
            EXPECT_EQ(read, ipc::check_json(told.at("expected").get<string>()).text) << expression;
            EXPECT_EQ(value->body.json(), json::parse(told.at("expected").get<string>()))
                << expression;
            ++same;
        }
        child.channel.close();
        co_await child.exited();
    };
    asio::co_spawn(context, story(), [&](std::exception_ptr error) { failure = error; });
    context.run_for(patient(a_while));
    if (failure)
        std::rethrow_exception(failure);
    EXPECT_EQ(same, values.size());
}

// ---- lines -------------------------------------------------------------------------------------

// A Node whose channel is a bare socket here.
class node_on_a_socket {
public:
    node_on_a_socket()
    {
        auto [ours, theirs] = ipc_test::unix_pair();
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 3);
        string program = node(), script = wire_js();
        char* arguments[] = {program.data(), script.data(), nullptr};
        string channel = "NODE_CHANNEL_FD=3", path = "PATH=/usr/bin:/bin";
        char* environment[] = {channel.data(), path.data(), nullptr};
        const int error =
            ::posix_spawnp(&pid_, program.c_str(), &actions, nullptr, arguments, environment);
        ::posix_spawn_file_actions_destroy(&actions);
        if (error != 0)
            throw std::system_error(error, std::generic_category(), program);
        socket_ = std::move(ours);
    }

    ~node_on_a_socket()
    {
        socket_.reset();
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    /// One line for it, one line from it.
    json ask(const string& line)
    {
        const string bytes = line + "\n";
        if (::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(bytes.size()))
            throw std::runtime_error("Node takes no line any more");
        string answer;
        while (!answer.ends_with('\n')) {
            pollfd ready{socket_.get(), POLLIN, 0};
            std::array<char, 4096> buffer;
            if (::poll(&ready, 1, static_cast<int>(patient(a_while).count())) != 1)
                throw std::runtime_error("Node says nothing");
            const auto size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
            if (size <= 0)
                throw std::runtime_error("Node has ended");
            answer.append(buffer.data(), static_cast<std::size_t>(size));
        }
        return json::parse(answer);
    }

private:
    pid_t pid_ = -1;
    unique_fd socket_;
};

// Taken by both as the same value, or refused by both.
const vector<string> lines{
    "1",
    " 1",
    "1 ",
    "\t1\r",
    "1\r",
    "[1 , 2]",
    " { \"a\" : 1 } ",
    "-0",
    "1.0",
    "1E5",
    "1e+5",
    "1e-400",
    "0.1e1",
    "12345678901234567890123",
    "\"\\/\"",
    "\"\\u0041\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud83d\\ude00\"",
    "\"\\uD83D\\uDE00\"",
    "\"\\ud83d\\u0041\"",
    "{\"\\ud800\":\"\\udc00\"}",
    "\"\xff\"",
    "\"\xc3\"",
    "\"\xe2\x82\"",
    "\"a\xe2\x82z\"",
    "\"\xf0\x9f\x98\"",
    "\"\xf0\x9f\"",
    "\"\xc0\xaf\"",
    "\"\xe0\x80\xaf\"",
    "\"\xed\xa0\xbd\xed\xb8\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xf8\x88\x80\x80\x80\"",
    "\"\x80\xbf\"",
    "\"\xe2\x28\xa1\"",
    "\"\x7f\"",
    "{\"a\":1,\"a\":2}",
    "{\"__proto__\":1}",
    "[[[[[[]]]]]]",
    "{\"cmd\":\"NODE_\"}",
    // and not JSON
    "",
    " ",
    "not json",
    "undefined",
    "NaN",
    "Infinity",
    "-Infinity",
    "'a'",
    "{a:1}",
    "01",
    "-",
    "1.",
    ".5",
    "+1",
    "0x10",
    "1e",
    "[1,]",
    "[,1]",
    "{\"a\":1,}",
    "{,}",
    "[",
    "]",
    "}",
    "{\"a\":1",
    "{\"a\"}",
    "{1:2}",
    "[1}",
    "\"a",
    "\"\\",
    "\"\\x41\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"a\tb\"",
    "\"a\rb\"",
    "1 2",
    "1,2",
    "tru",
    "True",
    "nul",
    "truefalse",
    "tr ue",
    "/* */1",
    "1//",
    "\xef\xbb\xbf"
    "1",
    "\xc2\xa0"
    "1",
    "\x1b[31m",
    "\xff",
    "\x0b"
    "1",
    string("1\0", 2),
    string("\"a\0b\"", 5),
    string("\0", 1),
};

TEST(Wire, NodeMakesTheSameOfEachLine)
{
    ASSERT_GE(lines.size(), 30U);
    node_on_a_socket node;
    std::size_t taken = 0, refused = 0;
    for (const auto& line : lines) {
        SCOPED_TRACE(ipc::quote(line));
        const auto told = node.ask(line);
        try {
            const auto ours = std::get<ipc::wire::user_message>(ipc::wire::decode(line)).body;
            ASSERT_TRUE(told.contains("text")) << "here " << ours.dump() << ", there " << told;
            EXPECT_EQ(ours.json(), json::parse(told.at("text").get<string>()));
            ++taken;
        } catch (const ipc::protocol_error& error) {
            EXPECT_TRUE(told.contains("broken")) << error.what() << "; there " << told;
            ++refused;
        }
    }
    EXPECT_EQ(taken + refused, lines.size());
    EXPECT_GE(taken, 30U);
    EXPECT_GE(refused, 30U);
}

// What wire_format.hpp and json_text.hpp name as differences, and nothing else.
TEST(Wire, WhereWeDifferFromNodeIsKnown)
{
    node_on_a_socket node;
    for (const string line : {"1e400", "[-1e400]"}) { // Infinity, which JSON has no word for
        EXPECT_TRUE(node.ask(line).contains("text")) << line;
        EXPECT_THROW((void)ipc::wire::decode(line), ipc::protocol_error) << line;
    }
    const string deep = string(ipc::max_depth + 1, '[') + string(ipc::max_depth + 1, ']');
    EXPECT_TRUE(node.ask(deep).contains("text"));
    EXPECT_THROW((void)ipc::wire::decode(deep), ipc::protocol_error);

    const auto as_text = [](const string& line) {
        return std::get<ipc::wire::user_message>(ipc::wire::decode(line)).body.dump();
    };
    for (const string line :
         {"[-0]", "1.0", "12345678901234567890", R"({"b":1,"10":2,"9":3})", R"({"a":1,"a":2})"}) {
        EXPECT_NE(node.ask(line).at("text").get<string>(), line);
        EXPECT_EQ(as_text(line), line) << "digits and keys as they came";
    }
}

} // namespace

// What the two clients have in common: command line, exit codes, errors, interruption.
#include "support/programs.hpp"
#include "support/pseudo_terminal.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <regex>
#include <system_error>

using namespace support;
using std::string;
using std::vector;
using std::operator""s;

namespace {

/// Parameter: the client's name.
class EveryClient : public testing::TestWithParam<string> {
protected:
    string name() const { return GetParam(); }
    bool is_http() const { return name() == "http_client"; }
    string typed() const { return "build/clients/" + name(); }
    string demo_name() const { return is_http() ? "http_cluster" : "socket_fanout"; }

    vector<string> command(std::uint16_t port, vector<string> more = {}) const
    {
        more.insert(more.begin(), {client(name()), "--port", std::to_string(port)});
        return more;
    }

    /// Takes the next connection and answers it in full.
    void serve(listener& server, const string& text) const
    {
        auto connection = server.accept();
        if (is_http()) {
            connection.read_until("\r\n\r\n");
            connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                            std::to_string(text.size()) + "\r\n\r\n" + text);
        } else {
            connection.send(text);
        }
    }

    string printed(const string& text) const { return text + (is_http() ? "\nend\n" : "\n"); }
};

INSTANTIATE_TEST_SUITE_P(, EveryClient, testing::Values("net_client", "http_client"),
                         [](const auto& test) { return test.param; });

TEST_P(EveryClient, HelpOpensWithTwoExamplesAndNamesEveryFlagWithItsDefault)
{
    const auto help = run({client(name()), "--help"});
    EXPECT_EQ(help.status, exited(0));
    EXPECT_EQ(help.err, "");
    EXPECT_EQ(help.out.find(typed() + "\n  " + typed() + " --"), 0u) << help.out;
    for (const string flag : {"-h,--help", "--version", "--host", "-p,--port", "-n,--count",
                              "-c,--concurrency", "--timeout", "--tally", "-q,--quiet"})
        EXPECT_NE(help.out.find(flag), string::npos) << flag;
    EXPECT_EQ(help.out.find("--keep-alive") != string::npos, is_http());
    const auto default_of = [&](const string& flag) {
        std::smatch found;
        return std::regex_search(help.out, found, std::regex(flag + " [^\\n=]*=(\\S+)"))
                   ? found[1].str()
                   : "none";
    };
    EXPECT_EQ(default_of("--host"), "localhost");
    EXPECT_EQ(default_of("--port"), "8888");
    EXPECT_EQ(default_of("--count"), "5");
    EXPECT_EQ(default_of("--timeout"), "5000");
}

TEST_P(EveryClient, VersionNamesTheLibraries)
{
    const auto version = run({client(name()), "--version"});
    EXPECT_EQ(version.status, exited(0));
    EXPECT_EQ(version.out.find(name() + " 0."), 0u) << version.out;
    EXPECT_NE(version.out.find("asio 1."), string::npos) << version.out;
}

TEST_P(EveryClient, RefusesBadUsageWithExitCode2)
{
    const vector<vector<string>> mistakes{{"--port", "0"},        {"--port", "65536"},
                                          {"--port", "http"},     {"--count", "0"},
                                          {"--count", "-1"},      {"--concurrency", "0"},
                                          {"--timeout", "later"}, {"--no-such-flag"},
                                          {"localhost"},          {"--count"},
                                          {"--workers", "4"},     {"--host", ""},
                                          {"--host", "a:8888"},   {"--host", "http://a/"},
                                          {"--host", "a/b"},      {"--quiet", "--tally"}};
    for (auto mistake : mistakes) {
        const auto what = join(mistake, " ");
        mistake.insert(mistake.begin(), client(name()));
        const auto result = run(mistake);
        EXPECT_EQ(result.status, exited(2)) << what;
        EXPECT_EQ(result.out, "") << what;
        EXPECT_EQ(result.err.find(name() + ": "), 0u) << result.err;
        EXPECT_NE(result.err.find("--help"), string::npos) << result.err;
    }
}

TEST_P(EveryClient, NobodyListeningIsExplainedWithTheCommandToType)
{
    const auto port = std::to_string(unused_port());
    const auto result = run({client(name()), "--port", port}, typed_as(typed()));
    EXPECT_EQ(result.status, exited(3));
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, name() + ": nothing is listening on localhost:" + port +
                              " (connection refused)\n" +
                              "  start a demo in another terminal: build/demos/" + demo_name() +
                              " --port " + port + "\n");
}

TEST_P(EveryClient, OfPort8888NobodyListeningSaysTheDocumentedText)
{
    ASSERT_TRUE(is_free(8888));
    const auto result = run({client(name())}, typed_as(typed()));
    EXPECT_EQ(result.status, exited(3));
    EXPECT_EQ(result.err,
              name() + ": nothing is listening on localhost:8888 (connection refused)\n" +
                  "  start a demo in another terminal: build/demos/" + demo_name() + "\n");
}

TEST_P(EveryClient, AsksFiveTimesAllAtOnce)
{
    listener server;
    process program(command(server.port()));
    vector<connection> all;
    for (int i = 0; i < 5; ++i)
        all.push_back(server.accept()); // though none has been answered yet
    all.clear();
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_FALSE(server.somebody_waits(milliseconds(0))) << "a sixth";
}

TEST_P(EveryClient, NeverOpensMoreThanConcurrencyAllows)
{
    listener server;
    process program(command(server.port(), {"-n", "5", "-c", "2"}));
    vector<connection> open;
    for (int i = 0; i < 5; ++i) {
        while (open.size() < 2 && i + static_cast<int>(open.size()) < 5)
            open.push_back(server.accept());
        EXPECT_FALSE(server.somebody_waits(milliseconds(20))) << "a third at once";
        open.erase(open.begin());
    }
    EXPECT_EQ(program.wait_exit(), exited(1));
}

TEST_P(EveryClient, PrintsEachAnswerAsSoonAsItIsComplete)
{
    listener server;
    process program(command(server.port(), {"-n", "2", "-c", "1"}));
    serve(server, "first 子进程：1");
    EXPECT_EQ(program.out_line("first"), "first 子进程：1"); // a pipe, and the program still runs
    serve(server, "second 子进程：2");
    EXPECT_EQ(program.wait_exit(), exited(0));
    EXPECT_EQ(program.out(), printed("first 子进程：1") + printed("second 子进程：2"));
    EXPECT_EQ(program.err(), "");
}

TEST_P(EveryClient, FailedRequestIsOneLineAndExitCode1)
{
    listener server;
    process program(command(server.port(), {"-n", "3", "-c", "1"}));
    serve(server, "good");
    server.accept().close();
    serve(server, "good again");
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), printed("good") + printed("good again"));
    EXPECT_EQ(lines(program.err()).size(), 1u) << program.err();
    EXPECT_EQ(program.err().find(name() + ": "), 0u);
}

TEST_P(EveryClient, ResetConnectionIsAFailure)
{
    listener server;
    process program(command(server.port(), {"-n", "1"}));
    auto connection = server.accept();
    if (is_http())
        connection.read_until("\r\n\r\n");
    connection.reset();
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), "");
    EXPECT_NE(program.err().find("reset"), string::npos) << program.err();
}

TEST_P(EveryClient, SilentServerIsGivenUpAfterTheTimeout)
{
    listener server;
    const auto start = std::chrono::steady_clock::now();
    process program(command(server.port(), {"-n", "1", "--timeout", "200"}));
    const auto silent = server.accept();
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(200));
    EXPECT_EQ(program.out(), "");
    EXPECT_NE(program.err().find("200 ms"), string::npos) << program.err();
}

TEST_P(EveryClient, TheTimeoutBoundsConnectingToo)
{
    const full_listener server;
    const auto result =
        run(command(server.port(), {"--host", "127.0.0.1", "--timeout", "200", "-n", "2"}));
    EXPECT_EQ(result.status, exited(3));
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, name() + ": cannot connect to 127.0.0.1:" +
                              std::to_string(server.port()) + ": no answer within 200 ms\n");
}

TEST_P(EveryClient, AServerThatStallsInTheMiddleIsOneLine)
{
    listener server;
    process program(command(server.port(), {"-n", "1", "--timeout", "200"}));
    auto connection = server.accept();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), "");
    EXPECT_EQ(program.err(), name() + ": no answer within 200 ms\n");
}

TEST_P(EveryClient, AServerThatDiesInTheMiddleIsOneLine)
{
    listener server;
    process program(command(server.port(), {"-n", "1"}));
    auto connection = server.accept();
    if (is_http())
        connection.read_until("\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    connection.reset();
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), "");
    EXPECT_EQ(lines(program.err()).size(), 1u) << program.err();
    EXPECT_NE(program.err().find("reset"), string::npos) << program.err();
}

TEST_P(EveryClient, AServerThatNeverStopsTalkingIsOneLine)
{
    listener server;
    process program(command(server.port(), {"-n", "1"}));
    auto connection = server.accept();
    try {
        connection.send("HTTP/1.1 200 OK\r\n\r\n");
        for (;;)
            connection.send(string(64 * 1024, 'x'));
    } catch (const std::system_error&) { // it has had enough
    }
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), "");
    EXPECT_EQ(program.err(), name() + ": the answer is too long\n");
}

TEST_P(EveryClient, TallyCountsTheAnswersWhenSomeFail)
{
    listener server;
    process program(command(server.port(), {"-n", "3", "-c", "1", "--tally"}));
    serve(server, is_http() ? "Request handled by worker-77" : "http socket0 子进程：77");
    server.accept().close();
    serve(server, is_http() ? "Request handled by worker-77" : "http socket0 子进程：77");
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_TRUE(std::regex_match(program.out(), std::regex("77 +2 100\\.0 % +#+\n")))
        << program.out();
    EXPECT_EQ(lines(program.err()).size(), 1u) << program.err();
}

TEST_P(EveryClient, InterruptedPrintsWhatItHadAndExitsWith128AndTheSignal)
{
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        listener server;
        process program(command(server.port(), {"-n", "2", "-c", "1"}));
        serve(server, "good");
        const auto silent = server.accept();
        program.out_line("good");
        program.signal(signal);
        EXPECT_EQ(program.wait_exit(), exited(128 + signal));
        EXPECT_EQ(program.out(), printed("good"));
    }
}

TEST_P(EveryClient, InterruptedStillShowsItsTally)
{
    listener server;
    process program(command(server.port(), {"-n", "3", "-c", "1", "--tally"}));
    serve(server, is_http() ? "Request handled by worker-77" : "http socket0 子进程：77");
    serve(server, is_http() ? "Request handled by worker-77" : "http socket0 子进程：77");
    const auto silent = server.accept();
    program.signal(SIGINT);
    EXPECT_EQ(program.wait_exit(), exited(130));
    EXPECT_EQ(program.out().find("77 "), 0u) << program.out();
}

TEST_P(EveryClient, TallyCountsEveryAnswerByPid)
{
    listener server;
    process program(command(server.port(), {"-n", "10", "-c", "1", "--tally"}));
    for (int i = 0; i < 10; ++i) {
        const auto pid = i < 7 ? "1001" : "1002";
        serve(server,
              (is_http() ? "Request handled by worker-" : "http socket0 子进程：") + string(pid));
    }
    EXPECT_EQ(program.wait_exit(), exited(0));
    const auto bars = lines(program.out());
    ASSERT_EQ(bars.size(), 2u) << program.out();
    EXPECT_TRUE(std::regex_match(bars[0], std::regex("1001 +7 +70\\.0 % +#+"))) << bars[0];
    EXPECT_TRUE(std::regex_match(bars[1], std::regex("1002 +3 +30\\.0 % +#+"))) << bars[1];
}

TEST_P(EveryClient, TriesEveryAddressOfLocalhost)
{
    for (const auto& address : loopback_addresses()) {
        listener server(address);
        process program(
            command(server.port(), {"-n", "1", "--host", address == "::1" ? "::1" : "localhost"}));
        serve(server, "hello");
        EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
        EXPECT_EQ(program.out(), printed("hello"));
    }
}

TEST_P(EveryClient, TakesAnIPv6AddressInBracketsToo)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 here";
    listener server("::1");
    process program(command(server.port(), {"-n", "1", "--host", "[::1]"}));
    serve(server, "hello");
    EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
    EXPECT_EQ(program.out(), printed("hello"));
}

TEST_P(EveryClient, WhereNobodyListensOnAnAddressTheDemoIsToListenThere)
{
    if (!has_ipv6())
        GTEST_SKIP() << "no IPv6 here";
    const auto port = std::to_string(unused_port());
    const auto result = run({client(name()), "--port", port, "--host", "::1"}, typed_as(typed()));
    EXPECT_EQ(result.status, exited(3));
    EXPECT_EQ(result.err, name() + ": nothing is listening on [::1]:" + port +
                              " (connection refused)\n" +
                              "  start a demo in another terminal: build/demos/" + demo_name() +
                              " --host ::1 --port " + port + "\n");
}

TEST_P(EveryClient, WithoutIPv6ItNamesTheAddressThatWillDo)
{
    const auto without_ipv6 = [has = has_ipv6()] {
        if (has && !enter_a_new_network())
            ::_exit(77);
    };
    auto options = typed_as(typed());
    options.before_exec = without_ipv6;
    const auto result = run({client(name()), "--host", "::1", "--port", "8889"}, options);
    if (result.status == exited(77))
        GTEST_SKIP() << "no network namespace here";
    EXPECT_EQ(result.status, exited(3));
    EXPECT_EQ(result.err.find(name() + ": cannot connect to [::1]:8889: "), 0u) << result.err;
    EXPECT_NE(result.err.find("\n  with IPv4: build/clients/" + name() +
                              " --host 127.0.0.1 --port 8889\n"),
              string::npos)
        << result.err;
}

TEST_P(EveryClient, AnAddressThatEachInterfaceHasIsToNameOne)
{
    const auto result = run({client(name()), "--host", "fe80::1"});
    EXPECT_EQ(result.status, exited(3));
    EXPECT_NE(result.err.find("--host fe80::1%"), string::npos) << result.err;
}

TEST_P(EveryClient, QuietPrintsNothingButErrors)
{
    listener server;
    process program(command(server.port(), {"-n", "2", "-c", "1", "--quiet"}));
    serve(server, "hello");
    server.accept().close();
    EXPECT_EQ(program.wait_exit(), exited(1));
    EXPECT_EQ(program.out(), "");
    EXPECT_EQ(lines(program.err()).size(), 1u) << program.err();

    process happy(command(server.port(), {"-n", "1", "-q"}));
    serve(server, "hello");
    EXPECT_EQ(happy.wait_exit(), exited(0));
    EXPECT_EQ(happy.out() + happy.err(), "");
}

TEST_P(EveryClient, OnATerminalWhatAStrangerSendsIsSeenAndDoesNothing)
{
    const string said = "\x1b[2J\x1b]0;title\a子\x9b"
                        "1m\u202e\u009b\xff\0\rend\n\tof it"s;
    listener server;
    pseudo_terminal screen;
    start_options on_screen{.environment = {"NO_COLOR=1"}};
    on_screen.before_exec = [fd = screen.slave()] {
        ::dup2(fd, 1);
        ::dup2(fd, 2);
    };
    process program(command(server.port(), {"-n", "1"}), on_screen);
    serve(server, said);
    EXPECT_EQ(program.wait_exit(), exited(0));
    EXPECT_EQ(
        screen.text(),
        printed("\\x1b[2J\\x1b]0;title\\x07子\\x9b1m\\u202e\\u009b\\xff\\x00\\rend\n\tof it"));
}

TEST_P(EveryClient, InAPipeAnAnswerIsTheBytesThatCame)
{
    const string said = "\x1b[2J\x9b\xff\0\r"s;
    listener server;
    process program(command(server.port(), {"-n", "1"}));
    serve(server, said);
    EXPECT_EQ(program.wait_exit(), exited(0));
    EXPECT_EQ(program.out(), printed(said));
}

TEST_P(EveryClient, ATallyCountsStrangersByTheBeginningOfTheirFirstLine)
{
    const vector<std::pair<string, string>> cases{
        {"worker-77\r\n", "77"}, // a line end behind the PID
        {"hello\nworld", "hello"},
        {"no digit", "no digit"},
        {" \n", "(nothing)"},
        {"\x1b[2J\xff", "\\x1b[2J\\xff"},
        {string(100'000, 'x'), string(39, 'x') + "…"},
        {string(100'000, '9'), string(39, '9') + "…"},
        {"http socket" + string(100'000, '9') + " 子进程：none",
         "http socket" + string(28, '9') + "…"},
    };
    for (const auto& [said, row] : cases) {
        listener server;
        process program(command(server.port(), {"-n", "1", "--tally"}));
        serve(server, said);
        EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
        EXPECT_EQ(program.out().find(row + " "), 0u) << program.out().substr(0, 200);
        EXPECT_EQ(lines(program.out()).size(), 1u) << program.out().substr(0, 200);
    }
}

TEST_P(EveryClient, ATallyOfManyNamesStaysShortAndCountsAll)
{
    constexpr std::size_t count = 600;
    listener server;
    process program(command(server.port(), {"-n", std::to_string(count), "-c", "1", "--tally"}));
    for (std::size_t i = 0; i < count; ++i)
        serve(server, "stranger " + std::to_string(i) + "!");
    EXPECT_EQ(program.wait_exit(), exited(0)) << program.err();
    const auto rows = lines(program.out());
    EXPECT_EQ(rows.size(), 257u);
    std::size_t total = 0;
    for (const auto& row : rows) {
        std::smatch found;
        ASSERT_TRUE(std::regex_match(row, found, std::regex("(stranger \\d+!|others) +(\\d+) .*")))
            << row;
        total += std::stoul(found[2]);
    }
    EXPECT_EQ(total, count);
    EXPECT_EQ(rows.back().find("others "), 0u) << rows.back();
}

TEST_P(EveryClient, WorksWithClosedStandardStreams)
{
    listener server;
    start_options without_streams;
    without_streams.before_exec = [] {
        ::close(0);
        ::close(2);
    };
    process program(command(server.port(), {"-n", "1"}), without_streams);
    serve(server, "hello");
    EXPECT_EQ(program.wait_exit(), exited(0));
    EXPECT_EQ(program.out(), printed("hello"));
}

} // namespace

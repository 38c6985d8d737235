// What the demos have in common: command line, streams, addresses, start and stop.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <regex>
#include <set>
#include <unistd.h>

using namespace support;
using std::string;
using std::vector;

namespace {

/// Parameter: the demo's name.
class EveryDemo : public testing::TestWithParam<string> {
protected:
    string name() const { return GetParam(); }
    string typed() const { return "build/demos/" + name(); }
    bool is_http() const { return name().ends_with("cluster"); }
    bool main_accepts() const { return name() == "socket_fanout" || name() == "cluster"; }
    string client_name() const { return is_http() ? "http_client" : "net_client"; }

    /// Who answers a new connection.
    pid_t ask_who(std::uint16_t port, const string& host = "127.0.0.1") const
    {
        if (!is_http())
            return parse_reply(ask(port, host)).pid;
        auto connection = connect(port, host);
        connection.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        const auto answer = connection.read_to_end();
        return parse_http_reply(answer.substr(answer.find("\r\n\r\n") + 4));
    }

    void expect_served(const running_demo& main, const string& host = "127.0.0.1") const
    {
        expect_one_of(main.workers, ask_who(main.port, host));
    }

    static void expect_one_of(const vector<pid_t>& known, pid_t pid)
    {
        EXPECT_TRUE(std::count(known.begin(), known.end(), pid)) << pid << " is no worker";
    }

    string documents_lines() const { return name() == "socket_fanout" ? "" : "server is start\n"; }
};

const auto every_demo =
    testing::Values("server_handoff", "socket_fanout", "http_cluster", "cluster");
const auto its_name = [](const auto& test) { return test.param; };
INSTANTIATE_TEST_SUITE_P(, EveryDemo, every_demo, its_name);

class EveryDemoInTime : public EveryDemo {};
INSTANTIATE_TEST_SUITE_P(, EveryDemoInTime, every_demo, its_name);

// ---- the command line
// ----------------------------------------------------------------------------

TEST_P(EveryDemo, HelpOpensWithTwoExamplesAndNamesEveryFlagWithItsDefault)
{
    const auto help = run({demo(name()), "--help"});
    EXPECT_EQ(help.status, exited(0));
    EXPECT_EQ(help.err, "");
    const auto text = lines(help.out);
    ASSERT_GE(text.size(), 2u);
    EXPECT_EQ(text[0], typed());
    EXPECT_EQ(text[1].find("  " + typed() + " --"), 0u) << text[1];
    for (const string flag :
         {"-h,--help", "--version", "--host", "-p,--port", "-w,--workers", "--delay", "--child",
          "--respawn", "--trace", "--ack-timeout", "-q,--quiet"})
        EXPECT_NE(help.out.find(flag), string::npos) << flag;
    const auto default_of = [&](const string& flag) {
        std::smatch found;
        return std::regex_search(help.out, found, std::regex(flag + " [^\\n=]*=(\\S+)"))
                   ? found[1].str()
                   : "none";
    };
    EXPECT_EQ(default_of("--host"), "127.0.0.1");
    EXPECT_EQ(default_of("--port"), "8888");
    EXPECT_EQ(default_of("--workers"), "4");
    EXPECT_EQ(default_of("--delay"), is_http() ? "0" : "100");
    EXPECT_EQ(default_of("--ack-timeout"), "5000");
    EXPECT_EQ(run({demo(name()), "-h"}).out, help.out);
}

TEST_P(EveryDemo, VersionNamesTheLibraries)
{
    const auto version = run({demo(name()), "--version"});
    EXPECT_EQ(version.status, exited(0));
    EXPECT_EQ(version.err, "");
    EXPECT_EQ(version.out.find(name() + " 0."), 0u) << version.out;
    for (const string library : {"asio 1.", "nlohmann_json 3.", "llhttp ", "CLI11 2."})
        EXPECT_NE(version.out.find(library), string::npos) << version.out;
}

TEST_P(EveryDemo, RefusesBadUsageWithExitCode2)
{
    const vector<vector<string>> mistakes{{"--child", "node 'child.js"},
                                          {"--child", "node \"child.js"},
                                          {"--child", "node child.js\\"},
                                          {"--child", "''"},
                                          {"--child", " \t"},
                                          {"--workers", "0"},
                                          {"--workers", "65"},
                                          {"--workers", "two"},
                                          {"--port", "65536"},
                                          {"--port", "-1"},
                                          {"--port", "http"},
                                          {"--port"},
                                          {"--delay", "-1"},
                                          {"--delay", "soon"},
                                          {"--ack-timeout", "-1"},
                                          {"--child", ""},
                                          {"--no-such-flag"},
                                          {"8888"},
                                          {"--mode", "nonsense"},
                                          {"--child"}};
    for (auto mistake : mistakes) {
        const auto what = join(mistake, " ");
        mistake.insert(mistake.begin(), demo(name()));
        const auto result = run(mistake);
        EXPECT_EQ(result.status, exited(2)) << what;
        EXPECT_EQ(result.out, "") << what;
        EXPECT_EQ(result.err.find(name() + ": "), 0u) << what << "\n" << result.err;
        EXPECT_NE(result.err.find("--", 3), string::npos) << "what to type instead: " << result.err;
    }
}

TEST_P(EveryDemo, TakesOneWorkerAndSixtyFour)
{
    EXPECT_EQ(running_demo(name(), {"--workers", "1"}).workers.size(), 1u);
    EXPECT_EQ(running_demo(name(), {"-w", "64"}).workers.size(), 64u);
}

// ---- start, serve, stop
// --------------------------------------------------------------------------

TEST_P(EveryDemo, ReadyLineNamesAddressWorkersAndTheClient)
{
    running_demo main({demo(name()), "-p", "0"}, typed_as(typed()));
    EXPECT_EQ(main.address, "127.0.0.1");
    EXPECT_NE(main.port, 0);
    EXPECT_EQ(main.hint, "build/clients/" + client_name() + " --port " + std::to_string(main.port));

    auto workers = main.workers;
    std::sort(workers.begin(), workers.end());
    EXPECT_EQ(workers, children(main.pid()));
    EXPECT_EQ(workers.size(), 4u);
    EXPECT_EQ(main.stop(), exited(0));
}

// Whoever is given the listener is waited for, and so seen to be gone.
TEST(ReadyLine, HasADashInThePlaceOfAWorkerThatIsMissing)
{
    for (const string name : {"server_handoff", "http_cluster"}) {
        running_demo main(
            name, {"--workers", "3", "--child", quoted(demo(name) + "_child"), "--child", "false"});
        const auto line = main.err_line("listening on");
        EXPECT_NE(line.find(", workers " + std::to_string(main.workers.at(0)) + " - " +
                            std::to_string(main.workers.at(2)) + "; try: "),
                  string::npos)
            << line;
        EXPECT_EQ(main.stop(), exited(0));
        EXPECT_NE(main.err().find("stopping: 2 workers"), string::npos) << main.err();
    }
}

TEST_P(EveryDemo, StdoutCarriesTheDocumentsLinesAndNothingElse)
{
    running_demo main(name());
    for (int i = 0; i < 3; ++i)
        expect_served(main);
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(main.out(), name() == "socket_fanout" ? "connection\nconnection\nconnection\n"
                                                    : "server is start\n");
}

TEST_P(EveryDemo, QuietLeavesTheReadyLineOnly)
{
    running_demo main(name(), {"--quiet"});
    expect_served(main);
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(main.out(), documents_lines());
    EXPECT_EQ(lines(main.err()).size(), 1u) << main.err();
}

TEST_P(EveryDemo, StopsOnCtrlCTerminationAndHangUp)
{
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        running_demo main(name());
        expect_served(main);
        if (signal == SIGINT)
            main.press_ctrl_c();
        else
            main.signal(signal);
        EXPECT_EQ(main.wait_exit(), exited(0));
        main.wait_output_closed();
        EXPECT_EQ(lines(main.err()).at(1), "stopping: 4 workers (again to force)");
        EXPECT_TRUE(std::none_of(main.workers.begin(), main.workers.end(), runs));
        EXPECT_TRUE(is_free(main.port));
    }
}

TEST_P(EveryDemo, SaysWorkerInTheSingular)
{
    running_demo main(name(), {"--workers", "1"});
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(lines(main.err()).at(1), "stopping: 1 worker (again to force)");
}

TEST_P(EveryDemo, AnswersWhatIsOpenBeforeItEnds)
{
    running_demo main(name(), {"--delay", "400"});
    const auto held_by_workers = [&] {
        std::size_t count = 0;
        for (const auto worker : main.workers)
            count += descriptors(worker).size();
        return count;
    };
    // What Asio waits with, the timer last: a worker of socket_fanout may be still beginning.
    ASSERT_TRUE(eventually([&] {
        return std::all_of(main.workers.begin(), main.workers.end(), [](pid_t worker) {
            const auto all = descriptors(worker);
            return std::any_of(all.begin(), all.end(), [](const auto& descriptor) {
                return descriptor.second == "anon_inode:[timerfd]";
            });
        });
    }));
    const auto idle = held_by_workers();
    auto open = connect(main.port);
    if (is_http())
        open.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    ASSERT_TRUE(eventually([&] {
        return held_by_workers() > idle && unread_bytes(main.port) == 0;
    })) << "no worker has taken the connection";
    main.press_ctrl_c();
    const auto answer = open.read_to_end();
    EXPECT_NE(answer.find(is_http() ? "Request handled by worker-" : "子进程"), string::npos)
        << answer;
    EXPECT_EQ(main.wait_exit(), exited(0));
}

TEST_P(EveryDemo, WaitsForTheDelay)
{
    const auto time_of_answer = [&](const vector<string>& arguments) {
        running_demo main(name(), arguments);
        const auto start = std::chrono::steady_clock::now();
        expect_served(main);
        return std::chrono::steady_clock::now() - start;
    };
    EXPECT_GE(time_of_answer({"--delay", "300"}), milliseconds(300));
    if (!is_http()) {
        EXPECT_GE(time_of_answer({}), milliseconds(100)); // the document's
    }
}

// ---- addresses
// -----------------------------------------------------------------------------------

TEST_P(EveryDemo, ListensWhereItIsTold)
{
    struct {
        string host, printed;
        vector<string> reached_at;
    } const cases[] = {{"127.0.0.1", "127.0.0.1", {"127.0.0.1"}},
                       {"::1", "[::1]", {"::1"}},
                       {"::", "[::]", {"127.0.0.1", "::1"}},
                       {"0.0.0.0", "0.0.0.0", {"127.0.0.1"}}};
    for (const auto& [host, printed, reached_at] : cases) {
        if (host.starts_with("::") && !has_ipv6())
            continue;
        running_demo main(name(), {"--host", host});
        EXPECT_EQ(main.address, printed);
        for (const auto& address : reached_at)
            expect_served(main, address);
        EXPECT_EQ(main.stop(), exited(0));
    }
}

TEST_P(EveryDemo, ListensOnLocalhostWhateverThatIsHere)
{
    running_demo main(name(), {"--host", "localhost"});
    expect_served(main, main.address == "[::1]" ? "::1" : "127.0.0.1");
    const auto asked = run({client(client_name()), "--port", std::to_string(main.port)});
    EXPECT_EQ(asked.status, exited(0)) << asked.err;
}

TEST_P(EveryDemo, RunsTwiceOnTwoPorts)
{
    running_demo one(name());
    running_demo two(name());
    ASSERT_NE(one.port, two.port);
    for (int i = 0; i < 4; ++i) {
        expect_served(one);
        expect_served(two);
    }
    EXPECT_EQ(one.stop(), exited(0));
    expect_served(two);
    EXPECT_EQ(two.stop(), exited(0));
}

TEST_P(EveryDemo, OfPort8888ServesTheClientWithoutAnyFlag)
{
    running_demo main({demo(name())}, typed_as(typed()));
    EXPECT_EQ(main.port, 8888);
    EXPECT_EQ(main.hint, "build/clients/" + client_name());
    const auto asked = run({client(client_name())});
    EXPECT_EQ(asked.status, exited(0));
    EXPECT_EQ(asked.err, "");
    const auto answers = lines(asked.out);
    ASSERT_EQ(answers.size(), is_http() ? 10u : 5u);
    for (const auto& line : answers)
        if (line != "end")
            expect_one_of(main.workers, is_http() ? parse_http_reply(line) : parse_reply(line).pid);
}

// ---- what cannot be done
// -------------------------------------------------------------------------

/// Whether a worker has been started, told by a file it makes.
class witness {
public:
    witness() : path_(testing::TempDir() + "worker_was_here." + std::to_string(::getpid())) {}
    ~witness() { std::filesystem::remove(path_); }
    string command() const { return "touch " + path_; }
    bool was_started() const { return std::filesystem::exists(path_); }

private:
    string path_;
};

// But for the cluster's, whose workers are the ones who ask for the port.
TEST_P(EveryDemo, PortInUseIsExplainedAndStartsNoWorker)
{
    const listener other;
    const auto port = std::to_string(other.port());
    const auto next = std::to_string(other.port() + 1);
    const witness worker;
    vector<string> command{demo(name()), "--port", port};
    if (name() != "cluster")
        command.insert(command.end(), {"--child", worker.command()});
    const auto result = run(command, typed_as(typed()));
    EXPECT_EQ(result.status, exited(3));
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, name() + ": port " + port + " is already in use\n" +
                              "  who has it:   ss -ltnp 'sport = :" + port + "'\n" +
                              "  another port: " + typed() + " --port " + next +
                              "   and   build/clients/" + client_name() + " --port " + next + "\n");
    EXPECT_FALSE(worker.was_started());
}

TEST_P(EveryDemo, OfPort8888InUseSaysTheDocumentedText)
{
    const listener other("127.0.0.1", 8888);
    const auto result = run({demo(name())}, typed_as(typed()));
    EXPECT_EQ(result.status, exited(3));
    EXPECT_EQ(result.err, name() + ": port 8888 is already in use\n" +
                              "  who has it:   ss -ltnp 'sport = :8888'\n" +
                              "  another port: " + typed() + " --port 8889   and   build/clients/" +
                              client_name() + " --port 8889\n");
}

TEST_P(EveryDemo, PrivilegedPortIsExplained)
{
    auto nobody = typed_as(typed());
    if (::geteuid() == 0)
        nobody.uid = 65534;
    const auto result = run({demo(name()), "--port", "80"}, nobody);
    EXPECT_EQ(result.status, exited(3))
        << "(is net.ipv4.ip_unprivileged_port_start lower than 81 here?)";
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err.find(name() + ": port 80 "), 0u) << result.err;
    EXPECT_NE(result.err.find("another port: " + typed() + " --port 8888"), string::npos)
        << result.err;
}

TEST_P(EveryDemo, AddressOfAnotherMachineIsExplained)
{
    const witness worker;
    vector<string> command{demo(name()), "--host", "192.0.2.1", "--port", "0"};
    if (name() != "cluster")
        command.insert(command.end(), {"--child", worker.command()});
    const auto result = run(command);
    EXPECT_EQ(result.status, exited(3));
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err.find(name() + ": cannot listen on 192.0.2.1"), 0u) << result.err;
    EXPECT_FALSE(worker.was_started());
}

TEST_P(EveryDemo, WorkerThatCannotBeStartedIsNamed)
{
    for (const string program : {"/no/such/program", "no-such-program-in-the-path", "/dev/null"}) {
        const auto result = run({demo(name()), "--port", "0", "--child", program + " argument"},
                                {.environment = {"PATH=/usr/bin:/bin"}}); // all to be looked into
        EXPECT_EQ(result.status, exited(3));
        EXPECT_EQ(result.err.find(name() + ": --child: " + program + ": "), 0u) << result.err;
        EXPECT_NE(result.err.find(program == "/dev/null" ? "Permission denied" : "No such file"),
                  string::npos)
            << result.err;
        EXPECT_EQ(result.err.find("listening"), string::npos) << result.err;
    }
}

// ---- what a process inherits
// ---------------------------------------------------------------------

bool is_own(const string& what)
{
    return what.starts_with("socket:") || what.starts_with("pipe:");
}

TEST_P(EveryDemo, WorkersInheritStandardStreamsAndChannelOnly)
{
    // A descriptor that main itself inherits from its shell, say.
    start_options with_a_stranger;
    with_a_stranger.before_exec = [] {
        ::dup2(::open("/dev/zero", O_RDONLY), 77);
        ::dup2(77, 0);
    };
    running_demo main(name(), {}, with_a_stranger);
    ASSERT_EQ(descriptors(main.pid()).at(77), "/dev/zero");

    const auto of_main = descriptors(main.pid());
    const auto listener = listening_socket(main.port);
    std::set<string> seen;
    for (const auto& [fd, what] : of_main)
        if (is_own(what) && fd > 2 && what != listener)
            seen.insert(what);
    for (const auto worker : main.workers) {
        const auto all = descriptors(worker);
        EXPECT_EQ(all.at(0), "/dev/null");
        for (const int fd : {1, 2})
            EXPECT_EQ(all.at(fd), of_main.at(fd)) << fd;
        EXPECT_TRUE(all.at(3).starts_with("socket:")) << all.at(3);
        EXPECT_TRUE(eventually([&] { return is_close_on_exec(worker, 3); })) << "once it has begun";
        for (const auto& [fd, what] : all) {
            EXPECT_NE(what, "/dev/zero") << fd;
            // Not main's, and no other worker's. The listener is shared, where it has been handed
            // over.
            if (fd > 2 && is_own(what) && what != listener) {
                EXPECT_TRUE(seen.insert(what).second)
                    << "worker " << worker << " holds " << what << " as " << fd;
            }
            if (fd > 3) {
                EXPECT_TRUE(is_close_on_exec(worker, fd)) << fd << " " << what;
            }
        }
    }
}

TEST_P(EveryDemo, D7_WorksWithClosedStandardStreams)
{
    const auto without = [](int count) {
        start_options options;
        options.before_exec = [count] {
            for (int fd = 0; fd < count; ++fd)
                ::close(fd);
        };
        return options;
    };
    const auto expect_clean = [&](pid_t main, std::uint16_t port) {
        const auto workers = children(main);
        EXPECT_EQ(workers.size(), 4u);
        for (int i = 0; i < 8; ++i)
            expect_one_of(workers, ask_who(port));
        for (auto pid : children(main))
            for (int fd = 0; fd <= 2; ++fd)
                EXPECT_FALSE(descriptors(pid).at(fd).starts_with("socket:")) << fd;
    };
    for (const int closed : {1, 2}) {
        running_demo main(name(), {}, without(closed));
        expect_clean(main.pid(), main.port);
        EXPECT_EQ(main.stop(), exited(0));
    }
    const auto port = unused_port(); // nobody can tell us
    process main({demo(name()), "--port", std::to_string(port)}, without(3));
    const auto answers = [&] {
        try {
            ask_who(port);
            return true;
        } catch (const std::system_error&) {
            return false;
        }
    };
    ASSERT_TRUE(eventually(answers));
    expect_clean(main.pid(), port);
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(0));
}

// ---- what is left over
// ---------------------------------------------------------------------------

TEST_P(EveryDemo, B7_AThousandConnectionsLeaveNothingBehind)
{
    running_demo main(name(), {"--delay", "0", "--quiet"});
    main.wait_until_at_rest();
    const auto before = descriptor_counts(main); // no client has come: none waits for its close
    const auto asked = run({client(client_name()), "--port", std::to_string(main.port), "--count",
                            "1000", "--concurrency", "20"});
    EXPECT_EQ(asked.status, exited(0)) << asked.err;
    std::size_t answers = 0;
    for (const auto& line : lines(asked.out))
        if (line != "end") {
            expect_one_of(main.workers, is_http() ? parse_http_reply(line) : parse_reply(line).pid);
            ++answers;
        }
    EXPECT_EQ(answers, 1000u);
    EXPECT_TRUE(eventually([&] { return descriptor_counts(main) == before; }))
        << testing::PrintToString(before) << " became "
        << testing::PrintToString(descriptor_counts(main));
    for (const auto child : children(main.pid()))
        EXPECT_FALSE(is_zombie(child));
    if (!main_accepts()) {
        EXPECT_FALSE(holds(main.pid(), listening_socket(main.port)));
        EXPECT_FALSE(epoll_watches(main.pid(), listening_socket(main.port)));
    }
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(lines(main.err()).size(), 1u)
        << "nothing went wrong, so nothing was said: " << main.err();
}

// What has been answered and waits for its client's end is not in the way of those who come.
TEST_P(EveryDemo, B7_OneWorkerWith64DescriptorsHasRoomForTwentyClientsAtATime)
{
    running_demo main(name(), {"--delay", "0", "--quiet", "--workers", "1"},
                      {.descriptor_limit = 64});
    const auto asked = run({client(client_name()), "--port", std::to_string(main.port), "--count",
                            "1000", "--concurrency", "20"});
    EXPECT_EQ(asked.status, exited(0)) << asked.err;
    EXPECT_EQ(std::ranges::count_if(lines(asked.out), [](auto& line) { return line != "end"; }),
              1000);
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(lines(main.err()).size(), 1u) << main.err();
}

TEST_P(EveryDemoInTime, B7_TheEndOfTheConnectionFollowsTheAnswerWithin100Milliseconds)
{
    running_demo main(name(), {"--delay", "0", "--quiet"});
    vector<std::chrono::steady_clock::duration> times;
    for (int i = 0; i < 20; ++i) {
        auto client = open_client(name(), main.port);
        const auto answer = client.read_until(is_http() ? "worker-" : "：");
        const auto begin = std::chrono::steady_clock::now();
        expect_one_of(main.workers, who_answered(answer + client.read_to_end()));
        times.push_back(std::chrono::steady_clock::now() - begin);
    }
    std::ranges::nth_element(times, times.begin() + 10); // the machine may stand still for some
    EXPECT_LT(times[10], milliseconds(100));
    EXPECT_EQ(main.stop(), exited(0));
}

TEST_P(EveryDemo, TraceShowsLinesAndDescriptorsOnStderr)
{
    running_demo main(name(), {"--trace"});
    expect_served(main);
    EXPECT_EQ(main.stop(), exited(0));
    const string said = name() == "cluster"         ? R"(net.Native","msg":{"cmd":"NODE_CLUSTER",)"
                        : name() == "socket_fanout" ? R"(net.Socket","msg":"http s)"
                                                    : R"(net.Server","msg":"http s)";
    EXPECT_NE(main.err().find(R"({"cmd":"NODE_HANDLE","type":")" + said), string::npos);
    EXPECT_NE(main.err().find(R"({"cmd":"NODE_HANDLE_ACK"})"), string::npos);
    EXPECT_NE(main.err().find("descriptor "), string::npos);
    EXPECT_EQ(main.out().find("NODE_"), string::npos);
}

// C1's CSI, and what turns the reading direction round: JSON may hold both as they are.
TEST_P(EveryDemo, TraceShowsWhatAWorkerSendsAndDoesNothingToTheTerminal)
{
    const string said = "a\u009b31m\u202e";
    const string listens =
        name() == "cluster" ? R"(echo '{"cmd":"NODE_CLUSTER","act":"listening"}' >&3; )" : "";
    const string script =
        listens + "echo '\"" + said + "\"' >&3; " +
        R"(while read -r line <&3; do echo '{"cmd":"NODE_HANDLE_ACK"}' >&3; done)";
    running_demo main(name(),
                      {"--trace", "--workers", "1", "--child", "/bin/sh -c " + quoted(script)});
    main.err_line("a\\u009b31m\\u202e");
    EXPECT_EQ(main.err().find(said), string::npos);
    EXPECT_EQ(main.stop(), exited(0));
}

} // namespace

// Demos in a terminal of their own: what it does to their workers, and what they do when it is
// closed.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/pseudo_terminal.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <map>
#include <unistd.h>

using namespace support;
using std::string;
using std::vector;

namespace {

class TerminalOfEveryDemo : public testing::TestWithParam<string> {
protected:
    string name() const { return GetParam(); }

    vector<string> reading_workers() const
    {
        return {"--workers", "2", "--child",
                quoted(node()) + " " + quoted(fixture("demos/reading_child.js")) +
                    (name() == "http_cluster" ? " http" : "")};
    }
    start_options in(const pseudo_terminal& terminal) const
    {
        start_options options;
        options.terminal = terminal.name();
        return options;
    }
    void expect_served(std::uint16_t port, std::size_t times) const
    {
        for (std::size_t i = 0; i < times; ++i)
            EXPECT_GT(who_answered(open_client(name(), port).read_to_end()), 0);
    }
    /// A client whose answer is still to come. (Where all of this takes longer than the delay, it
    /// has come.)
    connection client_of_a_worker(const running_demo& main) const
    {
        auto client = open_client(name(), main.port);
        EXPECT_TRUE(eventually([&] {
            const auto open = connections(main.port);
            return client.is_readable() || (open.size() == 1 && holds(main.workers[0], open[0]) &&
                                            unread_bytes(main.port) == 0);
        }));
        return client;
    }
    const vector<string> one_slow_worker{"--workers", "1", "--delay", "500"};
};
INSTANTIATE_TEST_SUITE_P(, TerminalOfEveryDemo,
                         testing::Values("socket_fanout", "server_handoff", "http_cluster"),
                         [](const auto& test) { return test.param; });

// A worker in the background of the terminal would be stopped by its first read: Node's reads as
// soon as something is there.
TEST_P(TerminalOfEveryDemo, D12_WorkersThatReadAreNotStoppedByEnter)
{
    pseudo_terminal terminal;
    running_demo main(name(), reading_workers(), in(terminal));
    terminal.type("\n\n");
    expect_served(main.port, 2);
    for (const auto worker : main.workers) {
        EXPECT_FALSE(is_stopped(worker));
        EXPECT_EQ(::getsid(worker), worker);
        EXPECT_EQ(descriptors(worker).at(0), "/dev/null");
    }
    EXPECT_EQ(main.stop(), exited(0));
}

TEST_P(TerminalOfEveryDemo, D12_WorkersThatPrintAreNotStoppedUnderTostop)
{
    pseudo_terminal terminal;
    terminal.stop_background_writers();
    auto options = in(terminal);
    options.environment = {"NO_COLOR=1"};
    options.before_exec = [] {
        ::dup2(0, 1);
        ::dup2(0, 2);
    };
    vector<string> command{demo(name()), "--port", "0"};
    for (const auto& argument : reading_workers())
        command.push_back(argument);
    process main(command, options);
    const auto ready = parse_ready_line(terminal.line_with("; try: "));
    expect_served(ready.port, 2);
    for (const auto worker : ready.workers)
        EXPECT_FALSE(is_stopped(worker));
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(0));
}

TEST_P(TerminalOfEveryDemo, HelpFitsItsWidth)
{
    std::map<std::uint16_t, std::size_t> line_counts;
    for (const std::uint16_t columns : std::initializer_list<std::uint16_t>{40, 60, 80, 132}) {
        pseudo_terminal terminal(columns);
        auto options = in(terminal);
        options.environment = {"COLUMNS="};
        options.before_exec = [] { ::dup2(0, 1); };
        EXPECT_EQ(run({demo(name()), "--help"}, options).status, exited(0));
        const auto help = terminal.text();
        const auto begin = help.find("Options:\n");
        ASSERT_NE(begin, string::npos) << help;
        const auto flags = lines(help.substr(begin));
        for (const auto& line : flags)
            EXPECT_LE(line.size(), columns) << line;
        line_counts[columns] = flags.size();
    }
    EXPECT_GT(line_counts[40], line_counts[60]);
    EXPECT_GE(line_counts[60], line_counts[80]);
    EXPECT_GT(line_counts[80], line_counts[132]) << "room that is there is used";
}

TEST_P(TerminalOfEveryDemo, CtrlCReachesTheMainAlone)
{
    pseudo_terminal terminal;
    running_demo main(name(), one_slow_worker, in(terminal));
    auto client = client_of_a_worker(main);
    terminal.type("\x03");
    EXPECT_NE(client.read_to_end(), "") << "a worker that the signal reaches dies at once";
    EXPECT_EQ(main.wait_exit(), exited(0));
    EXPECT_NE(main.err().find("stopping: 1 worker"), string::npos) << main.err();
}

TEST_P(TerminalOfEveryDemo, AClosedWindowIsAnOrderlyEnd)
{
    pseudo_terminal terminal;
    running_demo main(name(), one_slow_worker, in(terminal));
    auto client = client_of_a_worker(main);
    terminal.close();
    EXPECT_NE(client.read_to_end(), "");
    EXPECT_EQ(main.wait_exit(), exited(0));
}

} // namespace

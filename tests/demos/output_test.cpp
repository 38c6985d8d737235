// What becomes of a service whose output nobody reads, or nobody can write.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/pseudo_terminal.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <memory>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

using namespace support;
using std::string;
using std::vector;

namespace {

/// Something a program may have as stdout and stderr that takes no more, and keeps a reader.
struct full {
    int written = -1;
    int read = -1;

    ~full()
    {
        if (written >= 0)
            ::close(written);
        if (read >= 0)
            ::close(read);
    }
    /// What has got into it once nobody writes any more.
    string read_rest()
    {
        if (written >= 0)
            ::close(std::exchange(written, -1));
        string text;
        char buffer[64 * 1024];
        for (ssize_t size = 0; (size = ::read(read, buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(size));
        return text;
    }
    start_options as_output() const
    {
        start_options options;
        options.before_exec = [fd = written] {
            ::dup2(fd, 1);
            ::dup2(fd, 2);
        };
        return options;
    }
};

std::unique_ptr<full> full_pipe()
{
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    EXPECT_EQ(::fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
    EXPECT_EQ(::write(ends[1], string(4096, '.').data(), 4096), 4096);
    return std::unique_ptr<full>(new full{ends[1], ends[0]});
}

std::unique_ptr<full> full_socket()
{
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const string much(1024, '.');
    while (::send(ends[1], much.data(), much.size(), MSG_DONTWAIT) > 0) {
    }
    return std::unique_ptr<full>(new full{ends[1], ends[0]});
}

class OutputOfEveryDemo : public testing::TestWithParam<string> {
protected:
    string name() const { return GetParam(); }
    string client_name() const { return name() == "http_cluster" ? "http_client" : "net_client"; }

    /// A demo that cannot tell us its port.
    vector<string> command(std::uint16_t port, vector<string> more = {}) const
    {
        more.insert(more.begin(), {demo(name()), "--port", std::to_string(port), "--delay", "0"});
        return more;
    }
    static void wait_until_it_serves(std::uint16_t port)
    {
        ASSERT_TRUE(eventually([&] {
            try {
                connect(port);
                return true;
            } catch (const std::system_error&) {
                return false;
            }
        }));
    }
    void expect_that_it_serves(std::uint16_t port, const string& count) const
    {
        const auto asked =
            run({client(client_name()), "--port", std::to_string(port), "--count", count});
        EXPECT_EQ(asked.status, exited(0)) << asked.err;
    }
};
INSTANTIATE_TEST_SUITE_P(, OutputOfEveryDemo,
                         testing::Values("socket_fanout", "server_handoff", "http_cluster"),
                         [](const auto& test) { return test.param; });

TEST_P(OutputOfEveryDemo, ThatNobodyReadsHoldsNeitherServiceNorSignalsUp)
{
    for (const auto& make : {full_pipe, full_socket}) {
        const auto output = make();
        const auto port = unused_port();
        process main(command(port, {"--trace"}), output->as_output());
        wait_until_it_serves(port);
        expect_that_it_serves(port, "400");
        EXPECT_EQ(::fcntl(output->written, F_GETFL) & O_NONBLOCK, 0) << "others have it too";
        main.press_ctrl_c();
        EXPECT_EQ(main.wait_exit(), exited(0)) << "not reading is no failure of ours";
    }
}

TEST_P(OutputOfEveryDemo, ArrivesWhenItsReaderComesBack)
{
    const auto output = full_pipe();
    const auto port = unused_port();
    process main(command(port), output->as_output());
    wait_until_it_serves(port);
    string text;
    while (text.find("; try: ") == string::npos) {
        char some[4096];
        const auto size = ::read(output->read, some, sizeof some);
        ASSERT_GT(size, 0);
        text.append(some, static_cast<std::size_t>(size));
    }
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(0));
    text = text.substr(text.find_first_not_of('.')) + output->read_rest();
    const auto first = name() == "socket_fanout"
                           ? string("listening on 127.0.0.1:")
                           : string("server is start\nlistening on 127.0.0.1:");
    EXPECT_TRUE(text.starts_with(first)) << "in order, though one is stdout: " << text;
    EXPECT_NE(text.find("stopping: 4 workers"), string::npos) << text;
}

TEST_P(OutputOfEveryDemo, OnAStoppedTerminalHoldsNobodyUp)
{
    pseudo_terminal terminal;
    start_options on_terminal;
    on_terminal.before_exec = [fd = terminal.slave()] {
        ::dup2(fd, 1);
        ::dup2(fd, 2);
    };
    terminal.stop_output();
    const auto port = unused_port();
    process main(command(port, {"--trace"}), on_terminal);
    wait_until_it_serves(port);
    expect_that_it_serves(port, "100");
    EXPECT_EQ(terminal.text(), "");
    terminal.go_on();
    terminal.read_until("; try: ");
    terminal.stop_output();
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(0));
}

// `demo 2>&1 | tee`, then Ctrl-C: the reader has gone first, and the main has something to say.
TEST_P(OutputOfEveryDemo, WhoseReaderHasGoneCostsNoClientAndNoWord)
{
    const auto output = full_pipe();
    const auto port = unused_port();
    process main(command(port, {"--trace", "--respawn"}), output->as_output());
    wait_until_it_serves(port);
    ::close(std::exchange(output->read, -1));
    ASSERT_TRUE(eventually([&] { return children(main.pid()).size() == 4; }));
    const auto before = children(main.pid());
    ::kill(before.front(), SIGKILL);
    expect_that_it_serves(port, "40");
    ASSERT_TRUE(eventually([&] {
        const auto now = children(main.pid());
        return now.size() == 4 && now != before;
    })) << "it is replaced";
    expect_that_it_serves(port, "40");
    main.press_ctrl_c();
    EXPECT_EQ(main.wait_exit(), exited(0));
}

TEST_P(OutputOfEveryDemo, ThatCannotBeWrittenIsOneLineAndExitCode1AtItsEnd)
{
    start_options to_full_disk;
    to_full_disk.before_exec = [] { ::dup2(::open("/dev/full", O_WRONLY), 1); };
    running_demo main(name(), {}, to_full_disk);
    expect_that_it_serves(main.port, "8");
    EXPECT_EQ(main.stop(), exited(1));
    EXPECT_EQ(lines(main.err()).back(),
              name() + ": cannot write to stdout: No space left on device");
    std::size_t said = 0;
    for (const auto& line : lines(main.err()))
        said += line.find("No space left") != string::npos;
    EXPECT_EQ(said, 1u) << main.err();
}

TEST_P(OutputOfEveryDemo, ThatCannotSayWhyStillHasExitCode1)
{
    start_options to_full_disk;
    to_full_disk.before_exec = [] { ::dup2(::open("/dev/full", O_WRONLY), 2); };
    const auto port = unused_port();
    process main(command(port, {"--trace"}),
                 to_full_disk); // says something even before it is ready
    wait_until_it_serves(port);
    expect_that_it_serves(port, "8");
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(1));
}

TEST(OutputOfSocketFanout, SaysHowManyLinesItHasDroppedWhenItsReaderComesBack)
{
    const auto output = full_pipe();
    const auto port = unused_port();
    process main({demo("socket_fanout"), "--port", std::to_string(port), "--delay", "0", "--trace"},
                 output->as_output());
    ASSERT_TRUE(eventually([&] { return !is_free(port); }));
    const auto asked = run({client("net_client"), "--port", std::to_string(port), "--count", "8000",
                            "--tally"}); // about 190 bytes each
    EXPECT_EQ(asked.status, exited(0)) << asked.err;
    ::fcntl(output->read, F_SETFL, O_NONBLOCK); // the end that is ours alone
    string all;
    ASSERT_TRUE(eventually([&] {
        char text[64 * 1024];
        for (ssize_t size = 0; (size = ::read(output->read, text, sizeof text)) > 0;)
            all.append(text, static_cast<std::size_t>(size));
        return all.find(" dropped: nobody was reading\n") != string::npos;
    })) << all.size();
    EXPECT_GT(all.size(), 1024u * 1024);
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(0));
    EXPECT_NE(output->read_rest().find("stopping: 4 workers"), string::npos) << "heard again";
}

// ---- clients are filters ------------------------------------------------------------------------

class OutputOfEveryClient : public testing::TestWithParam<string> {
protected:
    string name() const { return GetParam(); }
    string demo_name() const { return name() == "http_client" ? "http_cluster" : "socket_fanout"; }
    vector<string> command(std::uint16_t port, vector<string> more = {}) const
    {
        more.insert(more.begin(), {client(name()), "--port", std::to_string(port)});
        return more;
    }
    /// The thread that writes begins with the first line.
    static bool has_a_line_that_waits(const process& program)
    {
        return status_field(program.pid(), "Threads") == "2";
    }
};
INSTANTIATE_TEST_SUITE_P(, OutputOfEveryClient, testing::Values("net_client", "http_client"),
                         [](const auto& test) { return test.param; });

TEST_P(OutputOfEveryClient, WaitsForItsReaderAndAsksNobodyMeanwhile)
{
    running_demo main(demo_name(), {"--delay", "0", "--quiet"});
    const auto output = full_pipe();
    start_options to_pipe;
    to_pipe.before_exec = [fd = output->written] { ::dup2(fd, 1); };
    process program(command(main.port, {"--count", "1000"}), to_pipe);
    ASSERT_TRUE(eventually([&] { return has_a_line_that_waits(program); }));
    EXPECT_FALSE(program.has_ended());
    ::close(std::exchange(output->written, -1)); // the program's copy is the last
    const auto text = output->read_rest();
    EXPECT_EQ(program.wait_exit(), exited(0));
    EXPECT_EQ(program.err(), "");
    EXPECT_EQ(lines(text.substr(text.find_first_not_of('.'))).size(),
              name() == "http_client" ? 2000u : 1000u);
}

TEST_P(OutputOfEveryClient, ThatWaitsForItsReaderHearsCtrlC)
{
    running_demo main(demo_name(), {"--delay", "0", "--quiet"});
    const auto output = full_pipe();
    start_options to_pipe;
    to_pipe.before_exec = [fd = output->written] { ::dup2(fd, 1); };
    process program(command(main.port, {"--count", "1000"}), to_pipe);
    ASSERT_TRUE(eventually([&] { return has_a_line_that_waits(program); }));
    program.signal(SIGINT);
    EXPECT_EQ(program.wait_exit(), exited(130));
}

TEST_P(OutputOfEveryClient, WhoseReaderHasGoneEndsQuietlyAndStopsAsking)
{
    running_demo main(demo_name(), {"--delay", "0", "--quiet"});
    const auto output = full_pipe();
    start_options to_pipe;
    to_pipe.before_exec = [fd = output->written] { ::dup2(fd, 1); };
    process program(command(main.port, {"--count", "100000000"}), to_pipe);
    ::close(std::exchange(output->read, -1));
    EXPECT_EQ(program.wait_exit(), exited(0)) << "as of head(1), which has what it wants";
    EXPECT_EQ(program.err(), "");
}

TEST_P(OutputOfEveryClient, ThatCannotBeWrittenIsOneLineAndExitCode1)
{
    running_demo main(demo_name(), {"--delay", "0", "--quiet"});
    start_options to_full_disk;
    to_full_disk.before_exec = [] { ::dup2(::open("/dev/full", O_WRONLY), 1); };
    for (const auto& more : {vector<string>{"--count", "100000000"}, {"--count", "8", "--tally"}}) {
        const auto result = run(command(main.port, more), to_full_disk);
        EXPECT_EQ(result.status, exited(1));
        EXPECT_EQ(result.err, name() + ": cannot write to stdout: No space left on device\n");
    }
}

TEST_P(OutputOfEveryClient, ThatCannotBeWrittenIsSoWithEIOToo)
{
    running_demo main(demo_name(), {"--delay", "0", "--quiet"});
    auto terminal = std::make_unique<pseudo_terminal>();
    const int slave = ::dup(terminal->slave());
    terminal.reset(); // nobody is at its other end any more
    start_options to_dead_terminal;
    to_dead_terminal.before_exec = [slave] { ::dup2(slave, 1); };
    const auto result = run(command(main.port), to_dead_terminal);
    ::close(slave);
    EXPECT_EQ(result.status, exited(1));
    EXPECT_EQ(result.err, name() + ": cannot write to stdout: Input/output error\n");
}

TEST(OutputOfAnyProgram, HelpForAFullDiskIsOneLineAndExitCode1)
{
    start_options to_full_disk;
    to_full_disk.before_exec = [] { ::dup2(::open("/dev/full", O_WRONLY), 1); };
    for (const auto& program :
         {demo("socket_fanout"), demo("invalid_handle"), client("net_client")})
        for (const string flag : {"--help", "--version"}) {
            const auto result = run({program, flag}, to_full_disk);
            EXPECT_EQ(result.status, exited(1)) << program << flag;
            EXPECT_EQ(lines(result.err).size(), 1u) << result.err;
            EXPECT_NE(result.err.find("cannot write to stdout: No space"), string::npos);
        }
}

} // namespace

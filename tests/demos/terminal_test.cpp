// Demos in a terminal of their own: what it does to their workers, and what they do when it is
// closed.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sys/ioctl.h>
#include <system_error>
#include <termios.h>
#include <unistd.h>

using namespace support;
using std::string;
using std::vector;

namespace {

/// Where somebody types (pty(7)).
class terminal {
public:
    terminal() : keyboard_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC))
    {
        char name[64];
        if (keyboard_ < 0 || ::grantpt(keyboard_) != 0 || ::unlockpt(keyboard_) != 0 ||
            ::ptsname_r(keyboard_, name, sizeof name) != 0)
            throw std::system_error(errno, std::generic_category(), "a pseudoterminal");
        name_ = name;
        // Somebody has it open, so that reading what is shown is no error before and after.
        screen_ = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    ~terminal() { close(); }
    terminal(const terminal&) = delete;
    terminal& operator=(const terminal&) = delete;

    const string& name() const { return name_; }
    void type(const string& keys) const
    {
        if (::write(keyboard_, keys.data(), keys.size()) < 0)
            throw std::system_error(errno, std::generic_category(), "typing");
    }
    /// stty tostop
    void stop_background_writers() const
    {
        termios settings{};
        ::tcgetattr(screen_, &settings);
        settings.c_lflag |= TOSTOP;
        ::tcsetattr(screen_, TCSANOW, &settings);
    }
    void resize(std::uint16_t columns) const
    {
        const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
        ::ioctl(screen_, TIOCSWINSZ, &size);
    }
    /// What programs that have ended have written.
    string shown() const
    {
        string text;
        char buffer[4096];
        pollfd some{keyboard_, POLLIN, 0};
        while (::poll(&some, 1, 0) == 1) {
            const auto size = ::read(keyboard_, buffer, sizeof buffer);
            if (size <= 0)
                break;
            text.append(buffer, static_cast<std::size_t>(size));
        }
        std::erase(text, '\r');
        return text;
    }
    /// Its window.
    void close()
    {
        ::close(std::exchange(screen_, -1));
        ::close(std::exchange(keyboard_, -1));
    }

private:
    int keyboard_, screen_ = -1;
    string name_;
};

class TerminalOfEveryDemo : public testing::TestWithParam<string> {
protected:
    string name() const { return GetParam(); }

    vector<string> reading_workers() const
    {
        return {"--workers", "2", "--child",
                quoted(node()) + " " + quoted(fixture("demos/reading_child.js")) +
                    (name() == "http_cluster" ? " http" : "")};
    }
    start_options in(const terminal& terminal) const
    {
        start_options options;
        options.terminal = terminal.name();
        return options;
    }
    void expect_served(const running_demo& main) const
    {
        for (std::size_t i = 0; i < main.workers.size(); ++i) {
            auto client = open_client(name(), main.port);
            const auto answer = client.read_to_end();
            EXPECT_NE(answer.find(name() == "http_cluster" ? "worker-" : "子进程"), string::npos)
                << answer;
        }
    }
};
INSTANTIATE_TEST_SUITE_P(, TerminalOfEveryDemo,
                         testing::Values("socket_fanout", "server_handoff", "http_cluster"),
                         [](const auto& test) { return test.param; });

// A worker in the background of the terminal would be stopped by its first read: Node's reads as
// soon as something is there.
TEST_P(TerminalOfEveryDemo, D12_WorkersThatReadAreNotStoppedByEnter)
{
    const terminal terminal;
    running_demo main(name(), reading_workers(), in(terminal));
    terminal.type("\n\n");
    expect_served(main);
    for (const auto worker : main.workers) {
        EXPECT_FALSE(is_stopped(worker));
        EXPECT_EQ(::getsid(worker), worker);
        EXPECT_EQ(descriptors(worker).at(0), "/dev/null");
    }
    EXPECT_EQ(main.stop(), exited(0));
}

TEST_P(TerminalOfEveryDemo, D12_WorkersThatPrintAreNotStoppedUnderTostop)
{
    const terminal terminal;
    terminal.stop_background_writers();
    auto options = in(terminal);
    const auto port = unused_port(); // the ready line goes to the terminal
    options.before_exec = [] {
        ::dup2(0, 1);
        ::dup2(0, 2);
    };
    vector<string> command{demo(name()), "--port", std::to_string(port)};
    for (const auto& argument : reading_workers())
        command.push_back(argument);
    process main(command, options);
    ASSERT_TRUE(eventually([&] {
        try {
            auto client = open_client(name(), port);
            return client.read_to_end().find(name() == "http_cluster" ? "worker-" : "子进程") !=
                   string::npos;
        } catch (const std::system_error&) {
            return false; // it does not listen yet
        }
    }));
    for (const auto worker : children(main.pid()))
        EXPECT_FALSE(is_stopped(worker));
    main.signal(SIGTERM);
    EXPECT_EQ(main.wait_exit(), exited(0));
}

TEST_P(TerminalOfEveryDemo, HelpFitsItsWidth)
{
    const terminal terminal;
    auto options = in(terminal);
    options.environment = {"COLUMNS="};
    options.before_exec = [] { ::dup2(0, 1); };
    std::map<std::uint16_t, std::size_t> line_counts;
    for (const std::uint16_t columns : std::initializer_list<std::uint16_t>{40, 60, 80, 132}) {
        terminal.resize(columns);
        EXPECT_EQ(run({demo(name()), "--help"}, options).status, exited(0));
        const auto help = terminal.shown();
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
    const terminal terminal;
    running_demo main(name(), {"--workers", "1", "--delay", "300"}, in(terminal));
    auto client = open_client(name(), main.port);
    ASSERT_TRUE(eventually([&] {
        const auto open = connections(main.port);
        return open.size() == 1 && holds(main.workers[0], open[0]) && unread_bytes(main.port) == 0;
    })) << "the worker has it";
    terminal.type("\x03");
    EXPECT_NE(client.read_to_end(), "") << "a worker that the signal reaches dies at once";
    EXPECT_EQ(main.wait_exit(), exited(0));
    EXPECT_NE(main.err().find("stopping: 1 worker"), string::npos) << main.err();
}

TEST_P(TerminalOfEveryDemo, AClosedWindowIsAnOrderlyEnd)
{
    terminal terminal;
    running_demo main(name(), {"--workers", "1", "--delay", "300"}, in(terminal));
    auto client = open_client(name(), main.port);
    ASSERT_TRUE(eventually([&] {
        const auto open = connections(main.port);
        return open.size() == 1 && holds(main.workers[0], open[0]) && unread_bytes(main.port) == 0;
    })) << "the worker has it";
    terminal.close();
    EXPECT_NE(client.read_to_end(), "");
    EXPECT_EQ(main.wait_exit(), exited(0));
}

} // namespace

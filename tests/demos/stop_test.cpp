// A demo is stopped: what becomes of the clients that are there.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <csignal>

using namespace support;
using std::string;
using std::vector;

namespace {

class StopOfEveryDemo : public testing::TestWithParam<string> {
protected:
    string name() const { return GetParam(); }

    /// Those who accept.
    vector<pid_t> acceptors(const running_demo& main) const
    {
        return name() == "socket_fanout" ? vector<pid_t>{main.pid()} : main.workers;
    }
    static void signal_all(const vector<pid_t>& processes, int number)
    {
        for (const auto pid : processes)
            ::kill(pid, number);
    }
};
INSTANTIATE_TEST_SUITE_P(, StopOfEveryDemo,
                         testing::Values("socket_fanout", "server_handoff", "http_cluster"),
                         [](const auto& test) { return test.param; });

// The kernel has made their connections, and resets them when the last copy of the listener closes.
TEST_P(StopOfEveryDemo, B14_E5_ClientsThatWaitToBeAcceptedAreAnswered)
{
    running_demo main(name(), {"--delay", "0", "--workers", "2"});
    signal_all(acceptors(main), SIGSTOP);
    vector<connection> clients;
    for (int i = 0; i < 100; ++i) {
        clients.push_back(connect(main.port));
        clients.back().send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    }
    main.signal(SIGTERM);
    if (name() != "socket_fanout")
        main.err_line("stopping");
    signal_all(acceptors(main), SIGCONT);

    int answered = 0;
    for (auto& client : clients)
        answered += !client.read_to_end().empty();
    EXPECT_EQ(answered, 100);
    EXPECT_EQ(main.wait_exit(), exited(0));
}

// Our own children need 2 s for that, and main is more patient.
TEST_P(StopOfEveryDemo, E6_WorkersThatAreBusyForAMinuteEndByThemselves)
{
    running_demo main(name(), {"--delay", "60000", "--workers", "1"});
    auto client = connect(main.port);
    if (name() == "http_cluster")
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return unread_bytes(main.port) == 0; }));
    EXPECT_EQ(main.stop(), exited(0));
    EXPECT_EQ(main.err().find("has not ended by itself"), string::npos) << main.err();
    EXPECT_EQ(client.read_to_end(), "");
}

} // namespace

// A demo is stopped: what becomes of the clients that are there.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>
#include <tuple>

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

// ---- under load --------------------------------------------------------------------------------

/// Clients that come one after the other, until the port refuses them.
class until_refused {
public:
    until_refused(std::uint16_t port, string request, int clients)
    {
        for (int i = 0; i < clients; ++i)
            threads_.emplace_back([this, port, request] { ask(port, request); });
    }
    ~until_refused() { join(); }

    void join()
    {
        for (auto& thread : threads_)
            thread.join();
        threads_.clear();
    }

    std::atomic<int> connected{0}, answered{0};

private:
    void ask(std::uint16_t port, const string& request)
    {
        for (;;)
            try {
                auto client = support::connect(port); // a late one is refused after a second
                ++connected;
                client.send(request);
                answered += !client.read_to_end().empty();
            } catch (const std::system_error& error) {
                if (error.code().value() == ECONNREFUSED)
                    return;
            }
    }

    vector<std::thread> threads_;
};

/// Parameters: the demo, and whether its main keeps the listener for replacements.
class StopUnderLoad : public testing::TestWithParam<std::tuple<string, bool>> {};
INSTANTIATE_TEST_SUITE_P(, StopUnderLoad,
                         testing::Combine(testing::Values("socket_fanout", "server_handoff",
                                                          "http_cluster"),
                                          testing::Bool()),
                         [](const auto& test) {
                             return std::get<0>(test.param) +
                                    (std::get<1>(test.param) ? "_with_respawn" : "");
                         });

TEST_P(StopUnderLoad, B14_E5_ResetsNobody)
{
    if (!sockets_can_be_filtered())
        GTEST_SKIP() << "SO_ATTACH_FILTER is refused here: a late client may be reset";
    const auto& [name, respawn] = GetParam();
    vector<string> arguments{"--delay", "1", "--quiet"};
    if (respawn)
        arguments.push_back("--respawn");
    for (int stop = 0; stop < 3; ++stop) {
        running_demo main(name, arguments);
        until_refused load(main.port,
                           "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 8);
        ASSERT_TRUE(eventually([&] { return load.answered >= 100; }));
        EXPECT_EQ(main.stop(), exited(0));
        load.join();
        EXPECT_EQ(load.connected, load.answered) << "stop " << stop;
    }
}

} // namespace

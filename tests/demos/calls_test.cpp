// What one hand-over, one connection or one request costs in system calls, when nothing else
// happens: exactly. Under load several share some of them; ./run bench shows how many.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <unistd.h>

using namespace support;
using std::string;

namespace {

using calls = std::map<string, int>;

// How often somebody waits, or sets the clock he waits for, is a matter of time; and what memory is
// got from the kernel is not for us to say.
const std::set<string> not_counted{"brk",     "epoll_wait",     "epoll_pwait2", "futex",
                                   "madvise", "mmap",           "mprotect",     "mremap",
                                   "munmap",  "timerfd_settime"};

class SystemCalls : public testing::Test {
protected:
    SystemCalls()
        : file(std::filesystem::temp_directory_path() /
               ("system_calls_" + std::to_string(::getpid())))
    {
    }
    ~SystemCalls() override { std::filesystem::remove(file); }

    using serving = std::function<void(const running_demo&)>;

    /// What each of the things that `serve` has done costs a main and its one worker: it is called
    /// in two runs, with 2 of them to do and with 10, and the difference counts.
    /// `but_for` is not looked at.
    calls of_each(const string& name, const std::function<void(const running_demo&, int)>& serve,
                  const string& but_for = "")
    {
        constexpr int few = 2;
        constexpr int more = 8;
        const auto of_few = all(name, [&](const auto& main) { serve(main, few); });
        calls each;
        for (const auto& [call, count] :
             all(name, [&](const auto& main) { serve(main, few + more); })) {
            if (call == but_for)
                continue;
            const auto others = of_few.contains(call) ? of_few.at(call) : 0;
            EXPECT_EQ((count - others) % more, 0) << call << ": " << others << ", then " << count;
            if (count != others)
                each[call] = (count - others) / more;
        }
        return each;
    }

    /// The worker has done all there is to do. As long as it is in ptrace(2)'s hands it is stopped.
    static void wait_until_at_rest(const running_demo& main)
    {
        EXPECT_TRUE(eventually([&] { return sleeps(main.workers[0]); }));
    }

    /// One that has ended at both sides may still wait for its close.
    void wait_until_it_holds(std::size_t connections, const running_demo& main) const
    {
        EXPECT_TRUE(eventually([&] {
            return open_connections(main.port) == connections &&
                   sockets(main.workers[0]) == its_sockets_ + connections;
        }));
        wait_until_at_rest(main);
    }

    const string file;

private:
    static std::size_t sockets(pid_t process) { return descriptor_kinds(process)["socket"]; }

    std::size_t its_sockets_ = 0; // of the worker, when it serves nobody

    /// From the first connection that is accepted until they are told to stop. How they start and
    /// end depends on who comes first.
    calls all(const string& name, const serving& serve)
    {
        pid_t main_pid = 0;
        pid_t worker = 0;
        std::set<pid_t> others; // threads that do not serve
        {
            running_demo main({"/usr/bin/env", "strace", "-f", "-qq", "-o", file, demo(name),
                               "--port", "0", "--quiet", "--workers", "1", "--delay", "0",
                               "--ack-timeout", "0"});
            main_pid = children(main.pid()).front();
            main.running_demo::wait_until_at_rest();
            wait_until_at_rest(main);
            its_sockets_ = sockets(main.workers[0]);
            serve(main);
            worker = main.workers[0];
            for (const auto process : {main_pid, worker})
                others.merge(threads(process));
            ::kill(main_pid, SIGTERM);
            main.wait_exit();
        }
        calls result;
        std::ifstream lines(file);
        bool is_serving = false;
        for (string line; std::getline(lines, line);) {
            if (line.find("--- SIGTERM") != string::npos)
                break;
            if (line.find(" accept4(") != string::npos && line.find("EINVAL") == string::npos)
                is_serving = true; // it was tried before there was a listener, too
            if (!is_serving)
                continue;
            std::istringstream words(line);
            pid_t pid = 0;
            string call;
            words >> pid;
            std::getline(words >> std::ws, call, '(');
            if (call.find(' ') != string::npos || not_counted.contains(call))
                continue;
            if (pid == main_pid || pid == worker)
                ++result[(pid == main_pid ? "main " : "worker ") + call];
            else // it writes what is printed (output.hpp): when it begins is a matter of time, too
                EXPECT_TRUE(others.contains(pid)) << "whose is " << line;
        }
        return result;
    }
};

TEST_F(SystemCalls, OfOneHandOver)
{
    // How often it looks whether the client has ended is a matter of time, too.
    const auto each = of_each(
        "socket_fanout",
        [this](const running_demo& main, int clients) {
            for (int i = 0; i < clients; ++i) {
                auto client = connect(main.port);
                client.end_sending(); // at once, for it will say nothing
                EXPECT_EQ(parse_reply(client.read_to_end()).pid, main.workers[0]);
                wait_until_it_holds(0, main);
            }
        },
        "worker recvfrom");
    // Main: the envelope with the descriptor, its acknowledgement, and Asio is to tell again of the
    // listener and of the channel. Worker: a second look for more handles, the question whether it
    // is a connection, the acknowledgement, the answer.
    const calls expected{
        {"main accept4", 1},     {"main close", 1},        {"main epoll_ctl", 2},
        {"main recvmsg", 1},     {"main sendmsg", 1},      {"worker close", 1},
        {"worker epoll_ctl", 1}, {"worker getsockopt", 1}, {"worker recvmsg", 2},
        {"worker sendmsg", 1},   {"worker sendto", 1},     {"worker shutdown", 1},
    };
    EXPECT_EQ(each, expected);
}

TEST_F(SystemCalls, OfOneConnectionWithOneRequest)
{
    const auto each = of_each("http_cluster", [this](const running_demo& main, int clients) {
        for (int i = 0; i < clients; ++i) {
            auto client = connect(main.port);
            wait_until_it_holds(1, main);
            client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
            client.read_to_end();
            client.close();
            wait_until_it_holds(0, main);
        }
    });
    // A look for the request, which is not there yet, and another when it is.
    const calls expected{{"worker accept4", 1},
                         {"worker close", 1},
                         {"worker epoll_ctl", 1},
                         {"worker recvfrom", 2},
                         {"worker sendto", 1}};
    EXPECT_EQ(each, expected);
}

TEST_F(SystemCalls, OfOneRequestOnAKeptConnection)
{
    const auto each = of_each("http_cluster", [this](const running_demo& main, int requests) {
        auto client = connect(main.port);
        for (int i = 0; i < requests; ++i) {
            wait_until_it_holds(1, main);
            client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            client.read_until("worker-" + std::to_string(main.workers[0]));
        }
        client.close();
        wait_until_it_holds(0, main);
    });
    const calls expected{{"worker recvfrom", 1}, {"worker sendto", 1}};
    EXPECT_EQ(each, expected);
}

} // namespace

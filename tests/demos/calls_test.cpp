// What one hand-over costs in system calls, when nothing else happens: exactly. Under load several
// connections share some of them; ./run bench shows how many.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <unistd.h>

using namespace support;
using std::string;

namespace {

using calls = std::map<string, int>;

// How often somebody waits, sets the clock he waits for, or looks whether the client has ended, is
// a matter of time; and what memory is got from the kernel is not for us to say.
const std::set<string> not_counted{"brk",     "epoll_wait", "epoll_pwait2",   "futex",
                                   "madvise", "mmap",       "mprotect",       "mremap",
                                   "munmap",  "recvfrom",   "timerfd_settime"};

class HandOverCalls : public testing::Test {
protected:
    HandOverCalls()
        : file(std::filesystem::temp_directory_path() /
               ("hand_over_calls_" + std::to_string(::getpid())))
    {
    }
    ~HandOverCalls() override { std::filesystem::remove(file); }

    /// A client that says at once that it will say nothing, and waits until nobody holds its
    /// connection.
    static void one_client(const running_demo& main)
    {
        auto client = connect(main.port);
        client.end_sending();
        EXPECT_EQ(parse_reply(client.read_to_end()).pid, main.workers[0]);
        EXPECT_TRUE(eventually([&] { return open_connections(main.port) == 0; }));
    }

    /// All that a main and its one worker call for so many clients, one after the other.
    calls all_calls(int clients) const
    {
        pid_t main_pid = 0;
        {
            running_demo main({"/usr/bin/env", "strace", "-f", "-qq", "-o", file,
                               demo("socket_fanout"), "--port", "0", "--quiet", "--workers", "1",
                               "--delay", "0", "--ack-timeout", "0"});
            main_pid = children(main.pid()).front();
            for (int i = 0; i < clients; ++i)
                one_client(main);
            ::kill(main_pid, SIGTERM);
            main.wait_exit();
        }
        calls result;
        std::ifstream lines(file);
        for (string line; std::getline(lines, line);) {
            std::istringstream words(line);
            pid_t pid = 0;
            string call;
            words >> pid;
            std::getline(words >> std::ws, call, '(');
            if (call.find(' ') == string::npos && !not_counted.contains(call))
                ++result[(pid == main_pid ? "main " : "worker ") + call];
        }
        return result;
    }

    const string file;
};

TEST_F(HandOverCalls, OfOneConnectionAtATime)
{
    constexpr int more = 8;
    const auto few = all_calls(2);
    calls each;
    for (const auto& [call, count] : all_calls(2 + more)) {
        const auto others = few.contains(call) ? few.at(call) : 0;
        EXPECT_EQ((count - others) % more, 0) << call << ": " << others << ", then " << count;
        if (count != others)
            each[call] = (count - others) / more;
    }
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

} // namespace

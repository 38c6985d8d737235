// Where something is missing: descriptors, system calls, /proc. Every program then works, or says
// in one line which call it was, and ends with exit code 3.
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <map>
#include <memory>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace support;
using std::string;
using std::vector;

namespace {

// What AddressSanitizer needs, if it is there, and what is taken away here.
const string undemanding =
    "ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:use_sigaltstack=0";

/// A main, a worker or a client, and what it takes to start it and to see that it works.
class PoorMachine : public testing::TestWithParam<string> {
protected:
    static bool is_main(const string& name)
    {
        return name == "socket_fanout" || name == "server_handoff" || name == "http_cluster";
    }
    static bool is_worker(const string& name) { return name.ends_with("_child"); }
    static bool is_client(const string& name) { return name.ends_with("_client"); }

    /// Its end, when there is something missing: either it has worked, and that is exit code 0, or
    /// not. A main is asked to stop as soon as it is ready.
    outcome run_it(start_options options) const
    {
        const auto name = GetParam();
        options.environment.push_back(undemanding);
        if (is_main(name)) {
            process main({demo(name), "--port", "0", "--workers", "1"}, options);
            if (eventually([&] {
                    return main.has_ended() || main.err().find("listening on") != string::npos;
                }))
                main.signal(SIGTERM);
            const auto status = main.wait_exit();
            return {status, main.out(), main.err()};
        }
        if (is_client(name)) {
            listener server;
            process client({support::client(name), "--port", std::to_string(server.port()),
                            "--host", "127.0.0.1", "--count", "1"},
                           options);
            if (eventually(
                    [&] { return client.has_ended() || server.somebody_waits(milliseconds(5)); }) &&
                !client.has_ended()) {
                try {
                    auto asked = server.accept();
                    if (name == "http_client")
                        asked.read_until("\r\n\r\n");
                    asked.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
                } catch (const std::exception&) { // it has connected and given up
                }
            }
            const auto status = client.wait_exit();
            return {status, client.out(), client.err()};
        }
        if (!is_worker(name))
            return run({demo(name)}, options);

        // Its parent hangs up at once.
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        options.environment.push_back("NODE_CHANNEL_FD=3");
        options.before_exec = [=, before = options.before_exec] {
            ::dup2(ends[1], 3);
            before();
        };
        process worker({demo(name)}, options);
        for (const auto end : ends)
            ::close(end);
        const auto status = worker.wait_exit();
        return {status, worker.out(), worker.err()};
    }

    /// "NAME: WHY", and a worker calls itself "worker PID".
    void expect_one_line(const outcome& result, const vector<string>& parts,
                         const string& when) const
    {
        EXPECT_EQ(result.status, exited(3)) << when << "\n" << result.err;
        EXPECT_EQ(result.out, "") << when;
        const auto said = lines(result.err);
        ASSERT_EQ(said.size(), 1u) << when << "\n" << result.err;
        EXPECT_EQ(said[0].find(is_worker(GetParam()) ? "worker " : GetParam() + ": "), 0u)
            << when << "\n"
            << said[0];
        EXPECT_TRUE(
            std::any_of(parts.begin(), parts.end(),
                        [&](const auto& part) { return said[0].find(part) != string::npos; }))
            << when << "\n"
            << said[0];
    }
};
INSTANTIATE_TEST_SUITE_P(, PoorMachine,
                         testing::Values("socket_fanout", "server_handoff", "http_cluster",
                                         "invalid_handle", "socket_fanout_child",
                                         "server_handoff_child", "http_cluster_child", "net_client",
                                         "http_client"),
                         [](const auto& test) { return test.param; });

// ---- descriptors
// ---------------------------------------------------------------------------------

TEST_P(PoorMachine, AFewDescriptorsAreEnoughOrTheCallIsNamed)
{
    bool has_worked = false;
    // One is for the loader, which reads libraries before there is a program.
    for (rlim_t limit = is_worker(GetParam()) ? 5 : 4; limit <= 20; ++limit) {
        const auto when = "with " + std::to_string(limit);
        const auto result = run_it({.descriptor_limit = limit});
        if (result.status == exited(0))
            has_worked = true;
        else {
            EXPECT_FALSE(has_worked) << when << ", and not with fewer";
            expect_one_line(
                result,
                {"pipe2: ", "pipe: ", "epoll_create1: ", "epoll: ", "socket: ", "accept4: ",
                 "socketpair: ", "open: ", "pidfd_open: ", "fcntl F_DUPFD_CLOEXEC: "},
                when);
            EXPECT_NE(result.err.find("Too many open files"), string::npos) << result.err;
        }
    }
    EXPECT_TRUE(has_worked) << "with 20";
}

// ---- calls
// ---------------------------------------------------------------------------------------

/// In the child, before exec: from now on these calls fail. What seccomp(2) calls a filter.
struct refusal {
    vector<sock_filter> program;
    sock_fprog filter{};

    refusal(const vector<long>& calls, int error)
    {
        const auto add = [this](std::uint16_t code, std::uint32_t value, std::uint8_t skip_if_not) {
            program.push_back({code, 0, skip_if_not, value});
        };
        add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr), 0);
        for (const auto call : calls) {
            add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 1);
            add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error), 0);
        }
        add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0);
        filter = {static_cast<unsigned short>(program.size()), program.data()};
    }
    refusal(const refusal&) = delete;
    refusal& operator=(const refusal&) = delete;

    start_options options()
    {
        start_options result;
        result.before_exec = [this] {
            if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
                ::_exit(125);
        };
        return result;
    }
};

const std::map<string, vector<long>> calls{
#ifdef SYS_epoll_wait // not on every processor; nor are the two below
    {"epoll_wait", {SYS_epoll_wait, SYS_epoll_pwait}},
#else
    {"epoll_wait", {SYS_epoll_pwait}},
#endif
#ifdef SYS_dup2
    {"dup2", {SYS_dup2}},
#endif
    {"accept4", {SYS_accept4}},
    {"bind", {SYS_bind}},
    {"close_range", {SYS_close_range}},
    {"epoll_create1", {SYS_epoll_create1}},
    {"epoll_ctl", {SYS_epoll_ctl}},
    {"fork", {SYS_clone, SYS_clone3}},
    {"getsockname", {SYS_getsockname}},
    {"getsockopt", {SYS_getsockopt}},
    {"ioctl", {SYS_ioctl}},
    {"listen", {SYS_listen}},
    {"pidfd_open", {SYS_pidfd_open}},
    {"pidfd_send_signal", {SYS_pidfd_send_signal}},
    {"pipe2", {SYS_pipe2}},
    {"prctl", {SYS_prctl}},
    {"setsid", {SYS_setsid}},
    {"setsockopt", {SYS_setsockopt}},
    {"sigaction", {SYS_rt_sigaction}},
    {"socket", {SYS_socket}},
    {"socketpair", {SYS_socketpair}},
    {"waitid", {SYS_waitid}},
    // Asio does without these.
    {"eventfd", {SYS_eventfd2}},
    {"timerfd_create", {SYS_timerfd_create}},
};

/// Without which it cannot work.
vector<string> needed_by(const string& name)
{
    const vector<string> all{"pipe2", "epoll_create1", "epoll_ctl", "epoll_wait", "ioctl"};
    const vector<string> parent{"sigaction",  "socketpair",       "fork",  "close_range",
                                "dup2",       "setsid",           "prctl", "waitid",
                                "pidfd_open", "pidfd_send_signal"};
    const vector<string> listening{"socket",  "setsockopt", "bind",
                                   "accept4", "listen",     "getsockname"};
    auto result = all;
    const auto add = [&](const vector<string>& more) {
        result.insert(result.end(), more.begin(), more.end());
    };
    if (name.ends_with("_client"))
        add({"sigaction", "socket"});
    else if (name.ends_with("_child"))
        add({"getsockopt"});
    else {
        add(parent);
        add(listening);
    }
    return result;
}

TEST_P(PoorMachine, ACallThatIsRefusedIsNamed)
{
    const auto needed = needed_by(GetParam());
    for (const auto& [call, numbers] : calls)
        for (const int error : {ENOSYS, EPERM}) {
            const auto when = call + (error == ENOSYS ? " ENOSYS" : " EPERM");
            refusal refused(numbers, error);
            const auto result = run_it(refused.options());
            if (std::count(needed.begin(), needed.end(), call))
                expect_one_line(result, {call}, when);
            else
                EXPECT_EQ(result.status.signal, 0) << when << "\n" << result.err;
        }
}

TEST_P(PoorMachine, WorksWithoutEventfdTimerfdAndReadlink)
{
    for (const auto& missing : {vector<long>{SYS_eventfd2}, vector<long>{SYS_timerfd_create},
#ifdef SYS_readlink
                                vector<long>{SYS_readlink, SYS_readlinkat}
#else
                                vector<long>{SYS_readlinkat}
#endif
         }) {
        refusal refused(missing, ENOSYS);
        const auto result = run_it(refused.options());
        EXPECT_EQ(result.status, exited(0)) << missing[0] << "\n" << result.err;
    }
}

// ---- /proc
// ---------------------------------------------------------------------------------------

#if !defined(ADDRESS_SANITIZER) // AddressSanitizer has its options from there
TEST_P(PoorMachine, WorksWithoutProc)
{
    start_options options;
    options.before_exec = [] {
        // Where only root may hide it, the test above stands for this one: nothing of /proc but a
        // link is read.
        if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWNS | CLONE_NEWUSER) != 0)
            return;
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        ::mount("none", "/proc", "tmpfs", 0, nullptr);
    };
    const auto result = run_it(options);
    EXPECT_EQ(result.status, exited(0)) << result.err;
}
#endif

} // namespace

#include "support/process.hpp"

#include "support/proc_fs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <ostream>
#include <poll.h>
#include <sched.h>
#include <set>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace support {

using clock = std::chrono::steady_clock;

namespace {

// The programs a test holds. Any other child of ours was left behind by one of them: as its
// "subreaper" we inherit it (prctl(2)).
std::set<pid_t>& started()
{
    static std::set<pid_t> pids;
    return pids;
}

std::vector<pid_t> left_behind()
{
    std::vector<pid_t> result;
    for (const auto pid : children(::getpid()))
        if (!started().contains(pid))
            result.push_back(pid);
    return result;
}

std::system_error last_error(const std::string& what)
{
    return {errno, std::generic_category(), what};
}

std::vector<char*> pointers(std::vector<std::string>& strings)
{
    std::vector<char*> result;
    for (auto& string : strings)
        result.push_back(string.data());
    result.push_back(nullptr);
    return result;
}

// The additions first, and of a name that is there twice the first counts (getenv(3)).
std::vector<std::string> environment_with(std::vector<std::string> additions)
{
    for (char** entry = environ; *entry; ++entry)
        additions.emplace_back(*entry);
    return additions;
}

// Becomes this user, who may nevertheless go to the programs and scripts: they may be in a folder
// that is open to root alone. It keeps the one capability for that (capabilities(7)), for its own
// children too. What is tested with another user, ports and descriptors on their way, does not look
// at it.
bool become_user(uid_t uid)
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
    data[0].effective = data[0].permitted = data[0].inheritable = 1U << CAP_DAC_OVERRIDE;
    return ::setgroups(0, nullptr) == 0 && ::setresgid(uid, uid, uid) == 0 &&
           ::prctl(PR_SET_KEEPCAPS, 1) == 0 && ::setresuid(uid, uid, uid) == 0 &&
           ::syscall(SYS_capset, &header, data) == 0 &&
           ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0) == 0;
}

// Between fork and exec.
[[noreturn]] void become(const char* path, char* const* arguments, char* const* environment,
                         int out, int err, const start_options& options, pid_t parent)
{
    if (options.terminal.empty())
        ::setpgid(0, 0);
    else
        ::setsid(); // what a session leader opens next becomes its terminal
    ::dup2(::open(options.terminal.empty() ? "/dev/null" : options.terminal.c_str(), O_RDWR), 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    ::syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (options.descriptor_limit) {
        const rlimit limit{*options.descriptor_limit, *options.descriptor_limit};
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0)
        ::_exit(126);
    ::signal(SIGHUP, SIG_DFL); // whoever runs the tests under nohup(1) means the tests
    options.before_exec();
    if (options.uid && !become_user(*options.uid))
        ::_exit(126);
    // Last, because a change of user clears it: should we be killed, for being too slow perhaps, it
    // dies too.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(126);
    ::execve(path, arguments, environment);
    ::_exit(127);
}

} // namespace

milliseconds patient(milliseconds time)
{
    return time * TIME_SCALE;
}

bool eventually(const std::function<bool()>& condition, milliseconds limit)
{
    const auto deadline = clock::now() + patient(limit);
    while (!condition()) {
        if (clock::now() > deadline)
            return false;
        std::this_thread::sleep_for(milliseconds(2));
    }
    return true;
}

std::ostream& operator<<(std::ostream& out, const exit_status& status)
{
    if (status.signal)
        return out << "killed by SIG" << ::sigabbrev_np(status.signal);
    return out << "exit code " << status.code;
}

process::process(std::vector<std::string> command, start_options options) : name_(command.at(0))
{
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const std::string path = command[0];
    if (!options.typed_as.empty())
        command[0] = options.typed_as;
    const auto arguments = pointers(command);
    auto environment = environment_with(options.environment);
    const auto environment_pointers = pointers(environment);

    if (::access(path.c_str(), X_OK) != 0)
        throw last_error(path);
    int pipes[2][2];
    for (auto& ends : pipes)
        if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
            throw last_error("pipe2");
    for (auto& ends : pipes)
        ::fcntl(ends[1], F_SETFL, O_WRONLY); // the program's end blocks, as usual

    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0)
        throw last_error("fork");
    if (pid_ == 0)
        become(path.c_str(), arguments.data(), environment_pointers.data(), pipes[0][1],
               pipes[1][1], options, parent);
    started().insert(pid_);
    if (options.terminal.empty())
        ::setpgid(pid_, pid_); // here too: whoever comes first
    pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    for (int i = 0; i < 2; ++i) {
        ::close(pipes[i][1]);
        streams_[i].fd = pipes[i][0];
    }
}

process::~process()
{
    ::kill(pid_, status_ ? 0 : SIGKILL);
    if (!status_)
        ::waitpid(pid_, nullptr, 0);
    started().erase(pid_);
    const bool all_end = eventually(
        [] {
            const auto rest = left_behind();
            return std::none_of(rest.begin(), rest.end(), runs);
        },
        milliseconds(2000));
    if (!all_end) {
        std::string who;
        for (const auto pid : left_behind())
            if (runs(pid))
                who += "\n  " + std::to_string(pid) + " " + command_line(pid);
        ADD_FAILURE() << name_ << " has left processes behind:" << who;
    }
    for (auto rest = left_behind(); !rest.empty();
         rest = left_behind()) // each may leave some in turn
        for (const auto pid : rest) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
    for (const auto& stream : streams_)
        ::close(stream.fd);
    ::close(pidfd_);
    if (::testing::Test::HasFailure())
        std::fprintf(stderr, "%s", story().c_str());
}

std::string process::out_line(std::string_view part, milliseconds limit)
{
    return wait_for_line(streams_[0], part, limit);
}

std::string process::err_line(std::string_view part, milliseconds limit)
{
    return wait_for_line(streams_[1], part, limit);
}

std::string process::wait_for_line(const output& from, std::string_view part, milliseconds limit)
{
    std::string line;
    const auto found = [&] {
        const auto at = from.text.find(part);
        const auto end = at == std::string::npos ? at : from.text.find('\n', at + part.size());
        if (end == std::string::npos)
            return false;
        const auto begin = at == 0 ? std::string::npos : from.text.rfind('\n', at);
        const auto first = begin == std::string::npos ? 0 : begin + 1;
        line = from.text.substr(first, end - first);
        return true;
    };
    const auto what = "line with \"" + std::string(part) + "\"";
    wait_for(
        what, [&] { return found() || status_; }, limit);
    if (!found())
        throw std::runtime_error("it ended without a " + what + "\n" + story());
    return line;
}

exit_status process::wait_exit(milliseconds limit)
{
    wait_for(
        "end of it", [this] { return status_.has_value(); }, limit);
    for (auto& stream : streams_)
        read_available(stream); // its last words
    return *status_;
}

bool process::has_ended()
{
    for (auto& stream : streams_)
        read_available(stream);
    reap_if_ended();
    return status_.has_value();
}

void process::wait_output_closed(milliseconds limit)
{
    wait_for(
        "end of its output", [this] { return streams_[0].ended && streams_[1].ended; }, limit);
}

void process::signal(int number)
{
    if (!has_ended())
        ::kill(pid_, number);
}

void process::press_ctrl_c()
{
    if (!has_ended())
        ::kill(-pid_, SIGINT);
}

void process::wait_for(const std::string& what, const std::function<bool()>& done,
                       milliseconds limit)
{
    const auto deadline = clock::now() + patient(limit);
    for (;;) {
        for (auto& stream : streams_)
            read_available(stream);
        reap_if_ended();
        if (done())
            return;
        const auto left = std::chrono::duration_cast<milliseconds>(deadline - clock::now()).count();
        if (left <= 0)
            throw std::runtime_error("no " + what + " within " +
                                     std::to_string(patient(limit).count()) + " ms\n" + story());
        pollfd events[3] = {{streams_[0].ended ? -1 : streams_[0].fd, POLLIN, 0},
                            {streams_[1].ended ? -1 : streams_[1].fd, POLLIN, 0},
                            {status_ ? -1 : pidfd_, POLLIN, 0}};
        ::poll(events, 3, static_cast<int>(left));
    }
}

void process::read_available(output& from)
{
    char buffer[16 * 1024];
    while (!from.ended) {
        const auto size = ::read(from.fd, buffer, sizeof buffer);
        if (size > 0)
            from.text.append(buffer, static_cast<std::size_t>(size));
        else if (size == 0)
            from.ended = true;
        else if (errno != EINTR)
            return;
    }
}

void process::reap_if_ended()
{
    int status = 0;
    if (status_ || ::waitpid(pid_, &status, WNOHANG) != pid_)
        return;
    status_ = WIFEXITED(status) ? exited(WEXITSTATUS(status)) : killed_by(WTERMSIG(status));
}

std::string process::story() const
{
    std::ostringstream text;
    text << "--- " << name_ << ' ' << pid_ << ", ";
    if (status_)
        text << *status_;
    else
        text << "still running";
    text << ", stdout:\n" << out() << "--- stderr:\n" << err() << "---\n";
    return text.str();
}

end_of::end_of(pid_t pid) : pid_(pid), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)))
{
    if (pidfd_ < 0)
        throw last_error("pidfd_open of " + std::to_string(pid));
}

end_of::~end_of()
{
    ::close(pidfd_);
}

void end_of::wait(milliseconds limit) const
{
    pollfd ended{pidfd_, POLLIN, 0};
    if (::poll(&ended, 1, static_cast<int>(patient(limit).count())) != 1)
        throw std::runtime_error("process " + std::to_string(pid_) + " does not end");
}

bool enter_a_new_network()
{
    return ::unshare(CLONE_NEWNET) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

outcome run(std::vector<std::string> command, start_options options, milliseconds limit)
{
    process program(std::move(command), std::move(options));
    const auto status = program.wait_exit(limit);
    return {status, program.out(), program.err()};
}

} // namespace support

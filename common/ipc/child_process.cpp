#include "ipc/child_process.hpp"

#include <asio/posix/stream_descriptor.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace ipc {

namespace {

constexpr int channel_number = 3; // what Node's fork() uses

// System calls that glibc 2.36 declares in no header that C++ can include beside <sys/wait.h>.
int pidfd_open(pid_t pid)
{
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

int pidfd_send_signal(int pidfd, int signal)
{
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

std::system_error last_error(const std::string& what)
{
    return {errno, std::generic_category(), what};
}

/// "PATH=..." strings for the child: ours, with its channel instead of our own.
std::vector<std::string> child_environment()
{
    std::vector<std::string> result;
    for (char** entry = environ; *entry; ++entry) {
        const std::string_view variable = *entry;
        if (!variable.starts_with("NODE_CHANNEL_") && !variable.starts_with("NODE_UNIQUE_ID="))
            result.emplace_back(variable);
    }
    result.push_back("NODE_CHANNEL_FD=" + std::to_string(channel_number));
    result.push_back("NODE_CHANNEL_SERIALIZATION_MODE=json");
    return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings)
{
    std::vector<char*> result;
    for (auto& string : strings)
        result.push_back(string.data());
    result.push_back(nullptr);
    return result;
}

/// Where `name` is: in a folder of PATH, unless it contains a slash. An empty entry of PATH, for
/// the shell the current directory, is passed over. Found before the fork, because execvpe is not
/// on the list of what may be called after it (signal-safety(7)).
std::string find_program(const std::string& name)
{
    if (name.find('/') != std::string::npos)
        return name;
    const char* path = std::getenv("PATH");
    std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
    while (!rest.empty()) {
        const auto colon = rest.find(':');
        const std::string folder(rest.substr(0, colon));
        const std::string candidate = folder + "/" + name;
        if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0)
            return candidate;
        rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
    }
    throw std::system_error(ENOENT, std::generic_category(), name);
}

// While one lives, every signal waits. The child of a fork has our handlers until exec, and they
// would act for us: Asio's writes into a pipe that both share, and one Ctrl-C counts twice.
class signals_blocked {
public:
    signals_blocked()
    {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    sigset_t before_;
};

// Dispositions survive exec when they say "ignore", and so does the mask (execve(2)). What has
// reached the child so far was meant for its parent's group; to ignore a signal discards it even
// where it waits.
void reset_signals()
{
    for (const auto disposition : {SIG_IGN, SIG_DFL}) {
        struct sigaction action {};
        action.sa_handler = disposition;
        for (int signal = 1; signal < NSIG; ++signal)
            ::sigaction(signal, &action, nullptr); // SIGKILL, SIGSTOP, glibc's own refuse: fine
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// What the child does between fork and exec: nothing but async-signal-safe calls, no memory
// allocation. The first failure is written to `report`, which a successful exec closes.
[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment,
                         int channel_end, int report, pid_t parent)
{
    const auto give_up = [&report] {
        const int error = errno;
        (void)!::write(report, &error, sizeof error);
        ::_exit(127);
    };

    // Both descriptors first move out of the way of number 3, then the channel takes it.
    channel_end = ::fcntl(channel_end, F_DUPFD_CLOEXEC, 10);
    report = ::fcntl(report, F_DUPFD_CLOEXEC, 10);
    if (channel_end < 0 || report < 0 || ::dup2(channel_end, channel_number) < 0)
        give_up();

    // Everything else of ours closes at exec, whatever library opened it without close-on-exec.
    if (::syscall(SYS_close_range, channel_number + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        give_up();

    // [become]
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) // it died before the line above could see it
        ::_exit(127);
    reset_signals(); // from here on Ctrl-C is for the parent alone

    ::execve(program, arguments, environment);
    // [/become]
    give_up();
    __builtin_unreachable();
}

} // namespace

std::string to_string(const exit_status& status)
{
    if (status.code < 0)
        return "ended, nobody knows how (SIGCHLD is ignored)";
    if (status.signal == 0)
        return "exited with code " + std::to_string(status.code);
    const char* name = ::sigabbrev_np(status.signal);
    return "was killed by " + (name ? "SIG" + std::string(name) : std::to_string(status.signal));
}

// Kept alive by the child_process and by the operation that waits for its end.
class child_process::process : public std::enable_shared_from_this<process> {
public:
    process(asio::any_io_executor executor, pid_t pid, unique_fd pidfd)
        : pid_(pid), pidfd_(executor), ended_(executor, asio::steady_timer::time_point::max())
    {
        pidfd_.assign(pidfd.get());
        (void)pidfd.release();
    }

    ~process()
    {
        kill(SIGKILL);
        if (running_)
            reap(0);
    }

    // A pidfd is readable when its process has ended (pidfd_open(2)): no SIGCHLD, whose deliveries
    // merge, and no waitpid(-1), which would take other people's children.
    void watch()
    {
        pidfd_.async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](std::error_code error) {
                              if (error)
                                  return;
                              self->reap(WNOHANG);
                              if (self->running_)
                                  self->watch();
                          });
    }

    bool stopped() noexcept
    {
        siginfo_t info{};
        return running_ &&
               ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.native_handle()),
                        &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid != 0;
    }

    void kill(int signal) noexcept
    {
        if (running_)
            (void)pidfd_send_signal(pidfd_.native_handle(), signal);
    }

    asio::awaitable<exit_status> exited()
    {
        const auto self = shared_from_this();
        while (running_) {
            std::error_code ignored;
            co_await ended_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
        co_return status_;
    }

    pid_t pid_;
    bool running_ = true;

private:
    void reap(int options)
    {
        siginfo_t info{};
        int result = 0;
        do
            result = ::waitid(static_cast<idtype_t>(P_PIDFD),
                              static_cast<id_t>(pidfd_.native_handle()), &info, WEXITED | options);
        while (result != 0 && errno == EINTR);
        if (result == 0 && info.si_pid == 0)
            return; // WNOHANG, and it still runs
        running_ = false;
        if (result != 0)
            status_.code = -1; // ECHILD: it was reaped unasked
        else if (info.si_code == CLD_EXITED)
            status_.code = info.si_status;
        else
            status_.signal = info.si_status;
        ended_.cancel();
    }

    asio::posix::stream_descriptor pidfd_;
    asio::steady_timer ended_; // never expires: cancelling it wakes those in exited()
    exit_status status_;
};

child_process child_process::start(asio::any_io_executor executor, std::vector<std::string> command,
                                   channel_settings settings)
{
    if (command.empty())
        throw std::invalid_argument("an empty command");
    const std::string program = find_program(command.front());
    auto environment = child_environment();
    const auto environment_pointers = pointers(environment);
    const auto argument_pointers = pointers(command);

    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        throw last_error("socketpair");
    unique_fd ours(pair[0]);
    unique_fd theirs(pair[1]);

    // exec closes the writing end; so end of file is success, and a number read is the errno of
    // failure.
    int pipe_ends[2];
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0)
        throw last_error("pipe2");
    unique_fd outcome(pipe_ends[0]);
    unique_fd report(pipe_ends[1]);

    const pid_t parent = ::getpid();
    pid_t pid = -1;
    {
        const signals_blocked until_forked;
        pid = ::fork();
        if (pid < 0)
            throw last_error("fork");
        if (pid == 0)
            become(program.c_str(), argument_pointers.data(), environment_pointers.data(),
                   theirs.get(), report.get(), parent);
    }

    // Our copies of the child's ends: were one left open, we would never read end of file.
    theirs.reset();
    report.reset();

    std::shared_ptr<process> started;
    try {
        unique_fd pidfd(pidfd_open(pid));
        if (!pidfd)
            throw last_error("pidfd_open");
        started = std::make_shared<process>(executor, pid, std::move(pidfd));
    } catch (...) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        throw;
    }

    int failure = 0;
    ssize_t size = 0;
    do
        size = ::read(outcome.get(), &failure, sizeof failure);
    while (size < 0 && errno == EINTR);
    if (size == sizeof failure) // ~process reaps it
        throw std::system_error(failure, std::generic_category(), command.front());

    started->watch();
    settings.peer = pid;
    return {std::move(started), ipc::channel(executor, std::move(ours), std::move(settings))};
}

child_process::child_process(std::shared_ptr<process> started, ipc::channel its_channel)
    : channel(std::move(its_channel)), process_(std::move(started))
{
}

child_process::child_process(child_process&&) noexcept = default;

child_process& child_process::operator=(child_process&& other) noexcept
{
    if (this != &other) {
        child_process old(std::move(*this)); // ends as the destructor says
        channel = std::move(other.channel);
        process_ = std::move(other.process_);
    }
    return *this;
}

child_process::~child_process()
{
    if (process_)
        process_->kill(SIGKILL); // the operation that waits for its end reaps it
}

pid_t child_process::pid() const noexcept
{
    return process_->pid_;
}

bool child_process::running() const noexcept
{
    return process_ && process_->running_;
}

bool child_process::stopped() const noexcept
{
    return process_ && process_->stopped();
}

void child_process::kill(int signal) noexcept
{
    if (process_)
        process_->kill(signal);
}

asio::awaitable<exit_status> child_process::exited()
{
    const auto alive = process_;
    co_return co_await alive->exited();
}

} // namespace ipc

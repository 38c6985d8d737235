#include "ipc/child_process.hpp"

#include "event.hpp"
#include "ipc/become.hpp"
#include "ipc/program.hpp"
#include "posix.hpp"
#include "signals_blocked.hpp"

#include <asio/posix/stream_descriptor.hpp>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace ipc {

namespace {

// System calls that glibc 2.36 declares in no header that C++ can include beside <sys/wait.h>.
int pidfd_open(pid_t pid)
{
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

int pidfd_send_signal(int pidfd, int signal)
{
    return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

int wait_for(int pidfd, siginfo_t& info, int options)
{
    return posix::retry([&] {
        return ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, options);
    });
}

// A pidfd that will do. What an old kernel or a sandbox refuses is found out while there is
// somebody to tell, and not when the child is to be killed, or has ended.
unique_fd open_pidfd(pid_t pid)
{
    unique_fd result(posix::check(pidfd_open(pid), "pidfd_open"));
    posix::check(pidfd_send_signal(result.get(), 0), "pidfd_send_signal");
    siginfo_t unused{};
    posix::check(wait_for(result.get(), unused, WEXITED | WNOHANG | WNOWAIT), "waitid P_PIDFD");
    return result;
}

// {our end, the child's}
std::pair<unique_fd, unique_fd> pipe_of(std::size_t number)
{
    int ends[2];
    posix::check(::pipe2(ends, O_CLOEXEC), "pipe2");
    unique_fd to_read(ends[0]);
    unique_fd to_write(ends[1]);
    if (number == STDIN_FILENO)
        std::swap(to_read, to_write);
    return {std::move(to_read), std::move(to_write)};
}

// What the child would have only the beginning of.
void check_text(const std::vector<std::string>& texts)
{
    for (const auto& text : texts)
        if (text.find('\0') != text.npos)
            throw std::invalid_argument("a NUL byte in a child's command, environment or folder");
}

} // namespace

standard_stream standard_stream::descriptor(int fd)
{
    if (fd < 0)
        throw std::invalid_argument("a negative descriptor for a child's standard stream");
    return standard_stream(fd);
}

std::string to_string(const exit_status& status)
{
    if (status.code < 0)
        return "ended, nobody knows how (SIGCHLD is ignored)";
    if (status.signal == 0)
        return "exited with code " + std::to_string(status.code);
    const char* name = ::sigabbrev_np(status.signal);
    return "was killed by " + (name ? "SIG" + std::string(name) : std::to_string(status.signal));
}

// The numbers of those that are not reaped yet.
class numbers {
public:
    void add(pid_t pid)
    {
        const std::lock_guard alone(mutex_);
        pids_.insert(pid);
    }
    void remove(pid_t pid) noexcept
    {
        const std::lock_guard alone(mutex_);
        pids_.erase(pid);
    }
    bool contain(pid_t pid) noexcept
    {
        const std::lock_guard alone(mutex_);
        return pids_.contains(pid);
    }

private:
    std::mutex mutex_;
    std::set<pid_t> pids_;
};

numbers& unreaped()
{
    static numbers all;
    return all;
}

// Kept alive by the child_process and by the operation that waits for its end.
class child_process::process : public std::enable_shared_from_this<process> {
public:
    process(asio::any_io_executor executor, pid_t pid, unique_fd pidfd)
        : pid_(pid), pidfd_(executor), ended_(executor)
    {
        posix::assign(pidfd_, pidfd);
        unreaped().add(pid);
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
               wait_for(pidfd_.native_handle(), info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
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
        co_await ended_.wait_until([this] { return !running_; });
        co_return status_;
    }

    // A zombie counts, too, until its new parent reaps it.
    bool has_left_others() const noexcept { return !running_ && ::kill(-pid_, 0) == 0; }

    pid_t pid_;
    bool running_ = true;

private:
    // By its number, which is nobody else's until we reap it: the pidfd is non-blocking, since Asio
    // watches it, and waitid(2) would not wait.
    int wait_for_end(siginfo_t& info, int options) const
    {
        return posix::retry(
            [&] { return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | options); });
    }

    // First a look, which leaves the zombie: as long as it is there, its number is that of its
    // group, too.
    void reap(int options)
    {
        siginfo_t info{};
        if (wait_for_end(info, options | WNOWAIT) == 0) {
            if (info.si_pid == 0)
                return; // WNOHANG, and it still runs
            ::kill(-pid_, SIGKILL);
        }
        const int result = wait_for_end(info, options);
        running_ = false;
        unreaped().remove(pid_);
        if (result != 0)
            status_.code = -1; // ECHILD: it was reaped unasked
        else if (info.si_code == CLD_EXITED)
            status_.code = info.si_status;
        else
            status_.signal = info.si_status;
        ended_.notify();
    }

    asio::posix::stream_descriptor pidfd_;
    event ended_;
    exit_status status_;
};

struct child_process::starting::parts {
    asio::any_io_executor executor;
    channel_options options;
    std::string name; // of the program
    std::string working_directory;
    pid_t pid = -1;    // or somebody else's by now
    unique_fd outcome; // end of file: it is the program; else a failure
    unique_fd channel; // our end
    std::array<unique_fd, 3> stdio;

    parts() = default;
    parts(const parts&) = delete;
    parts& operator=(const parts&) = delete;
    ~parts()
    {
        if (pid < 0)
            return;
        ::kill(pid, SIGKILL);
        posix::retry([&] { return ::waitpid(pid, nullptr, 0); });
    }
};

child_process::starting::starting(std::unique_ptr<parts> its) : parts_(std::move(its)) {}
child_process::starting::starting(starting&&) noexcept = default;
child_process::starting& child_process::starting::operator=(starting&&) noexcept = default;
child_process::starting::~starting() = default;

child_process child_process::start(asio::any_io_executor executor, std::vector<std::string> command,
                                   channel_options options, child_options child)
{
    return begin(std::move(executor), std::move(command), std::move(options), std::move(child))
        .running();
}

child_process::starting child_process::begin(asio::any_io_executor executor,
                                             std::vector<std::string> command,
                                             channel_options options, child_options child)
{
    if (command.empty() || command.front().empty())
        throw std::invalid_argument("an empty command");
    check_text(command);
    check_text(child.environment);
    check_text({child.working_directory});
    auto its = std::make_unique<starting::parts>();
    its->executor = std::move(executor);
    its->options = std::move(options);
    its->name = command.front();
    its->working_directory = std::move(child.working_directory);
    program program(std::move(command), std::move(child.environment), child.inherits_environment);

    std::array<int, 3> streams{}; // what the child is to have
    std::array<unique_fd, 3> their_ends;
    for (std::size_t number = 0; number < streams.size(); ++number) {
        const int what = child.stdio[number].what_;
        if (what == standard_stream::piped)
            std::tie(its->stdio[number], their_ends[number]) = pipe_of(number);
        streams[number] = what == standard_stream::inherited ? as_it_is
                          : what == standard_stream::ignored ? null_device
                          : what == standard_stream::piped   ? their_ends[number].get()
                                                             : what;
    }

    int pair[2];
    posix::check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    its->channel = unique_fd(pair[0]);
    const unique_fd theirs(pair[1]);

    // exec closes the writing end; so end of file is success, and what is read says what failed.
    int pipe_ends[2];
    posix::check(::pipe2(pipe_ends, O_CLOEXEC), "pipe2");
    its->outcome = unique_fd(pipe_ends[0]);
    const unique_fd report(pipe_ends[1]);

    const pid_t parent = ::getpid();
    // The child of a fork has our handlers until exec, and they would act for us: Asio's writes
    // into a pipe that both share, and one Ctrl-C counts twice.
    const signals_blocked until_forked;
    const pid_t pid = posix::check(::fork(), "fork");
    if (pid == 0) {
        // Of a full table, the child may need these places.
        its->channel.reset();
        its->outcome.reset();
        for (auto& end : its->stdio)
            end.reset();
        become(program, its->working_directory.c_str(), streams, theirs.get(), report.get(),
               parent);
    }
    its->pid = pid;
    // Our copies of the child's ends go: were one left open, we would never read end of file.
    return starting(std::move(its));
}

child_process child_process::starting::running()
{
    const auto its = std::move(parts_); // whatever is thrown: no process is left
    failure why;
    if (posix::retry([&] { return ::read(its->outcome.get(), &why, sizeof why); }) == sizeof why) {
        if (why.call == std::string_view("execve"))
            throw not_executable(why.error, std::generic_category(), its->name);
        throw std::system_error(why.error, std::generic_category(),
                                why.call == std::string_view("chdir")
                                    ? "chdir to " + its->working_directory
                                    : why.call);
    }
    auto started = std::make_shared<process>(its->executor, its->pid, open_pidfd(its->pid));
    its->options.peer = std::exchange(its->pid, -1);
    ipc::channel ours(its->executor, std::move(its->channel), std::move(its->options));
    started->watch();
    return {std::move(started), std::move(ours), std::move(its->stdio)};
}

child_process::child_process(std::shared_ptr<process> started, ipc::channel its_channel,
                             std::array<unique_fd, 3> pipes)
    : channel(std::move(its_channel)), stdio(std::move(pipes)), process_(std::move(started))
{
}

child_process::child_process(child_process&&) noexcept = default;

child_process& child_process::operator=(child_process&& other) noexcept
{
    if (this != &other) {
        child_process old(std::move(*this)); // ends as the destructor says
        channel = std::move(other.channel);
        stdio = std::move(other.stdio);
        process_ = std::move(other.process_);
    }
    return *this;
}

child_process::~child_process()
{
    if (process_)
        process_->kill(SIGKILL); // the operation that waits for its end reaps it
}

bool child_process::is_one(pid_t pid) noexcept
{
    return unreaped().contain(pid);
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

bool child_process::has_left_others() const noexcept
{
    return process_ && process_->has_left_others();
}

asio::awaitable<exit_status> child_process::exited()
{
    const auto alive = process_;
    co_return co_await alive->exited();
}

} // namespace ipc

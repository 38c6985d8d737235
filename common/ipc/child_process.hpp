// Starting a child with a channel, and seeing its end: Node's child_process.fork().
// Notes: chapter 01.
#pragma once

#include "ipc/channel.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <memory>
#include <string>
#include <sys/types.h>
#include <system_error>
#include <vector>

namespace ipc {

/// How a process ended.
struct exit_status {
    int code = 0;   ///< its exit code, when no signal ended it; -1 when SIGCHLD is ignored, and so
                    ///< the kernel has thrown it away
    int signal = 0; ///< the signal that ended it, else 0

    bool clean() const noexcept { return code == 0 && signal == 0; }
};

/// "exited with code 1", "was killed by SIGKILL".
std::string to_string(const exit_status& status);

/// The program of a command is not there, or may not be executed.
struct not_executable : std::system_error {
    using std::system_error::system_error;
};

/// A child process and the channel to it. Move-only; destroying one whose process still runs kills
/// it (SIGKILL) and reaps it, from the executor or at the latest with its execution context.
class child_process {
public:
    /// Starts `command` with the channel as descriptor 3 and NODE_CHANNEL_FD=3,
    /// NODE_CHANNEL_SERIALIZATION_MODE=json in its environment. The program is found as execvp(3)
    /// finds it, in PATH or by its path, a script without "#!" included; only an empty entry of
    /// PATH does not mean the current folder.
    ///
    /// `environment` ("NAME=value") is added to what the child has of ours, or replaces it there.
    ///
    /// The child inherits 1, 2 and 3 and nothing else, and its standard input is /dev/null; no
    /// signal is blocked or ignored in it; it leads a session, so that Ctrl-C on the terminal
    /// reaches the parent alone, and no terminal stops it (setsid(2)); and the kernel kills it when
    /// the parent dies (prctl(2), PR_SET_PDEATHSIG), be it a Node program that would go on serving.
    ///
    /// What it starts, and leaves in its process group, is killed when it ends: nobody else knows
    /// what it holds.
    ///
    /// Returns when the program is running. Throws not_executable, which names the program, or
    /// std::system_error for what the kernel refuses or has no room for, which names the call:
    /// "pidfd_open" say (four free descriptors are enough, beside those that Asio waits with).
    /// Whatever is thrown leaves neither process nor descriptor.
    ///
    /// Other threads may run: what the child calls before exec needs no lock of theirs
    /// (signal-safety(7)). But the parent-death signal comes when the calling thread ends: start
    /// children on one that lives as long as the process, the main thread say.
    static child_process start(asio::any_io_executor executor, std::vector<std::string> command,
                               channel_options options = {},
                               std::vector<std::string> environment = {});

    /// Is this the number of a child that has not been reaped yet? Who reaps what others have left
    /// behind, as the first process of a container must, leaves these alone.
    static bool is_one(pid_t pid) noexcept;

    child_process(child_process&&) noexcept;
    child_process& operator=(child_process&&) noexcept;
    ~child_process();

    pid_t pid() const noexcept;

    /// False as soon as the process has ended and been reaped.
    bool running() const noexcept;

    /// True for the moment between its end and that of the last process that was still in its
    /// group, which has got its SIGKILL by then.
    bool has_left_others() const noexcept;

    /// True while it is stopped (SIGSTOP, SIGTSTP), which the parent learns through SIGCHLD.
    bool stopped() const noexcept;

    /// Sends a signal through the pidfd: never to a process that has got the same number later.
    /// Harmless when the child has ended.
    void kill(int signal) noexcept;

    /// Completes when the process has ended and been reaped; any number of callers.
    asio::awaitable<exit_status> exited();

    /// The parent's end.
    ipc::channel channel;

private:
    class process;
    child_process(std::shared_ptr<process> started, ipc::channel channel);
    std::shared_ptr<process> process_;
};

} // namespace ipc

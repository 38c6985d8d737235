// Starting a child with a channel, and seeing its end: Node's child_process.fork().
// Notes: chapter 01.
#pragma once

#include "ipc/channel.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <array>
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

/// What one of a child's standard streams is: an entry of Node's options.stdio.
class standard_stream {
public:
    /// The one we have ourselves.
    static constexpr standard_stream inherit() noexcept { return standard_stream(inherited); }

    /// /dev/null.
    static constexpr standard_stream ignore() noexcept { return standard_stream(ignored); }

    /// A pipe(7), whose other end is child_process::stdio's.
    static constexpr standard_stream pipe() noexcept { return standard_stream(piped); }

    /// A copy of this descriptor of ours, which stays the caller's and may be closed after start().
    static standard_stream descriptor(int fd);

private:
    friend class child_process;
    enum : int { inherited = -1, ignored = -2, piped = -3 };
    explicit constexpr standard_stream(int what) noexcept : what_(what) {}
    int what_; // one of these, or a descriptor
};

/// What a child has beside its program and its channel: Node's options of fork().
struct child_options {
    /// "NAME=value": added to what the child has of our environment, or in its place there.
    std::vector<std::string> environment{};

    /// If not, `environment` and the channel's variables are all that it has. (Node's options.env
    /// always replaces everything.)
    bool inherits_environment = true;

    /// The folder it starts in; empty: ours. A program with a slash in its name, and a folder of
    /// PATH, that are relative are looked for from there, as in Node.
    std::string working_directory{};

    /// Input, output and errors. (Node's fork() lets a child inherit the input, too: then it reads
    /// what was typed for its parent.)
    std::array<standard_stream, 3> stdio{standard_stream::ignore(), standard_stream::inherit(),
                                         standard_stream::inherit()};
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
    /// The child has its standard streams, as `child` says, the channel, and no other descriptor of
    /// ours; no signal is blocked or ignored in it; it leads a session, so that Ctrl-C on the
    /// terminal reaches the parent alone, and no terminal stops it (setsid(2)); and the kernel
    /// kills it when the parent dies (prctl(2), PR_SET_PDEATHSIG), be it a Node program that would
    /// go on serving.
    ///
    /// What it starts, and leaves in its process group, is killed when it ends: nobody else knows
    /// what it holds.
    ///
    /// Returns when the program is running. Throws not_executable, which names the program;
    /// std::invalid_argument for no program, and where a text has a NUL byte in it; or
    /// std::system_error for what the kernel refuses or has no room for, which names the call:
    /// "pidfd_open" say, or "chdir" and the folder (four free descriptors are enough, and two for
    /// each pipe, beside those that Asio waits with).
    /// Whatever is thrown leaves neither process nor descriptor.
    ///
    /// Other threads may run: what the child calls before exec needs no lock of theirs
    /// (signal-safety(7)). But the parent-death signal comes when the calling thread ends: start
    /// children on one that lives as long as the process, the main thread say.
    static child_process start(asio::any_io_executor executor, std::vector<std::string> command,
                               channel_options options = {}, child_options child = {});

    /// A child on its way: forked, and perhaps not yet the program.
    class starting {
    public:
        starting(starting&&) noexcept;
        starting& operator=(starting&&) noexcept;
        ~starting(); ///< kills and reaps it, unless running() has returned it

        /// start()'s second half: waits until the program is running. Once.
        child_process running();

    private:
        friend child_process;
        struct parts;
        explicit starting(std::unique_ptr<parts> its);
        std::unique_ptr<parts> parts_;
    };

    /// start()'s first half, for whoever starts several: they get to their programs side by side
    /// then, not one after the other. Throws as start() does, but for what the child itself finds
    /// out. Nobody knows of the child before running(): no turn of the executor should be between.
    static starting begin(asio::any_io_executor executor, std::vector<std::string> command,
                          channel_options options = {}, child_options child = {});

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

    /// Node's subprocess.stdio: our end of each pipe that was asked for; for the others nothing is
    /// here. Number 0 is to be written to, and closed to end the child's input; 1 and 2 are to be
    /// read from, and the child waits when they are full. For asio::writable_pipe and
    /// asio::readable_pipe, say; close-on-exec. Whoever writes when the child has closed its input
    /// gets a SIGPIPE, as from every pipe: ignore that signal.
    std::array<unique_fd, 3> stdio;

private:
    class process;
    child_process(std::shared_ptr<process> started, ipc::channel channel,
                  std::array<unique_fd, 3> pipes);
    std::shared_ptr<process> process_;
};

} // namespace ipc

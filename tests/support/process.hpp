// Running real programs in tests: started, watched with a deadline, and never left behind.
#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/types.h>
#include <vector>

namespace support {

using std::chrono::milliseconds;

/// `time`, longer in builds in which everything is slower (sanitizers).
milliseconds patient(milliseconds time);

/// How long to wait for what should be there at once, on a busy machine too. Only a failing test
/// waits so long.
constexpr milliseconds a_while{15'000};

/// Checks every few milliseconds; false when `limit` (made patient) has passed in vain.
bool eventually(const std::function<bool()>& condition, milliseconds limit = a_while);

/// How a process ended: exit code 130 and death by SIGINT are two things.
struct exit_status {
    int code = -1;
    int signal = 0;
    bool operator==(const exit_status&) const = default;
};
std::ostream& operator<<(std::ostream& out, const exit_status& status);
constexpr exit_status exited(int code)
{
    return {code, 0};
}
constexpr exit_status killed_by(int signal)
{
    return {-1, signal};
}

struct start_options {
    std::vector<std::string> environment{};   ///< "NAME=value", in addition to ours
    std::optional<rlim_t> descriptor_limit{}; ///< RLIMIT_NOFILE
    std::optional<uid_t> uid{};               ///< run as this user; we must be root
    std::string typed_as{};                   ///< argv[0], when not the path itself
    std::string folder{};                     ///< its current one, when not ours
    std::string terminal{}; ///< it leads a session on this one, and reads from it (pty(7))
    std::function<void()> before_exec = [] {}; ///< in the child; async-signal-safe calls only
};

/// A program of ours under test. It has /dev/null as input and leads a process group, as if a shell
/// had started it; its output arrives here through pipes. Waiting functions throw
/// std::runtime_error, with all the program has said, when the deadline passes.
class process {
public:
    explicit process(std::vector<std::string> command, start_options options = {});

    /// Kills the program if it still runs, and reaps it. Whoever it leaves behind and is still
    /// alive 2 s later is a test failure, and is killed too: no test of ours leaves a process.
    ~process();
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    pid_t pid() const { return pid_; }

    /// What has been read so far; the waiting functions read, and has_ended() does.
    const std::string& out() const { return streams_[0].text; }
    const std::string& err() const { return streams_[1].text; }

    /// The first line on stdout or stderr that contains `part`.
    std::string out_line(std::string_view part, milliseconds limit = a_while);
    std::string err_line(std::string_view part, milliseconds limit = a_while);

    exit_status wait_exit(milliseconds limit = a_while);
    bool has_ended();

    /// Until nobody holds our end of its output any more: it and all who inherited it are gone.
    void wait_output_closed(milliseconds limit = a_while);

    void signal(int number);
    /// To the whole group: what the terminal does with Ctrl-C.
    void press_ctrl_c();

private:
    struct output {
        int fd = -1;
        std::string text{};
        bool ended = false;
    };
    void wait_for(const std::string& what, const std::function<bool()>& done, milliseconds limit);
    std::string wait_for_line(const output& from, std::string_view part, milliseconds limit);
    void read_available(output& from);
    void reap_if_ended();
    std::string story() const;

    std::string name_;
    pid_t pid_ = -1;
    int pidfd_ = -1;
    output streams_[2];
    std::optional<exit_status> status_;
};

/// Sees a process end that is no child of ours: it watches from the start, so that no other can
/// take the PID.
class end_of {
public:
    explicit end_of(pid_t pid);
    ~end_of();
    end_of(const end_of&) = delete;
    end_of& operator=(const end_of&) = delete;

    /// Returns as soon as it has ended, be it a zombie still. Throws at the deadline.
    void wait(milliseconds limit = a_while) const;

private:
    pid_t pid_;
    int pidfd_;
};

struct outcome {
    exit_status status;
    std::string out;
    std::string err;
};

/// For before_exec: a network of its own, with no address, not even 127.0.0.1. False where that is
/// not allowed.
bool enter_a_new_network();

/// Runs a program to its end.
outcome run(std::vector<std::string> command, start_options options = {},
            milliseconds limit = a_while);

} // namespace support

#include "ipc/become.hpp"

#include "ipc/child_process.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ipc {

namespace {

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

} // namespace

void become(program& program, const char* directory, std::array<int, 3> streams, int channel_end,
            int report, pid_t parent)
{
    const auto must = [&report](int result, const char* call) {
        if (result >= 0)
            return result;
        const failure why{call, errno};
        (void)!::write(report, &why, sizeof why);
        ::_exit(127);
    };
    // A number that the child's own descriptors will have is no place for these. Where the parent's
    // standard streams are closed, they have even got one of 0, 1 and 2.
    const auto move_away = [&must](int fd) {
        return fd > channel_number
                   ? fd
                   : must(::fcntl(fd, F_DUPFD_CLOEXEC, channel_number + 1), "fcntl F_DUPFD");
    };
    report = move_away(report);
    for (int& stream : streams)
        if (stream >= 0)
            stream = move_away(stream);
    must(::dup2(move_away(channel_end), channel_number), "dup2");

    for (int number = 0; number < 3; ++number) {
        const int stream = streams[static_cast<std::size_t>(number)];
        if (stream >= 0) {
            must(::dup2(stream, number), "dup2");
        } else if (stream == null_device) {
            const int nothing =
                must(::open("/dev/null", number == STDIN_FILENO ? O_RDONLY : O_WRONLY),
                     "open /dev/null");
            must(::dup2(nothing, number), "dup2");
            if (nothing != number)
                ::close(nothing);
        }
    }

    // Everything else of ours closes at exec, whatever library opened it without close-on-exec.
    must(static_cast<int>(::syscall(SYS_close_range, channel_number + 1, ~0U, CLOSE_RANGE_CLOEXEC)),
         "close_range");

    if (*directory)
        must(::chdir(directory), "chdir");

    // [become]
    must(::setsid(), "setsid");
    must(::prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl PR_SET_PDEATHSIG");
    if (::getppid() != parent) // it died before the line above could see it
        ::_exit(127);
    reset_signals(); // from here on Ctrl-C is for the parent alone

    errno = program.execute();
    // [/become]
    must(-1, "execve");
    __builtin_unreachable();
}

} // namespace ipc

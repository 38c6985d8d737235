#include "app/orphans.hpp"

#include "ipc/child_process.hpp"

#include <asio/post.hpp>

#include <csignal>
#include <sys/wait.h>

namespace app {

orphans::orphans(asio::io_context& context) : context_(context), child_signals_(context, SIGCHLD)
{
    wait();
    reap(); // those that have ended before
}

void orphans::wait()
{
    child_signals_.async_wait([this](std::error_code error, int) {
        if (error)
            return;
        wait();
        reap();
    });
}

// Looks before it takes (WNOWAIT in waitid(2)). Where the first that has ended is one of ours, it
// hides the others until its owner has taken it, which happens in this loop and has no signal.
void orphans::reap()
{
    for (;;) {
        siginfo_t ended{};
        if (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0)
            return;
        if (ipc::child_process::is_one(ended.si_pid))
            return asio::post(context_, [this] { reap(); });
        ::waitid(P_PID, static_cast<id_t>(ended.si_pid), &ended, WEXITED | WNOHANG);
    }
}

} // namespace app

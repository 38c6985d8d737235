#include "app/signals.hpp"

#include "posix.hpp"

#include <csignal>
#include <unistd.h>

namespace app {

namespace {

bool is_ignored(int signal)
{
    struct sigaction now {};
    return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

volatile std::sig_atomic_t stopping = 0;
void (*tell_the_loop)(int signal) = nullptr; // Asio's own handler, which writes to a pipe

// Nothing but async-signal-safe calls (signal-safety(7)).
void on_stop_signal(int signal, siginfo_t* info, void*)
{
    if (stopping == 0) {
        stopping = 1;
        tell_the_loop(signal);
    } else if (signal != SIGHUP || info->si_code != SI_KERNEL) { // the kernel's: see the header
        ::_exit(128 + signal);
    }
}

constexpr int candidates[] = {SIGINT, SIGTERM, SIGHUP};

bool means_stop(int signal)
{
    return signal != SIGHUP || !is_ignored(SIGHUP);
}

int take_over(int signal) noexcept
{
    struct sigaction action {};
    action.sa_sigaction = on_stop_signal;
    ::sigfillset(&action.sa_mask);
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    return ::sigaction(signal, &action, nullptr);
}

} // namespace

stop_signals::stop_signals(asio::io_context& context, std::function<void(int signal)> on_first)
    : signals_(context)
{
    for (const int signal : candidates) {
        if (!means_stop(signal))
            continue;
        struct sigaction action {};
        posix::check(::sigaction(signal, nullptr, &action), "sigaction"); // is it refused, perhaps?
        signals_.add(signal);
        posix::check(::sigaction(signal, nullptr, &action), "sigaction");
        tell_the_loop = action.sa_handler;
        posix::check(take_over(signal), "sigaction");
    }
    signals_.async_wait([on_first = std::move(on_first)](std::error_code error, int signal) {
        if (!error)
            on_first(signal);
    });
}

// Asio goes back to the default action, which would kill a program that is about to end with an
// exit code of its own.
stop_signals::~stop_signals()
{
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::error_code ignored;
    signals_.clear(ignored);
    tell_the_loop = [](int) {};
    for (const int signal : candidates)
        if (means_stop(signal))
            take_over(signal);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

} // namespace app

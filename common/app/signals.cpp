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

// In the place of Asio's handler, which it calls.
void listen_to(int signal, asio::signal_set& signals)
{
    struct sigaction action {};
    posix::check(::sigaction(signal, nullptr, &action), "sigaction"); // is it refused, perhaps?
    signals.add(signal);
    posix::check(::sigaction(signal, nullptr, &action), "sigaction");
    tell_the_loop = action.sa_handler;
    action.sa_sigaction = on_stop_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    posix::check(::sigaction(signal, &action, nullptr), "sigaction");
}

} // namespace

stop_signals::stop_signals(asio::io_context& context, std::function<void(int signal)> on_first)
    : signals_(context)
{
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        if (signal != SIGHUP || !is_ignored(SIGHUP))
            listen_to(signal, signals_);
    signals_.async_wait([on_first = std::move(on_first)](std::error_code error, int signal) {
        if (!error)
            on_first(signal);
    });
}

} // namespace app

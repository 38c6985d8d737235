// signals_blocked: no signal comes while something is begun that must not have any.
#pragma once

#include <csignal>

/// While one lives, signals wait, but for those that no mask stops (SIGKILL, SIGSTOP) and the
/// exception, if there is one: those of this thread, and of a thread or process that it starts
/// meanwhile (pthread_sigmask(3), fork(2)).
class signals_blocked {
public:
    explicit signals_blocked(int but_for = 0) noexcept
    {
        sigset_t all;
        ::sigfillset(&all);
        if (but_for != 0)
            ::sigdelset(&all, but_for);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    sigset_t before_;
};

#include "app/environment.hpp"

#include "app/terminal.hpp"
#include "posix.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace app {

namespace {

void put_signals_right()
{
    for (int signal = 1; signal < 32; ++signal) { // the others mean nothing to us (signal(7))
        struct sigaction inherited {};
        if (signal != SIGHUP && ::sigaction(signal, nullptr, &inherited) == 0 &&
            inherited.sa_handler == SIG_IGN)
            ::signal(signal, SIG_DFL);
    }
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGXFSZ, SIG_IGN);
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

} // namespace

void prepare_environment(std::size_t output_capacity)
{
    put_signals_right();
    open_standard_streams(output_capacity);
}

void check_waiting()
{
    int ends[2];
    posix::check(::pipe2(ends, O_CLOEXEC), "pipe2");
    const unique_fd reading(ends[0]), writing(ends[1]);
    int on = 1;
    posix::check(::ioctl(reading.get(), FIONBIO, &on), "ioctl FIONBIO");
    const unique_fd epoll(posix::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
    epoll_event event{};
    posix::check(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, reading.get(), &event), "epoll_ctl");
    posix::check(::epoll_wait(epoll.get(), &event, 1, 0), "epoll_wait");
}

} // namespace app

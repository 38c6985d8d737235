#include "bench/raw_cluster.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {

namespace {

sigset_t only_sigterm()
{
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    return set;
}

} // namespace

void fail(const char* call)
{
    std::perror(call);
    std::exit(1);
}

int check(int result, const char* call)
{
    if (result == -1)
        fail(call);
    return result;
}

int listen_on_loopback(std::uint16_t port, bool share_port, bool blocking)
{
    const int type = SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK);
    const int fd = check(::socket(AF_INET, type, 0), "socket");
    const int on = 1;
    if (share_port)
        check(::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), "setsockopt");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
    check(::listen(fd, SOMAXCONN), "listen");
    return fd;
}

std::uint16_t port_of(int listener)
{
    sockaddr_in address{};
    socklen_t length = sizeof address;
    check(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
    return ntohs(address.sin_port);
}

std::vector<pid_t> fork_workers(std::size_t count, const std::function<void(std::size_t)>& work)
{
    const auto sigterm = only_sigterm();
    check(::sigprocmask(SIG_BLOCK, &sigterm, nullptr), "sigprocmask");
    const pid_t parent = ::getpid();
    std::vector<pid_t> workers;
    for (std::size_t i = 0; i < count; ++i) {
        const pid_t pid = check(::fork(), "fork");
        if (pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() == parent) // else it ended before prctl() could ask for the signal
                work(i);
            std::exit(1);
        }
        workers.push_back(pid);
    }
    return workers;
}

void say_ready(std::uint16_t port, const std::vector<pid_t>& workers)
{
    std::string line = "listening on 127.0.0.1:" + std::to_string(port) + ", workers";
    for (const pid_t pid : workers)
        line += ' ' + std::to_string(pid);
    std::fprintf(stderr, "%s\n", line.c_str());
}

void wait_for_sigterm()
{
    const auto sigterm = only_sigterm();
    int signal = 0;
    ::sigwait(&sigterm, &signal);
}

} // namespace bench

// The floor: the least that a cluster can do for an HTTP request. Workers share a listener;
// whatever bytes a client sends count as one request, and fixed bytes are the answer. No parsing,
// no limits, no deadlines, no library: what a real server costs above this is what these things
// cost.
//
//     bench_floor keep-alive|close WORKERS

#include "bench/raw_cluster.hpp"

#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

// As long as the answer of http_cluster, whose PIDs have five digits or so.
std::string answer(bool keep_alive)
{
    const std::string body = "Request handled by worker-" + std::to_string(::getpid());
    return std::string("HTTP/1.1 200 OK\r\n"
                       "Content-Type: text/plain\r\n"
                       "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n") +
           (keep_alive ? "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
                       : "Connection: close\r\n") +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void watch(int epoll, int fd)
{
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    bench::check(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

[[noreturn]] void work(int listener, bool keep_alive)
{
    const std::string bytes = answer(keep_alive);
    const int epoll = bench::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    watch(epoll, listener);
    for (;;) {
        epoll_event events[64];
        const int count = bench::check(::epoll_wait(epoll, events, 64, -1), "epoll_wait");
        for (int i = 0; i < count; ++i) {
            const int fd = events[i].data.fd;
            if (fd == listener) {
                const int connection =
                    ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (connection >= 0) // else another worker was faster
                    watch(epoll, connection);
                continue;
            }
            char request[4096];
            if (::recv(fd, request, sizeof request, 0) <= 0 ||
                ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0 || !keep_alive)
                ::close(fd);
        }
    }
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 3)
        return 2;
    const bool keep_alive = std::string_view(argv[1]) == "keep-alive";
    const auto count = static_cast<std::size_t>(std::atoi(argv[2]));
    const int listener = bench::listen_on_loopback(0, false, false);
    const auto workers =
        bench::fork_workers(count, [&](std::size_t) { work(listener, keep_alive); });
    bench::say_ready(bench::port_of(listener), workers);
    bench::wait_for_sigterm();
}

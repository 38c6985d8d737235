// The floor: the least that a cluster can do for a client. Workers share a listener; whatever bytes
// a client sends count as one request, and fixed bytes are the answer. No parsing, no limits, no
// deadlines, no library: what a real server costs above this is what these things cost.
//
//     bench_floor keep-alive|close|greet WORKERS
//
//   keep-alive  many requests on a connection
//   close       one request on a connection
//   greet       no request: a connection is answered and ended as soon as it is accepted

#include "bench/raw_cluster.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

enum class mode { keep_alive, close, greet };

// As long as the answer of http_cluster, whose PIDs have five digits or so; or of server_handoff.
std::string answer(mode mode)
{
    const std::string pid = std::to_string(::getpid());
    if (mode == mode::greet)
        return "http server0 子进程：" + pid;
    const std::string body = "Request handled by worker-" + pid;
    return std::string("HTTP/1.1 200 OK\r\n"
                       "Content-Type: text/plain\r\n"
                       "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n") +
           (mode == mode::keep_alive ? "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
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

[[noreturn]] void work(int listener, mode mode)
{
    const std::string bytes = answer(mode);
    const auto send_answer = [&bytes](int connection) {
        return ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
    };
    const int epoll = bench::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    watch(epoll, listener);
    for (;;) {
        epoll_event events[64];
        const int count = ::epoll_wait(epoll, events, 64, -1);
        if (count < 0 && errno != EINTR) // a tracer has come or gone (signal(7))
            bench::fail("epoll_wait");
        for (int i = 0; i < count; ++i) {
            const int fd = events[i].data.fd;
            if (fd == listener) {
                const int connection =
                    ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (connection < 0)
                    continue; // another worker was faster
                if (mode == mode::greet) {
                    send_answer(connection);
                    ::close(connection);
                } else {
                    watch(epoll, connection);
                }
                continue;
            }
            char request[4096];
            if (::recv(fd, request, sizeof request, 0) <= 0 || !send_answer(fd) ||
                mode == mode::close)
                ::close(fd);
        }
    }
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 3)
        return 2;
    const std::string_view name = argv[1];
    const mode mode = name == "keep-alive" ? mode::keep_alive
                      : name == "close"    ? mode::close
                                           : mode::greet;
    const auto count = static_cast<std::size_t>(std::atoi(argv[2]));
    const int listener = bench::listen_on_loopback(0, false, false);
    const auto workers = bench::fork_workers(count, [&](std::size_t) { work(listener, mode); });
    bench::say_ready(bench::port_of(listener), workers);
    bench::wait_for_sigterm();
}

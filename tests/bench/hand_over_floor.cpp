// The floor of a hand-over: the least that it can cost to accept a connection in one process and to
// answer on it in another. The parent accepts and sends its workers connections in turn; a worker
// answers, ends the connection and closes it. No message, no acknowledgement, no check of what has
// come, no waiting for the client's end: what a real hand-over costs above this is what these cost.
//
//     bench_hand_over_floor WORKERS

#include "bench/raw_cluster.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

// What sendmsg(2) and recvmsg(2) need for one byte and one descriptor.
struct packet {
    char byte = 'x';
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr header{};

    packet()
    {
        header.msg_iov = &data;
        header.msg_iovlen = 1;
        header.msg_control = control;
        header.msg_controllen = sizeof control;
    }
};

void send_descriptor(int channel, int descriptor)
{
    packet out;
    cmsghdr* rights = CMSG_FIRSTHDR(&out.header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    bench::check(static_cast<int>(::sendmsg(channel, &out.header, MSG_NOSIGNAL)), "sendmsg");
}

int receive_descriptor(int channel)
{
    packet in;
    bench::check(static_cast<int>(::recvmsg(channel, &in.header, MSG_CMSG_CLOEXEC)), "recvmsg");
    int descriptor = -1;
    if (const cmsghdr* rights = CMSG_FIRSTHDR(&in.header))
        std::memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
    return descriptor;
}

[[noreturn]] void work(int channel, std::size_t i)
{
    // As long as the answer of socket_fanout.
    const std::string bytes =
        "http socket" + std::to_string(i) + " 子进程：" + std::to_string(::getpid());
    for (;;) {
        const int connection = receive_descriptor(channel);
        (void)!::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        ::shutdown(connection, SHUT_WR);
        ::close(connection);
    }
}

[[noreturn]] void send_in_turn(int listener, const std::vector<int>& channels)
{
    const int epoll = bench::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    epoll_event event{};
    event.events = EPOLLIN;
    bench::check(::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event), "epoll_ctl");
    for (std::size_t next = 0;; next = (next + 1) % channels.size()) {
        while (::epoll_wait(epoll, &event, 1, -1) < 0) { // a tracer interrupts it (ptrace(2))
        }
        const int connection =
            bench::check(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept4");
        send_descriptor(channels[next], connection);
        ::close(connection);
    }
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 2)
        return 2;
    const auto count = static_cast<std::size_t>(std::atoi(argv[1]));
    const int listener = bench::listen_on_loopback(0, false, true);

    std::vector<int> parent_ends;
    std::vector<int> child_ends;
    for (std::size_t i = 0; i < count; ++i) {
        int pair[2];
        bench::check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
        parent_ends.push_back(pair[0]);
        child_ends.push_back(pair[1]);
    }
    const auto workers = bench::fork_workers(count, [&](std::size_t i) { work(child_ends[i], i); });
    bench::say_ready(bench::port_of(listener), workers);

    sigset_t sigterm; // ends this process, and SIGKILL its workers
    ::sigemptyset(&sigterm);
    ::sigaddset(&sigterm, SIGTERM);
    ::sigprocmask(SIG_UNBLOCK, &sigterm, nullptr);
    send_in_turn(listener, parent_ends);
}

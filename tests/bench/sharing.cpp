// Five ways in which processes can share the connections of one port, in raw system calls. Every
// worker answers with its PID; who got how many is for the client to count.
//
//     bench_sharing shared|exclusive|reuseport|blocking|in_turn WORKERS
//
//   shared     one listener, waited for by every worker's epoll: a connection wakes them all
//   exclusive  the same with EPOLLEXCLUSIVE: it wakes one, or a few (epoll_ctl(2))
//   reuseport  a listener for each worker on the same port: a hash of the addresses decides
//              (socket(7), SO_REUSEPORT)
//   blocking   one listener, every worker blocks in accept(2): it wakes the one that waits longest
//   in_turn    the parent accepts and sends worker after worker a connection (unix(7), SCM_RIGHTS)
//
// At SIGTERM it prints, as JSON, how often each worker woke up and found nothing to accept.

#include "bench/raw_cluster.hpp"
#include "ipc/descriptor_message.hpp"
#include "posix.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using counter = std::atomic<unsigned long>;

int accept(int listener)
{
    return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
}

void answer(int connection)
{
    const std::string pid = std::to_string(::getpid());
    (void)!::write(connection, pid.data(), pid.size());
    ::close(connection);
}

// [accept_when_told]
[[noreturn]] void accept_when_told(int listener, std::uint32_t how, counter& woken_for_nothing)
{
    const int epoll = bench::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    epoll_event event{};
    event.events = EPOLLIN | how;
    bench::check(::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event), "epoll_ctl");
    for (;;) {
        bench::check(posix::retry([&] { return ::epoll_wait(epoll, &event, 1, -1); }),
                     "epoll_wait");
        const int connection = accept(listener);
        if (connection >= 0)
            answer(connection);
        else
            ++woken_for_nothing;
    }
}
// [/accept_when_told]

// [accept_blocking]
[[noreturn]] void accept_blocking(int listener)
{
    for (;;)
        answer(bench::check(accept(listener), "accept4"));
}
// [/accept_blocking]

[[noreturn]] void take_what_is_sent(int channel)
{
    std::vector<unique_fd> connections;
    for (;;) {
        pollfd waited{channel, POLLIN, 0};
        bench::check(::poll(&waited, 1, -1), "poll");
        char buffer[64];
        ipc::receive_bytes(channel, buffer, connections);
        for (auto& connection : connections)
            answer(connection.release());
        connections.clear();
    }
}

// Returns at SIGTERM.
void send_in_turn(int listener, const std::vector<int>& channels)
{
    sigset_t sigterm;
    ::sigemptyset(&sigterm);
    ::sigaddset(&sigterm, SIGTERM);
    const int signals = bench::check(::signalfd(-1, &sigterm, SFD_CLOEXEC), "signalfd");
    pollfd waited[] = {{listener, POLLIN, 0}, {signals, POLLIN, 0}};
    for (std::size_t next = 0;; next = (next + 1) % channels.size()) {
        bench::check(::poll(waited, 2, -1), "poll");
        if (waited[1].revents)
            return;
        const unique_fd connection(bench::check(accept(listener), "accept4"));
        ipc::send_bytes(channels[next], "x", connection.get());
    }
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 3)
        return 2;
    const std::string_view mode = argv[1];
    const auto count = static_cast<std::size_t>(std::atoi(argv[2]));

    const bool blocking = mode == "blocking" || mode == "in_turn";
    std::vector<int> listeners{bench::listen_on_loopback(0, mode == "reuseport", blocking)};
    const auto port = bench::port_of(listeners[0]);
    while (mode == "reuseport" && listeners.size() < count)
        listeners.push_back(bench::listen_on_loopback(port, true, false));

    std::vector<int> parent_ends;
    std::vector<int> child_ends;
    for (std::size_t i = 0; i < count; ++i) {
        int pair[2];
        bench::check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
        parent_ends.push_back(pair[0]);
        child_ends.push_back(pair[1]);
    }

    // Memory that parent and workers see alike.
    void* shared = ::mmap(nullptr, count * sizeof(counter), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        bench::fail("mmap");
    auto* woken_for_nothing = static_cast<counter*>(shared);

    const auto workers = bench::fork_workers(count, [&](std::size_t i) {
        if (mode == "shared")
            accept_when_told(listeners[0], 0, woken_for_nothing[i]);
        if (mode == "exclusive")
            accept_when_told(listeners[0], EPOLLEXCLUSIVE, woken_for_nothing[i]);
        if (mode == "reuseport")
            accept_when_told(listeners[i], 0, woken_for_nothing[i]);
        if (mode == "blocking")
            accept_blocking(listeners[0]);
        if (mode == "in_turn")
            take_what_is_sent(child_ends[i]);
    });

    bench::say_ready(port, workers);
    if (mode == "in_turn")
        send_in_turn(listeners[0], parent_ends);
    else
        bench::wait_for_sigterm();

    std::printf("{\"woken_for_nothing\":[");
    for (std::size_t i = 0; i < count; ++i)
        std::printf("%s%lu", i == 0 ? "" : ",", woken_for_nothing[i].load());
    std::printf("]}\n");
}

// How many connections a second one process can hand to another, and nothing else: no clients, no
// answers; the receiver closes each. It is the same one all the time, a copy of it for each.
//
//     bench_handles raw|channel SECONDS [IN_FLIGHT]
//
//   raw      sendmsg and recvmsg, one byte with each descriptor, no acknowledgement
//   channel  common/ipc, in Node's protocol, with so many handles waiting for acknowledgement (1)
//
// Prints one JSON object: how many were handed over, and how long it took.

#include "bench/raw_cluster.hpp"
#include "ipc/channel.hpp"
#include "ipc/descriptor_message.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

std::size_t handed_over = 0;

struct connection_to_ourselves {
    unique_fd client;
    unique_fd server;
};

connection_to_ourselves connect_to_ourselves()
{
    const unique_fd listener(bench::listen_on_loopback(0, false, true));
    unique_fd client(bench::check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(bench::port_of(listener.get()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bench::check(
        ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
        "connect");
    return {std::move(client),
            unique_fd(bench::check(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC),
                                   "accept4"))};
}

unique_fd copy_of(int fd)
{
    return unique_fd(bench::check(::fcntl(fd, F_DUPFD_CLOEXEC, 0), "fcntl"));
}

void wait_for(short event, int socket)
{
    pollfd waited{socket, event, 0};
    bench::check(::poll(&waited, 1, -1), "poll");
}

void receive_raw(int socket)
{
    std::vector<unique_fd> descriptors;
    for (char byte;;) {
        const auto received = ipc::receive_bytes(socket, {&byte, 1}, descriptors);
        descriptors.clear();
        if (received.end)
            return;
        if (received.would_block)
            wait_for(POLLIN, socket);
    }
}

void send_raw(int socket, int connection, clock_type::time_point end)
{
    for (; clock_type::now() < end; ++handed_over) {
        const auto copy = copy_of(connection);
        while (ipc::send_bytes(socket, "x", copy.get()) == 0)
            wait_for(POLLOUT, socket);
    }
}

asio::awaitable<void> receive(ipc::channel& channel)
{
    while (auto message = co_await channel.receive())
        message->handle = {};
}

asio::awaitable<void> send(ipc::channel& channel, int connection, clock_type::time_point end)
{
    for (; clock_type::now() < end; ++handed_over)
        co_await channel.send("socket",
                              ipc::handle(ipc::handle::kind::connection, copy_of(connection)));
    channel.close();
}

} // namespace

int main(int argc, char** argv)
{
    if (argc < 3)
        return 2;
    const bool raw = std::string_view(argv[1]) == "raw";
    const int in_flight = argc > 3 ? std::atoi(argv[3]) : 1;
    int ends[2];
    const int type = SOCK_STREAM | SOCK_CLOEXEC;
    bench::check(::socketpair(AF_UNIX, type, 0, ends), "socketpair");
    unique_fd ours(ends[0]);
    unique_fd theirs(ends[1]);

    const pid_t child = bench::check(::fork(), "fork");
    if (child == 0) {
        ours.reset();
        if (raw) {
            receive_raw(theirs.get());
        } else {
            asio::io_context context(1);
            ipc::channel channel(context.get_executor(), std::move(theirs));
            asio::co_spawn(context, receive(channel), asio::detached);
            context.run();
        }
        std::_Exit(0);
    }
    theirs.reset();
    const auto connection = connect_to_ourselves();
    const auto begin = clock_type::now();
    const auto end = begin + std::chrono::duration_cast<clock_type::duration>(
                                 std::chrono::duration<double>(std::atof(argv[2])));
    if (raw) {
        send_raw(ours.get(), connection.server.get(), end);
        ours.reset();
    } else {
        asio::io_context context(1);
        ipc::channel_options options;
        options.in_flight = static_cast<std::size_t>(in_flight);
        ipc::channel channel(context.get_executor(), std::move(ours), options);
        for (int i = 0; i < in_flight; ++i)
            asio::co_spawn(context, send(channel, connection.server.get(), end), asio::detached);
        context.run();
    }
    ::waitpid(child, nullptr, 0);
    const std::chrono::duration<double> took = clock_type::now() - begin;
    std::printf("{\"handles\":%zu,\"seconds\":%.6f}\n", handed_over, took.count());
}

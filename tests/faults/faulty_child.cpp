// A worker that fails in the way it is told. Either once it has been given a connection, which it
// never acknowledges:
//
//     faulty_child die|read|write|hang_up|garbage|hang|endless|leave
//
// leave: it dies, and a child that it has started, "faulty: 4711 has it", keeps the connection and
// answers on it.
//
// Or on SIGUSR1, while it acknowledges what it is given, and answers on it, as it should:
//
//     faulty_child later strays|wrong_kind|no_descriptor|endless
//
// Or it is not faulty at all, but retires: answers on N connections, and when it has the last of
// them hangs up, be there more to be read, and takes its time for those it has:
//
//     faulty_child retire N
//
// It says how often it has been refused: "faulty: 2 refused".
#include "ipc/descriptor_message.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

constexpr int channel = 3;

void wait_readable(int fd)
{
    pollfd event{fd, POLLIN, 0};
    ::poll(&event, 1, -1);
}

void stay_for_ever()
{
    for (;;)
        ::pause();
}

void write_without_end()
{
    const std::string text(4096, 'x');
    for (std::size_t sent = 0; sent < 100'000'000;) {
        const auto size = ::send(channel, text.data(), text.size(), MSG_NOSIGNAL);
        if (size < 0)
            ::_exit(1); // cut off
        sent += static_cast<std::size_t>(size);
    }
}

// ---- later -------------------------------------------------------------------------------------

volatile std::sig_atomic_t now_fail = 0;

void send_as(const std::string& type, int descriptor)
{
    (void)ipc::send_bytes(channel,
                          R"({"cmd":"NODE_HANDLE","type":")" + type + R"(","msg":"mine"})" + "\n",
                          descriptor);
}

void fail(std::string_view how)
{
    const unique_fd unbound(::socket(AF_INET, SOCK_STREAM, 0));
    const unique_fd datagrams(::socket(AF_INET, SOCK_DGRAM, 0));
    const unique_fd listening(::socket(AF_INET, SOCK_STREAM, 0));
    ::listen(listening.get(), 1);
    const unique_fd file(::open("/dev/null", O_RDWR));
    if (how == "strays") {
        const std::array<int, 3> three{listening.get(), file.get(), datagrams.get()};
        (void)ipc::send_bytes(channel, "\"a plain message\"\n", three);
    } else if (how == "wrong_kind") {
        send_as("net.Socket", file.get());
        send_as("net.Socket", listening.get());
        send_as("net.Server", datagrams.get());
        send_as("net.Server", unbound.get());
        send_as("net.Sock", listening.get());
    } else if (how == "no_descriptor") {
        send_as("net.Socket", -1);
        send_as("net.Server", -1);
    } else {
        write_without_end();
    }
}

/// Acknowledges it, and answers if it is a connection; a server is for the others.
void take(const unique_fd& given)
{
    (void)ipc::send_bytes(channel, "{\"cmd\":\"NODE_HANDLE_ACK\"}\n");
    int listens = 0;
    socklen_t size = sizeof listens;
    ::getsockopt(given.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
    const auto answer = "faulty 子进程：" + std::to_string(::getpid());
    if (!listens)
        (void)!::write(given.get(), answer.data(), answer.size());
}

int fail_later(std::string_view how)
{
    // SIGUSR1 comes while we wait, and at no other time.
    sigset_t usr1, mask;
    ::sigemptyset(&usr1);
    ::sigaddset(&usr1, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &usr1, &mask);
    ::signal(SIGUSR1, [](int) { now_fail = 1; });

    std::string said;
    int refused = 0;
    for (;;) {
        pollfd event{channel, POLLIN, 0};
        const int ready = ::ppoll(&event, 1, nullptr, &mask);
        if (std::exchange(now_fail, 0))
            fail(how);
        if (ready < 1)
            continue;
        std::vector<unique_fd> given;
        std::array<char, 4096> buffer;
        const auto got = ipc::receive_bytes(channel, buffer, given);
        if (got.end)
            return 0;
        for (const auto& one : given)
            take(one);
        said.append(buffer.data(), got.size);
        for (auto end = said.find('\n'); end != std::string::npos; end = said.find('\n')) {
            if (said.substr(0, end).find("NODE_HANDLE_NACK") != std::string::npos)
                std::fprintf(stderr, "faulty: %d refused\n", ++refused);
            said.erase(0, end + 1);
        }
    }
}

// ---- in order ----------------------------------------------------------------------------------

int retire(std::size_t after)
{
    std::vector<unique_fd> clients;
    const auto answer = [&] {
        const auto text = "retiring 子进程：" + std::to_string(::getpid());
        for (const auto& client : clients) {
            (void)::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
            ::shutdown(client.get(), SHUT_WR);
        }
        clients.clear();
    };
    for (std::size_t taken = 0; taken < after;) {
        pollfd event{channel, POLLIN, 0};
        if (::poll(&event, 1, clients.empty() ? -1 : 5) == 0) {
            answer();
            continue;
        }
        std::array<char, 4096> buffer;
        std::vector<unique_fd> given;
        if (ipc::receive_bytes(channel, buffer, given).end)
            return 0;
        for (auto& one : given) {
            (void)ipc::send_bytes(channel, "{\"cmd\":\"NODE_HANDLE_ACK\"}\n");
            clients.push_back(std::move(one));
            ++taken;
        }
    }
    ::close(channel);
    ::poll(nullptr, 0, 150); // those it has are a lengthy business
    answer();
    return 0;
}

// ---- with a child of its own -------------------------------------------------------------------

[[noreturn]] void leave(int connection)
{
    const pid_t parent = ::getpid();
    if (::fork() == 0) {
        ::close(channel);
        std::fprintf(stderr, "faulty: %d has it\n", ::getpid());
        while (::getppid() == parent)
            ::poll(nullptr, 0, 1);
        ::poll(nullptr, 0, 50);
        (void)!::write(connection, "orphan", 6);
        stay_for_ever();
    }
    ::poll(nullptr, 0, 50);
    ::_exit(9);
}

} // namespace

int main(int argc, char** argv)
{
    const std::string_view how = argv[1];
    if (how == "later" && argc > 2)
        return fail_later(argv[2]);
    if (how == "retire" && argc > 2)
        return retire(std::stoul(argv[2]));
    std::vector<unique_fd> given;
    std::array<char, 4096> buffer;
    while (given.empty()) {
        wait_readable(channel);
        if (ipc::receive_bytes(channel, buffer, given).end)
            return 0;
    }
    const int connection = given.front().get();
    if (how == "read") {
        wait_readable(connection);
        (void)!::read(connection, buffer.data(), 40);
    } else if (how == "write") {
        (void)!::write(connection, "twelve bytes", 12);
    } else if (how == "hang_up") {
        ::close(channel);
        stay_for_ever();
    } else if (how == "garbage") {
        (void)!::write(channel, "not json\n", 9);
        stay_for_ever();
    } else if (how == "endless") {
        write_without_end();
        stay_for_ever();
    } else if (how == "hang") {
        stay_for_ever();
    } else if (how == "leave") {
        leave(connection);
    }
    ::_exit(9);
}

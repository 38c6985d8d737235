// The messages of a cluster over a real channel, in both roles: a hostile primary tells our worker
// anything, and a hostile worker our primary. It may end its channel, never this process; it leaves
// no descriptor and no process behind.
//
// The first byte says who is hostile. A worker is a process, so that side is slow: few inputs a
// second, but each against all that a primary has.
#include "cluster/primary.hpp"
#include "cluster/worker.hpp"
#include "ipc/descriptor_message.hpp"

#include "fuzz/fuzz.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <net/if.h>
#include <netinet/in.h>
#include <optional>
#include <sched.h>
#include <string>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace {

asio::io_context& context()
{
    static asio::io_context one;
    static const asio::posix::stream_descriptor reactor_opens_its_own_descriptors(
        one, ::eventfd(0, EFD_CLOEXEC));
    return one;
}

void go_on()
{
    context().restart();
    context().poll();
}

// ---- our worker, told anything ------------------------------------------------------------------

/// What a primary may send: a connection, a bound socket, and what it may not.
struct things_to_send {
    unique_fd bound{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    unique_fd one_end;
    unique_fd other_end;
    std::array<int, 4> all{};

    things_to_send()
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const unique_fd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        one_end = unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        socklen_t length = sizeof address;
        auto* const place = reinterpret_cast<sockaddr*>(&address);
        fuzz::claim(::bind(bound.get(), place, length) == 0 &&
                        ::bind(listening.get(), place, length) == 0 &&
                        ::listen(listening.get(), 1) == 0 &&
                        ::getsockname(listening.get(), place, &length) == 0 &&
                        ::connect(one_end.get(), place, length) == 0,
                    "loopback works");
        other_end = unique_fd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
        all = {one_end.get(), bound.get(), other_end.get(), STDIN_FILENO};
    }
};

asio::awaitable<void> serve(cluster::worker& worker, std::vector<cluster::server>& servers)
{
    try {
        for (const std::uint16_t port : {std::uint16_t{0}, std::uint16_t{8888}}) {
            auto server = co_await worker.listen("127.0.0.1", port);
            server.on_connection([](unique_fd) {});
            servers.push_back(std::move(server));
        }
        auto path = co_await worker.listen("a path");
        path.on_connection([](net::accepted) {});
        servers.push_back(std::move(path));
    } catch (const std::exception&) { // the primary's error, or its end
    }
}

void tell_a_worker(fuzz::input input)
{
    static const things_to_send things;
    int pair[2];
    fuzz::claim(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0,
                "a socketpair");
    unique_fd peer(pair[0]);
    ipc::channel channel(context().get_executor(), unique_fd(pair[1]));
    {
        cluster::worker worker(context().get_executor(), channel, 1);
        std::vector<cluster::server> servers;
        worker.on_message([](const ipc::message&) {});
        asio::co_spawn(context(), serve(worker, servers), asio::detached);
        go_on();

        std::vector<unique_fd> received;
        std::array<char, 4096> said;
        while (!input.empty()) {
            const auto order = input.byte();
            const auto text = std::string(input.bytes(input.byte()));
            std::vector<int> descriptors;
            if (order & 1)
                descriptors.push_back(things.all[static_cast<std::size_t>(order >> 1) % 4]);
            if (order & 0x80 && !servers.empty())
                servers.pop_back();
            try {
                if (!text.empty())
                    ipc::send_bytes(peer.get(), text, descriptors);
                go_on();
                ipc::receive_bytes(peer.get(), said, received);
            } catch (const std::system_error&) { // the channel has had enough
                break;
            }
        }
        peer.reset();
        go_on();
        asio::co_spawn(context(), worker.disconnect(), asio::detached);
        go_on();
        servers.clear();
        channel.close();
        go_on();
    }
    go_on();
}

// ---- our primary, told anything -----------------------------------------------------------------

void tell_a_primary(fuzz::input input, cluster::scheduling how)
{
    static const std::string lines =
        std::filesystem::temp_directory_path() / ("cluster_fuzz." + std::to_string(::getpid()));
    std::ofstream(lines, std::ios::binary) << input.bytes(64 * 1024);
    pid_t worker = 0;
    {
        workers::options options;
        options.grace = options.grace_after_term = std::chrono::milliseconds(50);
        cluster::primary primary(context().get_executor(), options, how);
        primary.on_message([](const auto&, const ipc::message&) {});
        bool has_ended = false;
        primary.on_exit([&](const auto&, const auto&) { has_ended = true; });
        worker = primary.fork({"/bin/sh", "-c", "exec cat " + lines + " >&3"}).pid;
        context().restart();
        while (!has_ended)
            context().run_one();
        bool has_stopped = false;
        asio::co_spawn(context(), primary.stop(), [&](std::exception_ptr failure) {
            fuzz::claim(!failure, "a primary stops");
            has_stopped = true;
        });
        context().restart();
        while (!has_stopped)
            context().run_one();
    }
    go_on();
    std::filesystem::remove(lines);
    // Of others, the fuzzer's symbolizer say, nothing is claimed.
    fuzz::claim(::kill(worker, 0) == -1 && errno == ESRCH, "no process is left");
}

} // namespace

// In a network of its own: a worker may ask for any address.
extern "C" int LLVMFuzzerInitialize(int*, char***)
{
    if (::unshare(CLONE_NEWNET) != 0)
        ::unshare(CLONE_NEWUSER | CLONE_NEWNET);
    ifreq loopback{};
    std::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP;
    const unique_fd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ::ioctl(any.get(), SIOCSIFFLAGS, &loopback);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    (void)context();
    fuzz::input input(data, size);
    const auto role = input.byte();
    go_on();
    static const bool has_begun = [&] { // with what is opened once, a server's epoll say
        static const std::string ask =
            R"({"cmd":"NODE_CLUSTER","act":"queryServer","address":"127.0.0.1","port":0,)"
            R"("addressType":4,"index":0,"seq":0})"
            "\n";
        tell_a_worker(fuzz::input(nullptr, 0));
        tell_a_primary({reinterpret_cast<const std::uint8_t*>(ask.data()), ask.size()},
                       cluster::scheduling::round_robin);
        return true;
    }();
    (void)has_begun;
    const auto before = fuzz::open_descriptors(); // each time: the fuzzer opens some of its own
    if (role & 1)
        tell_a_primary(input, role & 2   ? cluster::scheduling::shared
                              : role & 4 ? cluster::scheduling::least_busy
                                         : cluster::scheduling::round_robin);
    else
        tell_a_worker(input);
    fuzz::claim(fuzz::open_descriptors() == before, "no descriptor is left");
    return 0;
}

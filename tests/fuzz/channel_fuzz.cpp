// The channel over a real socketpair: a peer writes anything, with descriptors of any kind on it.
// Whatever comes, the process stays up and has afterwards the descriptors it had before.
#include "ipc/channel.hpp"
#include "ipc/descriptor_message.hpp"

#include "fuzz/fuzz.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <array>
#include <fcntl.h>
#include <netinet/in.h>
#include <optional>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace {

/// One of each kind that a peer may send; the kernel copies them on the way.
struct things_to_send {
    unique_fd server{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    unique_fd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    unique_fd bound{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    unique_fd file{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    std::array<int, 4> all{};

    things_to_send()
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        fuzz::claim(
            ::bind(server.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                ::bind(bound.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                ::listen(server.get(), 1) == 0 &&
                ::getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
                ::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length) == 0,
            "loopback works");
        all = {server.get(), client.get(), bound.get(), file.get()};
    }
};

asio::awaitable<void> receive_all(ipc::channel& channel, std::vector<ipc::message>& kept)
{
    try {
        while (auto message = co_await channel.receive())
            if (kept.size() < 8)
                kept.push_back(std::move(*message));
    } catch (const ipc::protocol_error&) {
    }
}

asio::awaitable<void> send_one(ipc::channel& channel, int server)
{
    try {
        ipc::handle copy(ipc::handle::kind::server, unique_fd(::dup(server)));
        co_await channel.send("a server", copy);
    } catch (const ipc::error&) {
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const things_to_send things;
    static asio::io_context context;
    static const asio::posix::stream_descriptor reactor_opens_its_own_descriptors(
        context, ::eventfd(0, EFD_CLOEXEC));
    const auto before = fuzz::open_descriptors();
    {
        int pair[2];
        fuzz::claim(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0,
                    "a socketpair");
        unique_fd peer(pair[0]);
        ipc::channel_options options;
        options.max_line = 4096;
        ipc::channel channel(context.get_executor(), unique_fd(pair[1]), options);
        std::vector<ipc::message> kept;
        const auto go_on = [&] {
            context.restart();
            context.poll();
        };
        asio::co_spawn(context, receive_all(channel, kept), asio::detached);

        std::vector<unique_fd> answered;
        std::array<char, 4096> answers;
        fuzz::input input(data, size);
        while (!input.empty()) {
            const auto order = input.byte();
            const auto text = input.bytes(input.byte());
            std::vector<int> descriptors;
            for (int i = 0; i < (order & 3); ++i)
                descriptors.push_back(things.all[static_cast<std::size_t>(order >> (2 + i)) % 4]);
            if (order & 0x80 && channel.connected())
                asio::co_spawn(context, send_one(channel, things.server.get()), asio::detached);
            try {
                if (!text.empty())
                    ipc::send_bytes(peer.get(), text, descriptors);
                go_on();
                if (order & 0x40)
                    ipc::receive_bytes(peer.get(), answers, answered);
            } catch (const std::system_error&) { // the channel has had enough
                break;
            }
        }
        peer.reset();
        go_on();
        channel.close();
        go_on();
    }
    context.restart();
    context.poll();
    fuzz::claim(fuzz::open_descriptors() == before, "no descriptor is left");
    return 0;
}

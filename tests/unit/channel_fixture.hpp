// What the channel tests share: a channel on one end of a socketpair, and the bare other end, which
// a test writes and reads byte by byte, as any peer might.
#pragma once

#include "ipc/channel.hpp"
#include "ipc/descriptor_message.hpp"
#include "observer.hpp"
#include "posix.hpp"
#include "support/process.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ipc_test {

/// Looks at each line that crosses a channel of this process, as long as it lives.
class line_observer final : public observer {
public:
    using looking = std::function<void(bool outgoing, std::string_view line)>;

    explicit line_observer(looking look) : look_(std::move(look)) { observing = this; }
    ~line_observer() { observing = nullptr; }

private:
    void line_crossed(bool outgoing, pid_t, std::string_view line, int) noexcept override
    {
        look_(outgoing, line);
    }

    looking look_;
};

inline constexpr auto ack = "{\"cmd\":\"NODE_HANDLE_ACK\"}\n";
inline constexpr auto nack = "{\"cmd\":\"NODE_HANDLE_NACK\"}\n";

inline std::string envelope(const std::string& type, const std::string& msg = "\"m\"")
{
    return R"({"cmd":"NODE_HANDLE","type":")" + type + R"(","msg":)" + msg + "}\n";
}

/// Descriptors this process has open, the one that counts them excluded.
inline std::size_t open_descriptors()
{
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all))) - 1;
}

inline std::pair<unique_fd, unique_fd> unix_pair(int type = SOCK_STREAM)
{
    int fds[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0)
        throw std::system_error(errno, std::generic_category(), "socketpair");
    return {unique_fd(fds[0]), unique_fd(fds[1])};
}

/// A listening TCP socket on a free port of 127.0.0.1; `listening` false: only bound.
inline unique_fd tcp_server(bool listening = true)
{
    unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        (listening && ::listen(fd.get(), 16) != 0))
        throw std::system_error(errno, std::generic_category(), "bind or listen");
    return fd;
}

inline std::uint16_t port_of(int fd)
{
    sockaddr_in address{};
    socklen_t length = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
    return ntohs(address.sin_port);
}

/// Both ends of a TCP connection over loopback: {accepted, client}.
inline std::pair<unique_fd, unique_fd> tcp_pair()
{
    const unique_fd server = tcp_server();
    unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    socklen_t length = sizeof address;
    ::getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &length);
    // A SIGCHLD may interrupt it, and then it goes on by itself: accepted is connected.
    if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 &&
        errno != EINTR)
        throw std::system_error(errno, std::generic_category(), "connect");
    pollfd ready{server.get(), POLLIN, 0};
    posix::retry([&] { return ::poll(&ready, 1, 5000); });
    unique_fd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    return {std::move(accepted), std::move(client)};
}

inline ipc::handle connection_handle(unique_fd fd)
{
    return ipc::handle(std::move(fd));
}

class ChannelTest : public testing::Test {
protected:
    ChannelTest() { open_channel({}); }

    /// A fresh channel with other options, and a fresh peer.
    void open_channel(ipc::channel_options options)
    {
        auto [ours, theirs] = unix_pair();
        channel.emplace(context.get_executor(), std::move(ours), std::move(options));
        peer = std::move(theirs);
    }

    /// The peer writes; `descriptors` ride on the first byte.
    void write(const std::string& bytes, std::vector<int> descriptors = {})
    {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const auto size =
                ipc::send_bytes(peer.get(), std::string_view(bytes).substr(done), descriptors);
            if (size > 0)
                descriptors.clear();
            else
                run_ready(); // the channel must read before more fits
            done += size;
        }
    }

    /// What the peer can read now; its descriptors go to `received`.
    std::string read()
    {
        std::string result;
        std::vector<char> buffer(64 * 1024);
        for (;;) {
            const auto got = ipc::receive_bytes(peer.get(), buffer, received);
            if (got.would_block || got.end) {
                peer_saw_end = got.end;
                return result;
            }
            result.append(buffer.data(), got.size);
        }
    }

    /// Runs everything that can go on without waiting.
    void run_ready()
    {
        context.restart();
        while (context.poll() > 0) {
        }
    }

    /// Runs until `done`, at most a while: a test that fails should not hang.
    bool run_until(const std::function<bool()>& done)
    {
        context.restart();
        const auto deadline = std::chrono::steady_clock::now() + support::patient(support::a_while);
        while (!done() && std::chrono::steady_clock::now() < deadline) {
            context.restart();
            context.run_one_for(std::chrono::milliseconds(20));
        }
        return done();
    }

    struct outcome {
        bool done = false;
        int completions = 0;
        std::string error; // code of the ipc::error, or what() of another
    };

    /// Starts what is to be awaited; look at the result after run_ready().
    std::shared_ptr<outcome> begin(asio::awaitable<void> what)
    {
        auto result = std::make_shared<outcome>();
        asio::co_spawn(context, std::move(what), [result](std::exception_ptr failure) {
            result->done = true;
            ++result->completions;
            try {
                if (failure)
                    std::rethrow_exception(failure);
            } catch (const ipc::error& error) {
                result->error = error.code();
            } catch (const std::exception& error) {
                result->error = error.what();
            }
        });
        run_ready();
        return result;
    }

    std::shared_ptr<outcome> send(ipc::value body, ipc::handle* object = nullptr)
    {
        return begin(object ? channel->send(std::move(body), *object)
                            : channel->send(std::move(body)));
    }

    /// The next message; fails the test when there is none.
    std::optional<ipc::message> receive()
    {
        std::optional<ipc::message> result;
        bool done = false;
        receive_error.clear();
        asio::co_spawn(context, channel->receive(),
                       [&](std::exception_ptr failure, std::optional<ipc::message> message) {
                           done = true;
                           result = std::move(message);
                           try {
                               if (failure)
                                   std::rethrow_exception(failure);
                           } catch (const ipc::protocol_error& error) {
                               receive_error = error.what();
                           }
                       });
        EXPECT_TRUE(run_until([&] { return done; })) << "no message came";
        return result;
    }

    /// Every message that is there, as JSON text; a handle adds "+c" or "+s".
    std::vector<std::string> receive_until_end()
    {
        std::vector<std::string> result;
        while (auto message = receive())
            result.push_back(message->body.dump() + (message->handle.is_connection() ? "+c"
                                                     : message->handle.is_server()   ? "+s"
                                                                                     : ""));
        return result;
    }

    asio::io_context context;
    std::optional<ipc::channel> channel;
    unique_fd peer;
    std::vector<unique_fd> received;
    bool peer_saw_end = false;
    std::string receive_error;
};

} // namespace ipc_test

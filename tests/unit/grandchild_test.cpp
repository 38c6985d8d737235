// What a process gets that is started by one that holds a channel, a received connection, a server
// and a child of its own: nothing of all that, by close-on-exec alone.
#include "channel_fixture.hpp"
#include "forked.hpp"

#include "ipc/child_process.hpp"
#include "net/listen.hpp"
#include "support/proc_fs.hpp"
#include "support/process.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <linux/close_range.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sys/syscall.h>

namespace {

using namespace ipc_test;
using nlohmann::json;
using std::chrono::steady_clock;

/// fork and exec, as a program does that knows nothing of our descriptors.
pid_t start_sleep()
{
    const pid_t pid = ::fork();
    if (pid != 0)
        return pid;
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC); // not what the test prints into
    for (const int standard : {0, 1, 2})
        ::dup2(nothing, standard);
    ::execlp("sleep", "sleep", "60", nullptr);
    ::_exit(127);
}

/// A child of the test with everything one of our programs may hold, and then a child of its own
/// that was started without any care. Never returns.
void hold_everything(int channel_end)
{
    // What this process has inherited, also from whoever runs the tests, is not the subject.
    ASSERT_EQ(::dup2(channel_end, 3), 3);
    ASSERT_EQ(::syscall(SYS_close_range, 4, ~0U, 0), 0);

    asio::io_context context;
    ipc::channel channel(context.get_executor(), unique_fd(3));
    auto listening = net::listen(context.get_executor(), "127.0.0.1", 0);
    auto child = ipc::child_process::start(context.get_executor(), {"sleep", "60"});
    std::vector<asio::ip::tcp::socket> accepted;
    std::optional<ipc::connection> connection;
    std::optional<ipc::message> server; // kept as it came

    const json here{{"port", listening.address().port()}};
    const auto rethrow = [](std::exception_ptr error) {
        if (error)
            std::rethrow_exception(error);
    };
    listening.on_connection([&](asio::ip::tcp::socket socket) {
        accepted.push_back(std::move(socket)); // the last thing it lacked
        const pid_t grandchild = start_sleep();
        asio::co_spawn(context,
                       channel.send(json{{"grandchild", grandchild}, {"child", child.pid()}}),
                       rethrow);
    });
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            auto received = co_await channel.receive();
            connection = std::move(received->handle).connection(context.get_executor());
            server = co_await channel.receive();
            co_await channel.send(here);
        },
        rethrow);
    context.run();
}

class Grandchild : public testing::Test {
protected:
    Grandchild()
    {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1); // whose parent dies is ours to reap
        auto ends = unix_pair();
        peer = std::move(ends.first);
        receiver.emplace([&] { hold_everything(ends.second.get()); });
        ends.second.reset();

        auto pair = tcp_pair();
        client = std::move(pair.second);
        const auto server = tcp_server();
        ipc::send_bytes(peer.get(), envelope("net.Socket"), pair.first.get());
        ipc::send_bytes(peer.get(), envelope("net.Server"), server.get());
        port = next_message().at("port");
        accepted_client = connect_to(port);
        const auto pids = next_message();
        grandchild.emplace(pids.at("grandchild").get<pid_t>());
        child.emplace(pids.at("child").get<pid_t>());
    }

    /// The next one that is not an acknowledgement.
    json next_message()
    {
        for (;;) {
            const auto end = text.find('\n');
            if (end != std::string::npos) {
                auto message = json::parse(text.substr(0, end));
                text.erase(0, end + 1);
                if (!message.contains("cmd"))
                    return message;
            } else {
                if (!readable(peer, support::patient(support::a_while)))
                    throw std::runtime_error("the other process says nothing");
                char buffer[4096];
                const auto size = ::recv(peer.get(), buffer, sizeof buffer, MSG_DONTWAIT);
                if (size <= 0)
                    throw std::runtime_error("the other process has ended");
                text.append(buffer, static_cast<std::size_t>(size));
            }
        }
    }

    static bool readable(const unique_fd& fd, support::milliseconds limit)
    {
        pollfd waiting{fd.get(), POLLIN, 0};
        return ::poll(&waiting, 1, static_cast<int>(limit.count())) == 1;
    }

    static unique_fd connect_to(std::uint16_t port)
    {
        unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            fd.reset();
        return fd;
    }

    std::string text;
    unique_fd peer, client, accepted_client;
    std::uint16_t port = 0;
    std::optional<forked::child> grandchild, child; // end after their parent
    std::optional<forked::child> receiver;
};

TEST_F(Grandchild, A11_HasNoDescriptorButTheThreeStandardOnes)
{
    ASSERT_TRUE(support::eventually(
        [&] { return support::command_line(grandchild->pid()) == "sleep 60 "; }));
    const auto of_the_receiver = support::descriptors(receiver->pid());
    EXPECT_GE(of_the_receiver.size(), 3 + 6u)
        << "channel, connection, two servers, child's channel and pidfd, not to speak of Asio's";
    const std::set<int> numbers{0, 1, 2};
    EXPECT_EQ(support::descriptor_numbers(grandchild->pid(), numbers), numbers);
}

TEST_F(Grandchild, D4_KeepsNothingOpenAfterItsParentsDeath)
{
    ASSERT_TRUE(support::eventually(
        [&] { return support::command_line(grandchild->pid()) == "sleep 60 "; }));
    EXPECT_EQ(WTERMSIG(receiver->kill()), SIGKILL);
    for (const auto* end : {&peer, &client, &accepted_client}) {
        ASSERT_TRUE(readable(*end, support::patient(support::a_while)));
        char byte = 0;
        EXPECT_EQ(::recv(end->get(), &byte, 1, MSG_DONTWAIT), 0) << "the end of the stream";
    }
    EXPECT_FALSE(connect_to(port)) << "and nobody listens";
    EXPECT_TRUE(support::runs(grandchild->pid()));
}

} // namespace

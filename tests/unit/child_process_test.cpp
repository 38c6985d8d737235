// Starting children under hard conditions, and handing a server from one owner to the next.
#include "channel_fixture.hpp"

#include "ipc/child_process.hpp"

#include <asio/signal_set.hpp>

#include <atomic>
#include <csignal>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <pthread.h>
#include <sstream>
#include <thread>

namespace {

// Signals that come between fork and exec: fork(2) itself calls this in the child.
int tell_of_signals = -1; // where, when it is to do so
void send_signals_to_oneself()
{
    if (tell_of_signals < 0)
        return;
    (void)!::write(tell_of_signals, "x", 1);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1})
        ::kill(::getpid(), signal);
}

ipc::exit_status wait_for_end(asio::io_context& context, ipc::child_process& child)
{
    std::optional<ipc::exit_status> status;
    asio::co_spawn(context, child.exited(),
                   [&](std::exception_ptr, ipc::exit_status end) { status = end; });
    context.restart();
    while (!status && context.run_one_for(std::chrono::seconds(10)) > 0) {
    }
    return status.value_or(ipc::exit_status{-1, -1});
}

// Our mains have one thread. But whoever takes the library into a program with several gets no
// child that waits for a lock that nobody in it holds: between fork and exec there is no lock.
TEST(ChildProcess, D5_StartsAThousandTimesWhileOtherThreadsAllocate)
{
    asio::io_context context;
    std::atomic<bool> over{false};
    std::vector<std::thread> others;
    for (int i = 0; i < 2; ++i)
        others.emplace_back([&] {
            while (!over)
                std::vector<std::string>(10, std::string(1000, 'x'));
        });
    int started = 0;
    for (int i = 0; i < 1000; ++i) {
        auto child = ipc::child_process::start(context.get_executor(), {"/bin/true"});
        started += wait_for_end(context, child).clean();
    }
    over = true;
    for (auto& thread : others)
        thread.join();
    EXPECT_EQ(started, 1000);
}

// As after `trap '' CHLD` in the shell that starts us: the kernel then reaps, and tells nobody how.
TEST(ChildProcess, D6_DoesNotInventAnExitCodeWhenSigchldIsIgnored)
{
    const auto before = std::signal(SIGCHLD, SIG_IGN);
    asio::io_context context;
    auto child = ipc::child_process::start(context.get_executor(), {"/bin/sleep", "60"});
    child.kill(SIGKILL);
    const auto status = wait_for_end(context, child);
    std::signal(SIGCHLD, before);
    EXPECT_EQ(status.code, -1);
    EXPECT_FALSE(status.clean());
    EXPECT_EQ(to_string(status), "ended, nobody knows how (SIGCHLD is ignored)");
}

TEST(ChildProcess, D6_SaysWhatCannotBeExecutedAndLeavesNothing)
{
    asio::io_context context;
    {
        auto child = ipc::child_process::start(context.get_executor(), {"/bin/true"});
        wait_for_end(context, child);
    }
    const auto before = ipc_test::open_descriptors();
    for (const auto& [command, error] : std::map<std::string, std::errc>{
             {"/no/such/program", std::errc::no_such_file_or_directory},
             {"/etc/passwd", std::errc::permission_denied}}) {
        try {
            ipc::child_process::start(context.get_executor(), {command});
            ADD_FAILURE() << command << " has been started";
        } catch (const std::system_error& failure) {
            EXPECT_EQ(failure.code(), error);
            EXPECT_NE(std::string(failure.what()).find(command), std::string::npos);
        }
    }
    EXPECT_EQ(ipc_test::open_descriptors(), before);
}

TEST(ChildProcess, D2_OneDestroyedWhileSomebodyWaitsForItsEndIsReapedAndThatIsTold)
{
    asio::io_context context;
    std::optional<ipc::exit_status> status;
    pid_t pid = 0;
    {
        auto child = ipc::child_process::start(context.get_executor(), {"sleep", "60"});
        pid = child.pid();
        asio::co_spawn(context, child.exited(),
                       [&](std::exception_ptr, ipc::exit_status end) { status = end; });
        context.poll();
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!status && std::chrono::steady_clock::now() < deadline)
        context.run_one_for(std::chrono::milliseconds(20));
    ASSERT_TRUE(status) << "the wait has no end";
    EXPECT_EQ(status->signal, SIGKILL);
    EXPECT_EQ(::kill(pid, 0), -1) << "not even a zombie is left";
    EXPECT_EQ(errno, ESRCH);
}

TEST(ChildProcess, D9_ASignalToAnEndedChildGoesNowhere)
{
    asio::io_context context;
    auto child = ipc::child_process::start(context.get_executor(), {"/bin/true"});
    EXPECT_TRUE(wait_for_end(context, child).clean());
    EXPECT_FALSE(child.running());
    EXPECT_FALSE(child.stopped());
    child.kill(SIGKILL); // its number may be somebody else's by now, ours even: see who dies
    EXPECT_FALSE(child.running());
}

// Ctrl-C reaches the whole group of the terminal, and the child is in it for a moment.
TEST(ChildProcess, D11_SignalsBetweenForkAndExecNeitherReachTheParentTwiceNorTheChildAtAll)
{
    asio::io_context context;
    asio::signal_set signals(context, SIGTERM, SIGINT);
    std::vector<int> handled;
    std::function<void()> wait = [&] {
        signals.async_wait([&](std::error_code error, int signal) {
            if (error)
                return;
            handled.push_back(signal);
            wait();
        });
    };
    wait();

    static const int registered = ::pthread_atfork(nullptr, nullptr, send_signals_to_oneself);
    ASSERT_EQ(registered, 0);
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    const unique_fd told(ends[0]), tell(ends[1]);
    tell_of_signals = tell.get();
    auto child = ipc::child_process::start(context.get_executor(), {"/bin/sh", "-c", "exit 7"});
    tell_of_signals = -1;
    char byte = 0;
    ASSERT_EQ(::read(told.get(), &byte, 1), 1) << "the child has not been through fork(2)";

    const auto end = wait_for_end(context, child);
    EXPECT_EQ(end.code, 7) << ipc::to_string(end);
    ::kill(::getpid(), SIGTERM); // the parent's own copy
    context.restart();
    context.poll();
    EXPECT_EQ(handled, std::vector{SIGTERM});
}

TEST(ChildProcess, SeesThatAChildIsStoppedAndThatItGoesOn)
{
    asio::io_context context;
    auto child = ipc::child_process::start(context.get_executor(), {"sleep", "60"});
    const auto becomes = [&](bool stopped) {
        for (int i = 0; i < 1000 && child.stopped() != stopped; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return child.stopped() == stopped;
    };
    EXPECT_FALSE(child.stopped());
    child.kill(SIGSTOP);
    EXPECT_TRUE(becomes(true));
    EXPECT_TRUE(becomes(true)) << "looking does not change it";
    child.kill(SIGCONT);
    EXPECT_TRUE(becomes(false));
    child.kill(SIGKILL);
    EXPECT_EQ(wait_for_end(context, child).signal, SIGKILL);
}

// Each new owner has acknowledged before the old one closes its copy: so there is always one.
TEST(ServerInTransit, B14_AHundredHandoversUnderLoadResetNobody)
{
    asio::io_context context;
    unique_fd first = ipc_test::tcp_server();
    ::listen(first.get(), 4096);
    const auto port = ipc_test::port_of(first.get());

    std::atomic<bool> over{false};
    std::atomic<int> failed{0};
    std::atomic<int> connected{0};
    std::vector<unique_fd> clients;
    std::thread load([&] {
        while (!over && clients.size() < 2000) {
            clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_port = htons(port);
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            failed += ::connect(clients.back().get(), reinterpret_cast<sockaddr*>(&address),
                                sizeof address) != 0;
            ++connected;
        }
    });

    auto [one, other] = ipc_test::unix_pair();
    ipc::channel sender(context.get_executor(), std::move(one));
    ipc::channel receiver(context.get_executor(), std::move(other));
    ipc::handle server(std::move(first));
    int handovers = 0;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            for (; handovers < 100; ++handovers) {
                while (connected < 5 * handovers) // some between any two
                    std::this_thread::yield();
                co_await sender.send("server", server);
                auto received = co_await receiver.receive();
                server = std::move(received->handle); // and the old copy closes
            }
        },
        [&](std::exception_ptr failure) {
            EXPECT_FALSE(failure);
            sender.close();
            receiver.close();
        });
    context.run();
    over = true;
    load.join();
    EXPECT_EQ(handovers, 100);
    EXPECT_EQ(failed, 0);

    std::size_t accepted = 0;
    for (;;) {
        const unique_fd connection(
            ::accept4(server.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!connection)
            break;
        ++accepted;
    }
    EXPECT_EQ(accepted, clients.size());
    EXPECT_GT(accepted, 0u);
}

// A5 and A10 are about calls that must not be there: a plain read of the channel, or a peek at it,
// loses descriptors or doubles them, and no test of behaviour would notice each time.
TEST(Sources, A5_A10_NobodyReadsTheChannelButThroughRecvmsg)
{
    for (const std::string file :
         {"channel.cpp", "parent.cpp", "handle.cpp", "descriptor_message.cpp"}) {
        std::ifstream source(IPC_SOURCES "/" + file);
        ASSERT_TRUE(source.is_open()) << file;
        std::ostringstream all;
        all << source.rdbuf();
        for (const std::string forbidden :
             {"MSG_PEEK", "::recv(", "::read(", "async_read", "async_receive", "::recvfrom("})
            EXPECT_EQ(all.str().find(forbidden), std::string::npos) << forbidden << " in " << file;
    }
}

} // namespace

// Starting children under hard conditions, and handing a server from one owner to the next. The
// linker puts our epoll_ctl and operator new in the place of the real ones (--wrap), so that any
// call of them can fail.
#include "channel_fixture.hpp"

#include "ipc/child_process.hpp"
#include "support/proc_fs.hpp"
#include "unit/forked.hpp"
#include "unit/wait_for_end.hpp"

#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <new>
#include <pthread.h>
#include <set>
#include <sstream>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>

namespace {
// How many more calls succeed before one fails; negative: all.
std::atomic<int> allocations_left{-1};
int epoll_ctls_left = -1;
} // namespace

extern "C" int __real_epoll_ctl(int epoll, int what, int fd, epoll_event* event);
extern "C" int __wrap_epoll_ctl(int epoll, int what, int fd, epoll_event* event);
extern "C" int __wrap_epoll_ctl(int epoll, int what, int fd, epoll_event* event)
{
    if (what == EPOLL_CTL_DEL || epoll_ctls_left < 0 || epoll_ctls_left-- > 0)
        return __real_epoll_ctl(epoll, what, fd, event);
    errno = ENOSPC; // the user's limit on watches (epoll(7))
    return -1;
}

extern "C" void* __real__Znwm(std::size_t size);
extern "C" void* __wrap__Znwm(std::size_t size);
extern "C" void* __wrap__Znwm(std::size_t size)
{
    if (allocations_left < 0 || allocations_left-- > 0)
        return __real__Znwm(size);
    throw std::bad_alloc();
}

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

// Our mains have one thread. But whoever takes the library into a program with several gets no
// child that waits for a lock that nobody in it holds: between fork and exec there is no lock.
TEST(ChildProcess, D5_StartsHundredsOfTimesWhileOtherThreadsAllocate)
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
    for (int i = 0; i < 300; ++i) {
        auto child = ipc::child_process::start(context.get_executor(), {"/bin/true"});
        started += wait_for_end(context, child).clean();
    }
    over = true;
    for (auto& thread : others)
        thread.join();
    EXPECT_EQ(started, 300);
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

// Asio opens what it waits with for its first timer.
struct waiting_context : asio::io_context {
    asio::steady_timer timer{*this};
};

// In a process of its own, with nothing else in its table.
void with_free_descriptors(rlim_t count, const std::function<void(asio::io_context&)>& body)
{
    EXPECT_EQ(forked::child([&] {
                  waiting_context context;
                  const auto used = ::dup(0); // those below have no gap: the lowest free number
                  ::close(used);
                  for (int fd = used; fd < 1024; ++fd)
                      ::close(fd);
                  const rlimit limit{static_cast<rlim_t>(used) + count,
                                     static_cast<rlim_t>(used) + count};
                  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
                  body(context);
              }).wait(),
              0)
        << count << " free";
}

TEST(ChildProcess, D6_FourFreeDescriptorsAreEnoughToStartAndToSayWhyNot)
{
    for (rlim_t free = 0; free <= 10; ++free)
        with_free_descriptors(free, [free](asio::io_context& context) {
            const auto start = [&](const char* program) {
                return ipc::child_process::start(context.get_executor(), {program});
            };
            if (free < 4) {
                try {
                    start("/bin/true");
                    ADD_FAILURE() << "started";
                } catch (const std::system_error& error) {
                    EXPECT_EQ(error.code(), std::errc::too_many_files_open) << error.what();
                }
                return;
            }
            EXPECT_THROW(start("/no/such/program"), ipc::not_executable);
            auto child = start("/bin/true");
            EXPECT_TRUE(wait_for_end(context, child).clean());
        });
}

TEST(ChildProcess, SeveralGetToTheirProgramsSideBySideAndWhoIsGivenUpLeavesNothing)
{
    EXPECT_EQ(forked::child([] {
                  waiting_context context;
                  const auto before = ipc_test::open_descriptors();
                  {
                      const auto begin = [&](const std::string& program) {
                          return ipc::child_process::begin(context.get_executor(), {program, "60"});
                      };
                      auto first = begin("sleep");
                      auto second = begin("/no/such/program");
                      auto third = begin("sleep");
                      EXPECT_THROW(second.running(), ipc::not_executable);
                      auto child = first.running();
                      EXPECT_TRUE(child.running());
                      third = begin("sleep"); // and the one before is given up
                      child.kill(SIGKILL);
                      wait_for_end(context, child);
                      EXPECT_GT(::waitpid(-1, nullptr, WNOHANG | __WNOTHREAD), -1)
                          << "the other runs";
                  }
                  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
                  context.restart();
                  context.poll();
                  EXPECT_EQ(ipc_test::open_descriptors(), before);
              }).wait(),
              0);
}

TEST(ChildProcess, AWantOfMemoryLeavesNoProcessAndNoDescriptor)
{
    EXPECT_EQ(forked::child([] {
                  waiting_context context;
                  std::optional<ipc::child_process> started;
                  const auto before = ipc_test::open_descriptors();
                  const std::vector<std::string> command{"sleep", "60"};
                  for (int successes = 0; !started && successes < 1000; ++successes) {
                      try {
                          allocations_left = successes;
                          started.emplace(
                              ipc::child_process::start(context.get_executor(), command));
                          allocations_left = -1;
                      } catch (const std::bad_alloc&) {
                          allocations_left = -1;
                          EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1)
                              << "a child is left after " << successes << " allocations";
                          EXPECT_EQ(ipc_test::open_descriptors(), before);
                      }
                  }
                  EXPECT_TRUE(started);
              }).wait(),
              0);
}

TEST(ChildProcess, ARefusalOfEpollLeavesNoProcessAndNoDescriptor)
{
    EXPECT_EQ(forked::child([] {
                  waiting_context context;
                  std::optional<ipc::child_process> started;
                  const auto before = ipc_test::open_descriptors();
                  int successes = 0;
                  for (; !started && successes < 100; ++successes) {
                      try {
                          epoll_ctls_left = successes;
                          started.emplace(
                              ipc::child_process::start(context.get_executor(), {"sleep", "60"}));
                      } catch (const std::system_error& error) {
                          epoll_ctls_left = -1;
                          EXPECT_EQ(error.code().value(), ENOSPC);
                          EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1)
                              << "a child is left after " << successes << " calls of epoll_ctl";
                          EXPECT_EQ(ipc_test::open_descriptors(), before);
                      }
                      epoll_ctls_left = -1;
                  }
                  EXPECT_TRUE(started);
                  EXPECT_EQ(successes, 3) << "of the pidfd and of the channel; then it starts";
              }).wait(),
              0);
}

TEST(ChildProcess, D7_StartsWhereStandardStreamsAreClosed)
{
    for (const int closed : {1, 2, 3})
        EXPECT_EQ(
            forked::child([closed] {
                asio::io_context context;
                const unique_fd kept(::fcntl(2, F_DUPFD_CLOEXEC, 10));
                for (int fd = 0; fd < closed; ++fd)
                    ::close(fd);
                {
                    auto child = ipc::child_process::start(context.get_executor(), {"sleep", "60"});
                    std::set<int> numbers{0, 3}; // and nothing is there instead
                    for (const int open : {1, 2})
                        if (open >= closed)
                            numbers.insert(open);
                    EXPECT_EQ(support::descriptor_numbers(child.pid(), numbers), numbers);
                    const auto all = support::descriptors(child.pid());
                    EXPECT_EQ(all.at(0), "/dev/null");
                    EXPECT_TRUE(all.at(3).starts_with("socket:")) << all.at(3);
                }
                ::dup2(kept.get(), 2);
            }).wait(),
            0)
            << closed;
}

/// A folder with programs that end with a code each, for a PATH.
class Path : public testing::Test {
protected:
    Path() : folder(testing::TempDir() + "path." + std::to_string(::getpid()) + "/")
    {
        for (const auto* part : {"a", "b", "c"})
            std::filesystem::create_directories(folder + part);
        ::setenv("PATH",
                 (folder + "a::" + folder + "b/:/no/such:/etc/passwd:" + folder + "c").c_str(), 1);
    }
    ~Path() override
    {
        ::setenv("PATH", old.c_str(), 1);
        std::filesystem::remove_all(folder);
    }

    void put(const std::string& file, const std::string& text, mode_t mode = 0755) const
    {
        std::ofstream(folder + file) << text;
        ::chmod((folder + file).c_str(), mode);
    }

    /// Its exit code, or the errno of what could not be started, negative.
    int run(std::vector<std::string> command)
    {
        try {
            auto child = ipc::child_process::start(context.get_executor(), std::move(command));
            return wait_for_end(context, child).code;
        } catch (const ipc::not_executable& error) {
            return -error.code().value();
        }
    }

    const std::string old = std::getenv("PATH");
    std::string folder;
    asio::io_context context;
};

TEST_F(Path, ProgramsAreFoundAsExecvpFindsThem)
{
    put("b/first", "#!/bin/sh\nexit 11\n");
    put("c/first", "#!/bin/sh\nexit 12\n");
    EXPECT_EQ(run({"first"}), 11) << "the first";

    std::filesystem::create_directory(folder + "a/folder");
    put("b/folder", "#!/bin/sh\nexit 13\n");
    EXPECT_EQ(run({"folder"}), 13) << "a folder of that name is passed over";

    put("a/text", "#!/bin/sh\nexit 14\n", 0644);
    put("c/text", "#!/bin/sh\nexit 15\n");
    EXPECT_EQ(run({"text"}), 15) << "what must not be executed is passed over";

    put("c/plain", "exit $(($1 + 16))\n");
    EXPECT_EQ(run({"plain", "1"}), 17) << "a script without #! is the shell's";
    EXPECT_EQ(run({folder + "c/plain", "2"}), 18) << "by its path too";

    put("a/only", "exit 0\n", 0644);
    EXPECT_EQ(run({"only"}), -EACCES) << "remembered, and said when nothing else is found";
    std::filesystem::create_directory(folder + "c/only_folder");
    EXPECT_EQ(run({"only_folder"}), -EACCES);
    EXPECT_EQ(run({folder + "c"}), -EACCES);
    EXPECT_EQ(run({"none"}), -ENOENT);
    EXPECT_EQ(run({folder + "none"}), -ENOENT);
    EXPECT_EQ(run({folder + "a/text/none"}), -ENOTDIR);
    EXPECT_THROW(run({""}), std::invalid_argument);
    EXPECT_THROW(run({}), std::invalid_argument);
}

TEST_F(Path, AnEmptyEntryIsNotTheCurrentFolder)
{
    const auto before = std::filesystem::current_path();
    put("c/here", "exit 0\n");
    std::filesystem::current_path(folder + "c");
    for (const auto path : {"", ":", "/no/such:", ":/no/such", "/no/such::/nor/this"}) {
        ::setenv("PATH", path, 1);
        EXPECT_EQ(run({"here"}), -ENOENT) << path;
    }
    ::setenv("PATH", ".", 1);
    EXPECT_EQ(run({"here"}), 0) << "who asks for it gets it";
    std::filesystem::current_path(before);
}

TEST_F(Path, WithoutPathTheSystemsOwnFoldersAreSearched)
{
    ::unsetenv("PATH");
    EXPECT_EQ(run({"true"}), 0);
}

TEST(ChildProcess, D12_LeadsASessionAndReadsFromNoTerminal)
{
    asio::io_context context;
    auto child = ipc::child_process::start(context.get_executor(), {"sleep", "60"});
    EXPECT_EQ(::getsid(child.pid()), child.pid());
    EXPECT_EQ(::getpgid(child.pid()), child.pid()) << "so its whole group can be killed";
    EXPECT_EQ(support::descriptors(child.pid()).at(0), "/dev/null");
}

TEST(ChildProcess, D11_BlocksAndIgnoresNoSignal)
{
    asio::io_context context;
    sigset_t some, before;
    ::sigemptyset(&some);
    ::sigaddset(&some, SIGUSR1);
    ::sigaddset(&some, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &some, &before);
    std::map<int, void (*)(int)> dispositions;
    for (const int signal : {SIGPIPE, SIGXFSZ, SIGHUP, SIGQUIT})
        dispositions[signal] = std::signal(signal, SIG_IGN);
    auto child = ipc::child_process::start(context.get_executor(), {"sleep", "60"});
    for (const auto& [signal, disposition] : dispositions)
        std::signal(signal, disposition);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(support::status_field(child.pid(), "SigBlk"), "0000000000000000");
    const auto ignored = std::stoul(support::status_field(child.pid(), "SigIgn"), nullptr, 16);
    EXPECT_EQ(ignored & ~(3ul << 31), 0u) << "but for glibc's own 32 and 33";
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
    const auto deadline = std::chrono::steady_clock::now() + support::patient(support::a_while);
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
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(IPC_SOURCES)) {
        const auto file = entry.path().filename().string();
        if (file.starts_with("child_process")) // which reads how a child has begun, from a pipe
            continue;
        std::ifstream source(entry.path());
        ASSERT_TRUE(source.is_open()) << file;
        ++files;
        std::ostringstream all;
        all << source.rdbuf();
        for (const std::string forbidden :
             {"MSG_PEEK", "::recv(", "::read(", "async_read", "async_receive", "::recvfrom("})
            EXPECT_EQ(all.str().find(forbidden), std::string::npos) << forbidden << " in " << file;
    }
    EXPECT_GT(files, 10U);
}

} // namespace

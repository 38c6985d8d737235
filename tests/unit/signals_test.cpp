// The signals that mean "stop", in a process of their own: they are to end it.
#include "app/signals.hpp"

#include "unit/forked.hpp"

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <gtest/gtest.h>

#include <csignal>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

/// As kill(2) does when somebody calls it (SI_USER), or as the kernel does itself (SI_KERNEL): only
/// to oneself may one send that (rt_sigqueueinfo(2)).
void send_to_oneself(int signal, int code)
{
    siginfo_t info{};
    info.si_signo = signal;
    info.si_code = code;
    ASSERT_EQ(::syscall(SYS_rt_sigqueueinfo, ::getpid(), signal, &info), 0);
}

int exit_code_of(const std::function<void()>& body)
{
    const int status = forked::child(body).wait();
    EXPECT_TRUE(WIFEXITED(status)) << "status " << status;
    return WEXITSTATUS(status);
}

TEST(StopSignals, TheFirstIsHeardInTheLoop)
{
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        EXPECT_EQ(exit_code_of([signal] {
                      std::signal(SIGHUP, SIG_DFL); // whoever runs the tests
                      asio::io_context context;
                      int heard = 0;
                      const app::stop_signals signals(context, [&](int number) { heard = number; });
                      ::raise(signal);
                      EXPECT_EQ(heard, 0) << "not in the signal handler";
                      context.run();
                      EXPECT_EQ(heard, signal);
                  }),
                  0);
}

TEST(StopSignals, TheSecondEndsTheProcessThoughTheLoopIsStuck)
{
    for (const int first : {SIGINT, SIGTERM, SIGHUP})
        for (const int second : {SIGINT, SIGTERM, SIGHUP})
            EXPECT_EQ(exit_code_of([=] {
                          std::signal(SIGHUP, SIG_DFL);
                          asio::io_context context;
                          const app::stop_signals signals(context, [](int) {});
                          asio::post(context, [=] {
                              ::raise(first);
                              ::raise(second);
                              for (;;)
                                  ::pause();
                          });
                          context.run();
                      }),
                      128 + second);
}

// As a demo does whose last worker has gone, at that moment.
TEST(StopSignals, OneThatComesWhenTheProgramIsEndingDoesNotKillIt)
{
    const auto end_with_signals = [](int count) {
        return exit_code_of([count] {
            {
                asio::io_context context;
                const app::stop_signals signals(context, [](int) {});
            }
            for (int i = 0; i < count; ++i)
                ::raise(SIGTERM);
        });
    };
    EXPECT_EQ(end_with_signals(1), 0);
    EXPECT_EQ(end_with_signals(2), 143) << "and two still force it";
}

TEST(StopSignals, AClosedWindowIsOneSignalThoughTheKernelSaysItToo)
{
    EXPECT_EQ(exit_code_of([] {
                  std::signal(SIGHUP, SIG_DFL);
                  asio::io_context context;
                  int heard = 0;
                  const app::stop_signals signals(context, [&](int) { ++heard; });
                  send_to_oneself(SIGHUP, SI_USER); // the shell
                  send_to_oneself(SIGHUP, SI_KERNEL);
                  context.run();
                  EXPECT_EQ(heard, 1);
              }),
              0);
}

TEST(StopSignals, CtrlCTwiceIsTwo)
{
    EXPECT_EQ(exit_code_of([] {
                  asio::io_context context;
                  const app::stop_signals signals(context, [](int) {});
                  send_to_oneself(SIGINT, SI_KERNEL);
                  send_to_oneself(SIGINT, SI_KERNEL);
              }),
              130);
}

TEST(StopSignals, AnIgnoredHangUpStaysIgnored)
{
    EXPECT_EQ(exit_code_of([] {
                  std::signal(SIGHUP, SIG_IGN); // nohup
                  asio::io_context context;
                  int heard = 0;
                  const app::stop_signals signals(context, [&](int number) { heard = number; });
                  ::raise(SIGHUP);
                  ::raise(SIGHUP);
                  ::raise(SIGTERM);
                  context.run();
                  EXPECT_EQ(heard, SIGTERM);
              }),
              0);
}

} // namespace

// A part of a test in a process of its own, where it may change what a process cannot get back: its
// user, its limits, its life.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace forked {

/// A child of this process; killed and reaped at the end of the test at the latest.
class child {
public:
    /// Runs `body` in it. A failed check of GoogleTest in there, or an exception, makes it end with
    /// 1, and is printed.
    explicit child(const std::function<void()>& body)
    {
        std::fflush(nullptr); // what waits to be printed would be printed twice
        const pid_t parent = ::getpid();
        pid_ = ::fork();
        if (pid_ < 0)
            throw std::system_error(errno, std::generic_category(), "fork");
        if (pid_ > 0)
            return;
        try {
            die_with(parent);
            body();
        } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
        }
        std::fflush(nullptr);
        ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    /// Somebody who has become a child of ours.
    explicit child(pid_t pid) : pid_(pid) {}
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child()
    {
        if (pid_ > 0)
            kill();
    }

    pid_t pid() const { return pid_; }

    /// What waitpid(2) says; once.
    int wait()
    {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return status;
    }
    int kill()
    {
        ::kill(pid_, SIGKILL);
        return wait();
    }

    /// Of the calling process, when `parent` ends; a change of user clears it (prctl(2)).
    static void die_with(pid_t parent)
    {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent)
            ::_exit(1);
    }

private:
    pid_t pid_;
};

/// From now on the calling process is nobody's, and may have so many descriptors: open, and on the
/// way to others. Root may have any number on the way (unix(7)).
inline void become_nobody(rlim_t descriptors)
{
    const rlimit limit{descriptors, descriptors};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        throw std::system_error(errno, std::generic_category(), "setrlimit");
    if (::geteuid() != 0)
        return;
    constexpr uid_t nobody = 65534;
    const pid_t parent = ::getppid();
    if (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
        ::setresuid(nobody, nobody, nobody) != 0)
        throw std::system_error(errno, std::generic_category(), "becoming nobody");
    child::die_with(parent);
}

} // namespace forked

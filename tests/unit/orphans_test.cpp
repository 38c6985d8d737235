// Children that nobody here has started are reaped; those of ipc::child_process are left to it.
#include "app/orphans.hpp"

#include "ipc/child_process.hpp"
#include "support/proc_fs.hpp"
#include "support/process.hpp"
#include "unit/forked.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <unistd.h>
#include <vector>

namespace {

/// One that has ended, and that nobody has waited for.
pid_t zombie()
{
    const pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(0);
    siginfo_t ended{};
    ::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT);
    return pid;
}

/// In a process of its own: that of the tests may have any children.
void in_a_process_of_its_own(const std::function<void()>& body)
{
    EXPECT_EQ(forked::child(body).wait(), 0);
}

bool runs_until(asio::io_context& context, const std::function<bool()>& done)
{
    return support::eventually([&] {
        context.poll();
        return done();
    });
}

bool has_children()
{
    siginfo_t unused{};
    return ::waitid(P_ALL, 0, &unused, WEXITED | WNOHANG | WNOWAIT) == 0;
}

TEST(Orphans, ThatEndedBeforeAndThatEndLaterAreReaped)
{
    in_a_process_of_its_own([] {
        zombie();
        asio::io_context context;
        const app::orphans orphans(context);
        EXPECT_FALSE(has_children());
        zombie();
        zombie();
        EXPECT_TRUE(runs_until(context, [] { return !has_children(); }));
    });
}

TEST(Orphans, TheChildrenOfOthersAreLeftToThemAndHideNobody)
{
    in_a_process_of_its_own([] {
        asio::io_context context;
        const app::orphans orphans(context);
        std::vector<ipc::child_process> children;
        std::vector<int> codes;
        for (const auto* code : {"3", "4", "5"}) {
            children.push_back(ipc::child_process::start(
                context.get_executor(), {"/bin/sh", "-c", std::string("exit ") + code}));
            const auto pid = children.back().pid();
            EXPECT_TRUE(ipc::child_process::is_one(pid));
            siginfo_t ended{};
            ::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT);
            zombie(); // behind it, in the kernel's list
        }
        for (auto& child : children)
            asio::co_spawn(
                context, child.exited(),
                [&](std::exception_ptr, ipc::exit_status status) { codes.push_back(status.code); });
        EXPECT_TRUE(runs_until(context, [&] { return codes.size() == 3 && !has_children(); }));
        std::sort(codes.begin(), codes.end());
        EXPECT_EQ(codes, (std::vector{3, 4, 5}));
        for (const auto& child : children)
            EXPECT_FALSE(ipc::child_process::is_one(child.pid()));
    });
}

} // namespace

// Workers made of a line of shell: all that a pool can know of one is its channel and its end.
#pragma once

#include "workers/pool.hpp"

#include "channel_fixture.hpp"
#include "support/process.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace pool_test {

using std::chrono::milliseconds;

inline std::vector<std::string> shell(const std::string& script)
{
    return {"/bin/sh", "-c", script};
}

/// Reads lines, and with them what they carry, which is lost in it; says that it has got it.
inline const std::string acknowledge =
    R"(read -r line <&3 && echo '{"cmd":"NODE_HANDLE_ACK"}' >&3; )";
inline const std::string acknowledge_all =
    R"(while read -r line <&3; do echo '{"cmd":"NODE_HANDLE_ACK"}' >&3; done; )";
inline const std::string stay = "sleep 60 & wait; ";

class PoolTest : public testing::Test {
protected:
    /// Times are short, so that no test takes a second.
    workers::options options_for(std::vector<std::vector<std::string>> commands)
    {
        workers::options result;
        result.count = commands.size();
        result.commands = std::move(commands);
        result.restart.min_delay = milliseconds(1);
        result.restart.max_delay = milliseconds(4);
        result.grace = milliseconds(500);
        result.grace_after_term = milliseconds(50);
        result.log = [this](const std::string& sentence) { said += sentence + "\n"; };
        return result;
    }

    bool run_until(const std::function<bool()>& condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + support::patient(support::a_while);
        context.restart();
        while (!condition() && std::chrono::steady_clock::now() < deadline) {
            context.run_one_for(milliseconds(20));
            context.restart();
        }
        return condition();
    }

    /// Runs until it has completed; the text of what it has thrown.
    std::string complete(asio::awaitable<void> operation)
    {
        bool done = false;
        std::string error;
        asio::co_spawn(context, std::move(operation), [&](std::exception_ptr failure) {
            done = true;
            try {
                if (failure)
                    std::rethrow_exception(failure);
            } catch (const std::exception& thrown) {
                error = thrown.what();
            }
        });
        EXPECT_TRUE(run_until([&] { return done; })) << said;
        return error;
    }

    /// A connection whose client is `client`.
    ipc::handle connection()
    {
        auto [accepted, other_end] = ipc_test::tcp_pair();
        client = std::move(other_end);
        return ipc::handle(std::move(accepted));
    }

    bool has_said(const std::string& part) const { return said.find(part) != std::string::npos; }
    std::size_t times_said(const std::string& part) const
    {
        std::size_t count = 0;
        for (auto at = said.find(part); at != std::string::npos; at = said.find(part, at + 1))
            ++count;
        return count;
    }
    static bool is_gone(pid_t pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

    asio::io_context context;
    std::string said; // one sentence a line
    unique_fd client;
};

} // namespace pool_test

// The children of one main as a set: start them, send to them, take back what a dead one held,
// replace them.
#pragma once

#include "ipc/child_process.hpp"
#include "workers/restart_policy.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

namespace workers {

struct settings {
    std::size_t count = 4;

    /// What to run: worker i runs the i-th command, in turn when there are fewer commands than
    /// workers.
    std::vector<std::vector<std::string>> commands;

    /// How long a worker may take to acknowledge a handle before it is killed; with respawn also
    /// how long it may be stopped (SIGSTOP). Zero: for ever.
    std::chrono::milliseconds ack_timeout{5000};

    /// Replace a worker that ended, as restart_policy says: at once, but a crash loop is slowed
    /// down and then broken.
    bool respawn = false;
    restart_options restart;

    /// Print what crosses the channels.
    bool trace = false;

    /// Each sentence about a worker's end, for the user.
    std::function<void(const std::string&)> log;

    /// The channel's part of these settings, for a child that is in no pool.
    ipc::channel_settings channel() const;
};

/// How many connections went where, since the start. Of those given to hand_over(): accepted =
/// handed_over + closed, once none is on its way.
struct tally {
    std::vector<std::pair<pid_t, std::size_t>>
        acknowledged;            ///< per worker process, in order of start; send() counts too
    std::size_t accepted = 0;    ///< given to hand_over()
    std::size_t handed_over = 0; ///< and acknowledged by a worker in the end
    std::size_t closed = 0; ///< or nobody could take them, or a dead worker had begun to answer
    std::size_t given_again = 0; ///< how often one came back from a dead worker, untouched
};

class pool {
public:
    pool(asio::any_io_executor executor, settings settings);

    /// Kills what still runs: stop() is the orderly way.
    ~pool();
    pool(const pool&) = delete;
    pool& operator=(const pool&) = delete;

    /// Starts all workers; returns when their programs run. Throws std::system_error for a command
    /// that cannot be run, and then none is left running.
    void start();

    std::size_t size() const noexcept;

    /// In slot order; 0 for a slot whose worker is gone.
    std::vector<pid_t> pids() const;

    /// Calls `greet(slot)` for each worker in the given order, and again for each replacement
    /// later: it sends what a worker needs before it can serve. Completes when all have it. One
    /// that dies first is reported and, with respawn, replaced. Throws std::runtime_error when none
    /// is left.
    asio::awaitable<void> each(std::vector<std::size_t> order,
                               std::function<asio::awaitable<void>(std::size_t slot)> greet);

    /// Is the worker of this slot there, running and listening to us?
    bool serves(std::size_t slot) const;

    /// Called once, when no worker is left and none will come.
    void on_last_gone(std::function<void()> handler);

    /// Sends to this worker and no other; completes when a handle has been acknowledged. Throws as
    /// channel::send does, channel_closed when the worker is gone; the handle is closed then.
    asio::awaitable<void> send(std::size_t slot, ipc::value body, ipc::handle object = {});

    /// Gives a connection to worker `slot` or, when that one is gone, refuses or dies before it has
    /// acknowledged, to the next: `body` says what to tell the worker of a given slot. Never throws
    /// for a worker's failure: the connection is served exactly once or closed, and tally() says
    /// which.
    asio::awaitable<void> hand_over(std::size_t slot, ipc::handle connection,
                                    std::function<ipc::value(std::size_t slot)> body);

    const tally& counted() const;

    /// Lets connections that are on their way arrive (0.5 s), then closes every channel, which
    /// tells the workers to finish; 2.25 s later SIGTERM, after 2.75 s SIGKILL. Completes when all
    /// have ended.
    asio::awaitable<void> stop();

private:
    class supervisor;
    std::shared_ptr<supervisor> supervisor_;
};

} // namespace workers

// The children of one main as a set: start them, send to them, take back what a dead one held,
// replace them.
#pragma once

#include "ipc/channel.hpp"
#include "ipc/handle.hpp"
#include "ipc/value.hpp"
#include "workers/lives.hpp"
#include "workers/options.hpp"
#include "workers/tally.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace workers {

class worker;

class pool {
public:
    pool(asio::any_io_executor executor, options given);

    /// Kills what still runs: stop() is the orderly way.
    ~pool();
    void abandon() noexcept; ///< the same beforehand
    pool(pool&&) noexcept = default;
    pool& operator=(pool&&) = delete;

    /// Takes what the workers say; to be called before start(). Otherwise a handle that one of them
    /// sends is refused, and its messages are dropped; each is said once for that worker.
    void on_message(std::function<void(std::size_t slot, ipc::message said)> handler);

    /// Tells `who` of each worker process; to be called before the first is started.
    void on_life(lives who);

    /// Starts all workers; returns when their programs run. Throws std::system_error for a command
    /// that cannot be run, or for want of descriptors or processes, and then none is left running.
    void start();

    /// One more, that runs `command`: starts it, and returns its slot. Throws as start() does.
    std::size_t add(std::vector<std::string> command);

    std::size_t size() const noexcept;

    /// In slot order; 0 for a slot whose worker is gone, has hung up, or is being killed.
    std::vector<pid_t> pids() const;

    /// Calls `greet(slot)` for each worker, and again for each replacement later: it sends what a
    /// worker needs before it can serve. They begin in the given order and go on side by side, so
    /// that one that is slow delays no other. Completes when all have it, at the latest after
    /// options::greeting_time or ack_timeout, whichever is shorter: who does not have it by then is
    /// named, and killed if it is overdue. Waits longer only for the first that can serve at all;
    /// throws std::runtime_error when none is left that could.
    asio::awaitable<void> each(std::vector<std::size_t> order,
                               std::function<asio::awaitable<void>(std::size_t slot)> greet);

    /// Puts another worker in this slot, without a moment in which nobody serves there: starts one
    /// beside the one that is there and, when it has what it needs (each), gives it the place; from
    /// then on the old one is nobody's. It is to be told by its own protocol to leave; after the
    /// grace its channel is closed.
    ///
    /// Returns the process that is to leave (null when the place was empty); or nothing: its
    /// successor has not got so far within `limit`, is killed, and all is as before. Throws
    /// std::system_error when none could be started.
    asio::awaitable<std::optional<std::shared_ptr<ipc::child_process>>>
    renew(std::size_t slot, std::chrono::milliseconds limit);

    /// The place that this process has, or has had last; null when that is somebody else's by now.
    std::shared_ptr<const worker> place_of(const ipc::child_process& which) const;

    /// It has been told to leave, by its own protocol: no other one comes when it ends, and after
    /// the grace its channel is closed.
    void retire(const ipc::child_process& which);

    /// This worker has acknowledged or answered a connection, or has got a server, by the protocol
    /// of whoever uses this.
    void count(const ipc::child_process& by, bool is_connection = true);

    /// Kills it, unless it has ended; `fault` says why, for the user: "has answered nothing".
    void kill(const ipc::child_process& which, const std::string& fault);

    /// Sends a signal to the worker of this slot, through its pidfd: to nobody who has its number
    /// later. What the worker makes of it, an end say, is as if somebody outside had sent it. False
    /// when there is no such slot, or nobody there.
    bool signal(std::size_t slot, int number);

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

    /// Gives each worker that serves a copy of the connection, and `body(slot)` with it: whoever is
    /// first to answer has answered. The copies are made before this returns, so that it throws
    /// std::system_error, for want of descriptors, before anything has been sent. A worker that
    /// refuses its copy is asked again as long as no other has taken one. Completes when nobody is
    /// asked any more.
    asio::awaitable<void> hand_over_to_all(ipc::handle connection,
                                           std::function<ipc::value(std::size_t slot)> body);

    const tally& counted() const;

    /// The same for whoever hands connections over by other means than hand_over().
    tally& books();

    const options& given() const;

    /// From now on, whoever ends: for whoever has more to do before stop().
    void replace_nobody();

    /// True from the beginning of stop(): nobody is replaced any more.
    bool stopping() const;

    /// Lets connections that are on their way arrive (options::time_to_arrive), then closes every
    /// channel, which tells the workers to finish; SIGTERM and SIGKILL follow, see options::grace.
    /// Completes when all have ended.
    asio::awaitable<void> stop();

private:
    class set;
    std::shared_ptr<set> set_;
};

} // namespace workers

// The primary of a cluster, whose workers are ours, Node's, or both: what Node's `cluster` is in
// the process that forks. Notes: chapters 09 and 10.
#pragma once

#include "cluster/policy.hpp"
#include "ipc/child_process.hpp"
#include "ipc/message.hpp"
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
class pool;
}

namespace cluster {

/// A worker, as events tell of it: Node's cluster.Worker. A replacement is another one.
struct worker_info {
    int id = 0; ///< 1, 2, ...; NODE_UNIQUE_ID in its environment
    pid_t pid = 0;

    /// It said that it would leave, or was told to: the exit is meant, and no failure. Final in the
    /// last two events.
    bool exited_after_disconnect = false;
};

/// Where a server listens.
struct address_info {
    std::string address; ///< an IP address, or a path
    int port = 0;        ///< -1 for a path
};

class primary {
public:
    /// `given` is as for a workers::pool, whose place this takes, but for count and commands, which
    /// fork() has. With respawn a server keeps its port while none of its workers lives: as long as
    /// somebody comes in the place of one that has had it, and that, if it has closed it, has not
    /// asked for another since, and not gone on for longer than the grace.
    primary(asio::any_io_executor executor, workers::options given,
            scheduling how = scheduling::round_robin);

    /// Kills what still runs, and closes what still waits: stop() is the orderly way.
    ~primary();
    primary(const primary&) = delete;
    primary& operator=(const primary&) = delete;

    /// cluster.fork(): starts `command` as a worker. Throws as workers::pool::start.
    worker_info fork(std::vector<std::string> command);

    // The events of Node's cluster; to be set before the first fork(). They must not throw.
    void on_online(std::function<void(const worker_info&)> handler);
    void on_listening(std::function<void(const worker_info&, const address_info&)> handler);
    void on_message(std::function<void(const worker_info&, ipc::message)> handler);
    void on_disconnect(std::function<void(const worker_info&)> handler);
    void on_exit(std::function<void(const worker_info&, const ipc::exit_status&)> handler);

    /// A worker asks for a server, and cannot have it: it is taken, say, or the path is none that
    /// has a file (a NUL in it), or it has 64 already. If the handler says true, it hears of
    /// `error` as if it had happened to it; if false, nothing, since the cluster is about to end.
    /// (Node tells only the worker.)
    void on_refused(
        std::function<bool(const worker_info&, const address_info&, std::error_code)> handler);

    /// Completes when all workers have said that they listen; as workers::pool::each, whoever has
    /// not after a while is named, and only the first is waited for longer. Returns where the first
    /// server is.
    asio::awaitable<address_info> listening();

    /// Replaces each worker by a new one that runs the same command, without losing a request. One
    /// after the other: a new one is started; when it listens, the old one gets no more
    /// connections, is told to disconnect, and ends when those that it has have ended. So there are
    /// never fewer workers than before.
    ///
    /// A new one that does not listen within `limit`, or ends before, is given up, and so is the
    /// rest: those that have been replaced stay, the old ones go on. Returns how many have been
    /// replaced: fewer than there are workers means that, and the pool's log says why. Nothing when
    /// stop() has ended it. Throws std::logic_error while another one is under way.
    asio::awaitable<std::optional<std::size_t>> reload(std::chrono::milliseconds limit);
    bool is_reloading() const noexcept;

    /// cluster.disconnect(), and what a service needs besides: nobody new is let in; connections
    /// that wait are handed over (options::time_to_arrive), the workers are told to disconnect, and
    /// may answer what they have; as workers::pool::stop when that takes longer than the grace.
    asio::awaitable<void> stop();

    /// The processes: their PIDs, and who is there.
    workers::pool& pool() noexcept;

    /// What has become of the connections; nothing with scheduling::shared.
    const workers::tally& counted() const;

private:
    class state;
    std::shared_ptr<state> state_;
};

} // namespace cluster

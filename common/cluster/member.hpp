// A worker as its primary knows it, and as the policies do: one life, from fork to exit.
#pragma once

#include "cluster/intercom.hpp"
#include "ipc/child_process.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

namespace cluster {

/// Where a worker is in its life; Node's words.
///
///     none ---> online ---> listening ---> leaving ---> dead
///      its first message  | it has a server  | disconnect: it gets no more connections
///                         +------------------+ may be skipped; from everywhere to dead
enum class worker_state { none, online, listening, leaving, dead };

struct member {
    member(asio::any_io_executor executor, int its_id, std::size_t its_slot,
           std::shared_ptr<ipc::child_process> its_child, intercom::handler take)
        : id(its_id),
          slot(its_slot),
          child(std::move(its_child)),
          time_to_leave(executor),
          talk(std::move(executor), child->channel, std::move(take))
    {
    }

    /// May it be given connections?
    bool serves() const { return state < worker_state::leaving && child->channel.connected(); }

    /// Connections that it has taken and not reported as ended. Of a worker that never reports,
    /// Node's say, nothing is known: 0.
    std::uint64_t open() const { return reports && given > ended ? given - ended : 0; }

    const int id; ///< NODE_UNIQUE_ID
    const std::size_t slot;
    const std::shared_ptr<ipc::child_process> child;
    worker_state state = worker_state::none;
    bool exited_after_disconnect = false;
    std::uint64_t given = 0;
    std::uint64_t ended = 0;
    bool reports = false;
    std::set<std::string> keys;   ///< of the servers that it has
    std::set<std::string> closed; ///< of those that it has closed, and not asked for another since
    asio::steady_timer time_to_leave; ///< since it has closed one: then it is taken to stay
    intercom talk;
};

using member_ptr = std::shared_ptr<member>;

} // namespace cluster

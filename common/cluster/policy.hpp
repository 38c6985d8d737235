// How the connections of one listening socket reach the workers: the interface, and its rival
// answers. Node has two of them, SCHED_RR and SCHED_NONE. Notes: chapters 08 and 09.
#pragma once

#include "cluster/bound_socket.hpp"
#include "cluster/member.hpp"
#include "cluster/message.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace workers {
class pool;
}

namespace cluster {

enum class scheduling {
    round_robin, ///< the primary accepts; each worker with time in turn (SCHED_RR)
    least_busy,  ///< the same, but whoever has fewest connections open
    shared,      ///< the workers accept; the kernel decides (SCHED_NONE)
};

/// What a worker has asked for, and is to be told.
struct answer_to {
    std::uint64_t seq;
    std::string data; ///< JSON; the same for all workers
};

/// One listening socket, and the workers that have asked for it. Belongs to a shared_ptr.
class policy {
public:
    virtual ~policy() = default;

    /// A worker that does not have it has asked for this server: answers it. Meanwhile its last
    /// words may be read, and remove() be called: so the caller holds the policy. Throws
    /// std::system_error, and has said nothing, for want of a descriptor.
    virtual void add(const member_ptr& worker, const answer_to& asked) = 0;

    /// It has closed its server, or is leaving, or gone; harmless when it never had it.
    virtual void remove(const member_ptr& worker) = 0;

    /// Is there anybody?
    virtual bool has_workers() const = 0;

    /// Nobody has it, and nobody will: its address is free at once, and what waits is closed. What
    /// is under way goes on.
    virtual void close() = 0;

    /// No new connection can begin; completes when those that have begun are a worker's, or none is
    /// left to take them.
    virtual asio::awaitable<void> drain() = 0;

    /// Nobody is left to take a connection: closes what waits, when nothing is under way any more.
    virtual asio::awaitable<void> end() = 0;

    /// Where clients find it; nullopt: on a path.
    virtual std::optional<socket_name> name() const = 0;
};

/// Binds what `asked` describes, and listens where the policy does so. Throws as bound_socket does.
/// The books of what is accepted here are the pool's.
std::shared_ptr<policy> make_policy(scheduling how, asio::any_io_executor executor,
                                    const query& asked, std::shared_ptr<workers::pool> pool);

} // namespace cluster

// Offering a connection to a worker, which may take it, refuse it, say nothing, or die over it.
#pragma once

#include "cluster/member.hpp"
#include "ipc/handle.hpp"
#include "workers/hand_over.hpp"

#include <asio/awaitable.hpp>

#include <memory>
#include <string>

namespace workers {
class pool;
}

namespace cluster {

/// Sends it (newconn) as one for the server `key`, and waits until it is certain who has it; the
/// books of `pool` say so, but for a refusal, which settles nothing. A worker whose answer takes
/// longer than the pool's ack_timeout is killed, and so has none; time in which we read nothing is
/// ours.
///
/// Ownership: afterwards `connection` is closed (handed::over), or ours as before (all others).
/// Never throws for what a worker does.
asio::awaitable<workers::handed> offer(std::shared_ptr<workers::pool> pool, member_ptr worker,
                                       std::string key, ipc::handle& connection);

} // namespace cluster

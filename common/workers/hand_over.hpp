// Giving a connection to a worker that may die over it.
#pragma once

#include "ipc/child_process.hpp"

#include <asio/awaitable.hpp>

#include <memory>

namespace workers {

/// What has become of a connection.
enum class handed {
    over,    ///< acknowledged: it is the worker's, and our copy is closed
    refused, ///< it could not take it, and holds no copy: ours as before
    back,    ///< the worker has died without touching it: ours as before
    spent,   ///< the worker has died, and had read from it or written to it: ours, to be closed
};

/// Sends `connection` with `body` to `worker` and waits until it is certain who owns it. Afterwards
/// `connection` is empty (over) or whole (all others).
///
/// When the channel ends with this connection in doubt, the worker may hold a copy: only its end
/// can settle who owns the connection, and that is what is waited for. To see to it that it comes,
/// within the usual grace, is the caller's business.
asio::awaitable<handed> hand_over(std::shared_ptr<ipc::child_process> worker,
                                  ipc::handle& connection, ipc::value body);

/// The end of that, for whoever has sent `connection` by other means, to a worker whose channel has
/// ended since: waits for its end as above, and is handed::back or handed::spent.
asio::awaitable<handed> recover(std::shared_ptr<ipc::child_process> worker,
                                const ipc::handle& connection);

} // namespace workers

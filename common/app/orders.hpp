// orders: what the parent of a main may ask of it (--parent-signals). A worker is signalled by its
// main, which alone can be sure whom it signals: a PID that somebody else has read may be another
// process's by now.
//
//     {"signal":"SIGKILL","slot":0}      or SIGSTOP, SIGCONT
#pragma once

#include "ipc/channel.hpp"

#include <asio/awaitable.hpp>

#include <cstddef>
#include <functional>

namespace app {

/// Calls `signal` for each order, until the channel ends, which must live as long. What is no order
/// is left out, and that is said on stderr, at most once a second. A slot where nobody is is none
/// of its business: a worker may have ended just now.
asio::awaitable<void> obey(ipc::channel& parent,
                           std::function<void(std::size_t slot, int number)> signal);

} // namespace app

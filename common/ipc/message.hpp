// A message and the handle beside it.
#pragma once

#include "ipc/handle.hpp"
#include "ipc/value.hpp"

namespace ipc {

/// The two arguments of Node's process.on('message', (message, handle) => ...).
struct message {
    value body;
    ipc::handle handle; ///< empty when the message came alone
};

} // namespace ipc

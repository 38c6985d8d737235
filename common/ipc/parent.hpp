// The child's side: the channel to the process that started us, Node's process.send and 'message'.
#pragma once

#include "ipc/channel.hpp"

#include <asio/any_io_executor.hpp>

namespace ipc {

/// Takes the channel the parent left us: reads NODE_CHANNEL_FD and NODE_CHANNEL_SERIALIZATION_MODE,
/// and removes them (and NODE_UNIQUE_ID) from the environment, so that no process we start takes
/// the number for its own. Call it once, first thing in main, before another thread can run.
///
/// Throws ipc::error with a text for the user: ERR_IPC_NO_PARENT when there is no channel (started
/// by hand), ERR_IPC_SERIALIZATION when the parent wants the "advanced" mode, which needs
/// JavaScript's own serializer.
channel connect_to_parent(asio::any_io_executor executor, channel_options options = {});

} // namespace ipc

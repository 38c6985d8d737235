// What is to be known of each process that a pool runs, from its start to its end.
#pragma once

#include "ipc/child_process.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace workers {

/// Called from the pool, on its executor. Each may be empty; what they throw is the caller's end.
struct lives {
    /// Asked before each start: what the next one gets in its environment, "NAME=value".
    std::function<std::vector<std::string>()> environment;

    /// Its program runs, and nothing it says has been read yet. Whoever keeps the pointer can send
    /// to it and see its end, and does not keep it alive.
    std::function<void(std::size_t slot, std::shared_ptr<ipc::child_process>)> started;

    /// It has said something: for whoever must know which process it was, also when another one has
    /// its place by now. Takes the messages in the place of pool::on_message.
    std::function<void(const ipc::child_process&, ipc::message)> message;

    /// Its channel has ended. Comes once, and before `exited`.
    std::function<void(const ipc::child_process&)> disconnected;

    /// It has ended, and been reaped.
    std::function<void(const ipc::child_process&, const ipc::exit_status&)> exited;

    /// And nobody comes in its place.
    std::function<void()> emptied;
};

} // namespace workers

// Waiting for a child's end, in tests that run its io_context themselves.
#pragma once

#include "ipc/child_process.hpp"
#include "support/process.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <exception>
#include <optional>

/// How it has ended; code and signal are -1 if it has not.
inline ipc::exit_status wait_for_end(asio::io_context& context, ipc::child_process& child)
{
    std::optional<ipc::exit_status> status;
    asio::co_spawn(context, child.exited(),
                   [&](std::exception_ptr, ipc::exit_status end) { status = end; });
    context.restart();
    while (!status && context.run_one_for(support::patient(support::a_while)) > 0) {
    }
    return status.value_or(ipc::exit_status{-1, -1});
}

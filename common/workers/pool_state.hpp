// What the workers of one pool have in common.
#pragma once

#include "event.hpp"
#include "once_a_second.hpp"
#include "workers/lives.hpp"
#include "workers/options.hpp"
#include "workers/tally.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <cstddef>
#include <functional>
#include <string>

namespace workers {

struct pool_state {
    pool_state(asio::any_io_executor its_executor, options its_options)
        : executor(std::move(its_executor)), given(std::move(its_options)), changed(executor)
    {
    }

    void log(const std::string& sentence) const
    {
        if (given.log)
            given.log(sentence);
    }

    asio::any_io_executor executor;
    const options given;

    event changed;                 ///< of everything below, and of the state of each worker
    bool replaces = given.respawn; ///< whoever ends
    bool stopping = false;         ///< and nobody who is there is to stay
    std::size_t filled = 0;        ///< places where somebody is, or will be
    std::size_t serving = 0;       ///< workers that run and listen to us
    tally counted;

    /// Sends a worker what it needs before it can serve; empty when it needs nothing.
    std::function<asio::awaitable<void>(std::size_t slot)> greet;

    /// Called once, when no worker is left and none will come.
    std::function<void()> on_last_gone;

    /// Takes what a worker says; empty when nobody has asked.
    std::function<void(std::size_t slot, ipc::message said)> on_message;

    /// What somebody wants to know of each worker process.
    lives watched;

    once_a_second may_warn;
};

} // namespace workers

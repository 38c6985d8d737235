// program: around the story of demos/live: its command line, its signals, its exit code.
#pragma once

#include "app/options.hpp"
#include "live/event_log.hpp"
#include "live/stage.hpp"
#include "net/listen.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <functional>
#include <memory>

namespace live {

class program {
public:
    virtual ~program() = default;

    virtual asio::any_io_executor executor() const = 0;

    /// On --port of 127.0.0.1, and nowhere else: who may see the page may kill processes.
    virtual net::server listen() = 0;

    /// What is shown, as the command line and standard input say. Where a pipe is standard input, a
    /// demo is at its other end; a file there is a recording, as with --replay.
    virtual std::shared_ptr<stage> open_stage() = 0;

    /// What happens on it.
    virtual std::shared_ptr<event_log> log() const = 0;

    /// The ready line, on stderr: where the page is.
    virtual void ready(const net::server& server) = 0;

    /// Completes on Ctrl-C, SIGTERM or SIGHUP; a second signal ends the process at once, and the
    /// kernel its children.
    virtual asio::awaitable<void> until_stopped() = 0;
};

/// Runs `story`; returns the exit code.
int run(int argc, char** argv, std::function<asio::awaitable<void>(program&)> story);

} // namespace live

// Around a demo's story: its command line, its signals, its ready line, its exit code.
#pragma once

#include "app/options.hpp"
#include "ipc/child_process.hpp"
#include "net/listen.hpp"
#include "workers/pool.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace app {

/// What the main of a demo needs from the process it runs in.
class demo {
public:
    virtual ~demo() = default;

    virtual asio::any_io_executor executor() const = 0;
    virtual const demo_options& options() const = 0;

    /// net::listen on --host and --port, with an error text for the user.
    virtual net::server listen() = 0;

    /// --workers, --child, --ack-timeout, --respawn and --trace, for a pool.
    virtual workers::options worker_options() = 0;

    /// Turns what a worker has met when it asked for a server into a failure of the demo, with the
    /// text that listen() has for it; once, and before ready(). Whether the demo goes on.
    virtual bool cannot_listen(const std::error_code& error) = 0;

    /// Calls `handler` for each signal of this number, until the demo is told to stop.
    virtual void on_signal(int number, std::function<void()> handler) = 0;

    /// The ready line, on stderr: every worker holds what it needs. `pids` in slot order.
    virtual void ready(const asio::ip::tcp::endpoint& address, const std::vector<pid_t>& pids) = 0;

    /// The same for a server that is elsewhere: `port` -1 means that `address` is a Unix path.
    virtual void ready(const std::string& address, int port, const std::vector<pid_t>& pids) = 0;

    /// A line for the user, on stderr.
    virtual void say(const std::string& what) = 0;

    /// The same of something that has gone wrong, while the service goes on: its exit code will be
    /// 1.
    virtual void fail(const std::string& what) = 0;

    /// Completes on Ctrl-C, SIGTERM or SIGHUP; a second signal ends the process at once, and the
    /// kernel its children (app/signals.hpp). Throws when the last worker is gone and none will
    /// come.
    virtual asio::awaitable<void> until_stopped(workers::pool& work) = 0;

    /// How many connections each worker process got, on stderr. Throws when they do not add up.
    virtual void print_tally(const workers::tally& counted) const = 0;
};

/// Runs `story` as a program: parses the command line, turns exceptions into one clear message, and
/// returns the exit code: what is thrown before ready() means "cannot start", later "failed".
int run_demo(int argc, char** argv, const demo_description& description,
             std::function<asio::awaitable<void>(demo&)> story);

/// The same for a child. `story` reads the channel and returns when it ends: that is how a worker
/// is told to finish. What it has begun (spawn) then has 2 s to end. A failure before it has to
/// wait for its parent means "cannot start".
int run_child(
    int argc, char** argv,
    std::function<asio::awaitable<void>(const child_options&, ipc::channel& parent)> story);

/// What a child does with a server when its parent has hung up. Our main hangs up on all its
/// children, and so this ends the service for all of them (net::server::close_for_all). Any other
/// parent may go on with other children: server.close().
asio::awaitable<void> end_service(net::server& server, const child_options& options);

/// Runs `conversation` beside the others: a failure is one line on stderr, at most one a second,
/// and a client that went away (ECONNRESET, EPIPE) is not even that.
void spawn(asio::any_io_executor executor, asio::awaitable<void> conversation);

/// setTimeout: completes after `time`.
asio::awaitable<void> delay(std::chrono::milliseconds time);

} // namespace app

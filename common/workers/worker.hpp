// One place in a pool, and whoever fills it: the lives of its workers, one after the other.
#pragma once

#include "ipc/child_process.hpp"
#include "workers/pool_state.hpp"
#include "workers/restart_policy.hpp"

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace workers {

/// Where a place is. The process and its channel end in any order; one alone is not the end.
///
///     state      process   channel   gets               goes on to
///     ---------  --------  --------  -----------------  -----------------------------------------
///     empty      -         -         -                  greeting or ready: start()
///     backoff    -         -         -                  greeting or ready: the pause is over
///                                                       empty: the pool stops
///     greeting   runs      open      what greet() sends ready: it has acknowledged all of it
///     ready      runs      open      connections        greeting: each() has been called
///     finishing  runs      ended     -                  killed: SIGTERM has not helped either
///     killed     is dying  is ending -
///
///     From the last four, when the channel has ended and the process still runs: finishing, or
///     killed if it broke the protocol or is overdue. When the process has been reaped and the
///     channel has ended: backoff if it is to be replaced, else empty.
enum class state {
    empty,     ///< nobody, and nobody will come
    backoff,   ///< nobody; another one is started when the pause is over
    greeting,  ///< it runs and is being given what it needs
    ready,     ///< it has it, and serves
    finishing, ///< it has hung up, or we have: it may answer what it has, within the grace
    killed,    ///< SIGKILL is on its way
};

class worker : public std::enable_shared_from_this<worker> {
public:
    /// Runs `command`; when that is empty, the one that the pool's options have for this slot.
    worker(std::shared_ptr<pool_state> pool, std::size_t slot,
           std::vector<std::string> command = {});

    /// start() in two parts, for several that start side by side: its process is on its way. To be
    /// followed by start() or abandon(), at once. Throws as start() does.
    void begin();

    /// The first life. Returns when the program runs; what follows happens by itself, until the
    /// place is empty for good. Throws std::system_error, and the place is empty.
    void start();

    state now() const noexcept { return state_; }

    /// Of who is here; 0 when nobody is.
    pid_t pid() const noexcept { return child_ ? child_->pid() : 0; }

    /// The process and its channel, for as long as the caller holds it; null when nobody is here.
    std::shared_ptr<ipc::child_process> child() const noexcept { return child_; }

    /// Does it run and listen to us?
    bool serves() const noexcept;

    /// Does it, and has it got what it needs?
    bool is_ready() const noexcept { return state_ == state::ready && serves(); }

    /// It does not, but it or its successor may.
    bool may_serve_later() const noexcept;

    /// When who is here ends, somebody else comes; or is about to.
    bool goes_on() const noexcept;

    /// Begins to give it what it needs (pool_state::greet). It is ready when it has all of it; one
    /// that refuses is killed; while we have no descriptor to spare, it has to wait. Each
    /// replacement is greeted by itself.
    void greet();

    /// It has acknowledged a handle.
    void count(const ipc::child_process& by, bool is_connection);

    /// Kills it; `fault` says why, for the user. The first fault is the one that is told.
    void kill(const std::string& fault);

    /// It has not acknowledged in time what it was sent.
    void kill_overdue();

    /// Begins or ends the time that it may be stopped (SIGSTOP), after a SIGCHLD.
    void look_whether_stopped();

    /// Ends our side of its channel, and no other one comes. It may finish, and report.
    void end();

    /// Who is to come after the pause does not.
    void replace_nobody() { backoff_.cancel(); }

    /// In order: closes its channel, and no other one comes. It may finish.
    void stop();

    /// No other one comes when it ends, which it is told by other means than its channel; that is
    /// closed after the grace. From then on it does not count as serving.
    void retire();

    /// Takes back the first half of that: it is one like any other.
    void stay() { is_last_ = false; }

    /// A place with the same slot and command, and nobody in it.
    std::shared_ptr<worker> another() const
    {
        return std::make_shared<worker>(pool_, slot_, command_);
    }

    /// A worker to be tried: no other one comes when it ends, unless it is to stay.
    void start_on_trial();

    /// At once: kills it, and no other one comes.
    void abandon() noexcept;

    std::string name() const { return "worker " + std::to_string(pid()); }

private:
    void start_process();
    void become(state next);
    asio::awaitable<void> live();
    asio::awaitable<ipc::exit_status> live_once();
    asio::awaitable<void> listen(std::shared_ptr<ipc::child_process> child);
    bool is_heard() const;
    void take(const ipc::child_process& child, ipc::message said);
    asio::awaitable<void> insist(std::shared_ptr<ipc::child_process> child);
    asio::awaitable<void> close_after_end(std::shared_ptr<ipc::child_process> child);
    asio::awaitable<void> greet_now(std::shared_ptr<ipc::child_process> child);
    asio::awaitable<bool> replace(pid_t dead, ipc::exit_status status);

    const std::shared_ptr<pool_state> pool_;
    const std::size_t slot_;
    const std::vector<std::string> command_;

    state state_ = state::empty;
    bool is_last_ = false; // no other one comes
    std::optional<ipc::child_process::starting> starting_;
    std::shared_ptr<ipc::child_process> child_; // null in empty and backoff
    std::chrono::steady_clock::time_point started_;
    bool served_ = false;                                       // it has acknowledged something
    std::string fault_;                                         // why we have killed it
    std::optional<std::chrono::steady_clock::time_point> told_; // to end, by end()
    restart_policy policy_;

    asio::steady_timer backoff_;
    asio::steady_timer leave_;                  // of one that retires, until we hang up
    asio::steady_timer patience_;               // in finishing
    asio::steady_timer last_words_;             // after its end
    std::optional<asio::steady_timer> stopped_; // while it is: until that has lasted too long
};

} // namespace workers

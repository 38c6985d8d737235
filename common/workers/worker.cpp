#include "workers/worker.hpp"

#include "observer.hpp"
#include "posix.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <system_error>

namespace workers {

using asio::awaitable;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

namespace {

// For a dead worker's messages to be read. They are there; only a process that has inherited its
// end of the channel can keep us waiting for the end of them.
constexpr milliseconds time_for_last_words{100};

constexpr milliseconds pause_without_resources{100};

bool is_filled(state place)
{
    return place != state::empty;
}

bool is_serving(state place)
{
    return place == state::greeting || place == state::ready;
}

/// False when the timer has been cancelled.
awaitable<bool> expires(asio::steady_timer& timer)
{
    std::error_code cancelled;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    co_return !cancelled;
}

} // namespace

worker::worker(std::shared_ptr<pool_state> pool, std::size_t slot, std::vector<std::string> command)
    : pool_(std::move(pool)),
      slot_(slot),
      command_(command.empty() ? pool_->given.commands[slot % pool_->given.commands.size()]
                               : command),
      policy_(pool_->given.restart),
      backoff_(pool_->executor),
      leave_(pool_->executor),
      patience_(pool_->executor),
      last_words_(pool_->executor)
{
}

// Every change of the state happens here.
void worker::become(state next)
{
    const auto old = std::exchange(state_, next);
    pool_->filled += std::size_t{is_filled(next)} - std::size_t{is_filled(old)};
    pool_->serving += std::size_t{is_serving(next)} - std::size_t{is_serving(old)};
    pool_->changed.notify();
}

bool worker::serves() const noexcept
{
    return is_serving(state_) && child_->running() && child_->channel.connected();
}

bool worker::may_serve_later() const noexcept
{
    return state_ == state::greeting || (goes_on() && !serves());
}

bool worker::goes_on() const noexcept
{
    return state_ != state::empty && pool_->replaces && !is_last_;
}

void worker::start()
{
    start_process();
    asio::co_spawn(
        pool_->executor, [self = shared_from_this()] { return self->live(); }, asio::detached);
}

void worker::begin()
{
    auto channel = pool_->given.channel();
    channel.in_flight = std::clamp<std::size_t>(
        posix::free_descriptors() /
            (2 * std::max<std::size_t>(pool_->filled + 1, pool_->given.count)),
        1, pool_->given.in_flight);
    channel.takes_handles = is_heard();
    channel.on_ack_overdue = [weak = weak_from_this()] {
        if (const auto self = weak.lock())
            self->kill_overdue();
    };
    ipc::child_options options;
    options.environment = pool_->given.environment;
    if (pool_->watched.environment)
        for (auto& variable : pool_->watched.environment())
            options.environment.push_back(std::move(variable));
    starting_.emplace(ipc::child_process::begin(pool_->executor, command_, std::move(channel),
                                                std::move(options)));
}

void worker::start_process()
{
    if (!starting_)
        begin();
    auto its = std::move(*starting_);
    starting_.reset();
    child_ = std::make_shared<ipc::child_process>(its.running());
    started_ = clock::now();
    served_ = false;
    fault_.clear();
    pool_->counted.acknowledged.emplace_back(pid(), 0);
    become(state::ready);
    if (observing)
        observing->worker_up(slot_, pid());
    if (pool_->watched.started)
        pool_->watched.started(slot_, child_);
    if (pool_->greet)
        greet();
}

void worker::start_on_trial()
{
    is_last_ = true;
    start();
}

// ---- its lives ---------------------------------------------------------------------------------

awaitable<void> worker::live()
{
    const auto self = shared_from_this();
    for (bool again = true; again;) {
        const auto pid = child_->pid();
        const auto status = co_await live_once();
        again = !pool_->stopping;
        if (again)
            again = co_await replace(pid, status);
    }
    become(state::empty);
    if (pool_->watched.emptied)
        pool_->watched.emptied();
    if (!pool_->stopping && pool_->filled == 0 && pool_->on_last_gone)
        std::exchange(pool_->on_last_gone, nullptr)();
}

// From here on until nothing of it is left: no process and no channel. This is the only place that
// learns of a worker's end.
awaitable<ipc::exit_status> worker::live_once()
{
    const auto child = child_;
    asio::co_spawn(
        pool_->executor,
        [self = shared_from_this(), child] { return self->close_after_end(child); },
        asio::detached);
    co_await listen(child);
    last_words_.cancel();
    leave_.cancel();
    if (pool_->watched.disconnected)
        pool_->watched.disconnected(*child);
    if (child->running()) {
        if (state_ != state::killed)
            become(state::finishing);
        asio::co_spawn(
            pool_->executor, [self = shared_from_this(), child] { return self->insist(child); },
            asio::detached);
    }
    const auto status = co_await child->exited();
    patience_.cancel();
    stopped_.reset();
    if (observing)
        observing->worker_exit(slot_, child->pid(), status.code, status.signal);
    if (pool_->watched.exited)
        pool_->watched.exited(*child, status);
    child_.reset();
    become(state::backoff);
    co_return status;
}

// Until its channel has ended.
awaitable<void> worker::listen(std::shared_ptr<ipc::child_process> child)
{
    try {
        bool has_spoken = false; // the demos' have nothing to say
        while (auto message = co_await child->channel.receive()) {
            if (is_heard())
                take(*child, std::move(*message));
            else if (!std::exchange(has_spoken, true))
                pool_->log(name() + " sends messages, which nobody here reads");
        }
    } catch (const ipc::protocol_error& error) {
        kill(std::string("broke the channel's protocol (") + error.what() + ")");
    }
}

bool worker::is_heard() const
{
    return pool_->watched.message || pool_->on_message;
}

void worker::take(const ipc::child_process& child, ipc::message said)
{
    try {
        if (pool_->watched.message)
            pool_->watched.message(child, std::move(said));
        else
            pool_->on_message(slot_, std::move(said));
    } catch (const std::exception& error) { // costs this message, not the worker
        pool_->log("a message of " + name() + ": " + error.what());
    }
}

// A process that it started, and that inherited the channel, would keep it open.
awaitable<void> worker::close_after_end(std::shared_ptr<ipc::child_process> child)
{
    co_await child->exited();
    if (child->channel.connected()) {
        last_words_.expires_after(time_for_last_words);
        co_await expires(last_words_);
        child->channel.close();
    }
}

// Its channel has ended: now the process should. (If our side of it has ended before, since then.)
awaitable<void> worker::insist(std::shared_ptr<ipc::child_process> child)
{
    auto deadline = told_.value_or(clock::now());
    for (const auto& [patience, signal] : {std::pair{pool_->given.grace, SIGTERM},
                                           std::pair{pool_->given.grace_after_term, SIGKILL}}) {
        deadline = std::max(deadline + patience, clock::now());
        patience_.expires_at(deadline);
        const bool over = co_await expires(patience_);
        if (!over || !child->running())
            co_return;
        pool_->log(name() + " has not ended by itself: SIG" + ::sigabbrev_np(signal));
        if (signal == SIGKILL)
            become(state::killed);
        child->kill(signal);
    }
}

// True when another one runs.
awaitable<bool> worker::replace(pid_t dead, ipc::exit_status status)
{
    const auto left = [this] { return std::to_string(pool_->serving) + " left"; };
    std::string what = "worker " + std::to_string(dead) + " " +
                       (fault_.empty() ? ipc::to_string(status) : fault_ + " and was killed");
    if (is_last_ && fault_.empty() && status.clean())
        co_return false; // as it was told
    if (!pool_->replaces || is_last_) {
        pool_->log(what + "; " + left());
        co_return false;
    }
    auto delay = policy_.after({.uptime = clock::now() - started_,
                                .served = served_,
                                .faulty = !fault_.empty(),
                                .exit_code = status.code,
                                .signal = status.signal});
    for (bool out_of_resources = false;;) {
        if (!delay) {
            pool_->log(what + "; given up after " + std::to_string(policy_.failures()) +
                       " that ended at once; " + left());
            co_return false;
        }
        if (!out_of_resources || pool_->may_warn())
            pool_->log(what + "; another one in " + std::to_string(delay->count()) + " ms");
        if (observing)
            observing->respawn(slot_, *delay);
        backoff_.expires_after(*delay);
        co_await expires(backoff_);
        if (!goes_on())
            co_return false;
        try {
            start_process();
            break;
        } catch (const std::system_error& error) {
            what = std::string("cannot start a worker: ") + error.what();
            out_of_resources = posix::out_of_resources(error.code());
            delay = out_of_resources ? pause_without_resources : policy_.after_failed_start();
        }
    }
    pool_->log(name() + " takes its place");
    co_return true;
}

// ---- what it needs -----------------------------------------------------------------------------

void worker::greet()
{
    if (state_ != state::ready)
        return; // its successor will be greeted
    become(state::greeting);
    asio::co_spawn(
        pool_->executor, [self = shared_from_this()] { return self->greet_now(self->child_); },
        asio::detached);
}

awaitable<void> worker::greet_now(std::shared_ptr<ipc::child_process> child)
{
    const auto self = shared_from_this();
    while (child_ == child && state_ == state::greeting) {
        try {
            co_await pool_->greet(slot_);
            if (child_ == child && state_ == state::greeting)
                become(state::ready);
            co_return;
        } catch (const ipc::channel_closed&) {
            co_return; // it has ended, or been killed: live_once() sees that
        } catch (const std::system_error& error) {
            if (!posix::out_of_resources(error.code()))
                kill(std::string("did not get what it needs (") + error.what() + ")");
            else if (pool_->may_warn())
                pool_->log("cannot give " + name() + " what it needs yet: " + error.what());
        } catch (const std::exception& error) {
            kill(std::string("did not get what it needs (") + error.what() + ")");
        }
        asio::steady_timer pause(pool_->executor, pause_without_resources);
        co_await expires(pause);
    }
}

void worker::count(const ipc::child_process& by, bool is_connection)
{
    if (child_.get() == &by)
        served_ = true;
    if (!is_connection)
        return;
    auto& all = pool_->counted.acknowledged;
    const auto entry = std::find_if(all.rbegin(), all.rend(),
                                    [&](const auto& one) { return one.first == by.pid(); });
    if (entry != all.rend())
        ++entry->second;
}

// ---- its end -----------------------------------------------------------------------------------

void worker::kill(const std::string& fault)
{
    if (!child_ || state_ == state::killed)
        return;
    fault_ = fault;
    become(state::killed);
    child_->kill(SIGKILL);
}

void worker::kill_overdue()
{
    kill("has acknowledged nothing for " + std::to_string(pool_->given.ack_timeout.count()) +
         " ms");
}

// A worker that was given a server is asked for no acknowledgement any more; if somebody stops it
// (SIGSTOP), the clients it has accepted wait. Whoever has workers replaced wants a service that
// goes on: so a stop counts like silence on the channel.
void worker::look_whether_stopped()
{
    if (!child_ || !child_->stopped())
        return stopped_.reset();
    if (stopped_)
        return;
    stopped_.emplace(pool_->executor, pool_->given.ack_timeout);
    stopped_->async_wait([weak = weak_from_this(), child = child_](std::error_code cancelled) {
        const auto self = weak.lock();
        if (!cancelled && self && self->child_ == child && !self->pool_->stopping &&
            child->stopped())
            self->kill("has been stopped for " +
                       std::to_string(self->pool_->given.ack_timeout.count()) + " ms");
    });
}

void worker::end()
{
    told_ = clock::now();
    if (child_)
        child_->channel.end();
    backoff_.cancel();
    pool_->changed.notify();
}

void worker::stop()
{
    if (child_)
        child_->channel.close();
    backoff_.cancel();
}

void worker::retire()
{
    is_last_ = true;
    backoff_.cancel();
    if (!child_)
        return;
    leave_.expires_after(pool_->given.grace);
    leave_.async_wait([weak = weak_from_this(), child = child_](std::error_code cancelled) {
        if (const auto self = weak.lock(); !cancelled && self && self->child_ == child)
            child->channel.close();
    });
}

void worker::abandon() noexcept
{
    backoff_.cancel();
    starting_.reset();
    if (!child_)
        return;
    child_->kill(SIGKILL); // others still hold this object
    child_->channel.close();
}

} // namespace workers

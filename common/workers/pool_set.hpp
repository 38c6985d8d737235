// pool::set: the places of a pool, and what concerns all of them. Part of pool.cpp, which is what
// others see of it.
#pragma once

#include "observer.hpp"
#include "posix.hpp"
#include "workers/hand_over.hpp"
#include "workers/pool.hpp"
#include "workers/worker.hpp"

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <csignal>
#include <optional>
#include <stdexcept>

namespace workers {

class pool::set : public std::enable_shared_from_this<set> {
public:
    set(asio::any_io_executor executor, options given)
        : state_(std::make_shared<pool_state>(std::move(executor), std::move(given)))
    {
        for (std::size_t i = 0; i < state_->given.count; ++i)
            workers_.push_back(std::make_shared<worker>(state_, i));
    }

    void start()
    {
        try {
            for (const auto& one : workers_)
                one->begin();
            for (const auto& one : workers_)
                one->start();
        } catch (...) {
            abandon();
            throw;
        }
        watch_stops();
    }

    std::size_t add(std::vector<std::string> command)
    {
        const auto place = std::make_shared<worker>(state_, workers_.size(), std::move(command));
        place->start();
        workers_.push_back(place);
        if (state_->stopping)
            place->stop();
        watch_stops();
        return workers_.size() - 1;
    }

    asio::awaitable<std::optional<std::shared_ptr<ipc::child_process>>>
    renew(std::size_t slot, std::chrono::milliseconds limit)
    {
        const auto self = shared_from_this();
        const auto successor = workers_.at(slot)->another();
        successor->start_on_trial();
        beside_.push_back(successor);
        const auto deadline = wake_after(limit);
        co_await state_->changed.wait_until([&] {
            return std::chrono::steady_clock::now() >= deadline.expiry() || state_->stopping ||
                   successor->is_ready() || !successor->may_serve_later();
        });
        if (state_->stopping || !successor->is_ready()) {
            if (std::chrono::steady_clock::now() >=
                deadline.expiry()) // else it ends by itself, or with all the others
                successor->kill("was not ready within " + std::to_string(limit.count()) + " ms");
            co_await state_->changed.wait_until([&] { return successor->now() == state::empty; });
            std::erase(beside_, successor);
            co_return std::nullopt;
        }
        std::erase(beside_, successor);
        successor->stay();
        const auto old = std::exchange(workers_[slot], successor);
        old->retire();
        std::erase_if(beside_, [](const auto& one) { return one->now() == state::empty; });
        beside_.push_back(old);
        co_return old->child();
    }

    /// Who runs, or has run, this process; null when its place is somebody else's by now.
    std::shared_ptr<worker> place_of(const ipc::child_process& process) const
    {
        for (const auto* places : {&workers_, &beside_})
            for (const auto& one : *places)
                if (one->child().get() == &process)
                    return one;
        return nullptr;
    }

    asio::awaitable<void> each(std::vector<std::size_t> order,
                               std::function<asio::awaitable<void>(std::size_t)> greet)
    {
        const auto self = shared_from_this();
        state_->greet = std::move(greet);
        for (const auto i : order)
            workers_.at(i)->greet();

        const auto& given = state_->given;
        const bool kill_late = given.greeting_is_acknowledged && given.ack_timeout.count() > 0 &&
                               given.ack_timeout <= given.greeting_time;
        const auto deadline = wake_after(kill_late ? given.ack_timeout : given.greeting_time);
        co_await state_->changed.wait_until([&] {
            return std::chrono::steady_clock::now() >= deadline.expiry() ||
                   !any_of(&worker::may_serve_later);
        });
        for (const auto& late : workers_) {
            if (late->now() != state::greeting)
                continue;
            if (kill_late)
                late->kill_overdue();
            else
                state_->log(late->name() + " does not have what it needs yet: going on without it");
        }
        co_await state_->changed.wait_until(
            [&] { return state_->filled == 0 || any_of(&worker::is_ready); });
        if (state_->filled == 0)
            throw std::runtime_error("no worker could be kept running");
    }

    asio::awaitable<void> send(std::size_t slot, ipc::value body, ipc::handle object)
    {
        const auto self = shared_from_this();
        const auto place = workers_.at(slot);
        const auto child = place->child();
        if (!child)
            throw ipc::channel_closed();
        if (!object)
            co_return co_await child->channel.send(std::move(body));
        const bool is_connection = object.is_connection();
        if (object.is_server()) // another holder may have made it blocking, for all of them
            posix::set_non_blocking(object.native_handle());
        co_await child->channel.send(std::move(body), object);
        place->count(*child, is_connection);
    }

    // To `first`, or to the next that serves, until the connection is over or must be closed.
    asio::awaitable<void> hand_over(std::size_t first, ipc::handle connection,
                                    std::function<ipc::value(std::size_t)> body)
    {
        const auto self = shared_from_this();
        const on_its_way here(*this);
        ++state_->counted.accepted;
        std::size_t refusals = 0;
        for (std::size_t next = first;; ++next) {
            const auto slot = ready_from(next);
            if (!slot && !any_of(&worker::may_serve_later)) {
                close(connection, "no_worker");
                co_return; // nobody left: the client reads end of file, at once
            }
            if (!slot) {
                co_await state_->changed.wait();
                continue;
            }
            next = *slot;
            const auto child = workers_[next]->child();
            const auto became = co_await workers::hand_over(child, connection, body(next));
            switch (became) {
            case handed::over:
                workers_[next]->count(*child, true);
                ++state_->counted.handed_over;
                co_return;
            case handed::spent:
                close(connection, "spent");
                co_return;
            case handed::back:
                ++state_->counted.came_back;
                break;
            case handed::refused:
                if (++refusals % workers_.size() != 0)
                    break; // the next may have room
                if (refusals / workers_.size() > max_rounds_of_refusals) {
                    close(connection, "no_worker");
                    if (state_->may_warn())
                        state_->log("no worker can take another connection: closed one");
                    co_return;
                }
                asio::steady_timer pause(state_->executor, pause_when_all_refuse);
                co_await pause.async_wait(asio::use_awaitable);
                break;
            }
        }
    }

    asio::awaitable<void> hand_over_to_all(ipc::handle connection,
                                           std::function<ipc::value(std::size_t)> body)
    {
        std::vector<copy> copies;
        for (std::size_t i = 0; i < workers_.size(); ++i)
            if (workers_[i]->is_ready())
                copies.push_back({i,
                                  body(i),
                                  {ipc::handle::kind::connection,
                                   posix::duplicate(connection.native_handle())}});
        return hand_over_copies(std::move(copies));
    }

    asio::awaitable<void> stop()
    {
        const auto self = shared_from_this();
        co_await asio::post(state_->executor, asio::use_awaitable); // what has been spawned, begins
        // Connections on their way to a worker first, be it one that is yet to come: closing the
        // channel would cut them off.
        const auto deadline = wake_after(state_->given.time_to_arrive);
        co_await state_->changed.wait_until([&] {
            return on_their_way_ == 0 || std::chrono::steady_clock::now() >= deadline.expiry();
        });
        replace_nobody();
        state_->stopping = true;
        if (state_->given.on_report)
            co_await hear_last_reports();
        for (const auto* places : {&workers_, &beside_})
            for (const auto& one : *places)
                one->stop();
        state_->changed.notify();
        co_await state_->changed.wait_until(
            [&] { return on_their_way_ == 0 && state_->filled == 0; });
        child_signals_.reset();
    }

    void replace_nobody()
    {
        state_->replaces = false;
        for (const auto& one : workers_)
            one->replace_nobody();
    }

    void abandon()
    {
        state_->replaces = false;
        state_->stopping = true;
        child_signals_.reset();
        for (const auto* places : {&workers_, &beside_})
            for (const auto& one : *places)
                one->abandon();
    }

    const pool_state& state() const { return *state_; }
    pool_state& state() { return *state_; }
    const std::vector<std::shared_ptr<worker>>& workers() const { return workers_; }

private:
    static constexpr std::chrono::milliseconds pause_when_all_refuse{100};
    static constexpr std::size_t max_rounds_of_refusals = 50;

    // What a worker is told by the end of its channel it does, and reports meanwhile.
    asio::awaitable<void> hear_last_reports()
    {
        for (const auto* places : {&workers_, &beside_})
            for (const auto& one : *places)
                one->end();
        const auto deadline = wake_after(state_->given.grace);
        co_await state_->changed.wait_until([&] {
            return state_->filled == 0 || std::chrono::steady_clock::now() >= deadline.expiry();
        });
    }

    // Counts the connections that are between main and a worker.
    class on_its_way {
    public:
        explicit on_its_way(set& owner) : owner_(owner) { ++owner_.on_their_way_; }
        ~on_its_way()
        {
            if (--owner_.on_their_way_ == 0)
                owner_.state_->changed.notify();
        }
        on_its_way(const on_its_way&) = delete;
        on_its_way& operator=(const on_its_way&) = delete;

    private:
        set& owner_;
    };

    // The client reads end of file.
    void close(const ipc::handle& connection, const char* why)
    {
        ++state_->counted.closed;
        if (observing)
            observing->closing(connection.native_handle(), why);
    }

    // One of several for the same connection.
    struct copy {
        std::size_t slot;
        ipc::value body;
        ipc::handle connection;
    };

    asio::awaitable<void> hand_over_copies(std::vector<copy> copies)
    {
        const auto self = shared_from_this();
        const on_its_way here(*this);
        auto taken = std::make_shared<bool>(false);
        std::size_t under_way = copies.size();
        for (auto& one : copies)
            asio::co_spawn(state_->executor, hand_over_copy(std::move(one), taken),
                           [&](std::exception_ptr) {
                               --under_way;
                               state_->changed.notify();
                           });
        co_await state_->changed.wait_until([&] { return under_way == 0; });
        if (!*taken && state_->may_warn())
            state_->log("no worker can take another connection: closed one");
    }

    asio::awaitable<void> hand_over_copy(copy mine, std::shared_ptr<bool> taken)
    {
        const auto place = workers_[mine.slot];
        const auto child = place->child();
        for (std::size_t round = 0; child && round < max_rounds_of_refusals && !*taken; ++round) {
            if (round > 0) {
                asio::steady_timer pause(state_->executor, pause_when_all_refuse);
                co_await pause.async_wait(asio::use_awaitable);
            }
            const auto outcome = co_await workers::hand_over(child, mine.connection, mine.body);
            if (outcome == handed::over) {
                place->count(*child, true);
                *taken = true;
            }
            if (outcome != handed::refused)
                break; // it has it, or is gone
        }
        if (observing && mine.connection)
            observing->closing_copy(mine.connection.native_handle());
    }

    /// A deadline, at which those who wait for a change look again.
    asio::steady_timer wake_after(std::chrono::milliseconds time)
    {
        asio::steady_timer deadline(state_->executor, time);
        deadline.async_wait([state = state_](std::error_code) { state->changed.notify(); });
        return deadline;
    }

    bool any_of(bool (worker::*is_so)() const) const
    {
        return std::any_of(workers_.begin(), workers_.end(),
                           [is_so](const auto& one) { return ((*one).*is_so)(); });
    }

    std::optional<std::size_t> ready_from(std::size_t first) const
    {
        for (std::size_t i = 0; i < workers_.size(); ++i)
            if (const auto slot = (first + i) % workers_.size(); workers_[slot]->is_ready())
                return slot;
        return std::nullopt;
    }

    void watch_stops()
    {
        if (child_signals_ || !state_->given.respawn || state_->given.ack_timeout.count() == 0)
            return;
        // SIGCHLD comes when one stops or continues, too (sigaction(2))
        child_signals_.emplace(state_->executor, SIGCHLD);
        look_for_stopped_workers();
    }

    void look_for_stopped_workers()
    {
        child_signals_->async_wait([weak = weak_from_this()](std::error_code error, int) {
            const auto self = weak.lock();
            if (!self || error || !self->child_signals_) // stopped while this waited for its turn
                return;
            for (const auto& one : self->workers_)
                one->look_whether_stopped();
            self->look_for_stopped_workers();
        });
    }

    std::shared_ptr<pool_state> state_;
    std::vector<std::shared_ptr<worker>> workers_;
    std::vector<std::shared_ptr<worker>> beside_; // on trial, or about to leave
    std::size_t on_their_way_ = 0;                // connections
    std::optional<asio::signal_set> child_signals_;
};

} // namespace workers

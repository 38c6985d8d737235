#include "workers/pool.hpp"

#include "once_a_second.hpp"
#include "workers/hand_over.hpp"
#include "workers/restart_policy.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <system_error>

namespace workers {

using asio::awaitable;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

namespace {

constexpr milliseconds time_to_hand_over{500}; // for connections under way when we stop
constexpr milliseconds grace{
    2250}; // for a worker to finish after its channel has closed: ours needs 2 s
constexpr milliseconds grace_after_term{500}; // and after SIGTERM
constexpr milliseconds last_words{100};       // for its messages to be read after its end
constexpr milliseconds famine_pause{100};     // without descriptors, here or in every worker
constexpr std::size_t most_refusal_rounds = 50;

// Not the worker's fault, and over as soon as somebody closes something.
bool is_famine(const std::error_code& error)
{
    return error == std::errc::too_many_files_open ||
           error == std::errc::too_many_files_open_in_system ||
           error == std::errc::not_enough_memory || error == std::errc::no_buffer_space ||
           error == std::errc::resource_unavailable_try_again;
}

awaitable<void> wait(asio::steady_timer& timer)
{
    std::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

} // namespace

ipc::channel_settings settings::channel() const
{
    ipc::channel_settings result;
    result.ack_timeout = ack_timeout;
    if (trace)
        result.trace = ipc::print_trace;
    return result;
}

class pool::supervisor : public std::enable_shared_from_this<supervisor> {
    // One place in the set, and whoever fills it at the moment.
    struct slot_state {
        std::shared_ptr<ipc::child_process> child; // null between two lives
        std::optional<asio::steady_timer> backoff;
        std::string fault; // why we have killed it
        clock::time_point started;
        bool served = false;                       // it has acknowledged something
        restart_policy policy;                     // the account of its predecessors, too
        std::optional<asio::steady_timer> stopped; // while it is: until that has lasted too long
        bool supervised = false;                   // somebody is here, or will be
        bool greeted = false;                      // and is being given what it needs to serve
        bool welcomed = false;                     // and has it
    };

public:
    supervisor(asio::any_io_executor executor, settings given)
        : executor_(executor),
          settings_(std::move(given)),
          slots_(settings_.count),
          changed_(executor, asio::steady_timer::time_point::max())
    {
        for (auto& slot : slots_)
            slot.policy = restart_policy(settings_.restart);
    }

    void start()
    {
        try {
            for (std::size_t i = 0; i < slots_.size(); ++i)
                start_worker(i);
        } catch (...) {
            kill_all();
            throw;
        }
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            slots_[i].supervised = true;
            asio::co_spawn(
                executor_, [self = shared_from_this(), i] { return self->supervise(i); },
                asio::detached);
        }
        if (settings_.respawn && settings_.ack_timeout.count() > 0)
            look_for_stopped_workers();
    }

    std::vector<pid_t> pids() const
    {
        std::vector<pid_t> result;
        for (const auto& slot : slots_)
            result.push_back(slot.child ? slot.child->pid() : 0);
        return result;
    }

    awaitable<void> send(std::size_t slot, ipc::value body, ipc::handle object)
    {
        const auto self = shared_from_this();
        const auto child = slots_.at(slot).child;
        if (!child)
            throw ipc::channel_closed();
        if (!object)
            co_return co_await child->channel.send(std::move(body));
        const bool is_connection = object.is_connection();
        co_await child->channel.send(std::move(body), object);
        if (slots_[slot].child == child)
            slots_[slot].served = true;
        if (is_connection)
            count_acknowledged(child->pid());
    }

    // To `first`, or to the next that serves, until the connection is over or must be closed.
    awaitable<void> hand_over(std::size_t first, ipc::handle connection,
                              std::function<ipc::value(std::size_t)> body)
    {
        const auto self = shared_from_this();
        const handing_over here(*this);
        std::size_t refusals = 0;
        for (std::size_t next = first;; ++next) {
            const auto slot = serving_from(next);
            if (!slot && (stopping_ || !settings_.respawn || !anybody_will_come())) {
                ++counted_.closed;
                co_return; // nobody left: the client reads end of file, at once
            }
            if (!slot) {
                co_await wait(changed_);
                continue;
            }
            next = *slot;
            const auto child = slots_[next].child;
            const auto end_worker = [&] {
                // Unless it has been ended for a better reason, or it is we who have closed the
                // channel: then it may finish.
                if (!stopping_ && slots_[next].fault.empty())
                    end(*child, "ended its channel without acknowledging a connection");
            };
            const auto outcome =
                co_await workers::hand_over(child, connection, body(next), end_worker);
            switch (outcome) {
            case handed::over:
                if (slots_[next].child == child)
                    slots_[next].served = true;
                count_acknowledged(child->pid());
                ++counted_.handed_over;
                co_return;
            case handed::spent:
                ++counted_.closed;
                co_return;
            case handed::back:
                ++counted_.given_again;
                break;
            case handed::refused:
                if (++refusals % slots_.size() != 0)
                    break; // the next may have room
                if (refusals / slots_.size() > most_refusal_rounds) {
                    ++counted_.closed;
                    if (may_warn_())
                        log("no worker can take another connection: closed one");
                    co_return;
                }
                asio::steady_timer pause(executor_, famine_pause);
                co_await wait(pause);
                break;
            }
        }
    }

    awaitable<void> stop()
    {
        const auto self = shared_from_this();
        stopping_ = true;
        co_await asio::post(executor_, asio::use_awaitable); // what has been spawned, begins
        // Connections on their way to a worker first: closing the channel would cut them off.
        asio::steady_timer patience(executor_, time_to_hand_over);
        patience.async_wait([weak = weak_from_this()](std::error_code) {
            if (const auto alive = weak.lock())
                alive->changed_.cancel();
        });
        while (handing_over_ > 0 && clock::now() < patience.expiry())
            co_await wait(changed_);
        patience.cancel();

        for (auto& slot : slots_) {
            if (slot.child)
                slot.child->channel.close();
            if (slot.backoff)
                slot.backoff->cancel();
        }
        changed_.cancel();
        while (handing_over_ > 0 ||
               std::any_of(slots_.begin(), slots_.end(),
                           [](const slot_state& state) { return state.supervised; }))
            co_await wait(changed_);
        child_signals_.reset();
    }

    void kill_all()
    {
        stopping_ = true;
        child_signals_.reset();
        for (auto& slot : slots_) {
            if (!slot.child)
                continue;
            slot.child->kill(SIGKILL); // others still hold this object
            slot.child->channel.close();
            slot.child.reset();
        }
    }

    std::size_t size() const noexcept { return slots_.size(); }
    const tally& counted() const { return counted_; }

    awaitable<void> each(std::vector<std::size_t> order,
                         std::function<awaitable<void>(std::size_t)> greet)
    {
        const auto self = shared_from_this();
        greet_ = std::move(greet);
        for (auto& slot : slots_) // those that are here have got nothing yet
            slot.greeted = slot.welcomed = false;
        for (const auto i : order)
            co_await welcome(i);
        while (std::any_of(slots_.begin(), slots_.end(), [](const slot_state& state) {
            return state.supervised && !state.welcomed;
        }))
            co_await wait(changed_);
        if (!anybody_will_come())
            throw std::runtime_error("no worker could be kept running");
    }

    static bool serves(const slot_state& place)
    {
        return place.child && place.child->running() && place.child->channel.connected();
    }

    bool serves(std::size_t slot) const { return serves(slots_.at(slot)); }

    std::function<void()> last_gone_;

private:
    // Counts the connections that are between main and a worker.
    struct handing_over {
        explicit handing_over(supervisor& owner) : owner_(owner)
        {
            ++owner_.handing_over_;
            ++owner_.counted_.accepted;
        }
        ~handing_over()
        {
            if (--owner_.handing_over_ == 0)
                owner_.changed_.cancel();
        }
        handing_over(const handing_over&) = delete;
        handing_over& operator=(const handing_over&) = delete;
        supervisor& owner_;
    };

    void start_worker(std::size_t i)
    {
        auto channel = settings_.channel();
        channel.on_ack_overdue = [weak = weak_from_this(), i] {
            if (const auto self = weak.lock())
                self->end_overdue(i);
        };
        slots_[i].child = std::make_shared<ipc::child_process>(ipc::child_process::start(
            executor_, settings_.commands[i % settings_.commands.size()], std::move(channel)));
        slots_[i].started = clock::now();
        slots_[i].fault.clear();
        slots_[i].served = false;
        slots_[i].greeted = slots_[i].welcomed = false;
        counted_.acknowledged.emplace_back(slots_[i].child->pid(), 0);
    }

    // The lives of one slot's workers, one after the other.
    awaitable<void> supervise(std::size_t i)
    {
        slot_state& place = slots_[i];
        while (place.child) {
            auto child = place.child;
            asio::co_spawn(
                executor_, [self = shared_from_this(), child] { return self->follow(child); },
                asio::detached);
            const auto pid = child->pid();
            const auto status = co_await child->exited();
            place.child.reset();
            close_channel_soon(std::move(child)); // and not only when another one takes its place
            if (stopping_)
                break;
            co_await replace(i, pid, status);
        }
        place.supervised = false;
        changed_.cancel();
        if (!stopping_ && !anybody_will_come() && last_gone_)
            std::exchange(last_gone_, nullptr)();
    }

    // The dead worker's end of the channel is closed, and follow() reads its last words. But a
    // process that it started and that inherited the channel would keep it open: hence the limit.
    void close_channel_soon(std::shared_ptr<ipc::child_process> child)
    {
        auto limit = std::make_shared<asio::steady_timer>(executor_, last_words);
        limit->async_wait([child, limit](std::error_code) { child->channel.close(); });
    }

    // Reads what a worker says, until its channel ends; then sees to it that the process ends too.
    awaitable<void> follow(std::shared_ptr<ipc::child_process> child)
    {
        const auto self = shared_from_this();
        try {
            while (auto message = co_await child->channel.receive()) { // ours say nothing
            }
        } catch (const ipc::protocol_error& error) {
            end(*child, std::string("broke the channel's protocol (") + error.what() + ")");
        }
        changed_.cancel();

        asio::steady_timer patience(executor_, grace);
        patience.async_wait([self, child](std::error_code cancelled) {
            if (!cancelled)
                self->insist(*child, SIGTERM);
        });
        asio::steady_timer last_patience(executor_, grace + grace_after_term);
        last_patience.async_wait([self, child](std::error_code cancelled) {
            if (!cancelled)
                self->insist(*child, SIGKILL);
        });
        co_await child->exited();
    }

    awaitable<void> replace(std::size_t i, pid_t dead, ipc::exit_status status)
    {
        slot_state& place = slots_[i];
        std::string what =
            name(dead) + " " +
            (place.fault.empty() ? ipc::to_string(status) : place.fault + " and was killed");
        if (!settings_.respawn) {
            log(what + "; " + std::to_string(serving()) + " left");
            co_return;
        }
        auto delay = place.policy.after({.uptime = clock::now() - place.started,
                                         .served = place.served,
                                         .faulty = !place.fault.empty(),
                                         .exit_code = status.code,
                                         .signal = status.signal});
        for (bool starving = false;;) {
            if (!delay) {
                log(what + "; given up after " + std::to_string(place.policy.failures()) +
                    " that ended at once; " + std::to_string(serving()) + " left");
                co_return;
            }
            if (!starving || may_warn_())
                log(what + "; another one in " + std::to_string(delay->count()) + " ms");
            place.backoff.emplace(executor_, *delay);
            co_await wait(*place.backoff);
            place.backoff.reset();
            if (stopping_)
                co_return;
            try {
                start_worker(i);
                break;
            } catch (const std::system_error& error) {
                what = std::string("cannot start a worker: ") + error.what();
                starving = is_famine(error.code());
                delay = starving ? famine_pause : place.policy.after_failed_start();
            }
        }
        log(name(place.child->pid()) + " takes its place");
        asio::co_spawn(
            executor_, [self = shared_from_this(), i] { return self->welcome(i); }, asio::detached);
    }

    // Gives a worker what it needs. If that fails it has died, which its supervisor reports, or it
    // has refused: then its successor may do better. Or we have no descriptor left to copy.
    awaitable<void> welcome(std::size_t i)
    {
        const auto self = shared_from_this();
        const auto child = slots_[i].child;
        if (std::exchange(slots_[i].greeted, true))
            co_return;
        for (bool starving = true; starving && child && child->running();) {
            starving = false;
            try {
                if (greet_)
                    co_await greet_(i);
                slots_[i].welcomed = slots_[i].child == child;
            } catch (const ipc::channel_closed&) {
                child->kill(SIGKILL); // ended, or as good as: without its channel it is of no use
            } catch (const std::system_error& error) {
                starving = is_famine(error.code());
                if (!starving)
                    end(*child, std::string("did not get what it needs (") + error.what() + ")");
                else if (may_warn_())
                    log("cannot give " + name(child->pid()) +
                        " what it needs yet: " + error.what());
            } catch (const std::exception& error) {
                end(*child, std::string("did not get what it needs (") + error.what() + ")");
            }
            if (starving) {
                asio::steady_timer pause(executor_, famine_pause);
                co_await wait(pause);
            }
        }
        changed_.cancel(); // connections may be waiting for it
    }

    void insist(ipc::child_process& child, int signal)
    {
        if (!child.running())
            return;
        log(name(child.pid()) + " has not ended by itself: SIG" + ::sigabbrev_np(signal));
        child.kill(signal);
    }

    void end_overdue(std::size_t i)
    {
        if (const auto child = slots_[i].child)
            end(*child, "has acknowledged nothing for " +
                            std::to_string(settings_.ack_timeout.count()) + " ms");
    }

    // Kills a worker. Its supervisor will see the end of it, and say why.
    void end(ipc::child_process& child, const std::string& fault)
    {
        for (auto& place : slots_)
            if (place.child && place.child->pid() == child.pid())
                place.fault = fault;
        child.kill(SIGKILL);
    }

    // A worker that was given a server is asked for no acknowledgement any more; if somebody stops
    // it (SIGSTOP), the clients it has accepted wait. Whoever has workers replaced wants a service
    // that goes on: so a stop counts like silence on the channel.
    void look_for_stopped_workers()
    {
        if (!child_signals_)
            child_signals_.emplace(executor_,
                                   SIGCHLD); // when one stops or continues (sigaction(2))
        child_signals_->async_wait([weak = weak_from_this()](std::error_code error, int) {
            const auto self = weak.lock();
            if (!self || error)
                return;
            for (auto& place : self->slots_)
                if (!place.child || !place.child->stopped())
                    place.stopped.reset();
                else if (!place.stopped)
                    self->end_if_still_stopped(place);
            self->look_for_stopped_workers();
        });
    }

    void end_if_still_stopped(slot_state& place)
    {
        place.stopped.emplace(executor_, settings_.ack_timeout);
        place.stopped->async_wait([weak = weak_from_this(), child = place.child](auto cancelled) {
            const auto self = weak.lock();
            if (!cancelled && self && !self->stopping_ && child->stopped())
                self->end(*child, "has been stopped for " +
                                      std::to_string(self->settings_.ack_timeout.count()) + " ms");
        });
    }

    std::size_t serving() const
    {
        return static_cast<std::size_t>(std::count_if(
            slots_.begin(), slots_.end(), [](const slot_state& place) { return serves(place); }));
    }

    bool anybody_will_come() const
    {
        return std::any_of(slots_.begin(), slots_.end(),
                           [](const slot_state& place) { return place.supervised; });
    }

    std::optional<std::size_t> serving_from(std::size_t first) const
    {
        for (std::size_t i = 0; i < slots_.size(); ++i)
            if (const auto slot = (first + i) % slots_.size(); serves(slots_[slot]))
                return slot;
        return std::nullopt;
    }

    void count_acknowledged(pid_t pid)
    {
        auto& all = counted_.acknowledged;
        for (auto entry = all.rbegin(); entry != all.rend(); ++entry)
            if (entry->first == pid) {
                ++entry->second;
                return;
            }
    }

    static std::string name(pid_t pid) { return "worker " + std::to_string(pid); }

    void log(const std::string& what) const
    {
        if (settings_.log)
            settings_.log(what);
    }

    asio::any_io_executor executor_;
    settings settings_;
    std::vector<slot_state> slots_;
    tally counted_;
    std::function<awaitable<void>(std::size_t)> greet_;
    std::size_t handing_over_ = 0;
    bool stopping_ = false;
    once_a_second may_warn_;
    std::optional<asio::signal_set> child_signals_;
    asio::steady_timer changed_; // never expires: cancelling it wakes whoever waits for a change
};

pool::pool(asio::any_io_executor executor, settings settings)
    : supervisor_(std::make_shared<supervisor>(std::move(executor), std::move(settings)))
{
}

pool::~pool()
{
    supervisor_->kill_all();
}

void pool::start()
{
    supervisor_->start();
}

std::size_t pool::size() const noexcept
{
    return supervisor_->size();
}

std::vector<pid_t> pool::pids() const
{
    return supervisor_->pids();
}

awaitable<void> pool::each(std::vector<std::size_t> order,
                           std::function<awaitable<void>(std::size_t)> greet)
{
    return supervisor_->each(std::move(order), std::move(greet));
}

bool pool::serves(std::size_t slot) const
{
    return supervisor_->serves(slot);
}

void pool::on_last_gone(std::function<void()> handler)
{
    supervisor_->last_gone_ = std::move(handler);
}

awaitable<void> pool::send(std::size_t slot, ipc::value body, ipc::handle object)
{
    return supervisor_->send(slot, std::move(body), std::move(object));
}

awaitable<void> pool::hand_over(std::size_t slot, ipc::handle connection,
                                std::function<ipc::value(std::size_t)> body)
{
    return supervisor_->hand_over(slot, std::move(connection), std::move(body));
}

const tally& pool::counted() const
{
    return supervisor_->counted();
}

awaitable<void> pool::stop()
{
    return supervisor_->stop();
}

} // namespace workers

#include "workers/pool.hpp"

#include "workers/connection_progress.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <random>
#include <system_error>

namespace workers {

using asio::awaitable;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

namespace {

constexpr milliseconds time_to_hand_over{500}; // for connections under way when we stop
constexpr milliseconds grace{2000};           // for a worker to finish after its channel has closed
constexpr milliseconds grace_after_term{500}; // and after SIGTERM
constexpr milliseconds last_words{100};       // for its messages to be read after its end
constexpr milliseconds first_backoff{100};
constexpr milliseconds longest_backoff{5000};
constexpr milliseconds a_life{1000}; // a worker that lived shorter is part of a crash loop
constexpr int most_short_lives = 8;
constexpr milliseconds refusal_pause{100}; // when no worker has room for a connection
constexpr int most_refusal_pauses = 50;

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
        clock::time_point started;
        int short_lives = 0;
        bool supervised = false; // somebody is here, or will be
        bool welcomed = false;   // and has what it needs to serve
    };

public:
    supervisor(asio::any_io_executor executor, settings given)
        : executor_(executor),
          settings_(std::move(given)),
          slots_(settings_.count),
          changed_(executor, asio::steady_timer::time_point::max())
    {
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
        if (is_connection)
            count_acknowledged(child->pid());
    }

    // Who owns an unanswered connection, and what happens to it.
    //
    //            send                ACK
    //   main ----------> in doubt ----------> the worker's; our copy is closed
    //     ^                 |
    //     |   refused (NACK) or never sent
    //     +-----------------+
    //     |                 | the worker died, or was killed for not answering
    //     |   untouched     v
    //     +----------- reaped: nobody else holds a copy now
    //                       | read from, or written to
    //                       v
    //                     closed: a second worker could only answer half of it, or twice
    //
    awaitable<void> hand_over(std::size_t first, ipc::handle connection,
                              std::function<ipc::value(std::size_t)> body)
    {
        const auto self = shared_from_this();
        const handing_over here(*this);
        std::size_t refusals = 0;
        int pauses = 0;
        for (std::size_t next = first;; ++next) {
            const auto slot = serving_from(next);
            if (!slot && !(settings_.respawn && !stopping_ && anybody_will_come())) {
                ++closed_;
                co_return; // nobody left: the client reads end of file, at once
            }
            if (!slot) {
                co_await wait(changed_);
                continue;
            }
            next = *slot;
            const auto child = slots_[next].child;
            bool refused = false;
            try {
                co_await child->channel.send(body(next), connection);
                count_acknowledged(child->pid());
                co_return;
            } catch (const ipc::channel_closed&) {
            } catch (const ipc::error&) { // it has no room for a descriptor, or reads nothing
                refused = true;
            }

            if (!refused) {
                // A worker that still runs may still hold a copy: only its death makes ours the
                // last.
                co_await child->exited();
                if (was_touched(connection.native_handle())) {
                    ++closed_;
                    co_return;
                }
            } else if (++refusals % slots_.size() == 0) {
                if (++pauses > most_refusal_pauses) {
                    ++closed_;
                    log("no worker can take another connection: closed one");
                    co_return;
                }
                asio::steady_timer pause(executor_, refusal_pause);
                co_await wait(pause);
            }
        }
    }

    awaitable<void> stop()
    {
        const auto self = shared_from_this();
        stopping_ = true;
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
        while (std::any_of(slots_.begin(), slots_.end(),
                           [](const slot_state& state) { return state.supervised; }))
            co_await wait(changed_);
    }

    void kill_all()
    {
        stopping_ = true;
        for (auto& slot : slots_)
            slot.child.reset();
    }

    std::size_t size() const noexcept { return slots_.size(); }
    tally counted() const { return {acknowledged_, closed_}; }

    awaitable<void> each(std::vector<std::size_t> order,
                         std::function<awaitable<void>(std::size_t)> greet)
    {
        const auto self = shared_from_this();
        greet_ = std::move(greet);
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
        explicit handing_over(supervisor& owner) : owner_(owner) { ++owner_.handing_over_; }
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
                self->kill_silent(i);
        };
        slots_[i].child = std::make_shared<ipc::child_process>(ipc::child_process::start(
            executor_, settings_.commands[i % settings_.commands.size()], std::move(channel)));
        slots_[i].started = clock::now();
        slots_[i].welcomed = false;
        acknowledged_.emplace_back(slots_[i].child->pid(), 0);
    }

    // The lives of one slot's workers, one after the other.
    awaitable<void> supervise(std::size_t i)
    {
        slot_state& place = slots_[i];
        while (place.child) {
            const auto child = place.child;
            asio::co_spawn(
                executor_, [self = shared_from_this(), child, i] { return self->follow(child, i); },
                asio::detached);
            const auto status = co_await child->exited();
            place.child.reset();
            close_channel_soon(child);
            if (stopping_)
                break;
            co_await replace(i, child->pid(), status);
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
    awaitable<void> follow(std::shared_ptr<ipc::child_process> child, std::size_t i)
    {
        const auto self = shared_from_this();
        try {
            while (auto message = co_await child->channel.receive())
                if (settings_.on_message)
                    settings_.on_message(i, *message);
        } catch (const ipc::protocol_error& error) {
            log(name(child->pid()) + " broke the channel's protocol (" + error.what() +
                "): killed it");
            child->kill(SIGKILL);
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
        place.short_lives = clock::now() - place.started < a_life ? place.short_lives + 1 : 0;
        const std::string what = name(dead) + " " + ipc::to_string(status);
        if (!settings_.respawn) {
            log(what + "; " + std::to_string(serving()) + " left");
            co_return;
        }
        for (;;) {
            if (place.short_lives >= most_short_lives) {
                log(what + "; given up after " + std::to_string(most_short_lives) +
                    " that ended at once; " + std::to_string(serving()) + " left");
                co_return;
            }
            const auto delay = backoff(place.short_lives);
            log(what + "; another one in " + std::to_string(delay.count()) + " ms");
            place.backoff.emplace(executor_, delay);
            co_await wait(*place.backoff);
            place.backoff.reset();
            if (stopping_)
                co_return;
            try {
                start_worker(i);
                break;
            } catch (const std::system_error& error) {
                log(std::string("cannot start a worker: ") + error.what());
                ++place.short_lives;
            }
        }
        log("worker " + std::to_string(place.child->pid()) + " takes its place");
        asio::co_spawn(
            executor_, [self = shared_from_this(), i] { return self->welcome(i); }, asio::detached);
    }

    // Gives a worker what it needs. If that fails it has died, which its supervisor reports, or it
    // has refused, or we have no descriptor left to copy: then its successor may do better.
    awaitable<void> welcome(std::size_t i)
    {
        const auto self = shared_from_this();
        const auto child = slots_[i].child;
        if (!child)
            co_return;
        try {
            if (greet_)
                co_await greet_(i);
            slots_[i].welcomed = slots_[i].child == child;
        } catch (const ipc::channel_closed&) {
            child->kill(SIGKILL); // ended, or as good as: without its channel it is of no use
        } catch (const std::exception& error) {
            log(name(child->pid()) + " did not get what it needs (" + error.what() +
                "): killed it");
            child->kill(SIGKILL);
        }
        changed_.cancel(); // connections may be waiting for it
    }

    static milliseconds backoff(int short_lives)
    {
        auto delay = first_backoff * (1 << std::min(short_lives, 6));
        static std::minstd_rand random{std::random_device{}()};
        delay += milliseconds(std::uniform_int_distribution<long>(0, delay.count() / 10)(random));
        return std::min<milliseconds>(delay, longest_backoff);
    }

    void insist(ipc::child_process& child, int signal)
    {
        if (!child.running())
            return;
        log(name(child.pid()) + " has not ended by itself: SIG" + ::sigabbrev_np(signal));
        child.kill(signal);
    }

    void kill_silent(std::size_t i)
    {
        if (const auto child = slots_[i].child) {
            log(name(child->pid()) + " has acknowledged nothing for " +
                std::to_string(settings_.ack_timeout.count()) + " ms: killed it");
            child->kill(SIGKILL);
        }
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
        for (auto entry = acknowledged_.rbegin(); entry != acknowledged_.rend(); ++entry)
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
    std::vector<std::pair<pid_t, std::size_t>> acknowledged_;
    std::size_t closed_ = 0;
    std::function<awaitable<void>(std::size_t)> greet_;
    std::size_t handing_over_ = 0;
    bool stopping_ = false;
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

tally pool::counted() const
{
    return supervisor_->counted();
}

awaitable<void> pool::stop()
{
    return supervisor_->stop();
}

} // namespace workers

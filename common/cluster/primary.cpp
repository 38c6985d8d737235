#include "cluster/primary.hpp"

#include "cluster/primary_state.hpp"

#include "ipc/error.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace cluster {

using asio::awaitable;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

// ---- the workers' lives -------------------------------------------------------------------------

void primary::state::watch()
{
    const std::weak_ptr weak = weak_from_this();
    pool->on_life({
        .environment =
            [weak] {
                const auto self = weak.lock();
                return std::vector{"NODE_UNIQUE_ID=" + std::to_string(self ? ++self->last_id_ : 0)};
            },
        .started =
            [weak](std::size_t slot, std::shared_ptr<ipc::child_process> child) {
                if (const auto self = weak.lock())
                    self->started(slot, std::move(child));
            },
        .message =
            [weak](const ipc::child_process& child, ipc::message said) {
                const auto self = weak.lock();
                const auto worker = self ? self->of(child) : nullptr;
                if (worker && self->on_message)
                    self->on_message(info(*worker), std::move(said));
            },
        .disconnected =
            [weak](const ipc::child_process& child) {
                if (const auto self = weak.lock())
                    self->disconnected(child);
            },
        .exited =
            [weak](const ipc::child_process& child, const ipc::exit_status& status) {
                if (const auto self = weak.lock())
                    self->exited(child, status);
            },
        .emptied =
            [weak] {
                if (const auto self = weak.lock())
                    self->close_what_nobody_has();
            },
    });
}

member_ptr primary::state::of(const ipc::child_process& child) const
{
    for (const auto& worker : members_)
        if (worker->child.get() == &child)
            return worker;
    return nullptr;
}

/// The youngest: its predecessor may still be about to leave.
member_ptr primary::state::of_slot(std::size_t slot) const
{
    const auto found = std::find_if(members_.rbegin(), members_.rend(),
                                    [&](const auto& worker) { return worker->slot == slot; });
    return found == members_.rend() ? nullptr : *found;
}

void primary::state::started(std::size_t slot, std::shared_ptr<ipc::child_process> child)
{
    const auto place = std::make_shared<std::weak_ptr<member>>();
    const auto worker =
        std::make_shared<member>(executor, last_id_, slot, std::move(child),
                                 [weak = weak_from_this(), place](message said, unique_fd) {
                                     const auto self = weak.lock();
                                     const auto speaker = place->lock();
                                     if (self && speaker)
                                         self->take(speaker, std::move(said));
                                 });
    *place = worker;
    members_.push_back(worker);
    if (is_stopping) // forked because another one has ended, say
        leave(worker);
}

void primary::state::disconnected(const ipc::child_process& child)
{
    const auto worker = of(child);
    if (!worker)
        return;
    worker->state = worker_state::dead;
    worker->talk.end();
    for (const auto& key : std::set(worker->keys))
        remove(worker, key);
    close_what_nobody_has(); // be it that it has refused to have it
    changed.notify();
    if (on_disconnect)
        on_disconnect(info(*worker));
}

void primary::state::exited(const ipc::child_process& child, const ipc::exit_status& status)
{
    const auto worker = of(child);
    if (!worker)
        return;
    std::erase(members_, worker);
    changed.notify();
    if (on_exit)
        on_exit(info(*worker), status);
}

awaitable<void> primary::state::until_listening(std::size_t slot)
{
    const auto self = shared_from_this();
    const auto worker = of_slot(slot);
    co_await changed.wait_until(
        [&] { return !worker || worker->state >= worker_state::listening; });
    if (!worker || worker->state >= worker_state::leaving)
        throw ipc::channel_closed();
}

awaitable<address_info> primary::state::listening()
{
    const auto self = shared_from_this();
    std::vector<std::size_t> all(pool->size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    // With a name: g++ 12 destroys a closure twice that is made within what is awaited.
    std::function<awaitable<void>(std::size_t)> greet = [weak =
                                                             weak_from_this()](std::size_t slot) {
        const auto its = weak.lock();
        if (!its)
            throw ipc::channel_closed();
        return its->until_listening(slot);
    };
    co_await pool->each(std::move(all), std::move(greet));
    co_return first_address_.value_or(address_info{});
}

// ---- what they say ------------------------------------------------------------------------------

void primary::state::take(const member_ptr& worker, message said)
{
    if (said.act == "online") {
        worker->state = std::max(worker->state, worker_state::online);
        if (on_online)
            on_online(info(*worker));
    } else if (said.act == "queryServer") {
        query_server(worker, said);
    } else if (said.act == "listening") {
        const auto address = where(said.server);
        if (!first_address_)
            first_address_ = address;
        worker->state = std::max(worker->state, worker_state::listening);
        pool->count(*worker->child, false);
        changed.notify();
        if (on_listening)
            on_listening(info(*worker), address);
    } else if (said.act == "close") {
        close(worker, said.key);
    } else if (said.act == "exitedAfterDisconnect") {
        worker->exited_after_disconnect = true;
        if (said.seq)
            worker->talk.say(acknowledge(worker->talk.next(), *said.seq));
    } else if (said.act == "ended") {
        worker->reports = true;
        worker->ended = said.ended;
    }
}

// ---- leaving ------------------------------------------------------------------------------------

// First out of all rotations, then told: what has been sent to it before is before it there, too.
void primary::state::leave(const member_ptr& worker)
{
    if (worker->state >= worker_state::leaving)
        return;
    worker->state = worker_state::leaving;
    worker->exited_after_disconnect = true;
    for (const auto& [key, one] : std::map(servers_)) // others may get what waits, and end of it
        one.policy->remove(worker);
    worker->talk.say(disconnect(worker->talk.next()));
    pool->retire(*worker->child);
    close_what_nobody_has();
}

awaitable<std::optional<std::size_t>> primary::state::reload(milliseconds limit)
{
    const auto self = shared_from_this();
    if (is_stopping)
        co_return std::nullopt;
    if (std::exchange(is_reloading, true))
        throw std::logic_error("a reload is under way");
    std::size_t replaced = 0;
    try {
        for (std::size_t slot = 0; slot < pool->size() && !is_stopping; ++slot) {
            const auto old = co_await pool->renew(slot, limit);
            if (!old)
                break;
            ++replaced;
            const auto leaver = *old ? of(**old) : nullptr;
            if (!leaver)
                continue;
            leave(leaver);
            co_await changed.wait_until([&] { return leaver->state == worker_state::dead; });
        }
    } catch (const std::system_error& error) { // for want of a process or its program
        if (pool->given().log)
            pool->given().log(std::string("cannot start a worker: ") + error.what());
    }
    is_reloading = false;
    if (is_stopping && replaced < pool->size())
        co_return std::nullopt;
    co_return replaced;
}

bool primary::state::is_empty() const
{
    return std::all_of(members_.begin(), members_.end(),
                       [](const auto& worker) { return worker->state == worker_state::dead; });
}

awaitable<void> primary::state::stop()
{
    const auto self = shared_from_this();
    const auto wake_after = [&](milliseconds time) {
        asio::steady_timer deadline(executor, time);
        deadline.async_wait([self](std::error_code) { self->changed.notify(); });
        return deadline;
    };
    is_stopping = true;
    pool->replace_nobody();
    auto servers = servers_; // each to its end, be it that its last worker leaves it before
    const auto draining = std::make_shared<std::size_t>(servers_.size());
    for (const auto& [key, one] : servers_)
        asio::co_spawn(executor, one.policy->drain(), [self, draining](std::exception_ptr) {
            --*draining;
            self->changed.notify();
        });
    const auto arrived = wake_after(pool->given().time_to_arrive);
    co_await changed.wait_until([&] { return *draining == 0 || clock::now() >= arrived.expiry(); });
    const auto all = members_; // which changes meanwhile
    for (const auto& worker : all)
        leave(worker);
    const auto gone = wake_after(pool->given().grace);
    co_await changed.wait_until([&] { return is_empty() || clock::now() >= gone.expiry(); });
    co_await pool->stop();
    servers.merge(servers_);
    servers_.clear();
    for (const auto& [key, one] : servers)
        co_await one.policy->end();
}

// Nobody tells us of the workers' end any more.
void primary::state::abandon()
{
    pool->abandon();
    for (const auto& worker : members_)
        worker->talk.end();
    for (const auto& [key, one] : servers_)
        one.policy->close();
    servers_.clear();
}

// ---- primary ------------------------------------------------------------------------------------

namespace {

workers::options empty_pool(workers::options given)
{
    given.count = 0;
    given.commands.clear();
    given.greeting_is_acknowledged = false; // when it listens is its own business
    return given;
}

} // namespace

primary::primary(asio::any_io_executor executor, workers::options given, scheduling how)
    : state_(std::make_shared<state>(std::move(executor), empty_pool(std::move(given)), how))
{
    state_->watch();
}

primary::~primary()
{
    state_->abandon(); // others may hold it still
}

worker_info primary::fork(std::vector<std::string> command)
{
    return info(*state_->of_slot(state_->pool->add(std::move(command))));
}

void primary::on_online(std::function<void(const worker_info&)> handler)
{
    state_->on_online = std::move(handler);
}

void primary::on_listening(std::function<void(const worker_info&, const address_info&)> handler)
{
    state_->on_listening = std::move(handler);
}

void primary::on_message(std::function<void(const worker_info&, ipc::message)> handler)
{
    state_->on_message = std::move(handler);
}

void primary::on_disconnect(std::function<void(const worker_info&)> handler)
{
    state_->on_disconnect = std::move(handler);
}

void primary::on_exit(std::function<void(const worker_info&, const ipc::exit_status&)> handler)
{
    state_->on_exit = std::move(handler);
}

void primary::on_refused(
    std::function<bool(const worker_info&, const address_info&, std::error_code)> handler)
{
    state_->on_refused = std::move(handler);
}

awaitable<address_info> primary::listening()
{
    return state_->listening();
}

awaitable<std::optional<std::size_t>> primary::reload(milliseconds limit)
{
    return state_->reload(limit);
}

bool primary::is_reloading() const noexcept
{
    return state_->is_reloading;
}

awaitable<void> primary::stop()
{
    return state_->stop();
}

workers::pool& primary::pool() noexcept
{
    return *state_->pool;
}

const workers::tally& primary::counted() const
{
    return state_->pool->counted();
}

} // namespace cluster

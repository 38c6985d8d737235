#include "http/connection_set.hpp"

#include "http/connection.hpp"
#include "net/lingering.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace http {

using namespace std::chrono_literals;

connection_set::connection_set(asio::any_io_executor executor, server::request_handler handler,
                               server_options options)
    : shared_{.executor = executor,
              .handler = std::move(handler),
              .options = options,
              .epoll = net::epoll_instance::of(executor),
              .ended = [this](std::size_t slot) { remove(slot); },
              .fields = response_fields(options.keep_alive_timeout, options.name)},
      sweep_timer_(executor),
      last_has_ended_(executor)
{
    std::chrono::milliseconds shortest = net::lingering::longest_silence;
    for (const auto limit :
         {options.headers_timeout, options.request_timeout, options.keep_alive_timeout})
        if (limit > 0ms)
            shortest = std::min(shortest, limit);
    sweep_interval_ = std::max(shortest / 4, 50ms);
}

connection_set::~connection_set()
{
    close_all();
}

void connection_set::add(unique_fd socket, bool may_have_copies)
{
    if (free_slots_.empty()) {
        if (free_slots_.capacity() == slots_.size()) // so that remove() never needs memory
            free_slots_.reserve(2 * slots_.size() + 1);
        slots_.emplace_back();
        free_slots_.push_back(slots_.size() - 1);
    }
    const auto slot = free_slots_.back();
    const auto added =
        std::make_shared<connection>(shared_, std::move(socket), slot, may_have_copies);
    slots_[slot] = added;
    free_slots_.pop_back();
    ++shared_.counters.connections;
    try {
        added->begin();
    } catch (...) {
        added->close("broken");
        throw;
    }
    if (size() > 0 && !sweeping_)
        schedule_sweep(sweep_interval_);
}

void connection_set::remove(std::size_t slot)
{
    slots_[slot].reset();
    free_slots_.push_back(slot);
    if (on_ended)
        on_ended();
    if (size() == 0 && shared_.closing_since) {
        sweep_timer_.cancel();
        sweeping_ = false;
        last_has_ended_.notify();
    }
}

void connection_set::close()
{
    if (shared_.closing_since)
        return;
    shared_.closing_since = clock::now();
    sweep_interval_ = 25ms;
    if (size() > 0)
        schedule_sweep(
            0ms); // not at once: the caller may be a handler, with a request in the input
}

asio::awaitable<void> connection_set::closed()
{
    return last_has_ended_.wait_until([this] { return size() == 0; });
}

void connection_set::close_all()
{
    for (std::size_t slot = 0; slot < slots_.size(); ++slot)
        if (const auto current = slots_[slot])
            current->close("stopped");
}

void connection_set::schedule_sweep(clock::duration delay)
{
    sweeping_ = true;
    sweep_timer_.expires_after(delay);
    sweep_timer_.async_wait([this, alive = std::weak_ptr(alive_)](std::error_code cancelled) {
        if (!alive.expired() && !cancelled)
            sweep();
    });
}

void connection_set::sweep()
{
    const auto now = clock::now();
    for (std::size_t slot = 0; slot < slots_.size(); ++slot)
        if (const auto current = slots_[slot])
            current->enforce_limits(now);
    sweeping_ = false;
    if (size() > 0)
        schedule_sweep(sweep_interval_);
}

} // namespace http

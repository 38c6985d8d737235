// connection_set: the connections of one server: whose time is over, and what is done when the
// service ends.
#pragma once

#include "event.hpp"
#include "http/shared_state.hpp"
#include "unique_fd.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace http {

class connection;

/// Does what server promises, whose functions have the contracts.
class connection_set {
public:
    connection_set(asio::any_io_executor executor, server::request_handler handler,
                   server_options options);
    ~connection_set();
    connection_set(const connection_set&) = delete;
    connection_set& operator=(const connection_set&) = delete;

    void add(unique_fd socket, bool may_have_copies);
    void on_upgrade(std::string protocol, server::upgrade_handler handler)
    {
        shared_.upgrades.emplace_back(std::move(protocol), std::move(handler));
    }
    void on_connect(server::upgrade_handler handler) { shared_.connect = std::move(handler); }
    void close();
    asio::awaitable<void> closed();
    void close_all();

    std::size_t size() const noexcept { return slots_.size() - free_slots_.size(); }
    const server_counters& counters() const noexcept { return shared_.counters; }

    std::function<void()> on_ended; ///< called for each connection; may be empty

private:
    using clock = std::chrono::steady_clock;

    void remove(std::size_t slot);
    void schedule_sweep(clock::duration delay);
    void sweep();

    shared_state shared_;

    std::vector<std::shared_ptr<connection>> slots_; // some are free
    std::vector<std::size_t> free_slots_;

    // Ends what is overdue. Runs only while there are connections, and so does not keep the
    // io_context busy for ever.
    asio::steady_timer sweep_timer_;
    clock::duration sweep_interval_;
    bool sweeping_ = false;
    event last_has_ended_;

    std::shared_ptr<void> alive_ = std::make_shared<char>(); // for the timer's last call
};

} // namespace http

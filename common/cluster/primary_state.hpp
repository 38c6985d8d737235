// What a primary knows of its workers and of their servers, and does when they speak, end, or have
// to leave.
#pragma once

#include "cluster/primary.hpp"
#include "event.hpp"
#include "workers/pool.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cluster {

inline address_info where(const query& server)
{
    return {server.address.value_or("::"), server.port};
}

inline worker_info info(const member& worker)
{
    return {worker.id, worker.child->pid(), worker.exited_after_disconnect};
}

class primary::state : public std::enable_shared_from_this<state> {
public:
    state(asio::any_io_executor its_executor, workers::options given, scheduling its_how)
        : executor(its_executor),
          how(its_how),
          pool(std::make_shared<workers::pool>(its_executor, std::move(given))),
          changed(its_executor)
    {
    }

    void watch();
    asio::awaitable<address_info> listening();
    asio::awaitable<std::optional<std::size_t>> reload(std::chrono::milliseconds limit);
    asio::awaitable<void> stop();
    void abandon();

    const asio::any_io_executor executor;
    const scheduling how;
    const std::shared_ptr<workers::pool> pool;
    event changed; // of the members' states
    std::function<void(const worker_info&)> on_online;
    std::function<void(const worker_info&, const address_info&)> on_listening;
    std::function<void(const worker_info&, ipc::message)> on_message;
    std::function<void(const worker_info&)> on_disconnect;
    std::function<void(const worker_info&, const ipc::exit_status&)> on_exit;
    std::function<bool(const worker_info&, const address_info&, std::error_code)> on_refused;
    bool is_reloading = false;
    bool is_stopping = false;

    member_ptr of_slot(std::size_t slot) const;

private:
    struct asked_for {
        std::shared_ptr<cluster::policy> policy;
        std::string data{}; // JSON, of the first worker that had any
        std::set<std::weak_ptr<const workers::worker>, std::owner_less<>> places{}; // have had it
    };

    member_ptr of(const ipc::child_process& child) const;
    void started(std::size_t slot, std::shared_ptr<ipc::child_process> child);
    void disconnected(const ipc::child_process& child);
    void exited(const ipc::child_process& child, const ipc::exit_status& status);
    asio::awaitable<void> until_listening(std::size_t slot);

    void take(const member_ptr& worker, message said);
    void query_server(const member_ptr& worker, const message& asked, bool again = false);
    void query_server_later(const member_ptr& worker, const message& asked,
                            std::chrono::milliseconds pause);
    void refuse(const member_ptr& worker, const message& asked, std::error_code error);
    void close(const member_ptr& worker, const std::string& key);
    void remove(const member_ptr& worker, const std::string& key);
    void forget_closed(const member_ptr& worker);
    void close_what_nobody_has();
    void leave(const member_ptr& worker);
    bool is_empty() const;

    int last_id_ = 0;
    std::vector<member_ptr> members_;                    // in order of their ids; the dead are gone
    std::map<std::string, asked_for> servers_;           // by key
    std::chrono::steady_clock::time_point last_close_{}; // of one of them
    std::optional<address_info> first_address_;
};

} // namespace cluster

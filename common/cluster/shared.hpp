// All accept: each worker gets a copy of the listening socket. Node's SCHED_NONE.
#pragma once

#include "cluster/policy.hpp"
#include "ipc/handle.hpp"

#include <list>

namespace cluster {

/// The socket is only bound when it is sent; the first worker that has got it begins to listen. The
/// primary sees no connection, and keeps no books.
class shared : public policy, public std::enable_shared_from_this<shared> {
public:
    /// Throws as bound_socket does.
    shared(asio::any_io_executor executor, const query& asked);

    void add(const member_ptr& worker, const answer_to& asked) override;
    void remove(const member_ptr& worker) override { all_.remove(worker); }
    bool has_workers() const override { return !all_.empty(); }

    void close() override { (void)net::bound_socket(std::move(socket_)); }

    /// Nobody new is let in. Those that wait are the workers', who accept them before they close.
    asio::awaitable<void> drain() override;
    asio::awaitable<void> end() override { co_return; }
    std::optional<socket_name> name() const override { return name_of(socket_.native_handle()); }

private:
    asio::awaitable<void> send(member_ptr worker, ipc::value body, ipc::handle copy);

    const asio::any_io_executor executor_;
    const std::string key_;
    bound_socket socket_;
    std::list<member_ptr> all_;
};

} // namespace cluster

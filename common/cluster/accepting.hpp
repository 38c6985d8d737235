// What round_robin and least_busy have in common: the primary accepts, and offers each connection
// to one worker at a time.
#pragma once

#include "cluster/policy.hpp"
#include "event.hpp"
#include "ipc/handle.hpp"
#include "net/listen.hpp"
#include "once_a_second.hpp"

#include <chrono>
#include <list>
#include <set>

namespace cluster {

/// Each worker has at most one connection that it has not answered (newconn); the others wait here,
/// and the first worker that has time gets the next. So it is in Node.
///
///     accepted --> waiting --> offered to one --> it has taken it: our copy is closed
///                     ^           |   |   |
///                     +-----------+   |   +--> it died, and had read or written: closed
///                     | it refused: not to it again; when all have,
///                     | after a pause; and after fifty of these, closed
///                     |               |
///                     +---------------+ it died, and had not touched it
///
/// The answer of a worker is overdue after the pool's ack_timeout; then it is killed. As
/// everywhere, a connection goes to a second worker only when the first is dead
/// (workers/hand_over.hpp).
class accepting : public policy, public std::enable_shared_from_this<accepting> {
public:
    /// Throws as bound_socket does, and what listen(2) says.
    accepting(asio::any_io_executor executor, const query& asked,
              std::shared_ptr<workers::pool> pool);
    ~accepting() override { close_waiting(); }

    void add(const member_ptr& worker, const answer_to& asked) override;
    void remove(const member_ptr& worker) override;
    bool has_workers() const override { return !all_.empty(); }
    void close() override;
    asio::awaitable<void> drain() override;
    asio::awaitable<void> end() override;
    std::optional<socket_name> name() const override { return name_; }

protected:
    using members = std::list<member_ptr>;

    /// Which of these, that all have time, gets the next connection? They stand in the order in
    /// which they became free; there is at least one.
    virtual members::const_iterator pick(const members& free) const = 0;

    /// Does that depend on how many connections they have open?
    virtual bool wants_ended() const { return false; }

private:
    static constexpr std::chrono::milliseconds pause_when_all_refuse{100};
    static constexpr int max_rounds_of_refusals = 50;

    struct pending {
        ipc::handle connection;
        std::set<int> refused_by{}; // ids
        int rounds = 0;             // of refusals by all
    };

    void take(net::accepted& connection);
    void distribute();
    void close_waiting() noexcept;
    asio::awaitable<void> give(member_ptr worker, pending one);
    asio::awaitable<void> ask_again_later(pending one);

    const asio::any_io_executor executor_;
    const std::shared_ptr<workers::pool> pool_; // also while a connection is under way
    const std::string key_;
    bound_socket socket_;
    net::server server_;
    const std::optional<socket_name> name_;

    members all_;
    members free_; // of these, who has answered everything
    std::list<pending> waiting_;
    std::size_t under_way_ = 0; // offered, or in a pause
    event changed_;             // of the last two
    once_a_second may_warn_;
};

} // namespace cluster

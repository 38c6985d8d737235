#include "cluster/offer.hpp"

#include "ipc/error.hpp"
#include "observer.hpp"
#include "workers/pool.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <system_error>
#include <utility>

namespace cluster {

using asio::awaitable;
using workers::handed;

namespace {

// Nobody is overdue while it is we who do not read: we were stopped (SIGSTOP), or in a slow
// handler. So what we come late is given back, and what has arrived by then is read first.
awaitable<void> kill_if_overdue(std::shared_ptr<workers::pool> pool, member_ptr worker,
                                std::uint64_t seq, std::chrono::steady_clock::duration late)
{
    asio::steady_timer moment(co_await asio::this_coro::executor, late);
    co_await moment.async_wait(asio::use_awaitable);
    if (worker->talk.awaits(seq))
        pool->kill(*worker->child, "has answered no connection for " +
                                       std::to_string(pool->given().ack_timeout.count()) + " ms");
}

awaitable<handed> ask(std::shared_ptr<workers::pool> pool, member_ptr worker, std::string key,
                      ipc::handle& connection)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto seq = worker->talk.next();
    asio::steady_timer deadline(executor);
    if (const auto limit = pool->given().ack_timeout; limit.count() > 0) {
        deadline.expires_after(limit);
        deadline.async_wait([=, due = deadline.expiry()](std::error_code cancelled) {
            if (!cancelled && worker->talk.awaits(seq))
                asio::co_spawn(
                    executor,
                    kill_if_overdue(pool, worker, seq, std::chrono::steady_clock::now() - due),
                    asio::detached);
        });
    }
    try {
        const auto reply = co_await worker->talk.ask(seq, new_connection(seq, key), connection);
        if (!reply.said.accepted)
            co_return handed::refused;
        if (observing)
            observing->closing_copy(connection.native_handle());
        connection.close();
        co_return handed::over;
    } catch (const ipc::channel_closed& closed) {
        if (!closed.may_have_arrived())
            co_return handed::back;
    } catch (const ipc::error&) { // it has no room for a descriptor, or reads nothing
        co_return handed::refused;
    }
    deadline.cancel(); // its end is what is waited for, and whoever runs it sees to that
    co_return co_await workers::recover(worker->child, connection);
}

} // namespace

awaitable<handed> offer(std::shared_ptr<workers::pool> pool, member_ptr worker, std::string key,
                        ipc::handle& connection)
{
    const auto became = co_await ask(pool, worker, std::move(key), connection);
    auto& books = pool->books();
    switch (became) {
    case handed::over:
        ++books.handed_over;
        ++worker->given;
        pool->count(*worker->child);
        break;
    case handed::spent:
        ++books.closed;
        if (observing)
            observing->closing(connection.native_handle(), "spent");
        break;
    case handed::back:
        ++books.came_back;
        break;
    case handed::refused:
        break;
    }
    co_return became;
}

} // namespace cluster

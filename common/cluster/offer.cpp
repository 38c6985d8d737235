#include "cluster/offer.hpp"

#include "ipc/error.hpp"
#include "observer.hpp"
#include "workers/pool.hpp"

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>

#include <system_error>
#include <utility>

namespace cluster {

using asio::awaitable;
using workers::handed;

namespace {

awaitable<handed> ask(std::shared_ptr<workers::pool> pool, member_ptr worker, std::string key,
                      ipc::handle& connection)
{
    asio::steady_timer deadline(co_await asio::this_coro::executor);
    if (const auto limit = pool->given().ack_timeout; limit.count() > 0) {
        deadline.expires_after(limit);
        deadline.async_wait([pool, child = worker->child, limit](std::error_code cancelled) {
            if (!cancelled)
                pool->kill(*child, "has answered no connection for " +
                                       std::to_string(limit.count()) + " ms");
        });
    }
    try {
        const auto seq = worker->talk.next();
        const auto reply = co_await worker->talk.ask(seq, new_connection(seq, key), connection);
        if (!reply.said.accepted)
            co_return handed::refused;
        if (observing)
            observing->closing_copy(connection.native_handle());
        connection.close();
        co_return handed::over;
    } catch (const ipc::channel_closed&) {
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

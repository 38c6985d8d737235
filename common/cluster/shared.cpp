#include "cluster/shared.hpp"

#include "ipc/error.hpp"
#include "net/listen.hpp"
#include "posix.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include <utility>

namespace cluster {

using asio::awaitable;

shared::shared(asio::any_io_executor executor, const query& asked)
    : executor_(std::move(executor)), key_(asked.key()), socket_(asked)
{
}

void shared::add(const member_ptr& worker, const answer_to& asked)
{
    ipc::handle copy(ipc::handle::kind::server, posix::duplicate(socket_.native_handle()));
    all_.push_back(worker);
    asio::co_spawn(executor_,
                   send(worker,
                        answer(worker->talk.next(), asked.seq,
                               {.key = key_, .data = asked.data, .is_shared = true}),
                        std::move(copy)),
                   asio::detached);
}

awaitable<void> shared::send(member_ptr worker, ipc::value body, ipc::handle copy)
{
    const auto self = shared_from_this();
    try {
        co_await worker->talk.say(std::move(body), copy);
    } catch (const ipc::error&) { // it has gone, or has no room: then it hears nothing, as in Node
        all_.remove(worker);
        worker->keys.erase(key_); // it may ask again
    }
}

awaitable<void> shared::drain()
{
    const auto self = shared_from_this();
    net::server copy(executor_, posix::duplicate(socket_.native_handle()));
    co_await copy.close_for_all();
}

} // namespace cluster

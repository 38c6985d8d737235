#include "cluster/accepting.hpp"

#include "cluster/offer.hpp"
#include "observer.hpp"
#include "workers/pool.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace cluster {

using asio::awaitable;
using workers::handed;

accepting::accepting(asio::any_io_executor executor, const query& asked,
                     std::shared_ptr<workers::pool> pool)
    : executor_(executor),
      pool_(std::move(pool)),
      key_(asked.key()),
      socket_(asked),
      server_(executor, socket_.listen(asked.backlog)),
      name_(name_of(server_.native_handle())),
      changed_(executor)
{
    server_.on_connection([this](net::accepted& connection) { take(connection); });
}

// ---- the workers --------------------------------------------------------------------------------

void accepting::add(const member_ptr& worker, const answer_to& asked)
{
    all_.push_back(worker); // first: while it is answered, it may turn out to have closed it
    free_.push_back(worker);
    worker->talk.say(
        answer(worker->talk.next(), asked.seq,
               {.key = key_, .data = asked.data, .name = name_, .wants_ended = wants_ended()}));
    distribute();
}

void accepting::remove(const member_ptr& worker)
{
    all_.remove(worker);
    free_.remove(worker);
    distribute(); // it may have been the last that had not refused
}

// ---- the connections ----------------------------------------------------------------------------

void accepting::take(net::accepted& connection)
{
    ++pool_->books().accepted;
    waiting_.push_back(
        {.connection = {ipc::handle::kind::connection, unique_fd(connection.release())}});
    distribute();
}

// Each that waits, to a worker that has time and has not refused it. What is spawned may go on at
// once, and change the list: so it is looked through from its beginning again.
void accepting::distribute()
{
    const auto self = shared_from_this(); // what a worker is sent may be its end, and ours
    for (auto one = waiting_.begin(); one != waiting_.end();) {
        const auto has_refused = [&](const auto& worker) {
            return one->refused_by.contains(worker->id);
        };
        members candidates = free_;
        candidates.remove_if(
            [&](const auto& worker) { return has_refused(worker) || !worker->serves(); });
        const bool all_refuse = !all_.empty() && std::all_of(all_.begin(), all_.end(), has_refused);
        if (candidates.empty() && !all_refuse) {
            ++one;
            continue;
        }
        auto next = std::move(*one);
        waiting_.erase(one);
        ++under_way_;
        if (all_refuse) {
            asio::co_spawn(executor_, ask_again_later(std::move(next)), asio::detached);
        } else {
            const auto worker = *pick(candidates);
            free_.remove(worker);
            asio::co_spawn(executor_, give(worker, std::move(next)), asio::detached);
        }
        one = waiting_.begin();
    }
    changed_.notify();
}

awaitable<void> accepting::give(member_ptr worker, pending one)
{
    const auto self = shared_from_this();
    const auto became = co_await offer(pool_, worker, key_, one.connection);
    --under_way_;
    if (became == handed::refused)
        one.refused_by.insert(worker->id);
    if (became == handed::refused || became == handed::back)
        waiting_.push_front(std::move(one));
    if (std::find(all_.begin(), all_.end(), worker) != all_.end())
        free_.push_back(worker);
    distribute();
}

// When all refuse at once, they mean it: asking them without a pause would keep everybody busy.
awaitable<void> accepting::ask_again_later(pending one)
{
    const auto self = shared_from_this();
    if (++one.rounds > max_rounds_of_refusals) {
        ++pool_->books().closed;
        if (observing)
            observing->closing(one.connection.native_handle(), "no_worker");
        if (pool_->given().log && may_warn_())
            pool_->given().log("no worker takes another connection: closed one");
    } else {
        asio::steady_timer pause(executor_, pause_when_all_refuse);
        co_await pause.async_wait(asio::use_awaitable);
        one.refused_by.clear();
        waiting_.push_front(std::move(one));
    }
    --under_way_;
    distribute();
}

awaitable<void> accepting::drain()
{
    const auto self = shared_from_this();
    co_await server_.close_for_all();
    co_await changed_.wait_until(
        [this] { return (waiting_.empty() || all_.empty()) && under_way_ == 0; });
}

void accepting::close()
{
    server_.release().reset();
    (void)net::bound_socket(std::move(socket_)); // the path
    close_waiting();
}

awaitable<void> accepting::end()
{
    const auto self = shared_from_this();
    close();
    co_await changed_.wait_until([this] { return under_way_ == 0; });
    close_waiting();
}

void accepting::close_waiting() noexcept
{
    pool_->books().closed += waiting_.size();
    for (const auto& one : waiting_)
        if (observing)
            observing->closing(one.connection.native_handle(), "no_worker");
    waiting_.clear();
}

} // namespace cluster

// The servers of a primary: who asks for one, who has it, and when it is closed.
#include "cluster/primary_state.hpp"

#include "workers/worker.hpp"

#include <asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <system_error>
#include <utility>

namespace cluster {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

namespace {

// Each costs a descriptor here: what a worker asks for must not use up the primary's.
constexpr std::size_t max_servers_of_a_worker = 64;

// Of a server that has just been closed there may be copies: here, as long as its acknowledgement
// is in the queue; in a worker that tells of its close before it closes, as Node's does, or that
// ends.
constexpr milliseconds copies_are_closed_in{1'000};
constexpr milliseconds between_attempts{1};

} // namespace

void primary::state::query_server(const member_ptr& worker, const message& asked, bool again)
{
    if (!asked.seq || is_stopping || worker->state >= worker_state::leaving ||
        worker->exited_after_disconnect)
        return; // on its way out; Node does not answer either
    const auto& wanted = asked.server;
    const auto say = [&](const std::string& what) {
        if (pool->given().log)
            pool->given().log("worker " + std::to_string(worker->child->pid()) + " asks for " +
                              what);
    };
    if (wanted.is_udp()) {
        say("a UDP socket, which this cluster does not share: ENOTSUP");
        return refuse(worker, asked, std::make_error_code(std::errc::not_supported));
    }
    const auto key = wanted.key();
    if (worker->keys.contains(key)) // Node's primary dies of that (a failed assertion)
        return refuse(worker, asked, std::make_error_code(std::errc::address_in_use));
    if (worker->keys.size() >= max_servers_of_a_worker) {
        say("more than " + std::to_string(max_servers_of_a_worker) + " servers at once: EMFILE");
        return refuse(worker, asked, std::make_error_code(std::errc::too_many_files_open));
    }
    worker->closed.erase(key);
    forget_closed(worker); // who asks for another one stays
    auto found = servers_.find(key);
    if (found == servers_.end()) {
        try {
            found =
                servers_.emplace(key, asked_for{make_policy(how, executor, wanted, pool)}).first;
        } catch (const std::system_error& error) {
            const bool may_be_a_copy_of_ours =
                !again ||
                (how == scheduling::shared && clock::now() < last_close_ + copies_are_closed_in);
            if (error.code() != std::errc::address_in_use || !may_be_a_copy_of_ours)
                return refuse(worker, asked, error.code());
            return query_server_later(worker, asked, again ? between_attempts : milliseconds(0));
        }
    }
    auto& given = found->second;
    if (given.data.empty() || given.data == "null")
        given.data = wanted.data;
    worker->keys.insert(key);
    std::erase_if(given.places, [](const auto& place) { return place.expired(); });
    given.places.insert(pool->place_of(*worker->child));
    const auto policy = given.policy;
    try {
        policy->add(worker, {*asked.seq, given.data});
    } catch (const std::system_error& error) {
        remove(worker, key);
        refuse(worker, asked, error.code());
    }
}

void primary::state::query_server_later(const member_ptr& worker, const message& asked,
                                        milliseconds pause)
{
    const auto timer = std::make_shared<asio::steady_timer>(executor, pause);
    timer->async_wait([self = shared_from_this(), worker, asked, timer](std::error_code) {
        self->query_server(worker, asked, true);
    });
}

void primary::state::refuse(const member_ptr& worker, const message& asked, std::error_code error)
{
    if (on_refused && !on_refused(info(*worker), where(asked.server), error))
        return;
    worker->talk.say(answer(worker->talk.next(), *asked.seq,
                            {.error = error.value(), .key = asked.server.key()}));
}

// Whoever closes a server may be about to leave, which is said afterwards (worker.disconnect(), as
// in Node), and then its successor is to find it. Until then clients wait; so not for ever, if it
// was the last that had one.
void primary::state::close(const member_ptr& worker, const std::string& key)
{
    if (!worker->keys.contains(key))
        return;
    worker->closed.insert(key);
    remove(worker, key);
    worker->time_to_leave.expires_after(pool->given().grace);
    worker->time_to_leave.async_wait(
        [weak_self = weak_from_this(), its = std::weak_ptr(worker)](std::error_code cancelled) {
            const auto self = weak_self.lock();
            const auto stays = its.lock();
            if (!cancelled && self && stays && stays->state < worker_state::leaving &&
                !stays->exited_after_disconnect)
                self->forget_closed(stays);
        });
}

// It is not about to leave: it has closed them for good.
void primary::state::forget_closed(const member_ptr& worker)
{
    for (const auto& key : std::exchange(worker->closed, {}))
        if (const auto found = servers_.find(key); found != servers_.end())
            found->second.places.erase(pool->place_of(*worker->child));
    close_what_nobody_has();
}

void primary::state::remove(const member_ptr& worker, const std::string& key)
{
    worker->keys.erase(key);
    if (const auto found = servers_.find(key); found != servers_.end()) {
        const auto policy = found->second.policy;
        policy->remove(worker);
    }
    close_what_nobody_has();
}

// And nobody will come for it. A stop sees to all of them itself.
void primary::state::close_what_nobody_has()
{
    if (is_stopping)
        return;
    const auto goes_on = [](const auto& place) {
        const auto its = place.lock();
        return its && its->goes_on();
    };
    for (auto one = servers_.begin(); one != servers_.end();) {
        const auto& [policy, data, places] = one->second;
        if (policy->has_workers() || std::any_of(places.begin(), places.end(), goes_on)) {
            ++one;
            continue;
        }
        policy->close();
        last_close_ = clock::now();
        one = servers_.erase(one);
    }
}

} // namespace cluster

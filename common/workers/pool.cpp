#include "workers/pool.hpp"

#include "workers/pool_set.hpp"

namespace workers {

using asio::awaitable;
using std::chrono::milliseconds;

ipc::channel_options options::channel() const
{
    ipc::channel_options result;
    result.ack_timeout = ack_timeout;
    result.on_report = on_report;
    return result;
}

pool::pool(asio::any_io_executor executor, options given)
    : set_(std::make_shared<set>(std::move(executor), std::move(given)))
{
}

pool::~pool()
{
    abandon();
}

void pool::abandon() noexcept
{
    if (set_) // else it has been moved
        set_->abandon();
}

void pool::start()
{
    set_->start();
}

std::size_t pool::size() const noexcept
{
    return set_->workers().size();
}

std::vector<pid_t> pool::pids() const
{
    std::vector<pid_t> result;
    for (const auto& one : set_->workers())
        result.push_back(one->serves() ? one->pid() : 0);
    return result;
}

awaitable<void> pool::each(std::vector<std::size_t> order,
                           std::function<awaitable<void>(std::size_t)> greet)
{
    return set_->each(std::move(order), std::move(greet));
}

awaitable<void> pool::hand_over_to_all(ipc::handle connection,
                                       std::function<ipc::value(std::size_t)> body)
{
    return set_->hand_over_to_all(std::move(connection), std::move(body));
}

void pool::on_life(lives who)
{
    set_->state().watched = std::move(who);
}

std::size_t pool::add(std::vector<std::string> command)
{
    return set_->add(std::move(command));
}

awaitable<std::optional<std::shared_ptr<ipc::child_process>>> pool::renew(std::size_t slot,
                                                                          milliseconds limit)
{
    return set_->renew(slot, limit);
}

std::shared_ptr<const worker> pool::place_of(const ipc::child_process& which) const
{
    return set_->place_of(which);
}

void pool::retire(const ipc::child_process& which)
{
    if (const auto place = set_->place_of(which))
        place->retire();
}

void pool::count(const ipc::child_process& by, bool is_connection)
{
    if (const auto place = set_->place_of(by))
        place->count(by, is_connection);
}

void pool::kill(const ipc::child_process& which, const std::string& fault)
{
    if (const auto place = set_->place_of(which))
        place->kill(fault);
}

bool pool::signal(std::size_t slot, int number)
{
    const auto& all = set_->workers();
    if (slot >= all.size() || !all[slot]->child() || !all[slot]->child()->running())
        return false;
    all[slot]->child()->kill(number);
    return true;
}

bool pool::serves(std::size_t slot) const
{
    return set_->workers().at(slot)->serves();
}

void pool::on_last_gone(std::function<void()> handler)
{
    set_->state().on_last_gone = std::move(handler);
}

void pool::on_message(std::function<void(std::size_t slot, ipc::message said)> handler)
{
    set_->state().on_message = std::move(handler);
}

awaitable<void> pool::send(std::size_t slot, ipc::value body, ipc::handle object)
{
    return set_->send(slot, std::move(body), std::move(object));
}

awaitable<void> pool::hand_over(std::size_t slot, ipc::handle connection,
                                std::function<ipc::value(std::size_t)> body)
{
    return set_->hand_over(slot, std::move(connection), std::move(body));
}

const tally& pool::counted() const
{
    return set_->state().counted;
}

tally& pool::books()
{
    return set_->state().counted;
}

const options& pool::given() const
{
    return set_->state().given;
}

bool pool::stopping() const
{
    return set_->state().stopping;
}

void pool::replace_nobody()
{
    set_->replace_nobody();
}

awaitable<void> pool::stop()
{
    return set_->stop();
}

} // namespace workers

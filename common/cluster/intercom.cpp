#include "cluster/intercom.hpp"

#include "ipc/error.hpp"

#include <utility>

namespace cluster {

intercom::intercom(asio::any_io_executor executor, const ipc::channel& channel, handler take)
    : executor_(std::move(executor)),
      take_(std::move(take)),
      internal_(channel,
                [this](ipc::internal_message incoming) { this->take(std::move(incoming)); })
{
}

void intercom::take(ipc::internal_message incoming)
{
    auto said = read(incoming.body);
    if (!said)
        return;
    const auto asked = said->ack ? open_.find(*said->ack) : open_.end();
    if (asked == open_.end())
        return take_(std::move(*said), std::move(incoming.descriptor));
    asked->second->answer = {std::move(*said), std::move(incoming.descriptor)};
    asked->second->settled.notify();
    open_.erase(asked);
}

asio::awaitable<void> intercom::say(ipc::value body, ipc::handle& object)
{
    return internal_.send(std::move(body), object);
}

asio::awaitable<answered> intercom::ask(std::uint64_t seq, ipc::value body)
{
    const auto asked = open_[seq] = std::make_shared<question>(executor_);
    internal_.send(body);
    co_return co_await answer_to(asked);
}

asio::awaitable<answered> intercom::ask(std::uint64_t seq, ipc::value body, ipc::handle& object)
{
    const auto asked = open_[seq] = std::make_shared<question>(executor_);
    try {
        co_await internal_.send(std::move(body), object);
    } catch (...) {
        open_.erase(seq);
        throw;
    }
    co_return co_await answer_to(asked);
}

asio::awaitable<answered> intercom::answer_to(std::shared_ptr<question> asked)
{
    co_await asked->settled.wait_until([&] { return asked->answer || ended_; });
    if (!asked->answer)
        throw ipc::channel_closed(true);
    co_return std::move(*asked->answer);
}

void intercom::end()
{
    ended_ = true;
    for (const auto& [seq, asked] : std::exchange(open_, {}))
        asked->settled.notify();
}

} // namespace cluster

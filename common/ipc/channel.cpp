#include "ipc/channel.hpp"

#include "ipc/conversation.hpp"

#include <utility>

namespace ipc {

channel::channel(asio::any_io_executor executor, unique_fd socket, channel_options options)
    : conversation_(std::make_shared<conversation>(std::move(executor), std::move(socket),
                                                   std::move(options)))
{
    conversation_->start();
}

channel::channel(channel&&) noexcept = default;

channel& channel::operator=(channel&& other) noexcept
{
    if (this != &other) {
        close();
        conversation_ = std::move(other.conversation_);
    }
    return *this;
}

channel::~channel()
{
    close();
}

// In these the conversation is kept alive by the coroutine, whatever happens to the channel object.
asio::awaitable<void> channel::send(value body)
{
    const auto alive = conversation_;
    co_await alive->send(std::move(body), nullptr);
}

asio::awaitable<void> channel::send(value body, handle& object)
{
    const auto alive = conversation_;
    co_await alive->send(std::move(body), &object);
}

asio::awaitable<void> channel::send(value body, handle&& object)
{
    return give_away(conversation_, std::move(body), std::move(object));
}

asio::awaitable<void> channel::give_away(std::shared_ptr<conversation> alive, value body,
                                         handle object)
{
    co_await alive->send(std::move(body), &object);
}

// To write may be to find that the peer has gone, and to read its last words: whoever is told of
// them may destroy the channel.
void channel::post(value body)
{
    const auto alive = conversation_;
    alive->post(std::move(body), nullptr);
}

void channel::post(value body, handle&& object)
{
    handle given(std::move(object));
    const auto alive = conversation_;
    alive->post(std::move(body), &given);
}

std::size_t channel::queued_bytes() const noexcept
{
    return conversation_ ? conversation_->queued_bytes() : 0;
}

asio::awaitable<void> channel::drained()
{
    const auto alive = conversation_;
    co_await alive->drained();
}

asio::awaitable<std::size_t> channel::open_sockets(std::string key)
{
    const auto alive = conversation_;
    co_return co_await alive->open_sockets(std::move(key));
}

asio::awaitable<void> channel::sockets_closed(std::string key)
{
    const auto alive = conversation_;
    co_await alive->sockets_closed(std::move(key));
}

asio::awaitable<std::optional<message>> channel::receive()
{
    const auto alive = conversation_;
    co_return co_await alive->receive();
}

asio::awaitable<void> channel::disconnect()
{
    const auto alive = conversation_;
    co_await alive->disconnect();
}

asio::awaitable<void> channel::disconnected()
{
    const auto alive = conversation_;
    co_await alive->disconnected();
}

bool channel::connected() const noexcept
{
    return conversation_ && conversation_->connected();
}

void channel::close() noexcept
{
    if (conversation_)
        conversation_->close();
}

bool channel::report(const value& what)
{
    const auto alive = conversation_;
    return alive && alive->report(what);
}

void channel::end() noexcept
{
    if (conversation_)
        conversation_->end();
}

void channel::allow_half_open() noexcept
{
    if (conversation_)
        conversation_->allow_half_open();
}

std::size_t channel::unclaimed_descriptors() const noexcept
{
    return conversation_ ? conversation_->unclaimed_descriptors() : 0;
}

} // namespace ipc

#include "ipc/internal_messages.hpp"

#include "ipc/conversation.hpp"

#include <utility>

namespace ipc {

internal_messages::internal_messages(const channel& of, handler take)
    : conversation_(of.conversation_)
{
    conversation_->on_internal_message(std::move(take));
}

internal_messages::~internal_messages()
{
    conversation_->on_internal_message({});
}

void internal_messages::send(const value& body)
{
    const auto alive = conversation_; // as in channel::post()
    alive->send_internal(body);
}

asio::awaitable<void> internal_messages::send(value body, handle& object)
{
    const auto alive = conversation_;
    co_await alive->send_internal(std::move(body), object);
}

} // namespace ipc

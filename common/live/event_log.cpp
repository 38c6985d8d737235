#include "live/event_log.hpp"

#include <chrono>

namespace live {

namespace {

std::uint64_t now_in_us()
{
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

} // namespace

std::string to_message(std::uint64_t id, std::string_view event, std::string_view data)
{
    std::string text;
    if (id != 0)
        text.append("id: ").append(std::to_string(id)).append("\n");
    if (!event.empty())
        text.append("event: ").append(event).append("\n");
    return text.append("data: ").append(data).append("\n\n");
}

event_log::event_log(const asio::any_io_executor& executor, std::size_t kept)
    : changed(executor), kept_(kept), origin_(now_in_us()), next_(origin_), beginning_(origin_)
{
}

void event_log::append(std::string_view event, std::string_view data)
{
    messages_.push_back(to_message(next_, event, data));
    ++next_;
    if (messages_.size() > kept_)
        messages_.pop_front();
    changed.notify();
}

void event_log::end()
{
    ended_ = true;
    changed.notify();
}

std::uint64_t event_log::after(std::uint64_t last) const noexcept
{
    const bool is_ours = last >= origin_ && last < next_;
    return is_ours ? last + 1 : beginning_;
}

} // namespace live

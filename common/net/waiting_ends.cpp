#include "net/waiting_ends.hpp"

#include "posix.hpp"

#include <algorithm>

namespace net {

waiting_ends& waiting_ends::of(const asio::any_io_executor& executor)
{
    return asio::use_service<waiting_ends>(asio::query(executor, asio::execution::context));
}

waiting_ends::waiting_ends(asio::execution_context& context)
    : asio::execution_context::service(context),
      few_(std::min<std::size_t>(posix::free_descriptors() / 4, 64))
{
}

// The new one is not looked at: its timer does not run yet, and cannot be cancelled.
waiting_ends::waiting::waiting(waiting_ends& others, int socket, asio::steady_timer& pause)
    : others_(others), socket_(socket), pause_(pause)
{
    auto& all = others_.all_;
    if (all.size() >= others_.few_ && 4 * ++others_.new_ > all.size())
        others_.wake_ready();
    place_ = all.size();
    all.push_back(this);
}

// The last one takes its place.
waiting_ends::waiting::~waiting()
{
    auto& all = others_.all_;
    all.back()->place_ = place_;
    all[place_] = all.back();
    all.pop_back();
}

std::size_t waiting_ends::wake_ready()
{
    new_ = 0;
    polled_.clear();
    for (const auto* one : all_)
        polled_.push_back({one->is_woken_ ? -1 : one->socket_, POLLIN, 0}); // -1: skipped
    if (::poll(polled_.data(), polled_.size(), 0) > 0)
        for (std::size_t i = 0; i < all_.size(); ++i)
            if (polled_[i].revents != 0) {
                all_[i]->is_woken_ = true;
                all_[i]->pause_.cancel();
            }
    return static_cast<std::size_t>(std::ranges::count_if(all_, &waiting::is_woken_));
}

} // namespace net

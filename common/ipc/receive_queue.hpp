// Messages that have come and that nobody has received yet.
#pragma once

#include "ipc/message.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

namespace ipc {

/// It says when to stop reading, so that a peer that talks faster than we listen fills its own
/// socket buffer instead of our memory:
///
///                  max_messages of them, or max_bytes
///     reading -----------------------------------------> paused
///        ^                                                  |
///        +--------------------------------------------------+
///                  half of that, after a receive()
///
/// While a handle of ours waits for its acknowledgement, which comes in the same stream, the limits
/// are while_in_doubt times as high. Beyond them the acknowledgement has to wait for a receive().
class receive_queue {
public:
    static constexpr std::size_t max_messages = 4096;
    static constexpr std::size_t while_in_doubt = 4;

    explicit receive_queue(std::size_t max_bytes) : max_bytes_(max_bytes) {}

    /// `size`: of its line, in bytes.
    void push(message incoming, std::size_t size)
    {
        waiting_.push_back({std::move(incoming), size});
        bytes_ += size;
    }

    /// The oldest, or nothing.
    std::optional<message> pop()
    {
        if (waiting_.empty())
            return std::nullopt;
        std::optional<message> oldest(std::move(waiting_.front().content));
        bytes_ -= waiting_.front().size;
        waiting_.pop_front();
        return oldest;
    }

    /// Should reading stop?
    bool is_full(bool handle_in_doubt) const
    {
        const auto times = handle_in_doubt ? while_in_doubt : 1;
        return waiting_.size() >= max_messages * times || bytes_ > max_bytes_ * times;
    }

    /// May reading go on that had stopped?
    bool has_room(bool handle_in_doubt) const
    {
        const auto times = handle_in_doubt ? while_in_doubt : 1;
        return waiting_.size() < max_messages * times / 2 && bytes_ <= max_bytes_ * times / 2;
    }

private:
    struct arrival {
        message content;
        std::size_t size;
    };
    std::deque<arrival> waiting_;
    std::size_t bytes_ = 0;
    std::size_t max_bytes_;
};

} // namespace ipc

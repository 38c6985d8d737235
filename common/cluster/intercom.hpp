// One end of the conversation between a primary and a worker: what is said, asked and answered.
#pragma once

#include "cluster/message.hpp"
#include "event.hpp"
#include "ipc/internal_messages.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace cluster {

/// An answer, and the descriptor that came with it, or none.
struct answered {
    message said;
    unique_fd descriptor;
};

/// Each message has a number; an answer names that of its question. What is no answer to an open
/// question goes to the handler.
class intercom {
public:
    using handler = std::function<void(message, unique_fd)>;

    /// See ipc::internal_messages, also for what the handler throws.
    intercom(asio::any_io_executor executor, const ipc::channel& channel, handler take);

    /// The next number, for the message about to be made.
    std::uint64_t next() noexcept { return seq_++; }

    /// Says something that wants no answer.
    void say(const ipc::value& body) { internal_.send(body); }

    /// Says it with a descriptor, of which our copy stays in `object`.
    asio::awaitable<void> say(ipc::value body, ipc::handle& object);

    /// Asks, and waits for the answer to number `seq`. Throws ipc::channel_closed when the channel
    /// ends before it comes; if it says so, the question has not been sent.
    asio::awaitable<answered> ask(std::uint64_t seq, ipc::value body);

    /// The same with a descriptor. Ownership as in say(); when this throws, the peer may have got
    /// its copy or not.
    asio::awaitable<answered> ask(std::uint64_t seq, ipc::value body, ipc::handle& object);

    /// Has the answer to number `seq` neither been read nor become impossible?
    bool awaits(std::uint64_t seq) const { return open_.contains(seq); }

    /// The channel has ended: nothing that is asked will be answered.
    void end();

private:
    struct question {
        explicit question(const asio::any_io_executor& executor) : settled(executor) {}
        std::optional<answered> answer;
        event settled;
    };
    void take(ipc::internal_message incoming);
    asio::awaitable<answered> answer_to(std::shared_ptr<question> asked);

    asio::any_io_executor executor_;
    handler take_;
    std::uint64_t seq_ = 0;
    bool ended_ = false;
    std::map<std::uint64_t, std::shared_ptr<question>> open_;
    ipc::internal_messages internal_;
};

} // namespace cluster

// The channel between a parent and a child: messages, and beside a message at most one handle.
//
// It speaks Node's protocol (child_process, serialization "json"), so the other end may be a Node
// process: a SOCK_STREAM Unix socket, one JSON value a line, a descriptor on the first byte of a
// NODE_HANDLE envelope, and one acknowledgement for each envelope. Notes: chapter 11.
//
// A channel belongs to one thread: the one that runs its executor.
#pragma once

#include "ipc/handle.hpp"
#include "ipc/value.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace ipc {

/// The two arguments of Node's process.on('message', (message, handle) => ...).
struct message {
    value body;
    ipc::handle handle; ///< empty when the message came alone
};

/// One line crossing the channel, as --trace shows it.
struct trace_event {
    pid_t peer;            ///< the process at the other end, as far as known
    bool outgoing;         ///< written here (true) or read here
    std::string_view line; ///< without the newline
    int descriptor;        ///< its number in this process, or -1
};

struct channel_settings {
    /// The longest line taken from the peer, in bytes; beyond it the peer is broken or hostile.
    std::size_t line_limit = 16 * 1024 * 1024;

    /// The most bytes kept waiting for a peer that does not read; beyond it send() throws
    /// queue_full.
    std::size_t queue_limit = 64 * 1024 * 1024;

    /// How long the peer may take to read a handle and acknowledge it, from the moment its turn has
    /// come, or from its refusal when it is sent again; zero means for ever (as in Node). Then
    /// on_ack_overdue is called. The handle stays with the channel: the peer may still take it as
    /// long as it lives, so giving it to somebody else now could serve a client twice.
    std::chrono::milliseconds ack_timeout{0};
    std::function<void()> on_ack_overdue;

    /// Called for each line in both directions.
    std::function<void(const trace_event&)> trace;

    /// What trace_event says of the other end; child_process and connect_to_parent fill it in.
    pid_t peer = 0;
};

/// One line on stderr: what strace would show of sendmsg and recvmsg, readable. For
/// channel_settings::trace.
void print_trace(const trace_event& event);

class channel {
public:
    /// Takes ownership of one end of a connected Unix stream socket, makes it non-blocking and
    /// close-on-exec, and starts reading at once: a handle is acknowledged when it arrives, not
    /// when receive() is called. Throws std::system_error.
    channel(asio::any_io_executor executor, unique_fd socket, channel_settings settings = {});

    channel(channel&&) noexcept;
    channel& operator=(channel&&) noexcept;

    /// As close(). Coroutines inside send() or receive() end as close() says.
    ~channel();

    /// Sends a message alone. Completes when its last byte is written; while a handle of ours waits
    /// for its acknowledgement, messages wait behind it, so order is kept.
    ///
    /// Throws channel_closed, queue_full, and std::invalid_argument for a value that is not UTF-8
    /// or that looks like one of the protocol's own messages ({"cmd": "NODE_..."}).
    asio::awaitable<void> send(value body);

    /// Sends a message with a handle. Completes when the peer has acknowledged it.
    ///
    /// Ownership: while this runs, the channel owns the descriptor and `object` is empty.
    /// Afterwards, if it arrived, a connection is closed on this side and `object` stays empty,
    /// while a server is back in `object`, still listening here too (Node does the same). If this
    /// throws, the peer does not have it and it is back in `object`, whole.
    ///
    /// After channel_closed one doubt remains: a peer that died may have read from or written to
    /// the connection before it could acknowledge it, and a peer that has not died may still hold
    /// it.
    ///
    /// Throws like send(value); handle_not_received when the peer refused it four times;
    /// invalid_handle_type when `object` is empty, for example sent before.
    asio::awaitable<void> send(value body, handle& object);

    /// The next message, in the order sent; nullopt when the conversation is over.
    /// Throws protocol_error once, after the messages before it, when the peer broke the protocol.
    ///
    /// Name what you await, as in `while (auto message = co_await channel.receive())`: g++ 12
    /// miscompiles `while (co_await channel.receive())` where the coroutine has no local variable
    /// of its own, and the program crashes.
    asio::awaitable<std::optional<message>> receive();

    /// False once either side has closed.
    bool connected() const noexcept;

    /// Ends the conversation now: the peer reads end of file, every unfinished send() throws
    /// channel_closed, receive() gives what had arrived and then nullopt.
    void close();

    /// How many descriptors came that belonged to no message; they were closed.
    std::size_t stray_descriptors() const noexcept;

private:
    class conversation;
    std::shared_ptr<conversation> conversation_;
};

} // namespace ipc

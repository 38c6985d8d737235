// The channel between a parent and a child: messages, and beside a message at most one handle.
//
// It speaks Node's protocol (child_process, serialization "json"), so the other end may be a Node
// process: a SOCK_STREAM Unix socket, one JSON value a line, a descriptor on the first byte of a
// NODE_HANDLE envelope, and one acknowledgement for each envelope. Notes: chapter 11.
//
// A channel belongs to one thread: the one that runs its executor.
#pragma once

#include "ipc/handle.hpp"
#include "ipc/message.hpp"
#include "ipc/value.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>

namespace ipc {

struct channel_options {
    /// The longest line taken from the peer, in bytes; beyond it the peer is broken or hostile. One
    /// line costs at most six times as much memory for a moment (bytes that are not UTF-8, each of
    /// which becomes three), an honest one three times; and up to 130 MB if somebody looks into
    /// what it says (value::json(); measured with objects in each other). A line may hold 1,000
    /// levels, 1,000,000 values and 100,000 keys in one object: json_text.hpp.
    std::size_t max_line = 16 * 1024 * 1024;

    /// The most bytes kept waiting for a peer that does not read; beyond it send() throws
    /// queue_full.
    std::size_t max_queue = 64 * 1024 * 1024;

    /// How many handles may be on their way at a time, each waiting for its acknowledgement. A Node
    /// process as the sender has one, and so has whoever sends to a program that may lose the
    /// second (Deno does). More spare the sender its waiting. What is sent behind a handle arrives
    /// behind it; with more than one on the way, unless a handle is refused, which is then sent
    /// again behind the others.
    std::size_t in_flight = 1;

    /// How long the peer may take to read a handle and acknowledge it, from the moment its turn has
    /// come, or from its refusal when it is sent again (of several in flight, from the moment it is
    /// the oldest); zero means for ever (as in Node). Then
    /// on_ack_overdue is called. The handle stays with the channel: the peer may still take it as
    /// long as it lives, so giving it to somebody else now could serve a client twice.
    ///
    /// The time does not run while it is we who are out of resources, or who do not read because
    /// nobody calls receive(). It does run while the peer leaves its socket full.
    std::chrono::milliseconds ack_timeout{0};
    std::function<void()> on_ack_overdue;

    /// Does anybody here want handles? If not, each is refused (the peer keeps it, or closes it),
    /// which is said once in a line; the messages beside them are not delivered.
    bool takes_handles = true;

    /// Takes what the peer reports (see report()), which receive() does not show. It is called
    /// while the channel is read, and must not throw. Without it reports are ignored. They are
    /// input like any other: a peer may write what it likes, as often as it likes.
    std::function<void(pid_t peer, const value& said)> on_report;

    /// The process at the other end, for whoever observes (observer.hpp); child_process and
    /// connect_to_parent fill it in.
    pid_t peer = 0;
};

class conversation;

class channel {
public:
    /// Takes ownership of one end of a connected Unix stream socket, makes it non-blocking and
    /// close-on-exec, and starts reading at once: a handle is acknowledged when it arrives, not
    /// when receive() is called. Throws std::system_error.
    channel(asio::any_io_executor executor, unique_fd socket, channel_options options = {});

    channel(channel&&) noexcept;
    channel& operator=(channel&&) noexcept;

    /// As close(). Coroutines inside send() or receive() end as close() says.
    ~channel();

    /// Sends a message alone. Completes when its last byte is written; while as many handles of
    /// ours as may be in flight wait for their acknowledgements, messages wait behind them.
    ///
    /// Cannot be cancelled, as what has begun to be written cannot be taken back: `send() || timer`
    /// ends when the message has been written, and close() is the way out.
    ///
    /// Throws channel_closed, queue_full, and std::invalid_argument for a value that is not UTF-8
    /// or that looks like one of the protocol's own messages ({"cmd": "NODE_..."}).
    asio::awaitable<void> send(value body);

    /// Sends a message with a handle. Completes when the peer has acknowledged it. Cannot be
    /// cancelled either: until the peer has answered, the handle may be its own. For a time limit
    /// there is ack_timeout.
    ///
    /// Ownership: while this runs, the channel owns the descriptor and `object` is empty.
    /// Afterwards, if it arrived, a connection is closed on this side and `object` stays empty,
    /// while a server is back in `object`, still listening here too (Node does the same). If this
    /// throws, the peer does not have it and it is back in `object`, whole.
    ///
    /// After a channel_closed that says it may have arrived, one doubt remains: a peer that died
    /// may have read from or written to the connection before it could acknowledge it, and a peer
    /// that has not died may still hold it.
    ///
    /// Throws like send(value); handle_not_received when the peer refused it four times;
    /// invalid_handle_type when `object` is empty, for example sent before.
    asio::awaitable<void> send(value body, handle& object);

    /// The same for a handle that is given away in any case: if this throws, it is closed here.
    asio::awaitable<void> send(value body, handle&& object);

    /// Sends a message alone and waits for nothing. It has its place when this returns, in front of
    /// whatever is sent or posted later. (A send() gets its place when it is awaited.)
    ///
    /// Throws as send(value) what is known at once. Of what goes wrong later, the end of the
    /// channel before its last byte is written, nobody is told: drained() tells it of all together,
    /// and for a message that must not be lost there is send().
    void post(value body);

    /// The same with a handle, given away in any case: closed here when it has arrived, when it has
    /// been refused four times, when the channel ends before that, and if this throws.
    void post(value body, handle&& object);

    /// How many bytes wait to be written or, the lines of handles, to be acknowledged: what
    /// max_queue limits.
    std::size_t queued_bytes() const noexcept;

    /// Completes when nothing that was sent or posted waits any more: all of it has been written,
    /// and its handles acknowledged or refused for good. Throws channel_closed when the channel has
    /// ended before that. May be cancelled.
    asio::awaitable<void> drained();

    /// The next message, in the order sent; nullopt when the conversation is over.
    /// Throws protocol_error once, after the messages before it, when the peer broke the protocol.
    /// May be cancelled (`receive() || timer`): the message is then the next receive()'s.
    ///
    /// Name what you await, as in `while (auto message = co_await channel.receive())`: g++ 12
    /// miscompiles `while (co_await channel.receive())` where the coroutine has no local variable
    /// of its own, and the program crashes.
    asio::awaitable<std::optional<message>> receive();

    /// Node's server.getConnections(), of one process: how many of the connections that were sent
    /// to the peer under `key` (handle::count_under) are open there. What was sent before is
    /// counted: first its acknowledgement is waited for. A peer that is ours counts a connection
    /// until its socket and its lease have gone. Throws channel_closed when the channel ends before
    /// the answer, and as send(value). May be cancelled.
    asio::awaitable<std::size_t> open_sockets(std::string key);

    /// Node's server.close(callback), of one process: completes when the peer has closed all
    /// of these; at once if there is none. Also when the channel has ended: what becomes of them
    /// then is the peer's own affair. May be cancelled.
    asio::awaitable<void> sockets_closed(std::string key);

    /// False once either side has closed, or disconnect() has been called here.
    bool connected() const noexcept;

    /// Ends the conversation in order, as Node's disconnect() does: from now on send() throws
    /// channel_closed, but what has been sent is still delivered, handles with their
    /// acknowledgements, and what the peer has sent meanwhile is acknowledged and can be received;
    /// then our side ends, and when the peer has read that and closed its own, at most a second
    /// later, as close(). Completes when all that has been done. A peer that does not read can hold
    /// up what comes before that second; close() ends it at any time, and to cancel this leaves it
    /// going on.
    asio::awaitable<void> disconnect();

    /// Node's 'disconnect' event: completes when the conversation is over, whoever has ended it and
    /// however. What had arrived can still be received. The peer's end stands behind what it has
    /// sent, and so is not seen while thousands of messages wait for somebody to call receive().
    /// May be cancelled.
    asio::awaitable<void> disconnected();

    /// Ends the conversation now: the peer reads end of file, every unfinished send() throws
    /// channel_closed, receive() gives what had arrived and then nullopt.
    void close() noexcept;

    /// Tells the peer something that it can do without, beside the messages. Waits for nothing and
    /// delays nobody: false, and nothing is sent, when more than max_unread bytes of whatever wait
    /// for the peer already, or the channel has ended. A Node process ignores it, and so does
    /// whoever has no channel_options::on_report.
    bool report(const value& what);
    static constexpr std::size_t max_unread = 64 * 1024;

    /// Ends our side of the conversation (shutdown(2), SHUT_WR) and goes on reading: the peer reads
    /// end of file, as after close(), and can still report until it closes its end. From now on
    /// send() throws channel_closed, and nothing is acknowledged.
    void end() noexcept;

    /// The other half of that, Node's allowHalfOpen: when the peer has ended its side, receive()
    /// says so as ever, but the channel stays for report(), until close() or disconnect().
    void allow_half_open() noexcept;

    /// How many descriptors came that belonged to no message; they were closed.
    std::size_t unclaimed_descriptors() const noexcept;

private:
    friend class internal_messages;
    static asio::awaitable<void> give_away(std::shared_ptr<conversation> alive, value body,
                                           handle object);
    std::shared_ptr<conversation> conversation_;
};

} // namespace ipc

// The protocol's own messages beside the user's: what Node calls 'internalMessage', and what its
// cluster is made of. A channel neither shows them in receive() nor lets send() write them: whoever
// has an object of this class does both.
//
// Source: Node's lib/internal/child_process.js: an object whose `cmd` begins with NODE_. Notes:
// chapter 09.
#pragma once

#include "ipc/channel.hpp"

#include <asio/awaitable.hpp>

#include <functional>
#include <memory>

namespace ipc {

/// One of them, and the descriptor that came with it, or none. What the descriptor is has not been
/// checked: an envelope of this kind may carry anything (Node's "net.Native"). It is close-on-exec.
struct internal_message {
    value body;
    unique_fd descriptor;
};

class internal_messages {
public:
    using handler = std::function<void(internal_message)>;

    /// From now on `take` is called for each that comes over `of`, at once and in its place among
    /// the others; what the channel understands itself (NODE_HANDLE_ACK, ...) is not among them.
    /// What it throws ends the channel, as a mistake of the peer's. One object for a channel at a
    /// time; without one these messages are ignored, and what comes with them is closed.
    internal_messages(const channel& of, handler take);
    ~internal_messages();
    internal_messages(const internal_messages&) = delete;
    internal_messages& operator=(const internal_messages&) = delete;

    /// Sends one without a descriptor, in order with everything else, and waits for nothing. When
    /// the channel has ended nothing happens; a peer that leaves thousands unread ends it.
    void send(const value& body);

    /// Sends one with a descriptor, as "net.Native"; completes when the peer has acknowledged it.
    ///
    /// Ownership: while this runs, the channel owns the descriptor and `object` is empty;
    /// afterwards it is back in `object` in any case: the peer has got a copy. Throws as
    /// channel::send does.
    asio::awaitable<void> send(value body, handle& object);

private:
    std::shared_ptr<conversation> conversation_;
};

} // namespace ipc

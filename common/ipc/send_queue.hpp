// What is to be written to the peer, in which order, and who waits for it.
#pragma once

#include "event.hpp"
#include "ipc/error.hpp"
#include "ipc/handle.hpp"

#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ipc {

/// One line on its way out.
struct transfer {
    std::string line;         ///< with its newline
    std::size_t written = 0;  ///< bytes of it
    handle object;            ///< owned here from send() until it arrives or comes back
    bool has_handle = false;  ///< also after the handle has gone
    bool stays = false;       ///< it comes back when it has arrived, be it a connection
    std::size_t answers = 0;  ///< of ours to what the peer has sent: nobody waits for them
    bool is_settled = false;  ///< the sender may go on, and then:
    std::exception_ptr error; ///< why it has failed, or null
    int refusals = 0;
    std::optional<event> settled; ///< made by the sender that has to wait; notified once

    std::string_view rest() const { return std::string_view(line).substr(written); }

    /// The descriptor rides on the first byte and must not be attached to any other.
    int descriptor() const { return written == 0 ? object.native_handle() : -1; }
};

/// Up to `window` handles are in doubt at a time, and what is sent behind them waits. With a window
/// of one, as in Node, this keeps the order in any case; with a larger one, unless a handle is
/// refused: it is sent again behind what was sent meanwhile. An acknowledgement carries no
/// identification: it answers the oldest handle in doubt.
///
///                            fewer than `window` in doubt
///     waiting ----------------------------------------------------------------> to be written
///                                                                                | written
///          +----------------------------- a message: settled <-------------------+
///          |                                                                     | a handle
///          |   refused the fourth time                              ACK          v
///          +-- settled: handle_not_received <--- in doubt ----> settled: it has arrived
///          |                                        |  ^
///          |                                   NACK +--+ to be written again, behind the others
///          | close()
///     settled: channel_closed, the handle is given back
///
/// Handles are in doubt from the moment their turn to be written has come: a peer that reads
/// nothing keeps even the envelope from being written. Nothing here knows a socket or the time.
class send_queue {
public:
    /// At most `max_bytes` wait; up to `window` handles are in doubt at the same time.
    explicit send_queue(std::size_t max_bytes, std::size_t window = 1)
        : max_bytes_(max_bytes),
          window_(window),
          closed_unwritten_(std::make_exception_ptr(channel_closed(false))),
          closed_in_doubt_(std::make_exception_ptr(channel_closed(true)))
    {
    }

    bool has_room_for(std::size_t bytes) const { return bytes_ + bytes <= max_bytes_; }

    /// Of all that is not settled; and how many of these are not answers of ours.
    std::size_t bytes() const noexcept { return bytes_; }
    std::size_t unsettled() const noexcept { return unsettled_; }

    std::shared_ptr<transfer> push(std::string line);
    std::shared_ptr<transfer> push(std::string line, handle object, bool stays = false);

    /// An answer of ours. `urgent`: an ACK or NACK, which no handle of ours in doubt may hold back:
    /// two peers that send each other handles would wait for each other for ever. False when the
    /// peer has not read the thousands of answers before; then the conversation should end. Urgent
    /// ones that follow each other before they are written are one transfer, and one system call.
    bool push_answer(std::string line, bool urgent);

    /// What to write now, or null.
    transfer* front() const { return to_write_.empty() ? nullptr : to_write_.front().get(); }

    /// So much of front() has been written. Returns it, since it may be settled now and forgotten.
    std::shared_ptr<const transfer> wrote(std::size_t bytes);

    /// The oldest handle whose acknowledgement is missing, or null.
    const transfer* in_doubt() const
    {
        return in_doubt_.empty() ? nullptr : in_doubt_.front().get();
    }

    enum class verdict {
        fits,       ///< taken
        unexpected, ///< no handle is in doubt
        too_early,  ///< its envelope has not been written yet: the peer does not know what it says
    };

    /// The peer acknowledges, or refuses, the oldest handle in doubt.
    verdict acknowledge();
    verdict refuse();

    /// Nothing waits, is to be written or in doubt.
    bool is_empty() const { return waiting_.empty() && to_write_.empty() && in_doubt_.empty(); }

    /// Is there a handle in it, in doubt say, that is to be counted under this key?
    bool holds(const std::string& key) const;

    /// Settles all with channel_closed, which says of each whether the peer may have it. Handles
    /// stay with their transfers.
    void close() noexcept;

private:
    using transfer_ptr = std::shared_ptr<transfer>;

    std::shared_ptr<transfer> push(transfer_ptr outgoing);
    void advance();
    void settle(transfer& outgoing, std::exception_ptr error);
    verdict judge_answer() const;

    std::deque<transfer_ptr> waiting_;
    std::deque<transfer_ptr> to_write_; // only the front is partly written
    std::deque<transfer_ptr> in_doubt_; // in the order of their envelopes
    std::size_t bytes_ = 0;
    std::size_t unsettled_ = 0;
    std::size_t unread_answers_ = 0;
    std::size_t max_bytes_;
    std::size_t window_;
    std::exception_ptr closed_unwritten_; // made beforehand: close() cannot throw
    std::exception_ptr closed_in_doubt_;
};

} // namespace ipc

// What comes in: the half of a conversation that the peer decides about.
#include "ipc/conversation.hpp"

#include "ipc/descriptor_message.hpp"
#include "ipc/error.hpp"
#include "ipc/json_text.hpp"
#include "log.hpp"
#include "observer.hpp"
#include "posix.hpp"

#include <array>
#include <new>
#include <system_error>
#include <utility>

namespace ipc {

namespace {

// One turn of reading: a peer that never stops talking must leave us time for everybody else. In
// the last turn, what the socket buffer holds is read to the end.
constexpr int max_reads = 16;
constexpr int max_last_reads = 4096;

} // namespace

// ---- reading -----------------------------------------------------------------------------------

// Asio waits, we read: its read functions know no control data and would lose descriptors.
void conversation::wait_for_input()
{
    socket_.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](
                                                                      std::error_code error) {
        if (error || !self->open_ || self->leaving_)
            return;
        self->read_some();
        if (self->open_ && !self->leaving_ && !self->reading_waits_ && !self->peer_has_ended_)
            self->wait_for_input();
    });
}

void conversation::read_on_if_there_is_room()
{
    if (!open_ || leaving_ || peer_has_ended_ || !reading_waits_ || resources_wanted_ ||
        !received_.has_room(outgoing_.in_doubt() != nullptr))
        return;
    reading_waits_ = false;
    tell_whose_time_it_is();
    wait_for_input();
}

void conversation::read_some()
{
    is_reading_ = true;
    answers_of_this_turn_ = 0;
    try {
        read_a_turn();
    } catch (const std::bad_alloc&) {
        lines_.clear(); // makes room enough to say so
        break_off("no memory for what it sends");
    } catch (const std::exception& error) { // broken protocol, or a call that should not fail
        write();                            // what came before that is acknowledged
        break_off(error.what());
    }
    is_reading_ = false;
    if (peer_is_gone_)
        close();
    write(); // what this turn has given cause to
}

void conversation::read_a_turn()
{
    const bool is_last = peer_is_gone_ || ending_;
    std::array<char, 64 * 1024> buffer;
    for (int reads = 0; reads < (is_last ? max_last_reads : max_reads); ++reads) {
        if (!open_ || (reading_waits_ && !is_last))
            return;
        received got;
        try {
            got = receive_bytes(socket_.native_handle(), buffer, unpaired_);
        } catch (const std::system_error& error) {
            if (!posix::out_of_resources(error.code()))
                throw;
            reading_waits_ = true;
            return wait_for_resources();
        }
        if (got.truncated)
            warn("no room for a descriptor that was sent here (ulimit -n)");
        if (got.would_block)
            return;
        if (got.end) {
            write(); // whoever has ended only its own side still reads
            if (!allows_half_open_ || ending_)
                return close();
            peer_has_ended_ = true;
            answered_.notify();
            return changed_.notify();
        }
        lines_.feed({buffer.data(), got.size});
        std::string_view line;
        while (open_ && lines_.next(line))
            on_line(line);
        // A line that has begun may own the descriptor that came with its first byte.
        close_unclaimed(lines_.partial() ? 1 : 0);
        reading_waits_ = received_.is_full(outgoing_.in_doubt() != nullptr);
        tell_whose_time_it_is();
        // Probably that was all; if not, waiting finds it. It spares one call per message. But the
        // kernel ends a read at a message with a descriptor, and there may be more behind it.
        if (!is_last && !lines_.partial() && got.descriptors == 0)
            return;
    }
}

/// Closes what belongs to no message: all descriptors but the first `claimed`.
void conversation::close_unclaimed(std::size_t claimed)
{
    if (unpaired_.size() <= claimed)
        return;
    const auto count = unpaired_.size() - claimed;
    unclaimed_ += count;
    warn(std::to_string(count) + " descriptor(s) that belong to no message");
    unpaired_.resize(claimed);
}

// ---- what the peer says ------------------------------------------------------------------------

void conversation::on_line(std::string_view line)
{
    auto decoded = wire::decode(line);
    const bool takes_descriptor =
        std::holds_alternative<wire::envelope>(decoded) && !unpaired_.empty();
    if (observing)
        observing->line_crossed(false, options_.peer, line,
                                takes_descriptor ? unpaired_.front().get() : -1);
    if (!open_) // whoever observes has seen enough
        return;
    std::visit([&](auto& said) { on(said, line.size()); }, decoded);
}

void conversation::on(wire::user_message& said, std::size_t size)
{
    deliver({std::move(said.body), {}}, size);
}

void conversation::on(wire::envelope& said, std::size_t size)
{
    const auto refuse = [this] { answer(std::string(wire::refusal_line), true); };
    if (unpaired_.empty())
        return refuse();
    unique_fd fd = std::move(unpaired_.front());
    unpaired_.erase(unpaired_.begin());

    if (said.type.starts_with("dgram.")) {
        warn("a UDP socket (" + said.type +
             ") was sent here and is refused: " + "send a connection or a listening server");
        refuse();
        if (!said.is_internal) // Node does not send it again: the message comes without it
            deliver({std::move(said.body), {}}, size);
        return;
    }
    if (!options_.takes_handles && !said.is_internal) {
        if (!std::exchange(has_said_that_it_takes_none_, true))
            log_warning("ipc: process " + std::to_string(options_.peer) + " sends a " +
                        quote(said.type) + ", and nobody here takes any: refused");
        return refuse();
    }
    const auto acknowledge = [this] { answer(std::string(wire::acknowledgement_line), true); };
    const auto tell = [&](bool is_server) {
        if (observing)
            observing->received(is_server, fd.get(), size + 1);
    };
    if (said.is_internal) { // whatever it is: nobody but an observer asks here
        if (observing)
            tell(handle::kind_as("net.Socket", fd.get()) == handle::kind::none);
        acknowledge();
        return take_internal(std::move(said.body), std::move(fd));
    }
    const auto kind = handle::kind_as(said.type, fd.get());
    if (kind == handle::kind::none) {
        fd.reset();
        warn("a descriptor that is not the " + quote(said.type) + " it was sent as");
        return refuse();
    }
    tell(kind == handle::kind::server);
    acknowledge(); // before anything this message may cause us to send
    deliver({std::move(said.body), {kind, std::move(fd), lease(said.key)}}, size);
}

void conversation::on(wire::acknowledgement&, std::size_t)
{
    if (const auto* oldest = outgoing_.in_doubt(); oldest && !oldest->object.key().empty()) {
        has_got_.insert(oldest->object.key());
        answered_.notify();
    }
    judge(outgoing_.acknowledge(), "an acknowledgement");
    write();
}

void conversation::on(wire::refusal&, std::size_t)
{
    judge(outgoing_.refuse(), "a refusal");
    watched_ = nullptr; // sent again, it has its time again
    answered_.notify();
    write();
}

void conversation::judge(send_queue::verdict verdict, const std::string& what)
{
    if (verdict == send_queue::verdict::unexpected)
        warn(what + " nobody waits for");
    if (verdict == send_queue::verdict::too_early)
        throw protocol_error(what + " before its handle");
}

void conversation::on(wire::count& asked, std::size_t)
{
    answer(wire::encode_count(asked.key, counts_.open(asked.key)), false);
}

void conversation::on(wire::notify& asked, std::size_t)
{
    if (counts_.all_closed_or_tell(asked.key))
        answer(wire::encode_all_closed(asked.key), false);
}

// An answer that nobody waits for is no mistake: whoever has asked may have given up.
void conversation::on(wire::counted& said, std::size_t)
{
    if (!counting_.is_asked(said.key))
        return;
    if (!said.open)
        throw protocol_error("a count that is no number of sockets");
    counting_.take(said.key, *said.open, [this](const auto& key) {
        outgoing_.push(wire::encode_get_count(key));
        write();
    });
    answered_.notify();
}

void conversation::on(wire::all_closed& said, std::size_t)
{
    closing_.take(said.key, 0, [this](const auto& key) {
        outgoing_.push(wire::encode_notify_close(key));
        write();
    });
    answered_.notify();
}

void conversation::on(wire::report& said, std::size_t)
{
    if (options_.on_report)
        options_.on_report(options_.peer, said.body);
}

void conversation::on(wire::internal_message& said, std::size_t)
{
    take_internal(std::move(said.body), {});
}

// Cluster's business, not ours; where there is no cluster, a descriptor is closed.
void conversation::take_internal(value body, unique_fd descriptor)
{
    if (const auto take = take_internal_) // kept alive: it may be replaced meanwhile
        (*take)({std::move(body), std::move(descriptor)});
}

void conversation::deliver(message incoming, std::size_t size)
{
    received_.push(std::move(incoming), size);
    changed_.notify();
}

/// What keeps a received socket counted; when its last owner lets go, it is not any more.
std::shared_ptr<const void> conversation::lease(const std::string& key)
{
    if (key.empty())
        return {};
    std::shared_ptr<const void> result(this, [weak = weak_from_this(), key](const void*) noexcept {
        if (const auto self = weak.lock())
            self->on_socket_closed(key);
    });
    counts_.opened(key);
    return result;
}

void conversation::on_socket_closed(const std::string& key) noexcept
{
    try {
        if (counts_.closed(key))
            answer(wire::encode_all_closed(key), false);
    } catch (const std::exception&) { // no memory; and whoever waits for it would do so for ever
        close();
    }
}

} // namespace ipc

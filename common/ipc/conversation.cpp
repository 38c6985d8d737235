#include "ipc/conversation.hpp"

#include "ipc/descriptor_message.hpp"
#include "ipc/error.hpp"
#include "log.hpp"
#include "observer.hpp"
#include "posix.hpp"

#include <asio/error.hpp>
#include <asio/this_coro.hpp>

#include <new>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace ipc {

namespace {

constexpr unsigned max_answers_together = 256;

constexpr std::chrono::milliseconds pause_without_resources{10};

constexpr std::chrono::seconds patience_with_a_peer{1};

} // namespace

conversation::conversation(const asio::any_io_executor& executor, unique_fd socket,
                           channel_options options)
    : options_(std::move(options)),
      socket_(executor),
      changed_(executor),
      outgoing_(options_.max_queue, options_.in_flight),
      drained_(executor),
      deadline_(executor, options_.ack_timeout, options_.on_ack_overdue),
      lines_(options_.max_line),
      received_(options_.max_line),
      answered_(executor),
      resources_(executor),
      patience_(executor),
      no_memory_error_(std::make_exception_ptr(protocol_error("no memory for what it sends")))
{
    posix::set_close_on_exec(socket.get());
    posix::set_non_blocking(socket.get());
    posix::assign(socket_, socket);
}

asio::awaitable<void> conversation::send(value body, handle* object)
{
    return send_line(line_of(body, object), object, false);
}

void conversation::post(value body, handle* object)
{
    enqueue(line_of(body, object), object, false);
}

std::string conversation::line_of(const value& body, const handle* object) const
{
    if (!connected())
        throw channel_closed();
    if (object && !*object)
        throw invalid_handle_type("an empty handle: closed, or sent before",
                                  "send each connection once");
    if (!object)
        return wire::encode(body);
    return object->is_server() ? wire::encode(body, "net.Server")
                               : wire::encode(body, "net.Socket", object->key());
}

// Of the two ends of a "net.Native" both keep a copy: of a connection, until cluster's own answer.
asio::awaitable<void> conversation::send_internal(value body, handle& object)
{
    if (!connected())
        throw channel_closed();
    return send_line(wire::encode_internal(body, "net.Native"), &object, true);
}

void conversation::send_internal(const value& body)
{
    if (connected())
        answer(wire::encode_internal(body), false);
}

void conversation::on_internal_message(internal_messages::handler take)
{
    take_internal_ =
        take ? std::make_shared<const internal_messages::handler>(std::move(take)) : nullptr;
}

std::shared_ptr<transfer> conversation::enqueue(std::string line, handle* object, bool stays)
{
    if (!outgoing_.has_room_for(line.size()))
        throw queue_full();
    auto queued = object ? outgoing_.push(std::move(line), std::move(*object), stays)
                         : outgoing_.push(std::move(line));
    write();
    read_on_if_there_is_room(); // its acknowledgement may be behind what nobody has received
    return queued;
}

asio::awaitable<void> conversation::send_line(std::string line, handle* object, bool stays)
{
    const auto sent = enqueue(std::move(line), object, stays);
    if (!sent->is_settled) {
        sent->settled.emplace(socket_.get_executor());
        co_await sent->settled->wait_without_cancellation();
    }
    if (object)
        *object = std::move(sent->object);
    if (sent->error)
        std::rethrow_exception(sent->error);
}

// Node gives no answer about a key that it has never got anything under: so it is not asked.
asio::awaitable<bool> conversation::has_got_some(const std::string& key)
{
    co_await answered_.wait_until(
        [&] { return !hears() || has_got_.contains(key) || !outgoing_.holds(key); });
    co_return has_got_.contains(key);
}

asio::awaitable<std::size_t> conversation::open_sockets(std::string key)
{
    const bool has_some = co_await has_got_some(key);
    if (!connected())
        throw channel_closed();
    if (!has_some)
        co_return 0;
    const auto answer = counting_.ask(
        key, [this](const auto& about) { enqueue(wire::encode_get_count(about), nullptr, false); });
    co_await answered_.wait_until([&] { return answer->has_come || !hears(); });
    if (!answer->has_come)
        throw channel_closed();
    co_return answer->open;
}

asio::awaitable<void> conversation::sockets_closed(std::string key)
{
    const bool has_some = co_await has_got_some(key);
    if (!connected() || !has_some)
        co_return;
    const auto answer = closing_.ask(key, [this](const auto& about) {
        enqueue(wire::encode_notify_close(about), nullptr, false);
    });
    co_await answered_.wait_until([&] { return answer->has_come || !hears(); });
}

asio::awaitable<void> conversation::drained()
{
    for (;;) {
        if (has_lost_some_)
            throw channel_closed();
        if (outgoing_.unsettled() == 0)
            co_return;
        drain_awaited_ = true;
        co_await drained_.wait();
    }
}

asio::awaitable<std::optional<message>> conversation::receive()
{
    for (;;) {
        if (auto next = received_.pop()) {
            read_on_if_there_is_room();
            co_return next;
        }
        if (broken_)
            std::rethrow_exception(std::exchange(broken_, nullptr));
        if (!open_ || peer_has_ended_)
            co_return std::nullopt;
        co_await changed_.wait();
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) // it takes no message with it
            throw std::system_error(asio::error::operation_aborted);
    }
}

asio::awaitable<void> conversation::disconnect()
{
    ending_ = true;
    end_if_all_is_done();
    co_await disconnected();
}

asio::awaitable<void> conversation::disconnected()
{
    return changed_.wait_until([this] { return !open_; });
}

// After disconnect(). What the peer has sent so far is read once more: its handles are
// acknowledged, which may be something to write again.
void conversation::end_if_all_is_done()
{
    if (!open_ || !ending_ || is_reading_ || !outgoing_.is_empty())
        return;
    if (std::exchange(has_read_to_the_end_, true))
        return leave();
    read_some();
}

// Whoever disconnects often exits at once. A Node parent that is told of the exit before it has
// read our end may never read it: once it has sent a handle, its loop does not count on the channel
// (24.x, lib/internal/child_process.js), and its 'disconnect' event is lost. So only our side ends;
// the peer closes its own when it has read that, and then epoll tells of a hang-up.
void conversation::leave()
{
    if (peer_has_ended_)
        return close();
    if (std::exchange(leaving_, true))
        return;
    end();
    const auto self = shared_from_this();
    socket_.async_wait(asio::posix::stream_descriptor::wait_error,
                       [self](std::error_code) { self->close(); });
    patience_.expires_after(patience_with_a_peer);
    patience_.async_wait([self](std::error_code) { self->close(); });
}

// The end for whatever reason; afterwards nothing waits for anything.
void conversation::close() noexcept
{
    if (!std::exchange(open_, false))
        return;
    std::error_code ignored;
    socket_.close(ignored);
    deadline_.end();
    resources_.cancel();
    patience_.cancel();
    unpaired_.clear();
    has_lost_some_ = outgoing_.unsettled() > 0;
    outgoing_.close();
    changed_.notify();
    drained_.notify();
    answered_.notify();
}

bool conversation::report(const value& what)
{
    if (!open_ || ending_ || has_ended_ || outgoing_.bytes() > channel::max_unread)
        return false;
    outgoing_.push(wire::encode_report(what));
    write();
    return true;
}

void conversation::end() noexcept
{
    if (open_ && !std::exchange(has_ended_, true))
        ::shutdown(socket_.native_handle(), SHUT_WR);
}

void conversation::break_off(std::string_view why) noexcept
{
    try {
        broken_ = std::make_exception_ptr(protocol_error(std::string(why)));
    } catch (const std::bad_alloc&) {
        broken_ = no_memory_error_;
    }
    close();
}

// ---- writing -----------------------------------------------------------------------------------

void conversation::write()
{
    while (open_ && !has_ended_ && !peer_is_gone_ && !writing_waits_ && !resources_wanted_ &&
           outgoing_.front()) {
        const transfer& next = *outgoing_.front();
        const int descriptor = next.descriptor();
        std::size_t size = 0;
        const auto before =
            observing ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
        try {
            size = send_bytes(socket_.native_handle(), next.rest(), descriptor);
        } catch (const std::system_error& error) {
            if (!posix::out_of_resources(error.code()))
                return end_after_last_words();
            wait_for_resources();
            break;
        }
        if (size == 0) {
            write_when_possible();
            break;
        }
        const bool has_begun = next.written == 0;
        const auto kept = outgoing_.wrote(size);
        if (has_begun && descriptor >= 0 && observing)
            observing->sent(before, options_.peer, kept->object.is_server(), descriptor,
                            kept->line.size());
        if (has_begun)
            tell_of_written(kept->line, descriptor);
    }
    watch_acknowledgements();
    if (drain_awaited_ && outgoing_.unsettled() == 0) {
        drain_awaited_ = false;
        drained_.notify();
    }
    end_if_all_is_done();
}

void conversation::write_when_possible()
{
    writing_waits_ = true;
    socket_.async_wait(asio::posix::stream_descriptor::wait_write,
                       [self = shared_from_this()](std::error_code) {
                           self->writing_waits_ = false;
                           self->write();
                       });
}

// EPIPE: the peer has closed. What it said before, an ACK perhaps, is still there to be read; when
// that has been done, read_some() closes.
void conversation::end_after_last_words()
{
    peer_is_gone_ = true;
    if (!is_reading_)
        read_some();
}

void conversation::answer(std::string line, bool urgent)
{
    if (!open_)
        return;
    if (!outgoing_.push_answer(std::move(line), urgent))
        return break_off("it does not read our answers");
    // Those of one turn of reading leave together, in one call; but not so many that a peer who
    // does read looks like one who does not.
    if (!is_reading_ || ++answers_of_this_turn_ % max_answers_together == 0)
        write();
}

// The oldest handle in doubt has its deadline; when that changes, the next has it.
void conversation::watch_acknowledgements()
{
    const transfer* oldest = outgoing_.in_doubt();
    if (oldest == watched_)
        return;
    watched_ = oldest;
    if (oldest)
        deadline_.start();
    else
        deadline_.stop();
}

// ---- out of resources --------------------------------------------------------------------------

// Kernel memory, or descriptors of this user between processes (ETOOMANYREFS): it passes by itself,
// and readiness would not tell when.
void conversation::wait_for_resources()
{
    if (std::exchange(resources_wanted_, true))
        return;
    tell_whose_time_it_is();
    resources_.expires_after(pause_without_resources);
    resources_.async_wait([self = shared_from_this()](std::error_code) {
        self->resources_wanted_ = false;
        self->write();
        self->read_on_if_there_is_room();
        self->tell_whose_time_it_is();
    });
}

void conversation::tell_whose_time_it_is()
{
    deadline_.is_our_time(reading_waits_ || resources_wanted_);
}

// ---- details -----------------------------------------------------------------------------------

// Answers that have left together are several lines.
void conversation::tell_of_written(std::string_view lines, int descriptor)
{
    while (observing && !lines.empty()) {
        const auto end = lines.find('\n');
        observing->line_crossed(true, options_.peer, lines.substr(0, end), descriptor);
        lines.remove_prefix(end + 1);
    }
}

// At most one line a second: a peer that floods us with mistakes must not flood the terminal.
void conversation::warn(const std::string& what)
{
    if (may_warn_())
        log_warning("ipc: " + what);
}

} // namespace ipc

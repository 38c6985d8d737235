#include "ipc/channel.hpp"

#include "ipc/descriptor_message.hpp"
#include "ipc/json_lines.hpp"
#include "log.hpp"
#include "once_a_second.hpp"

#include <asio/posix/stream_descriptor.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <deque>
#include <fcntl.h>
#include <map>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace ipc {

using nlohmann::json;

value::value(const char* text) : value(nlohmann::json(text)) {}
value::value(std::string_view text) : value(nlohmann::json(text)) {}
value::value(const std::string& text) : value(nlohmann::json(text)) {}
value::value(nlohmann::json json) : json_(std::make_shared<const nlohmann::json>(std::move(json)))
{
}

const std::string* value::text() const noexcept
{
    return json_->get_ptr<const std::string*>();
}

std::string value::dump() const
{
    return json_->dump();
}

std::string value::to_string() const
{
    const auto* string = text();
    return string ? *string : dump();
}

namespace {

constexpr std::string_view ack_line = "{\"cmd\":\"NODE_HANDLE_ACK\"}\n";
constexpr std::string_view nack_line = "{\"cmd\":\"NODE_HANDLE_NACK\"}\n";

// Node gives a connection three more chances (internal/child_process, MAX_HANDLE_RETRANSMISSIONS).
constexpr int most_retransmissions = 3;

// nlohmann's parser needs no stack for depth, its destructor does; it overflows near 60,000.
constexpr int deepest_nesting = 1000;

// Reading pauses while so many messages, or line_limit bytes of them, wait for receive(), so that a
// peer that talks faster than we listen fills its own socket buffer instead of our memory.
constexpr std::size_t most_undelivered = 4096;

// One turn of reading: a peer that never stops talking must leave us time for everybody else. When
// it is gone, this turn is the last, and what its socket buffer holds is read to the end.
constexpr int most_reads = 16;
constexpr int most_last_reads = 4096;

// Acknowledgements and counts that the peer has asked for and does not read. A correct peer leaves
// one or two.
constexpr std::size_t most_unread_answers = 4096;

constexpr std::chrono::milliseconds kernel_famine_pause{10};

json parse(std::string_view line)
{
    const auto limit_depth = [](int depth, json::parse_event_t, json&) {
        if (depth > deepest_nesting)
            throw protocol_error("nested deeper than " + std::to_string(deepest_nesting));
        return true;
    };
    return json::parse(line.begin(), line.end(), limit_depth);
}

/// The `cmd` of one of the protocol's own messages: an object whose cmd is longer than "NODE_" and
/// begins with it. Empty for everything else, which is the user's.
std::string_view internal_command(const json& message)
{
    if (!message.is_object())
        return {};
    const auto found = message.find("cmd");
    if (found == message.end() || !found->is_string())
        return {};
    const std::string_view command = found->get_ref<const std::string&>();
    return command.size() > 5 && command.starts_with("NODE_") ? command : std::string_view{};
}

std::string string_member(const json& object, const char* name)
{
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// The first bytes of what a peer sent, safe to print: it may hold anything, escape sequences too.
std::string quote(std::string_view bytes)
{
    std::string quoted = "\"";
    for (const char c : bytes.substr(0, 40)) {
        if (c >= 0x20 && c < 0x7f) {
            quoted += c;
        } else {
            std::array<char, 5> escaped{};
            std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned char>(c));
            quoted += escaped.data();
        }
    }
    return quoted + (bytes.size() > 40 ? "\"..." : "\"");
}

/// Decides whether a received descriptor is what its envelope says; false for what nobody can use.
bool accept_as(const std::string& type, int fd, handle::kind& kind)
{
    try {
        kind = handle::kind_of(fd);
    } catch (const invalid_handle_type&) {
        return false;
    }
    if (type == "net.Socket")
        return kind == handle::kind::connection;
    if (type == "net.Native") // a bare handle: what it is decides
        return true;
    if (type != "net.Server")
        return false;
    // Node's cluster, and net.Server in general, may send a socket that is bound and not yet
    // listening; the receiver calls listen. For a connection listen fails, and that is the check.
    if (kind != handle::kind::server && ::listen(fd, 511) != 0)
        return false;
    kind = handle::kind::server;
    return true;
}

} // namespace

// Everything the two ends of one channel owe each other. Kept alive by the channel object and by
// the operations that wait for the socket.
class channel::conversation : public std::enable_shared_from_this<conversation> {
public:
    conversation(asio::any_io_executor executor, unique_fd socket, channel_settings settings)
        : settings_(std::move(settings)),
          lines_(settings_.line_limit),
          socket_(executor),
          something_arrived_(executor),
          ack_deadline_(executor),
          famine_(executor)
    {
        if (::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0 ||
            ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) | O_NONBLOCK) != 0)
            throw std::system_error(errno, std::generic_category(), "fcntl on the channel");
        socket_.assign(socket.get());
        (void)socket.release();
        something_arrived_.expires_at(asio::steady_timer::time_point::max());
    }

    asio::awaitable<void> send(value body, handle* object)
    {
        if (!open_)
            throw channel_closed();
        auto outgoing = std::make_shared<transfer>(socket_.get_executor());
        outgoing->line = encode(body, object);
        if (queued_bytes_ + outgoing->line.size() > settings_.queue_limit)
            throw queue_full();
        outgoing->counted = true;
        queued_bytes_ += outgoing->line.size();
        if (object)
            outgoing->object = std::move(*object);
        outgoing->carries_handle = object != nullptr;

        // Behind a handle that is not yet acknowledged everything waits, to keep the order and to
        // make an ACK mean exactly one handle: it carries no identification.
        (in_doubt_ ? held_ : wire_).push_back(outgoing);
        if (object && !in_doubt_) {
            in_doubt_ = outgoing;
            start_ack_deadline();
        }
        write();

        while (!outgoing->finished) {
            std::error_code ignored;
            co_await outgoing->completion.async_wait(
                asio::redirect_error(asio::use_awaitable, ignored));
        }
        if (object)
            *object = std::move(outgoing->object);
        if (outgoing->error)
            std::rethrow_exception(outgoing->error);
    }

    asio::awaitable<std::optional<message>> receive()
    {
        for (;;) {
            if (!undelivered_.empty()) {
                arrival next = std::move(undelivered_.front());
                undelivered_.pop_front();
                undelivered_bytes_ -= next.size;
                if (reading_paused_ && undelivered_.size() < most_undelivered / 2 &&
                    undelivered_bytes_ <= settings_.line_limit / 2)
                    resume_reading();
                co_return std::move(next.content);
            }
            if (broken_)
                std::rethrow_exception(std::exchange(broken_, nullptr));
            if (!open_)
                co_return std::nullopt;
            std::error_code ignored;
            co_await something_arrived_.async_wait(
                asio::redirect_error(asio::use_awaitable, ignored));
        }
    }

    void start() { wait_for_input(); }

    bool open() const noexcept { return open_; }
    std::size_t stray_descriptors() const noexcept { return strays_; }

    // The end of the conversation, for whatever reason; afterwards nothing waits for anything.
    void close()
    {
        if (!std::exchange(open_, false))
            return;
        std::error_code ignored;
        socket_.close(ignored);
        ack_deadline_.cancel();
        famine_.cancel();
        received_descriptors_.clear();
        const auto closed = std::make_exception_ptr(channel_closed());
        for (auto* queue : {&wire_, &held_})
            for (auto& outgoing : std::exchange(*queue, {}))
                finish(*outgoing, closed);
        if (auto outgoing = std::exchange(in_doubt_, nullptr))
            finish(*outgoing, closed);
        something_arrived_.cancel();
    }

private:
    // One line on its way out.
    struct transfer {
        explicit transfer(const asio::any_io_executor& executor)
            : completion(executor, asio::steady_timer::time_point::max())
        {
        }

        std::string line; // with its newline
        std::size_t written = 0;
        handle object; // owned here from send() until it arrives or comes back
        bool carries_handle = false;
        bool counted = false;   // in queued_bytes_
        bool is_answer = false; // in unread_answers_
        bool finished = false;  // the sender may go on, and then:
        std::exception_ptr error;
        int refusals = 0;
        asio::steady_timer completion; // never expires: cancelling it wakes the sender
    };
    using transfer_ptr = std::shared_ptr<transfer>;

    static std::string encode(const value& body, const handle* object)
    {
        if (!internal_command(body.json()).empty())
            throw std::invalid_argument("a message with a \"cmd\" that begins with NODE_ would be "
                                        "taken for one of the channel's own");
        std::string text;
        try {
            text = body.dump();
        } catch (const json::type_error&) {
            throw std::invalid_argument("the message is not valid UTF-8");
        }
        if (!object)
            return text + '\n';
        if (!*object)
            throw invalid_handle_type("an empty handle: closed, or sent before",
                                      "send each connection once");
        return std::string(R"({"cmd":"NODE_HANDLE","type":")") +
               (object->is_server() ? "net.Server" : "net.Socket") + R"(","msg":)" + text + "}\n";
    }

    // ---- writing -------------------------------------------------------------------------------

    void write()
    {
        while (open_ && !peer_is_gone_ && !wire_.empty() && !writing_waits_) {
            const transfer_ptr outgoing = wire_.front();
            const std::string_view rest =
                std::string_view(outgoing->line).substr(outgoing->written);
            // The descriptor rides on the first byte and must not be attached to any other.
            const int descriptor = outgoing->written == 0 ? outgoing->object.native_handle() : -1;
            std::size_t size = 0;
            try {
                size = send_bytes(socket_.native_handle(), rest, descriptor);
            } catch (const std::system_error& error) {
                if (is_famine(error.code()))
                    return write_after_famine();
                return end_after_last_words();
            }
            if (size == 0)
                return write_when_possible();
            if (outgoing->written == 0 && settings_.trace)
                settings_.trace(
                    {settings_.peer, true, without_newline(outgoing->line), descriptor});
            outgoing->written += size;
            if (outgoing->written == outgoing->line.size()) {
                wire_.pop_front();
                written(*outgoing);
            }
        }
    }

    void written(transfer& outgoing)
    {
        if (outgoing.is_answer)
            --unread_answers_;
        if (!outgoing.carries_handle)
            finish(outgoing, nullptr);
    }

    void write_when_possible()
    {
        writing_waits_ = true;
        socket_.async_wait(asio::posix::stream_descriptor::wait_write,
                           [self = shared_from_this()](std::error_code) {
                               self->writing_waits_ = false;
                               self->write();
                           });
    }

    // ETOOMANYREFS: too many descriptors of this user are between processes (unix(7)); like a lack
    // of kernel memory it passes by itself, and readiness would not tell when.
    static bool is_famine(const std::error_code& error)
    {
        return error == std::error_code(ETOOMANYREFS, std::generic_category()) ||
               error == std::errc::no_buffer_space || error == std::errc::not_enough_memory;
    }

    void write_after_famine()
    {
        writing_waits_ = true;
        if (in_doubt_)
            start_ack_deadline(); // it is not the peer that lets it wait
        famine_.expires_after(kernel_famine_pause);
        famine_.async_wait([self = shared_from_this()](std::error_code) {
            self->writing_waits_ = false;
            self->write();
        });
    }

    // EPIPE: the peer has closed. What it said before, an ACK perhaps, is still there to be read;
    // when that has been done, read() closes.
    void end_after_last_words()
    {
        peer_is_gone_ = true;
        if (!reading_)
            read();
    }

    void finish(transfer& outgoing, std::exception_ptr error)
    {
        if (std::exchange(outgoing.finished, true))
            return;
        if (std::exchange(outgoing.counted, false))
            queued_bytes_ -= outgoing.line.size();
        outgoing.error = std::move(error);
        outgoing.completion.cancel();
    }

    // From the moment a handle's turn has come: a peer that reads nothing may keep even its
    // envelope from being written.
    void start_ack_deadline()
    {
        if (settings_.ack_timeout.count() == 0 || !settings_.on_ack_overdue)
            return;
        ack_deadline_.expires_after(settings_.ack_timeout);
        ack_deadline_.async_wait(
            [weak = weak_from_this(), late = in_doubt_](std::error_code error) {
                const auto self = weak.lock();
                if (!error && self && self->in_doubt_ == late)
                    self->settings_.on_ack_overdue();
            });
    }

    // The protocol's own lines are not held back by a handle in doubt: two peers sending each other
    // handles would wait for each other for ever.
    void write_at_once(std::string_view line) { queue_answer(wire_, std::string(line)); }

    void write_in_order(const json& answer)
    {
        queue_answer(in_doubt_ ? held_ : wire_, answer.dump() + '\n');
    }

    void queue_answer(std::deque<transfer_ptr>& queue, std::string line)
    {
        if (!open_)
            return;
        if (++unread_answers_ > most_unread_answers)
            return break_off("it does not read our answers");
        queued_bytes_ += line.size();
        if (queued_bytes_ > settings_.queue_limit)
            return break_off("it does not read our answers");
        auto answer = std::make_shared<transfer>(socket_.get_executor());
        answer->line = std::move(line);
        answer->counted = true;
        answer->is_answer = true;
        queue.push_back(std::move(answer));
        write();
    }

    // ---- answers to our handles ----------------------------------------------------------------

    bool envelope_is_written() const { return in_doubt_->written == in_doubt_->line.size(); }

    void on_ack()
    {
        if (!in_doubt_)
            return warn("an acknowledgement nobody waits for");
        if (!envelope_is_written())
            return break_off("an acknowledgement before its handle");
        if (in_doubt_->object.is_connection())
            in_doubt_->object.close(); // the peer's copy is the only one now
        settle(nullptr);
    }

    void on_nack()
    {
        if (!in_doubt_)
            return warn("a refusal nobody waits for");
        if (!envelope_is_written())
            return break_off("a refusal before its handle");
        // Node retransmits connections only. We repeat servers as well: it costs nothing, and the
        // alternative is a worker without its server. Not wrapped as Node does, which a Node child
        // would acknowledge twice.
        if (in_doubt_->refusals++ == most_retransmissions)
            return settle(std::make_exception_ptr(handle_not_received()));
        in_doubt_->written = 0;
        wire_.push_back(in_doubt_);
        start_ack_deadline();
        write();
    }

    // Lets go of the handle in doubt, then sends what waited behind it, up to the next handle.
    void settle(std::exception_ptr error)
    {
        ack_deadline_.cancel();
        finish(*std::exchange(in_doubt_, nullptr), std::move(error));
        while (!held_.empty() && !in_doubt_) {
            wire_.push_back(std::move(held_.front()));
            held_.pop_front();
            if (wire_.back()->carries_handle) {
                in_doubt_ = wire_.back();
                start_ack_deadline();
            }
        }
        write();
    }

    // ---- reading -------------------------------------------------------------------------------

    // Asio waits, we read: its read functions know no control data and would lose descriptors.
    void wait_for_input()
    {
        socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](std::error_code error) {
                               if (error || !self->open_)
                                   return;
                               self->read();
                               if (self->open_ && !self->reading_paused_)
                                   self->wait_for_input();
                           });
    }

    void resume_reading()
    {
        reading_paused_ = false;
        if (open_)
            wait_for_input();
    }

    void read()
    {
        reading_ = true;
        read_a_turn();
        reading_ = false;
        if (peer_is_gone_)
            close();
    }

    void read_a_turn()
    {
        std::array<char, 64 * 1024> buffer;
        try {
            for (int reads = 0; reads < (peer_is_gone_ ? most_last_reads : most_reads); ++reads) {
                if (!open_ || (reading_paused_ && !peer_is_gone_))
                    return;
                const auto got =
                    receive_bytes(socket_.native_handle(), buffer, received_descriptors_);
                if (got.truncated)
                    warn("no room for a descriptor that was sent here (ulimit -n)");
                if (got.would_block)
                    return;
                if (got.end)
                    return close();
                lines_.feed({buffer.data(), got.size});
                std::string_view line;
                while (open_ && lines_.next(line))
                    on_line(line);
                // A line that has begun may own the descriptor that came with its first byte.
                close_strays(lines_.partial() ? 1 : 0);
                reading_paused_ = undelivered_.size() >= most_undelivered ||
                                  undelivered_bytes_ > settings_.line_limit;
                // Probably that was all; if not, waiting finds it. It spares one call per message.
                if (!peer_is_gone_ && !lines_.partial())
                    return;
            }
        } catch (const line_too_long& error) {
            break_off(error.what());
        } catch (const std::system_error& error) {
            break_off(error.what());
        }
    }

    // Closes what belongs to no message: all descriptors but the first `owned`.
    void close_strays(std::size_t owned)
    {
        if (received_descriptors_.size() <= owned)
            return;
        const auto count = received_descriptors_.size() - owned;
        strays_ += count;
        warn(std::to_string(count) + " descriptor(s) that belong to no message");
        received_descriptors_.resize(owned);
    }

    void break_off(const std::string& why)
    {
        broken_ = std::make_exception_ptr(protocol_error(why));
        close();
    }

    void on_line(std::string_view line)
    {
        json parsed;
        try {
            parsed = parse(line);
        } catch (const json::exception&) {
            return break_off("a line that is not JSON: " + quote(line));
        } catch (const protocol_error& error) {
            return break_off(error.what());
        }

        const auto command = internal_command(parsed);
        const bool envelope = command == "NODE_HANDLE";
        if (settings_.trace)
            settings_.trace({settings_.peer, false, line,
                             envelope && !received_descriptors_.empty()
                                 ? received_descriptors_.front().get()
                                 : -1});
        if (envelope)
            on_envelope(std::move(parsed), line.size());
        else if (!command.empty())
            on_internal(command, parsed);
        else
            deliver({value(std::move(parsed)), {}}, line.size());
    }

    void on_internal(std::string_view command, const json& parsed)
    {
        if (command == "NODE_HANDLE_ACK")
            on_ack();
        else if (command == "NODE_HANDLE_NACK")
            on_nack();
        else if (command == "NODE_SOCKET_GET_COUNT")
            answer_count(string_member(parsed, "key"));
        else if (command == "NODE_SOCKET_NOTIFY_CLOSE")
            answer_all_closed(string_member(parsed, "key"));
        // The rest (NODE_CLUSTER, NODE_DEBUG_ENABLED, ...) concerns others and is ignored, as in
        // Node.
    }

    void on_envelope(json envelope, std::size_t size)
    {
        if (received_descriptors_.empty())
            return write_at_once(nack_line);
        unique_fd fd = std::move(received_descriptors_.front());
        received_descriptors_.erase(received_descriptors_.begin());

        // Node wraps a retransmitted envelope in a second one. One line, one acknowledgement.
        while (envelope.contains("msg") && internal_command(envelope["msg"]) == "NODE_HANDLE") {
            json inner = std::move(envelope["msg"]);
            envelope = std::move(inner);
        }

        handle::kind kind = handle::kind::none;
        if (!accept_as(string_member(envelope, "type"), fd.get(), kind)) {
            fd.reset();
            warn("a descriptor that is not the " + quote(string_member(envelope, "type")) +
                 " it was sent as");
            return write_at_once(nack_line);
        }
        write_at_once(ack_line); // before anything this message may cause us to send

        json body = envelope.contains("msg") ? std::move(envelope["msg"]) : json();
        if (!internal_command(body).empty())
            return; // cluster's business: not ours, so its descriptor closes here
        deliver(
            {value(std::move(body)), {kind, std::move(fd), lease(string_member(envelope, "key"))}},
            size);
    }

    void deliver(message incoming, std::size_t size)
    {
        undelivered_bytes_ += size;
        undelivered_.push_back({std::move(incoming), size});
        something_arrived_.cancel();
    }

    // ---- NODE_SOCKET: how many of the peer's sockets are still open here -----------------------

    struct keyed_sockets {
        std::size_t open = 0;
        bool tell_when_closed = false;
    };

    std::shared_ptr<const void> lease(const std::string& key)
    {
        if (key.empty())
            return {};
        ++sockets_by_key_[key].open;
        return {this, [weak = weak_from_this(), key](const void*) {
                    if (const auto self = weak.lock())
                        self->on_socket_closed(key);
                }};
    }

    void on_socket_closed(const std::string& key)
    {
        auto& sockets = sockets_by_key_[key];
        if (--sockets.open == 0 && std::exchange(sockets.tell_when_closed, false) && open_)
            write_in_order({{"cmd", "NODE_SOCKET_ALL_CLOSED"}, {"key", key}});
    }

    void answer_count(const std::string& key)
    {
        if (const auto found = sockets_by_key_.find(key); found != sockets_by_key_.end())
            write_in_order(
                {{"cmd", "NODE_SOCKET_COUNT"}, {"key", key}, {"count", found->second.open}});
    }

    void answer_all_closed(const std::string& key)
    {
        const auto found = sockets_by_key_.find(key);
        if (found == sockets_by_key_.end()) // Node, too, answers only for keys it has seen
            return;
        if (found->second.open == 0)
            write_in_order({{"cmd", "NODE_SOCKET_ALL_CLOSED"}, {"key", key}});
        else
            found->second.tell_when_closed = true;
    }

    // ---- details -------------------------------------------------------------------------------

    static std::string_view without_newline(std::string_view line)
    {
        return line.substr(0, line.size() - 1);
    }

    // At most one line a second: a peer that floods us with mistakes must not flood the terminal.
    void warn(const std::string& what)
    {
        if (may_warn_())
            log_warning("ipc: " + what);
    }

    channel_settings settings_;
    json_lines lines_;
    asio::posix::stream_descriptor socket_;
    bool open_ = true;

    std::deque<transfer_ptr> wire_; // being written; only the front is partial
    std::deque<transfer_ptr> held_; // waiting for the acknowledgement of:
    transfer_ptr in_doubt_;         // the handle last put on the wire
    std::size_t queued_bytes_ = 0;
    std::size_t unread_answers_ = 0;
    bool writing_waits_ = false;

    struct arrival {
        message content;
        std::size_t size; // of its line
    };

    std::vector<unique_fd> received_descriptors_; // each waits for its line
    std::deque<arrival> undelivered_;
    std::size_t undelivered_bytes_ = 0;
    bool reading_ = false;
    bool reading_paused_ = false;
    bool peer_is_gone_ = false; // writing failed; only its last words are left to be read
    std::exception_ptr broken_;
    std::size_t strays_ = 0;

    std::map<std::string, keyed_sockets> sockets_by_key_;

    asio::steady_timer something_arrived_; // never expires: cancelling it wakes receive()
    asio::steady_timer ack_deadline_;
    asio::steady_timer famine_;
    once_a_second may_warn_;
};

void print_trace(const trace_event& event)
{
    // Cut, because a line may be megabytes long; one write, so that processes do not mix their
    // lines.
    std::string text = std::to_string(::getpid()) + (event.outgoing ? " -> " : " <- ") +
                       std::to_string(event.peer) + "  " + std::string(event.line.substr(0, 200));
    if (event.line.size() > 200)
        text += "... (" + std::to_string(event.line.size()) + " bytes)";
    if (event.descriptor >= 0)
        text += "  + descriptor " + std::to_string(event.descriptor);
    log_line(text);
}

channel::channel(asio::any_io_executor executor, unique_fd socket, channel_settings settings)
    : conversation_(std::make_shared<conversation>(std::move(executor), std::move(socket),
                                                   std::move(settings)))
{
    conversation_->start();
}

channel::channel(channel&&) noexcept = default;

channel& channel::operator=(channel&& other) noexcept
{
    if (this != &other) {
        close();
        conversation_ = std::move(other.conversation_);
    }
    return *this;
}

channel::~channel()
{
    close();
}

// In these the conversation is kept alive by the coroutine, whatever happens to the channel object.
asio::awaitable<void> channel::send(value body)
{
    const auto alive = conversation_;
    co_await alive->send(std::move(body), nullptr);
}

asio::awaitable<void> channel::send(value body, handle& object)
{
    const auto alive = conversation_;
    co_await alive->send(std::move(body), &object);
}

asio::awaitable<std::optional<message>> channel::receive()
{
    const auto alive = conversation_;
    co_return co_await alive->receive();
}

bool channel::connected() const noexcept
{
    return conversation_ && conversation_->open();
}

void channel::close()
{
    if (conversation_)
        conversation_->close();
}

std::size_t channel::stray_descriptors() const noexcept
{
    return conversation_ ? conversation_->stray_descriptors() : 0;
}

} // namespace ipc

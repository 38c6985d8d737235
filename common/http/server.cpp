#include "http/server.hpp"

#include "http/parser.hpp"
#include "log.hpp"

#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace http {

using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

// A client that sends requests without reading answers: no more of them are parsed while so many
// bytes wait, and the rest stays where it came from, in the kernel's buffers and then with the
// client.
constexpr std::size_t max_pending_output = 64 * 1024;

// After our last word: how long, and how much, we read on (RFC 9112 §9.6). A client in the midst of
// sending a large body is not to miss the answer that refuses it.
constexpr auto linger_time = 1s;
constexpr std::size_t linger_size = 1024 * 1024;

// See server::close().
constexpr auto closing_idle_time = 100ms;
constexpr auto closing_silent_time = 500ms;

constexpr std::size_t max_spare = 64;               // parsers, buffers
constexpr std::size_t max_spare_memory = 64 * 1024; // of each

// The names of RFC 9110 §15; the phrase is for people, and may be empty (RFC 9112 §4).
std::string_view reason_phrase(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 303:
        return "See Other";
    case 304:
        return "Not Modified";
    case 307:
        return "Temporary Redirect";
    case 308:
        return "Permanent Redirect";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "";
    }
}

constexpr std::string_view server_headers[] = {"connection", "content-length", "date", "keep-alive",
                                               "transfer-encoding"};

void append_number(std::string& text, std::size_t number)
{
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    text.append(digits, end);
}

// IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7). Not strftime(): it speaks the
// language of the locale.
std::string http_date(std::time_t time)
{
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    char text[64];
    const int length = std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                     days[utc.tm_wday], utc.tm_mday, months[utc.tm_mon],
                                     utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    return {text, static_cast<std::size_t>(length)};
}

// Not for a handler to set: they tell where this answer ends and the next one begins.
bool is_set_by_server(std::string_view name)
{
    return std::any_of(std::begin(server_headers), std::end(server_headers),
                       [name](auto own) { return equal_ignoring_case(name, own); });
}

// No control characters but tabs (RFC 9110 §5.5).
bool is_field_value(std::string_view value)
{
    return std::all_of(value.begin(), value.end(),
                       [](unsigned char c) { return c == '\t' || (c >= ' ' && c != 0x7f); });
}

} // namespace

// One connection, from emit_connection() to its end. The server's list owns it, and so do the
// operation it waits for and a response not yet ended; after close() the latter two find it closed.
class connection : public std::enable_shared_from_this<connection> {
public:
    using clock = std::chrono::steady_clock;

    connection(server& owner, unique_fd socket, std::uint64_t key, bool may_have_copies)
        : server_(owner),
          socket_(std::move(socket)),
          key_(key),
          may_have_copies_(may_have_copies),
          since_(clock::now())
    {
    }

    std::uint64_t key() const noexcept { return key_; }
    void begin();
    void on_events(std::uint32_t events);
    void enforce_limits(clock::time_point now);
    void close() noexcept;

    void write_head(unsigned status, std::initializer_list<header> headers);
    void end(std::string_view body);
    void abandon();

private:
    enum class phase {
        silent,    // nothing came yet
        idle,      // between two requests
        receiving, // a part of a request is there
        answering, // the handler has it
        ending,    // the last answer is written, but perhaps not sent
        lingering, // everything is sent, our side of the stream is closed
        closed,
    };

    void take_input();
    void read();
    void process(std::string_view input);
    void call_handler_later();
    void call_handler();
    void start_head(unsigned status);
    void finish_response(std::string_view body);
    void refuse(unsigned status, std::string_view reason);
    void proceed();
    bool send_output();
    std::string& output();
    void half_close();
    void discard();
    void end_unless_readable();
    void watch(std::uint32_t more_events);
    bool accepts_input() const noexcept
    {
        return phase_ == phase::silent || phase_ == phase::idle || phase_ == phase::receiving;
    }

    server& server_;
    unique_fd socket_;
    const std::uint64_t key_;    // epoll's name for it: a slot of the server's list, and a serial
    const bool may_have_copies_; // in other processes
    phase phase_ = phase::silent;
    clock::time_point since_;        // the beginning of the phase, or the last byte sent
    std::unique_ptr<parser> parser_; // while a request is being received

    // Of the request under way.
    bool keep_alive_ = false;
    bool is_head_ = false;
    bool client_is_done_ = false; // it has asked for the end, and so sends nothing more
    unsigned status_ = 0;         // 0: its head is not written yet

    bool processing_ = false; // inside process(), which sends what its callees leave
    bool watched_ = false;    // by the server's epoll
    bool readable_ = false;   // there may be input: events come once, not as long as it lies there
    bool peer_ended_ = false; // the client has closed its side, or both
    bool waits_for_space_ = false;
    bool sent_before_ = false;
    bool no_delay_ = false;
    std::uint32_t requests_ = 0;

    std::unique_ptr<asio::steady_timer> delay_; // see server_settings::delay

    std::string unparsed_;      // input behind a request that is not answered yet
    std::string output_;        // borrowed from the server while something is in it
    std::size_t sent_ = 0;      // of output_
    std::size_t ready_ = 0;     // of output_: complete answers
    std::size_t discarded_ = 0; // while lingering
};

// --- receiving

// The request is often there already. Then a client that wants one answer only is served without
// epoll.
void connection::begin()
{
    if (!server_.input_in_use_)
        read();
    if (phase_ != phase::closed && !watched_)
        watch(0);
}

void connection::watch(std::uint32_t more_events)
{
    server_.watch(watched_ ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket_.get(), key_, more_events);
    watched_ = true;
}

void connection::on_events(std::uint32_t events)
{
    readable_ = readable_ || (events & ~EPOLLOUT);
    peer_ended_ = peer_ended_ || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
    if (phase_ == phase::lingering) {
        discard();
    } else if (sent_ < ready_) {
        if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
            since_ = clock::now(); // the client reads
            proceed();
        }
    } else {
        take_input();
    }
}

// First what was left behind the last request, then what has come since.
void connection::take_input()
{
    if (!accepts_input() || sent_ < ready_)
        return;
    if (!unparsed_.empty())
        process(std::exchange(unparsed_, {}));
    else if (readable_)
        read();
}

void connection::read()
{
    auto& input = server_.input_;
    const auto received = ::recv(socket_.get(), input.data(), input.size(), MSG_DONTWAIT);
    if (received > 0) {
        // Less than we had room for is all there was; more to come is a new event (epoll(7), Q9).
        // The end of the stream, however, may have been told already.
        readable_ = static_cast<std::size_t>(received) == input.size() || peer_ended_;
        server_.input_in_use_ = true;
        process({input.data(), static_cast<std::size_t>(received)});
        server_.input_in_use_ = false;
    } else if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
        readable_ = errno == EINTR;
    } else if (received == 0 && phase_ == phase::receiving) {
        refuse(400, "incomplete request"); // its sender may still be listening
        proceed();
    } else {
        close();
    }
}

// Parses and answers, until the input is used up, or a handler keeps its response for later, or the
// client does not read. All answers up to there leave in one write.
void connection::process(std::string_view input)
{
    const auto now = clock::now();
    processing_ = true;
    while (!input.empty() && accepts_input()) {
        if (ready_ >= max_pending_output && !send_output())
            break;
        if (!parser_)
            parser_ = server_.borrow_parser();
        const auto event = parser_->parse(input);
        if (!parser_->started()) { // nothing but empty lines
            server_.give_back(std::move(parser_));
            break;
        }
        if (phase_ == phase::idle || event == parser::event::message)
            since_ = now;
        phase_ = phase::receiving;
        switch (event) {
        case parser::event::need_more:
            break;
        case parser::event::expects_continue:
            output().append("HTTP/1.1 100 Continue\r\n\r\n");
            ready_ = output_.size();
            break;
        case parser::event::message:
            if (server_.settings_.delay > 0ms)
                call_handler_later();
            else
                call_handler();
            break;
        case parser::event::fault:
            refuse(parser_->fault_status(), parser_->fault_reason());
            break;
        }
    }
    processing_ = false;
    if (accepts_input() || phase_ == phase::answering)
        unparsed_ = input;
    proceed();
}

// Sends what is ready and waits for what comes next.
void connection::proceed()
{
    if (phase_ == phase::closed || !send_output())
        return;
    if (phase_ == phase::ending)
        half_close();
    else if (accepts_input() && (readable_ || !unparsed_.empty())) // but first the others' turn
        asio::post(server_.executor_, [self = shared_from_this()] { self->take_input(); });
}

// --- answering

void connection::call_handler_later()
{
    phase_ = phase::answering;
    parser_->keep_head();
    delay_ = std::make_unique<asio::steady_timer>(server_.executor_, server_.settings_.delay);
    delay_->async_wait([self = shared_from_this()](std::error_code) {
        if (self->phase_ == phase::answering) // else closed meanwhile, perhaps with the server
            self->call_handler();
    });
}

void connection::call_handler()
{
    phase_ = phase::answering;
    is_head_ = parser_->is_head_request();
    client_is_done_ = !parser_->keep_alive();
    keep_alive_ = !client_is_done_ && ++requests_ != server_.settings_.max_requests_per_socket;
    // If the handler throws, its response ends without end(): see abandon().
    const auto failed = [](const std::string& reason) {
        log_warning("http: the request handler threw: " + reason);
    };
    try {
        server_.handler_({parser_->method(), parser_->target(), parser_->headers()},
                         response(shared_from_this()));
    } catch (const std::exception& error) {
        failed(error.what());
    } catch (...) {
        failed("not a std::exception");
    }
    server_.give_back(std::move(parser_));
}

void connection::write_head(unsigned status, std::initializer_list<header> headers)
{
    if (status < 200 || status > 999)
        throw std::invalid_argument("status out of range: " + std::to_string(status));
    bool keep_alive = keep_alive_;
    for (const auto& [name, value] : headers) {
        if (!is_token(name) || !is_field_value(value))
            throw std::invalid_argument("not allowed in a header: " + std::string(name));
        if (equal_ignoring_case(name, "connection") && equal_ignoring_case(value, "close"))
            keep_alive = false;
        else if (is_set_by_server(name))
            throw std::invalid_argument("the server itself sets the header " + std::string(name));
    }
    if (phase_ != phase::answering)
        return;
    if (status_ != 0)
        throw std::logic_error("write_head() called twice");

    keep_alive_ = keep_alive;
    start_head(status);
    for (const auto& [name, value] : headers)
        if (!is_set_by_server(name))
            output_.append(name).append(": ").append(value).append("\r\n");
}

void connection::start_head(unsigned status)
{
    status_ = status;
    if (status == 200) {
        output().append("HTTP/1.1 200 OK\r\n");
    } else {
        append_number(output().append("HTTP/1.1 "), status);
        output_.append(" ").append(reason_phrase(status)).append("\r\n");
    }
}

void connection::finish_response(std::string_view body)
{
    if (status_ == 0)
        start_head(200);
    keep_alive_ = keep_alive_ && !server_.closing_;
    output_.append(server_.common_headers(keep_alive_));
    if (status_ == 204 || status_ == 304) { // never with a body (RFC 9110 §6.4.1, §8.6)
        output_.append("\r\n");
    } else {
        append_number(output_.append("Content-Length: "), body.size());
        output_.append("\r\n\r\n");
        if (!is_head_)
            output_.append(body);
    }
    ready_ = output_.size();
    status_ = 0;
    phase_ = keep_alive_ ? phase::idle : phase::ending;
    if (!processing_)
        since_ = clock::now();
}

void connection::end(std::string_view body)
{
    if (phase_ != phase::answering)
        return; // the client has gone
    finish_response(body);
    ++server_.counters_.answered;
    if (!processing_)
        proceed();
}

// A response nobody ended: a handler has thrown or forgotten it.
void connection::abandon()
{
    if (phase_ != phase::answering)
        return;
    refuse(500, "no answer");
    if (!processing_)
        proceed();
}

// An answer of the server's own, and the last one: after a malformed request nobody can tell where
// the next begins (RFC 9112 §2.2, §11.2).
void connection::refuse(unsigned status, std::string_view reason)
{
    ++server_.counters_.refused;
    keep_alive_ = false;
    if (parser_)
        is_head_ = parser_->is_head_request();
    output().resize(ready_); // a head written already
    start_head(status);
    output_.append("Content-Type: text/plain\r\n");
    finish_response(std::string(reason) + "\n");
}

// --- sending

std::string& connection::output()
{
    if (output_.empty())
        output_ = server_.borrow_buffer();
    return output_;
}

// Sends the complete answers. True when that is done; false when the client must read first, or the
// connection is closed.
bool connection::send_output()
{
    while (sent_ < ready_) {
        if (sent_before_ && !std::exchange(no_delay_, true)) {
            // Without this a small answer waits for the acknowledgement of the one before (Nagle).
            const int on = 1;
            ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
        const auto sent = ::send(socket_.get(), output_.data() + sent_, ready_ - sent_,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            sent_ += static_cast<std::size_t>(sent);
            sent_before_ = true;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!std::exchange(waits_for_space_, true))
                watch(EPOLLOUT);
            return false;
        } else if (errno != EINTR) {
            close(); // EPIPE, ECONNRESET: the client has gone
            return false;
        }
    }
    output_.erase(0, ready_); // what is left is the head of the answer to come
    sent_ = ready_ = 0;
    if (output_.empty() && output_.capacity() > 0)
        server_.give_back(std::exchange(output_, {}));
    return true;
}

// --- ending

// Not close(): with unread input that would be a reset, which takes the answer away from a client
// that has not read it yet. So: the end of our side, and then patience (RFC 9112 §9.6, tcp(7)). But
// a client that has sent `Connection: close` itself sends nothing behind that request.
void connection::half_close()
{
    if (client_is_done_ && !readable_ && unparsed_.empty())
        return close();
    ::shutdown(socket_.get(), SHUT_WR);
    phase_ = phase::lingering;
    since_ = clock::now();
    if (readable_)
        discard();
}

void connection::discard()
{
    // Not server_.input_: another connection's handler, which has ended this response, may be using
    // it.
    std::array<char, 16 * 1024> input;
    for (;;) {
        const auto received = ::recv(socket_.get(), input.data(), input.size(), MSG_DONTWAIT);
        if (received < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (received > 0)
            discarded_ += static_cast<std::size_t>(received);
        if (received <= 0 || discarded_ >= linger_size)
            return close();
    }
}

void connection::close() noexcept
{
    if (phase_ == phase::closed)
        return;
    phase_ = phase::closed;
    delay_.reset();
    // epoll forgets a socket with its last copy (epoll(7), Q6): if that is not ours, we must ask.
    if (may_have_copies_ && watched_)
        server_.watch(EPOLL_CTL_DEL, socket_.get(), 0, 0);
    socket_.reset();
    // This object lives on in the caller's pointer.
    server_.remove(static_cast<std::uint32_t>(key_));
}

void connection::enforce_limits(clock::time_point now)
{
    const auto& settings = server_.settings_;
    const auto age = now - since_;
    const auto is_over = [age](clock::duration limit) { return limit > 0ms && age > limit; };
    const bool closing = server_.closing_;

    if (phase_ == phase::lingering) {
        if (age > linger_time)
            close();
    } else if (sent_ < ready_) {
        if (is_over(settings.request_timeout))
            close();
    } else if (phase_ == phase::idle) {
        if (is_over(settings.keep_alive_timeout) || (closing && age > closing_idle_time))
            end_unless_readable();
    } else if (phase_ == phase::silent) {
        if (is_over(settings.headers_timeout) || (closing && age > closing_silent_time))
            end_unless_readable();
    } else if (phase_ == phase::receiving) {
        if (is_over(settings.request_timeout) ||
            (!parser_->has_head() && is_over(settings.headers_timeout))) {
            refuse(408, "the request took too long");
            proceed();
        }
    }
    const bool is_busy = phase_ == phase::receiving || phase_ == phase::answering ||
                         (phase_ != phase::closed && sent_ < ready_);
    if (closing && is_busy && settings.drain_timeout > 0ms &&
        now - server_.closing_since_ > settings.drain_timeout) {
        ++server_.counters_.cut;
        close();
    }
}

// A request may have arrived in this very moment; if so, it is answered. Empty lines are no
// request.
void connection::end_unless_readable()
{
    const auto waiting_since = since_;
    char byte;
    if (::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
        read();
    if ((phase_ == phase::silent || phase_ == phase::idle) && since_ == waiting_since)
        half_close();
}

// --- response

response::response(std::shared_ptr<connection> connection) noexcept
    : connection_(std::move(connection))
{
}

response& response::operator=(response&& other) noexcept
{
    response(std::move(other)).connection_.swap(connection_);
    return *this;
}

response::~response()
{
    if (connection_)
        connection_->abandon();
}

response& response::write_head(unsigned status, std::initializer_list<header> headers)
{
    if (!connection_)
        throw std::logic_error("write_head() after end()");
    connection_->write_head(status, headers);
    return *this;
}

void response::end(std::string_view body)
{
    const auto connection = std::move(connection_);
    if (!connection)
        throw std::logic_error("end() called twice");
    connection->end(body);
}

// --- server

server::server(asio::any_io_executor executor, request_handler handler, server_settings settings)
    : executor_(executor),
      handler_(std::move(handler)),
      settings_(settings),
      epoll_(executor),
      sweep_timer_(executor),
      last_has_ended_(executor, asio::steady_timer::time_point::max())
{
    unique_fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll)
        throw std::system_error(errno, std::generic_category(), "epoll_create1");
    epoll_.assign(epoll.get());
    (void)epoll.release();

    std::chrono::milliseconds shortest = linger_time;
    for (const auto limit :
         {settings.headers_timeout, settings.request_timeout, settings.keep_alive_timeout})
        if (limit > 0ms)
            shortest = std::min(shortest, limit);
    sweep_interval_ = std::max(shortest / 4, 50ms);
}

server::~server()
{
    close_all_connections();
}

void server::emit_connection(tcp::socket socket)
{
    add(unique_fd(socket.release()), true);
}

void server::emit_connection(unique_fd socket)
{
    add(std::move(socket), false);
}

void server::add(unique_fd socket, bool may_have_copies)
{
    if (free_slots_.empty()) {
        free_slots_.push_back(connections_.size());
        connections_.emplace_back();
    }
    const auto slot = free_slots_.back();
    const auto key = slot | (std::uint64_t{++serial_} << 32);
    const auto added = std::make_shared<connection>(*this, std::move(socket), key, may_have_copies);
    connections_[slot] = added;
    free_slots_.pop_back();
    ++counters_.connections;
    try {
        added->begin();
    } catch (...) {
        added->close();
        throw;
    }
    if (connections() == 0)
        return;
    if (!sweeping_)
        schedule_sweep(sweep_interval_);
    wait_for_events();
}

void server::watch(int operation, int fd, std::uint64_t key, std::uint32_t more)
{
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET | more;
    event.data.u64 = key;
    if (::epoll_ctl(epoll_.native_handle(), operation, fd, &event) != 0)
        throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

void server::wait_for_events()
{
    if (connections() == 0 || std::exchange(waiting_, true))
        return;
    epoll_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [this, alive = std::weak_ptr(alive_)](std::error_code) {
                          if (alive.expired())
                              return;
                          // Cancelled when the last connection ended; another may have come since.
                          waiting_ = false;
                          dispatch_events();
                      });
}

// Under load the next events are there when these are served. To take them at once saves the way
// through the executor, which is two system calls; but its other handlers must have their turn.
void server::dispatch_events()
{
    constexpr int max_rounds = 8;
    std::array<epoll_event, 64> events;
    int count = 1;
    for (int round = 0; round < max_rounds && count > 0; ++round) {
        count = ::epoll_wait(epoll_.native_handle(), events.data(), events.size(), 0);
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            const auto current = connections_[static_cast<std::uint32_t>(event.data.u64)];
            if (current && current->key() == event.data.u64)
                current->on_events(event.events);
        }
    }
    wait_for_events();
}

void server::close()
{
    if (std::exchange(closing_, true))
        return;
    closing_since_ = clock::now();
    sweep_interval_ = 25ms;
    if (connections() > 0)
        schedule_sweep(0ms); // not at once: the caller may be a handler, with a request in input_
}

void server::close_all_connections()
{
    for (std::size_t slot = 0; slot < connections_.size(); ++slot)
        if (const auto current = connections_[slot])
            current->close();
}

void server::remove(std::size_t slot)
{
    connections_[slot].reset();
    free_slots_.push_back(slot);
    if (connections() > 0)
        return;
    epoll_.cancel();
    if (closing_) {
        sweep_timer_.cancel();
        sweeping_ = false;
        last_has_ended_.cancel();
    }
}

asio::awaitable<void> server::closed()
{
    std::error_code cancelled;
    while (connections() > 0)
        co_await last_has_ended_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

void server::schedule_sweep(clock::duration delay)
{
    sweeping_ = true;
    sweep_timer_.expires_after(delay);
    sweep_timer_.async_wait([this, alive = std::weak_ptr(alive_)](std::error_code cancelled) {
        if (!alive.expired() && !cancelled)
            sweep();
    });
}

void server::sweep()
{
    const auto now = clock::now();
    for (std::size_t slot = 0; slot < connections_.size(); ++slot)
        if (const auto current = connections_[slot])
            current->enforce_limits(now);
    sweeping_ = false;
    if (connections() > 0)
        schedule_sweep(sweep_interval_);
}

std::unique_ptr<parser> server::borrow_parser()
{
    if (spare_parsers_.empty())
        return std::make_unique<parser>(
            HTTP_REQUEST, parser_limits{settings_.max_header_size, settings_.max_body_size});
    auto lent = std::move(spare_parsers_.back());
    spare_parsers_.pop_back();
    return lent;
}

void server::give_back(std::unique_ptr<parser> lent)
{
    if (spare_parsers_.size() < max_spare && lent->memory() <= max_spare_memory) {
        lent->reset();
        spare_parsers_.push_back(std::move(lent));
    }
}

std::string server::borrow_buffer()
{
    if (spare_buffers_.empty())
        return {};
    auto lent = std::move(spare_buffers_.back());
    spare_buffers_.pop_back();
    return lent;
}

void server::give_back(std::string lent)
{
    if (spare_buffers_.size() < max_spare && lent.capacity() <= max_spare_memory)
        spare_buffers_.push_back(std::move(lent));
}

// What every answer says, after the fields its handler gave.
std::string_view server::common_headers(bool keep_alive)
{
    if (const auto now = std::time(nullptr); now != headers_made_) {
        headers_made_ = now;
        const auto date = "Date: " + http_date(now) + "\r\n";
        headers_closing_ = date + "Connection: close\r\n";
        headers_keeping_ = date + "Connection: keep-alive\r\n";
        if (const auto timeout = settings_.keep_alive_timeout; timeout > 0ms)
            headers_keeping_ += "Keep-Alive: timeout=" + std::to_string(timeout / 1s) + "\r\n";
    }
    return keep_alive ? headers_keeping_ : headers_closing_;
}

} // namespace http

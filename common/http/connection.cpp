#include "http/connection.hpp"

#include "log.hpp"
#include "observer.hpp"
#include "posix.hpp"

#include <asio/post.hpp>

#include <array>
#include <cerrno>
#include <ctime>
#include <exception>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

namespace http {

using namespace std::chrono_literals;

namespace {

// A client that sends requests without reading answers: no more of them are parsed while so many
// bytes wait, and the rest stays where it came from, in the kernel's buffers and then with the
// client.
constexpr std::size_t max_pending_output = 64 * 1024;

/// Takes a thing that is used by one at a time.
class borrowed {
public:
    explicit borrowed(bool& in_use) noexcept : in_use_(in_use) { in_use_ = true; }
    ~borrowed() { in_use_ = false; }
    borrowed(const borrowed&) = delete;
    borrowed& operator=(const borrowed&) = delete;

private:
    bool& in_use_;
};

} // namespace

connection::connection(shared_state& shared, unique_fd socket, std::size_t slot,
                       bool may_have_copies)
    : shared_(shared),
      socket_(std::move(socket)),
      may_have_copies_(may_have_copies),
      slot_(slot),
      since_(clock::now()),
      output_(shared.buffers)
{
}

// The client is the one who pays, not the process.
void connection::lose(const std::exception& why) noexcept
{
    close("broken");
    try {
        log_warning(std::string("http: a connection is lost: ") + why.what());
    } catch (const std::exception&) { // no memory for that either
    }
}

// --- receiving

// The request is often there already. Then a client that wants one answer only is served without
// epoll.
void connection::begin()
{
    if (!shared_.input_in_use)
        read();
    if (phase_ != phase::closed && !watched_)
        watch(false);
}

void connection::watch(bool output)
{
    // Each arrival is reported once.
    const std::uint32_t events =
        EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET | (output ? EPOLLOUT : 0u);
    if (watched_)
        shared_.epoll.modify(socket_.get(), *this, events);
    else
        shared_.epoll.add(socket_.get(), *this, events);
    watched_ = true;
}

void connection::on_events(std::uint32_t events) noexcept
{
    const auto self = weak_from_this().lock(); // until it is handled, whoever ends it
    or_close([&] { handle_events(events); });
}

void connection::handle_events(std::uint32_t events)
{
    readable_ = readable_ || (events & ~EPOLLOUT);
    urgent_ = urgent_ || (events & EPOLLPRI);
    client_ended_ = client_ended_ || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
    if (phase_ == phase::lingering) {
        if (!continues_)
            discard();
    } else if (output_.waiting() > 0) {
        if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
            since_ = clock::now(); // the client reads
            proceed();
        }
    } else if (phase_ == phase::answering && writer_.has_begun_body()) {
        if (events & (EPOLLHUP | EPOLLERR)) // not EPOLLRDHUP: it may have no more to ask, and read
            close("client");
    } else {
        take_input();
    }
}

// First what was left behind the last request, then what has come since.
void connection::take_input()
{
    if (!accepts_input() || output_.waiting() > 0)
        return;
    if (!unparsed_.empty())
        process(std::exchange(unparsed_, {}));
    else if (readable_)
        read();
}

void connection::read()
{
    auto& input = shared_.input;
    const auto received = posix::retry(
        [&] { return ::recv(socket_.get(), input.data(), input.size(), MSG_DONTWAIT); });
    if (received > 0) {
        // Less than we had room for is all there was; more to come is a new event (epoll(7), Q9).
        // Not so if the end of the stream has been told already, nor with urgent data: at its mark
        // a read stops, whatever is behind it. It has been told (EPOLLPRI) as soon as something can
        // be there.
        readable_ = static_cast<std::size_t>(received) == input.size() || client_ended_ || urgent_;
        const borrowed in_use(shared_.input_in_use);
        process({input.data(), static_cast<std::size_t>(received)});
    } else if (received < 0 && errno == EAGAIN) {
        readable_ = false;
        urgent_ = false;
    } else if (received == 0 && phase_ == phase::receiving) {
        refuse(400, "incomplete request"); // its sender may still be listening
        proceed();
    } else {
        close(received == 0 ? "client" : "broken");
    }
}

// Parses and answers, until the input is used up, or a handler keeps its response for later, or the
// client does not read. All answers up to there leave in one write.
void connection::process(std::string_view input)
{
    const auto now = clock::now();
    processing_ = true;
    while (!input.empty() && accepts_input()) {
        if (output_.waiting() >= max_pending_output && !send_output())
            break;
        if (!parser_)
            parser_ = shared_.parsers.take([this] {
                const auto& options = shared_.options;
                return std::make_unique<parser>(HTTP_REQUEST, parser_limits{options.max_header_size,
                                                                            options.max_body_size,
                                                                            options.keep_body});
            });
        parser_->takes_connect(static_cast<bool>(shared_.connect));
        const auto event = parser_->parse(input);
        if (!parser_->started()) { // nothing but empty lines
            give_back_parser();
            break;
        }
        if (phase_ == phase::idle || event == parser::event::message)
            since_ = now;
        phase_ = phase::receiving;
        switch (event) {
        case parser::event::need_more:
            break;
        case parser::event::expects_continue:
            output_.text().append("HTTP/1.1 100 Continue\r\n\r\n");
            output_.complete();
            break;
        case parser::event::message:
            if (observing)
                observing->request(socket_.get(), parser_->method(), parser_->target());
            if (shared_.options.delay > 0ms && !is_health_check())
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
    if (accepts_input() || phase_ == phase::answering || phase_ == phase::leaving)
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
    else if (phase_ == phase::leaving)
        leave();
    else if (accepts_input() && (readable_ || !unparsed_.empty()))
        continue_later();
}

// First the others have their turn. At most one of ours is due: events would add to their number.
void connection::continue_later()
{
    if (std::exchange(continues_, true))
        return;
    asio::post(shared_.executor, [self = shared_from_this()] {
        self->continues_ = false;
        self->or_close([&] {
            if (self->phase_ == phase::lingering)
                self->discard();
            else
                self->take_input();
        });
    });
}

// --- answering

void connection::call_handler_later()
{
    phase_ = phase::answering;
    parser_->keep_head();
    delay_ = std::make_unique<asio::steady_timer>(shared_.executor, shared_.options.delay);
    delay_->async_wait([self = shared_from_this()](std::error_code) {
        if (self->phase_ == phase::answering) // else closed meanwhile, perhaps with the server
            self->or_close([&] { self->call_handler(); });
    });
}

void connection::call_handler()
{
    if (who_takes_it()) {
        phase_ = phase::leaving;
        parser_->keep_head();
        if (!processing_)
            proceed();
        return;
    }
    phase_ = phase::answering;
    client_is_done_ = !parser_->keep_alive();
    writer_.begin(parser_->is_head_request(),
                  !client_is_done_ && ++requests_ != shared_.options.max_requests_per_socket,
                  !parser_->is_http_1_0());
    if (is_health_check()) {
        write_head(200, {{"Content-Type", "text/plain"}});
        end("ok\n");
        return give_back_parser();
    }
    // If the handler throws, its response ends without end(): see abandon().
    const auto failed = [](const std::string& reason) {
        log_warning("http: the request handler threw: " + reason);
    };
    try {
        shared_.handler({parser_->method(), parser_->target(), parser_->headers(), parser_->body()},
                        response(shared_from_this()));
    } catch (const std::exception& error) {
        failed(error.what());
    } catch (...) {
        failed("not a std::exception");
    }
    give_back_parser();
}

bool connection::is_health_check() const
{
    // [health]
    const auto target = parser_->target();
    return !shared_.options.health_check.empty() &&
           target.substr(0, target.find('?')) == shared_.options.health_check &&
           (parser_->method() == "GET" || parser_->is_head_request());
    // [/health]
}

void connection::give_back_parser()
{
    parser_->reset();
    const auto memory = parser_->memory();
    shared_.parsers.give_back(std::move(parser_), memory);
}

void connection::write_head(unsigned status, std::initializer_list<header> headers)
{
    response_writer::check(status, headers);
    if (phase_ == phase::answering)
        writer_.write_head(output_.text(), status, headers);
}

// The answer's time is known now, not when an answer that may last for ever has ended.
void connection::begin_body()
{
    if (shared_.closing_since || !writer_.knows_chunks())
        writer_.do_not_keep_alive();
    if (observing)
        observing->response(socket_.get(), writer_.status(), clock::now() - since_);
    writer_.begin_body(output_.text(), shared_.fields.at(std::time(nullptr), writer_.keep_alive()));
}

bool connection::write(std::string_view part)
{
    if (phase_ != phase::answering)
        return false; // the client has gone
    if (output_.waiting() > shared_.options.max_unsent_size) {
        close("timeout"); // the writer does not wait for a client that does not read
        return false;
    }
    if (!writer_.has_begun_body())
        begin_body();
    writer_.write(output_.text(), part);
    if (output_.waiting() == 0)
        since_ = clock::now(); // from now on the client may be waited for
    output_.complete();
    if (!processing_ || output_.waiting() >= max_pending_output)
        or_close([&] { send_output(); });
    return phase_ == phase::answering && output_.waiting() < max_pending_output;
}

asio::awaitable<bool> connection::drained(std::shared_ptr<connection> self)
{
    const auto is_over = [&] {
        return self->phase_ != phase::answering || self->output_.waiting() == 0;
    };
    if (!is_over() && !self->drained_)
        self->drained_ = std::make_unique<event>(self->shared_.executor);
    while (!is_over())
        co_await self->drained_->wait_without_cancellation();
    co_return self->phase_ == phase::answering;
}

void connection::finish_response(std::string_view body)
{
    if (shared_.closing_since)
        writer_.do_not_keep_alive();
    const bool keep_alive = writer_.keep_alive();
    if (writer_.has_begun_body()) {
        writer_.write(output_.text(), body);
        writer_.end_body(output_.text());
    } else {
        if (observing)
            observing->response(socket_.get(), writer_.status(), clock::now() - since_);
        writer_.end(output_.text(), body, shared_.fields.at(std::time(nullptr), keep_alive));
    }
    output_.complete();
    phase_ = keep_alive ? phase::idle : phase::ending;
    if (!processing_)
        since_ = clock::now();
}

void connection::end(std::string_view body)
{
    if (phase_ != phase::answering)
        return; // the client has gone
    finish_response(body);
    ++shared_.counters.answered;
    if (!processing_)
        or_close([&] { proceed(); });
}

// A response nobody ended: a handler has thrown or forgotten it. Of one that has begun the client
// must see that it is not whole.
void connection::abandon() noexcept
{
    if (phase_ != phase::answering)
        return;
    if (writer_.has_begun_body())
        return close("broken");
    or_close([&] {
        refuse(500, "no answer");
        if (!processing_)
            proceed();
    });
}

// An answer of the server's own, and the last one: after a malformed request nobody can tell where
// the next begins (RFC 9112 §2.2, §11.2).
void connection::refuse(unsigned status, std::string_view reason)
{
    ++shared_.counters.refused;
    output_.drop_incomplete(); // a head written already
    writer_.begin(parser_ ? parser_->is_head_request() : writer_.is_head_request(), false);
    writer_.write_head(output_.text(), status, {{"Content-Type", "text/plain"}});
    finish_response(std::string(reason) + "\n");
}

// --- sending

// Sends the complete answers. True when that is done; false when the client must read first, or the
// connection is closed.
bool connection::send_output()
{
    switch (output_.send(socket_.get())) {
    case output::result::sent:
        if (drained_)
            drained_->notify();
        return true;
    case output::result::blocked:
        if (!std::exchange(waits_for_space_, true))
            watch(true);
        return false;
    case output::result::broken:
        close("broken");
        return false;
    }
    return false;
}

} // namespace http

// The last phases of a connection, and who is brought to them by a limit.
#include "http/connection.hpp"

#include "log.hpp"
#include "observer.hpp"
#include "posix.hpp"

#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <utility>

namespace http {

using namespace std::chrono_literals;

namespace {

// While lingering: after so many reads the others have their turn.
constexpr int max_discards = 16;

// See server::close().
constexpr auto closing_idle_time = 100ms;
constexpr auto closing_silent_time = 500ms;

} // namespace

// --- leaving

// Who wants a protocol that this request offers: the first one offered, which is the client's
// favourite. Null when nobody does: such an offer may be ignored, and must be in HTTP/1.0 (RFC 9110
// §7.8).
const server::upgrade_handler* connection::who_takes_it() const
{
    if (parser_->is_connect_request())
        return &shared_.connect;
    const auto& headers = parser_->headers();
    if (shared_.upgrades.empty() || parser_->is_http_1_0() ||
        !headers.lists("connection", "upgrade"))
        return nullptr;
    for (auto [name, offers] : headers) {
        while (equal_ignoring_case(name, "upgrade") && !offers.empty()) {
            const auto offer = take_element(offers);
            for (const auto& [protocol, handler] : shared_.upgrades)
                if (equal_ignoring_case(offer, protocol))
                    return &handler;
        }
    }
    return nullptr;
}

// All answers are sent. What is behind the request is in `unparsed_`, and then in the kernel.
void connection::leave()
{
    phase_ = phase::closed;
    delay_.reset();
    if (watched_)
        shared_.epoll.remove(socket_.get(), *this);
    ++shared_.counters.taken;
    shared_.ended(slot_); // this object lives on in the caller's pointer
    try {
        (*who_takes_it())({parser_->method(), parser_->target(), parser_->headers()},
                          std::move(socket_), std::move(unparsed_));
    } catch (const std::exception& error) {
        log_warning(std::string("http: a connection is lost: its handler threw: ") + error.what());
    } catch (...) {
        log_warning("http: a connection is lost: its handler threw");
    }
    socket_.reset();
    give_back_parser();
}

// --- ending

// Not close(): with unread input that would be a reset, which takes the answer away from a client
// that has not read it yet. So: the end of our side, and then patience (RFC 9112 §9.6, tcp(7)). But
// a client that has sent `Connection: close` itself sends nothing behind that request.
void connection::half_close()
{
    if (client_is_done_ && !readable_ && unparsed_.empty())
        return close("ended");
    lingering_ = std::make_unique<net::lingering>();
    if (observing)
        observing->shut_down(socket_.get());
    ::shutdown(socket_.get(), SHUT_WR);
    phase_ = phase::lingering;
    if (readable_)
        discard();
}

void connection::discard()
{
    // Not shared_.input: another connection's handler, which has ended this response, may be using
    // it.
    std::array<char, 16 * 1024> input;
    for (int i = 0; i < max_discards; ++i) {
        const auto received = ::recv(socket_.get(), input.data(), input.size(), MSG_DONTWAIT);
        if (received == 0 || (received < 0 && errno != EAGAIN && errno != EINTR))
            return close(received == 0 ? "ended" : "broken");
        if (received < 0 && errno == EAGAIN)
            return;
        lingering_->heard();
    }
    continue_later();
}

void connection::close(std::string_view why) noexcept
{
    if (phase_ == phase::closed)
        return;
    if (observing)
        observing->closing(socket_.get(), why);
    phase_ = phase::closed;
    delay_.reset();
    if (drained_)
        drained_->notify();
    if (watched_ && may_have_copies_)
        shared_.epoll.remove(socket_.get(), *this);
    else if (watched_)
        shared_.epoll.forget(*this);
    socket_.reset();
    // This object lives on in the caller's pointer.
    shared_.ended(slot_);
}

void connection::enforce_limits(clock::time_point now) noexcept
{
    or_close([&] { end_what_is_overdue(now); });
}

void connection::end_what_is_overdue(clock::time_point now)
{
    const auto& options = shared_.options;
    const auto age = now - since_;
    const auto is_over = [age](clock::duration limit) { return limit > 0ms && age > limit; };
    const bool closing = shared_.closing_since.has_value();

    if (phase_ == phase::lingering) {
        if (lingering_->is_over(now))
            close("timeout");
    } else if (output_.waiting() > 0) {
        if (is_over(options.request_timeout))
            close("timeout");
    } else if (phase_ == phase::idle) {
        if (is_over(options.keep_alive_timeout) || (closing && age > closing_idle_time))
            end_unless_readable();
    } else if (phase_ == phase::silent) {
        if (is_over(options.headers_timeout) || (closing && age > closing_silent_time))
            end_unless_readable();
    } else if (phase_ == phase::receiving) {
        if (is_over(options.request_timeout) ||
            (!parser_->has_head() && is_over(options.headers_timeout))) {
            refuse(408, "the request took too long");
            proceed();
        }
    }
    if (closing && phase_ != phase::closed && options.drain_timeout > 0ms &&
        now - *shared_.closing_since > options.drain_timeout) {
        const bool is_busy =
            phase_ == phase::receiving || phase_ == phase::answering || output_.waiting() > 0;
        if (is_busy)
            ++shared_.counters.cut;
        if (is_busy || phase_ == phase::lingering)
            close("stopped");
    }
}

// A request may have arrived in this very moment; if so, it is answered. Empty lines are no
// request.
void connection::end_unless_readable()
{
    const auto waiting_since = since_;
    char byte;
    if (posix::retry([&] { return ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT); }) > 0)
        read();
    if ((phase_ == phase::silent || phase_ == phase::idle) && since_ == waiting_since)
        half_close();
}

} // namespace http

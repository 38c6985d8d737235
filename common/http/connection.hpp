// connection: one client, from emit_connection() to the end of its socket.
//
// Its phases. What ends it at once from anywhere (the client has gone, the service is cut) is left
// out; "limit": one of the options, or server::close().
//
//                 silent ────────────limit──────────┐
//                   │ first byte                    │
//                   v                               │
//     ┌────────> receiving ──fault, limit──┐        │
//     │             │ the request is whole │        │
//     │ first       v                      v        v
//     │ byte     answering ──last one──> ending ─> lingering ──> closed
//     │             │ end()              all is sent ^    client's end,
//     └─────────── idle ─────────────limit───────────┘    or our patience's
//
// Off this map lies `leaving`: of a request that on_upgrade() or on_connect() has a handler for,
// when it is whole, until all answers before it are sent; then the socket is the handler's, and we
// are closed.
//
// Beside the phase stands the output (output.hpp), which may still be full of earlier answers: no
// input is taken while the client must read first. An answer in parts (write()) stays in
// `answering` until end(), with its head and what was written of it in the output.
#pragma once

#include "event.hpp"
#include "http/output.hpp"
#include "http/parser.hpp"
#include "http/response_writer.hpp"
#include "http/shared_state.hpp"
#include "net/epoll_instance.hpp"
#include "net/lingering.hpp"
#include "unique_fd.hpp"

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace http {

/// The server's list owns it, and so do the operation it waits for and a response not yet ended;
/// once it is closed, these find it so. All functions may close it, close() calls shared.ended.
class connection final : public std::enable_shared_from_this<connection>,
                         private net::epoll_instance::watcher {
public:
    using clock = std::chrono::steady_clock;

    /// `slot` is for shared.ended. `may_have_copies`: of the socket, in other processes.
    connection(shared_state& shared, unique_fd socket, std::size_t slot, bool may_have_copies);

    /// Once, at first: reads what is there already, and begins to wait. Throws std::system_error if
    /// the socket cannot be watched; it then has to be closed.
    void begin();
    void enforce_limits(clock::time_point now) noexcept;
    void close(std::string_view why) noexcept; ///< as observer::closing() has it

    // The other side of response, whose header has the contracts.
    void write_head(unsigned status, std::initializer_list<header> headers);
    bool write(std::string_view part);
    static asio::awaitable<bool> drained(std::shared_ptr<connection> self);
    void end(std::string_view body);
    void abandon() noexcept; ///< it was dropped without end()

private:
    enum class phase : std::uint8_t {
        silent,    // nothing came yet
        idle,      // between two requests
        receiving, // a part of a request is there
        answering, // the handler has it
        leaving,   // a handler gets the connection when all is sent
        ending,    // the last answer is written, but perhaps not sent
        lingering, // everything is sent, our side of the stream is closed
        closed,
    };

    void on_events(std::uint32_t events) noexcept override;
    // What is thrown in `action` (no memory, no room in epoll) costs this connection.
    template<class Action>
    void or_close(Action action) noexcept
    {
        try {
            action();
        } catch (const std::exception& error) {
            lose(error);
        }
    }
    void lose(const std::exception& why) noexcept;
    void handle_events(std::uint32_t events);
    void take_input();
    void read();
    void process(std::string_view input);
    void call_handler_later();
    void call_handler();
    bool is_health_check() const;
    const server::upgrade_handler* who_takes_it() const;
    void leave();
    void give_back_parser();
    void begin_body();
    void finish_response(std::string_view body);
    void refuse(unsigned status, std::string_view reason);
    void proceed();
    void continue_later();
    bool send_output();
    void half_close();
    void discard();
    void end_what_is_overdue(clock::time_point now);
    void end_unless_readable();
    void watch(bool output);
    bool accepts_input() const noexcept
    {
        return phase_ == phase::silent || phase_ == phase::idle || phase_ == phase::receiving;
    }

    // In an order without gaps: there may be many thousands of them.
    shared_state& shared_;
    unique_fd socket_;
    phase phase_ = phase::silent;
    const bool may_have_copies_;
    const std::size_t slot_;
    clock::time_point since_; // the beginning of the phase, or the last byte sent

    bool watched_ = false;  // by epoll
    bool readable_ = false; // there may be input: events come once, not as long as it lies there
    bool urgent_ = false;   // a mark of urgent data, where recv(2) stops short, may be in it
    bool client_ended_ = false;    // the client has closed its side, or both
    bool continues_ = false;       // continue_later() is due
    bool processing_ = false;      // inside process(), which sends what its callees leave
    bool client_is_done_ = false;  // it has asked for the end, and so sends nothing more
    bool waits_for_space_ = false; // epoll is to report that there is room for output
    std::uint32_t requests_ = 0;
    response_writer writer_; // of the request under way
    output output_;
    std::string unparsed_; // input behind a request that is not answered yet

    // These are seldom there.
    std::unique_ptr<parser> parser_;            // while a request is being received
    std::unique_ptr<asio::steady_timer> delay_; // see server_options::delay
    std::unique_ptr<net::lingering> lingering_; // in that phase
    std::unique_ptr<event>
        drained_; // while somebody waits for it: nothing waits to be sent, or closed
};

} // namespace http

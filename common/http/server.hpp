// server: Node's http.createServer() for connections that somebody else accepted.
//
//     http::server server(executor, [](const http::request&, http::response response) {
//         response.write_head(200, {{"Content-Type", "text/plain"}});
//         response.end("Request handled by worker-" + std::to_string(::getpid()));
//     });
//     server.emit_connection(std::move(socket));      // Node: server.emit('connection', socket)
//
// It does not listen. A connection may come from net::server, over a channel from another process,
// or from a socketpair in a test. All calls, and the handler, run on the thread of the io_context.
#pragma once

#include "http/message.hpp"
#include "http/settings.hpp"
#include "unique_fd.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace http {

class connection;
class parser;

/// What has happened so far; each request is counted once, in one of `answered` and `refused`,
/// unless its connection ended before.
struct server_counters {
    std::uint64_t connections = 0; ///< handed over
    std::uint64_t answered = 0;    ///< requests the handler answered
    std::uint64_t refused = 0;     ///< requests answered 4xx or 5xx without the handler's doing
    std::uint64_t cut = 0;         ///< connections ended with a request under way, by drain_timeout
};

/// The answer to one request, Node's ServerResponse. It may outlive the handler's call, and be
/// ended from a timer, say: meanwhile later requests of its connection wait, as answers come in
/// order (RFC 9112 §9.3.2). Dropped without end(), it answers 500. If the client is gone, calls do
/// nothing.
class response {
public:
    response(response&&) noexcept = default;
    response& operator=(response&&) noexcept;
    ~response();

    /// Status (200 to 999) and header fields, which are copied; at most once. Without it end()
    /// sends 200. The server itself adds Date, Connection, Keep-Alive and Content-Length; of these
    /// only {"Connection", "close"} may be given, to end the connection after this answer.
    /// Throws std::invalid_argument for another of them, and for a name or value that is not
    /// allowed in a header: a line break in a value would let its author write the rest of the
    /// answer.
    response& write_head(unsigned status, std::initializer_list<header> headers = {});

    /// Sends it all, header and body in one write. The body is left out where there must be none:
    /// after HEAD, with 204 and 304. Throws std::logic_error the second time.
    void end(std::string_view body = {});

private:
    friend class connection;
    explicit response(std::shared_ptr<connection>) noexcept;
    std::shared_ptr<connection> connection_; // null after end()
};

/// Memory: a connection that is idle costs about 230 bytes of this process (measured with 10,000,
/// tested to be below 1 KiB), and its socket in the kernel: buffers and parsers are lent to those
/// with a request under way. A request in arrival costs at most max_header_size and what the parser
/// notes of it, an answer that waits for its client its own size and at most 64 KiB of others.
class server {
public:
    /// What ipc::handle says when somebody tries to send one to another process.
    static constexpr auto send_instead =
        "its parser and handlers are memory; send the listening server below it, and let the child "
        "feed its connections to an HTTP server of its own";

    /// Called once a request is complete. An exception becomes the answer 500 and the end of the
    /// connection, and a line on stderr; the others do not notice.
    using request_handler = std::function<void(const request&, response)>;

    /// Throws std::system_error when there is no descriptor for its epoll instance.
    server(asio::any_io_executor executor, request_handler handler, server_settings settings = {});
    ~server(); ///< ends all connections at once; must not outlive the io_context
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Takes a connected stream socket, blocking or not. Bytes that have arrived are part of the
    /// conversation, as long as nobody has read them. Other processes may hold copies of it.
    void emit_connection(asio::ip::tcp::socket socket);

    /// The same for a socket fresh from accept(2), of which this is the only copy: two system calls
    /// less.
    void emit_connection(unique_fd socket);

    /// Ends the service without losing an answer; io_context::run() returns when the rest is done.
    ///
    /// A request that has begun is answered, with `Connection: close`, within drain_timeout. A
    /// connection that is silent since its last answer is ended at once, that is: after input that
    /// is already there has been looked for and answered, and not before 100 ms after that answer.
    /// A client in the midst of sending one request after another so gets one more answer, which
    /// tells it to stop; a connection on which nothing came yet has 500 ms. What cannot be helped
    /// is a request that crosses with our end of the stream on the way: clients know it, and try
    /// again on another connection (RFC 9112 §9.3.1).
    void close();

    /// Completes when close() has done its work: the last connection has ended. One caller at most.
    asio::awaitable<void> closed();

    /// Node's closeAllConnections(): ends them now, whatever they are doing.
    void close_all_connections();

    std::size_t connections() const noexcept { return connections_.size() - free_slots_.size(); }
    const server_counters& counters() const noexcept { return counters_; }

private:
    friend class connection;
    using clock = std::chrono::steady_clock;

    void add(unique_fd socket, bool may_have_copies);
    void remove(std::size_t slot);
    void watch(int operation, int fd, std::uint64_t key, std::uint32_t more_events);
    void wait_for_events();
    void dispatch_events();
    std::unique_ptr<parser> borrow_parser();
    void give_back(std::unique_ptr<parser>);
    std::string borrow_buffer();
    void give_back(std::string);
    std::string_view common_headers(bool keep_alive);
    void schedule_sweep(clock::duration delay);
    void sweep();

    asio::any_io_executor executor_;
    request_handler handler_;
    server_settings settings_;
    server_counters counters_;

    // An epoll instance of our own inside that of Asio. Asio's waits are for one event: each time
    // it has told that a socket is readable, somebody must ask again, by a recv() that finds
    // nothing or by epoll_ctl(2). A kept connection would pay that for each request. This one is
    // told about a socket once and then reports each arrival (EPOLLET, epoll(7)). An epoll
    // descriptor is itself readable when it has something to report, so that Asio can wait for it
    // as for a socket: one wait for all connections, and epoll_wait(2) then says which, 64 at a
    // time.
    asio::posix::stream_descriptor epoll_;
    std::vector<std::shared_ptr<connection>> connections_; // slots; some are free
    std::vector<std::size_t> free_slots_;
    std::uint32_t serial_ = 0; // of the last connection
    bool waiting_ = false;

    // Ends what is overdue. Runs only while there are connections, and so does not keep the
    // io_context busy for ever.
    asio::steady_timer sweep_timer_;
    clock::duration sweep_interval_;
    bool sweeping_ = false;
    bool closing_ = false;
    clock::time_point closing_since_{};
    asio::steady_timer last_has_ended_; // never expires; cancelling it wakes closed()

    // All connections read into this one: what is left of it after parsing, they copy.
    std::array<char, 16 * 1024> input_;
    bool input_in_use_ = false;
    std::vector<std::unique_ptr<parser>> spare_parsers_;
    std::vector<std::string> spare_buffers_;

    // Date, Connection, Keep-Alive, and "Content-Length: "; made once a second.
    std::string headers_keeping_;
    std::string headers_closing_;
    std::time_t headers_made_ = 0;

    std::shared_ptr<void> alive_ = std::make_shared<char>(); // for the timer's last call
};

} // namespace http

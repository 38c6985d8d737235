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
#include "http/options.hpp"
#include "http/response.hpp"
#include "net/listen.hpp"
#include "unique_fd.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace http {

class connection_set;

/// What has happened so far; each request is counted once, in one of `answered`, `refused`
/// and `taken`, unless its connection ended before.
struct server_counters {
    std::uint64_t connections = 0; ///< handed over
    std::uint64_t answered = 0;    ///< by the handler; and health checks
    std::uint64_t refused = 0;     ///< requests answered 4xx or 5xx without the handler's doing
    std::uint64_t taken = 0;       ///< connections that on_upgrade() or on_connect() has got
    std::uint64_t cut = 0;         ///< connections ended with a request under way, by drain_timeout
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

    /// Called with a connection that leaves the server, and is the handler's now: with the request,
    /// valid until it returns; the socket, as it came, blocking or not; and `head`, what the server
    /// has read behind the request and nobody has looked at: the first bytes of what comes in. All
    /// requests before this one have been answered, and their answers are with the kernel. The
    /// handler writes the answer itself ("HTTP/1.1 101 Switching Protocols" ...); if it throws, the
    /// connection is closed, and a line is written on stderr.
    using upgrade_handler = std::function<void(const request&, unique_fd socket, std::string head)>;

    /// Throws std::system_error when there is no descriptor for its epoll instance, and
    /// std::invalid_argument for a name that is no token.
    server(asio::any_io_executor executor, request_handler handler, server_options options = {});
    ~server(); ///< ends all connections at once; not in a handler, not after the io_context
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Takes a connected stream socket, blocking or not. Bytes that have arrived are part of the
    /// conversation, as long as nobody has read them. Other processes may hold copies of it. Throws
    /// std::system_error when the kernel cannot watch one more; that connection is closed then.
    void emit_connection(unique_fd socket);
    void emit_connection(asio::ip::tcp::socket socket);

    /// The same with what is known of it: of a socket that has no copies, its end costs one system
    /// call less.
    void emit_connection(net::accepted socket);

    /// server.on('upgrade', handler): for requests that offer to change to this protocol,
    /// "websocket" say, in any case: by `Upgrade`, `Connection: upgrade`, and HTTP/1.1 (RFC 9110
    /// §7.8). A body that such a request has is read first, and thrown away. All other requests are
    /// answered as ever, also those that offer another protocol (in Node they are not, once there
    /// is a handler). To be called before the first connection comes.
    void on_upgrade(std::string protocol, upgrade_handler handler);

    /// server.on('connect', handler): for the method CONNECT, whose target is "host:port" (RFC 9110
    /// §9.3.6). Without a handler the answer is 501. To be called before the first connection
    /// comes.
    void on_connect(upgrade_handler handler);

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

    /// Completes when close() has done its work: the last connection has ended, or left.
    asio::awaitable<void> closed();

    /// Node's closeAllConnections(): ends them now, whatever they are doing.
    void close_all_connections();

    std::size_t connections() const noexcept; ///< how many are open

    /// Calls `handler` whenever one of the connections has ended, however, or left. It must not
    /// throw.
    void on_connection_ended(std::function<void()> handler);

    const server_counters& counters() const noexcept;

private:
    std::unique_ptr<connection_set> connections_;
};

} // namespace http

// options: the limits of an HTTP server. A file of its own because the command line names them
// too.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace http {

/// Limits, with Node's names and defaults where Node has them. A time of zero means "no limit", and
/// so does zero max_requests_per_socket.
/// One timer looks after all connections, so that an end may come late, by a quarter of the
/// shortest time in use: 250 ms at most, 50 ms at least.
struct server_options {
    /// From the first byte of a request (on a new connection: from the connection) to the end of
    /// its header. Late: 408, or just the end if not a byte came (RFC 9110 §15.5.9).
    std::chrono::milliseconds headers_timeout{60'000};

    /// The same to its last byte, body included (Late: 408); also how long an answer may wait for a
    /// client that does not read.
    std::chrono::milliseconds request_timeout{300'000};

    /// From an answer to the first byte of the next request (RFC 9112 §9.5).
    std::chrono::milliseconds keep_alive_timeout{5'000};

    std::size_t max_header_size = 16 * 1024; ///< bytes of request line and fields: 414, 431
    std::size_t max_requests_per_socket = 0; ///< the last answer says `Connection: close`

    // Not Node's:

    std::size_t max_body_size = 1024 * 1024; ///< bytes of body: 413
    bool keep_body = false; ///< for request::body; else a body is thrown away as it comes

    /// Bytes of an answer in parts that wait for a client who does not read. A handler that writes
    /// all the same, and does not wait for response::drained(), ends the connection.
    std::size_t max_unsent_size = 1024 * 1024;

    /// How long close() lets requests run that have begun. Node has closeAllConnections() instead.
    std::chrono::milliseconds drain_timeout{2'000};

    /// How long a complete request waits before the handler is called: a slow application, to watch
    /// and to test.
    std::chrono::milliseconds delay{0};

    /// What a proxy in front asks to learn whether this host is alive: "/healthz". A GET or HEAD of
    /// it is answered 200 by the server itself, without `delay`, whatever its query is; the handler
    /// does not see it. Empty: it is a target like any other.
    std::string health_check{};

    /// Of the host that this process runs on, say: each answer has the field `Served-By: NAME/PID`.
    /// A token (RFC 9110 §5.6.2); empty: no field.
    std::string name{};
};

} // namespace http

// response: the answer to one request, Node's ServerResponse.
#pragma once

#include "http/message.hpp"

#include <asio/awaitable.hpp>

#include <initializer_list>
#include <memory>
#include <string_view>

namespace http {

class connection;

/// It may outlive the handler's call, and be ended from a timer, say: meanwhile later requests of
/// its connection wait, as answers come in order (RFC 9112 §9.3.2). Dropped without end(), it
/// answers 500. If the client is gone, calls do nothing.
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

    /// A part of the body, sent now: for an answer that grows, or that is too large to be held. The
    /// first one sends the header, too; an empty one nothing but that. The parts go as chunks (RFC
    /// 9112 §7.1); a client of HTTP/1.0 does not know those, and its connection ends with the
    /// answer. After HEAD, and with 204 and 304, the body is left out.
    ///
    /// False, as in Node: the client must read first. What was given is kept, and the writer waits
    /// for drained(), so that a client that reads slowly costs no more memory than one part and 64
    /// KiB. One who writes on loses the connection at server_options::max_unsent_size. False also
    /// when the client has gone, and then nothing is kept. A client that takes nothing for
    /// request_timeout is cut, as with end(). One that goes while nothing is written may be noticed
    /// by the next part only, or by the one behind that. server::close() gives an answer that has
    /// begun drain_timeout to end.
    ///
    /// Throws std::logic_error after end(), and what a string throws that cannot have the part's
    /// size. Dropped without end(), an answer that has begun ends its connection, so that the
    /// client sees that something is missing.
    bool write(std::string_view part);

    /// Node's 'drain': true when the kernel has all that was written; false when the client has
    /// gone, and nothing more need be written. Throws std::logic_error after end(). To cancel this
    /// has no effect.
    asio::awaitable<bool> drained();

    /// Sends it all, header and body in one write; after write(), the last part. The body is left
    /// out where there must be none: after HEAD, with 204 and 304. Throws std::logic_error the
    /// second time; and what a string throws that cannot have the answer's size, which then is not
    /// sent.
    void end(std::string_view body = {});

private:
    friend class connection;
    explicit response(std::shared_ptr<connection>) noexcept;
    std::shared_ptr<connection> connection_; // null after end()
};

} // namespace http

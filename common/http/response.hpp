// response: the answer to one request, Node's ServerResponse.
#pragma once

#include "http/message.hpp"

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

    /// Sends it all, header and body in one write. The body is left out where there must be none:
    /// after HEAD, with 204 and 304. Throws std::logic_error the second time; and what a string
    /// throws that cannot have the answer's size, which then is not sent.
    void end(std::string_view body = {});

private:
    friend class connection;
    explicit response(std::shared_ptr<connection>) noexcept;
    std::shared_ptr<connection> connection_; // null after end()
};

} // namespace http

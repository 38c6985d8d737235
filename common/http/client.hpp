// client: asks an HTTP server over one connection, one request after the other; Node's http.get().
//
//     http::client client(std::move(socket), "localhost:8888");
//     const http::answer res = co_await client.get("/");
#pragma once

#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace http {

class parser;

/// A complete answer. Interim ones (1xx) are passed over; a status outside of 100 to 599 counts as
/// one of 5xx (RFC 9110 §15).
struct answer {
    unsigned status = 0;
    std::string body; ///< chunks put together
};

/// The server's part of the conversation was not HTTP, ended in the middle, or took too long.
/// what() is for the user.
struct bad_answer : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The server ended the connection before the first byte of its answer. On a connection that was
/// kept this means nothing: the server may have closed it while the request was on its way, and a
/// GET may be sent again over a new one (RFC 9112 §9.3.1).
struct no_answer : bad_answer {
    using bad_answer::bad_answer;
};

/// What the Host field says of a server (RFC 9112 §3.2): the name, or an IPv6 address in brackets,
/// and the port unless it is 80. The zone of an address ("fe80::1%eth0") stays behind: it means
/// something on this machine only (RFC 6874 §4).
std::string host_field(const std::string& host, std::uint16_t port);

class client {
public:
    /// Takes a connected socket. `host` is what the Host field is to say: see host_field().
    client(asio::ip::tcp::socket socket, std::string host);
    ~client();

    /// Sends a GET and reads the answer to its end. With `keep_alive` the server is asked to keep
    /// the connection: then see reusable(). Throws bad_answer or no_answer, the former also when
    /// `timeout` has passed (zero: never); afterwards the connection is of no more use.
    asio::awaitable<answer>
    get(std::string target, bool keep_alive = false,
        std::chrono::milliseconds timeout = std::chrono::milliseconds::zero());

    /// May another request be sent on this connection? No longer once bytes have come that nobody
    /// asked for: they are no answer to the next request (RFC 9112 §9.2).
    bool reusable() const noexcept;

private:
    asio::ip::tcp::socket socket_;
    std::string host_;
    std::unique_ptr<parser> parser_;
    bool reusable_ = true;
    std::array<char, 16 * 1024> buffer_{};
};

} // namespace http

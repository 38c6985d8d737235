// Plain TCP for tests: a client that reads to the end, a server that does what a test wants.
#pragma once

#include "support/process.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// One end of a connection. Move-only. Waiting functions throw std::runtime_error at the deadline,
/// and std::system_error for what the socket reports.
class connection {
public:
    explicit connection(int fd) : fd_(fd) {}
    connection(connection&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    connection& operator=(connection&& other) noexcept;
    ~connection();

    void send(std::string_view bytes);

    /// All until the other side ends.
    std::string read_to_end(milliseconds limit = a_while);
    /// At least until `end` has come.
    std::string read_until(std::string_view end, milliseconds limit = a_while);

    /// Ends our side; the other one may still talk (shutdown(2), SHUT_WR).
    void end_sending();

    /// Has the other side ended it, and is there nothing left to read? Does not wait.
    bool has_ended() const;

    /// Has the other side said something, or ended it? Does not wait.
    bool is_readable() const;

    /// Closes in such a way that the other side reads "connection reset".
    void reset();
    void close();

private:
    bool read_some(std::string& text, milliseconds left);
    int fd_;
};

/// `host` is an address, 127.0.0.1 or ::1.
connection connect(std::uint16_t port, const std::string& host = "127.0.0.1");

/// Connects, and returns all the server says.
std::string ask(std::uint16_t port, const std::string& host = "127.0.0.1");

/// Most containers have none, some machines neither.
bool has_ipv6();

/// 127.0.0.1, and ::1 where there is IPv6.
std::vector<std::string> loopback_addresses();

/// Can somebody listen there now? To ask is in nobody's way.
bool is_free(std::uint16_t port);

/// A port on which nobody listens. As long as this process lives, it is given to nobody who leaves
/// the choice to the kernel; who names it (with SO_REUSEADDR) may listen there.
std::uint16_t unused_port();

/// A listening socket.
class listener {
public:
    explicit listener(const std::string& host = "127.0.0.1", std::uint16_t port = 0);
    ~listener();
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    std::uint16_t port() const { return port_; }
    int native_handle() const { return fd_; } ///< still owned here
    connection accept(milliseconds limit = a_while);
    /// Has a client come within this time?
    bool somebody_waits(milliseconds time);

protected:
    listener(const std::string& host, std::uint16_t port, int backlog);

private:
    int fd_;
    std::uint16_t port_;
};

/// A port of 127.0.0.1 where a connection is neither made nor refused: its queue is full.
class full_listener : private listener {
public:
    full_listener();
    ~full_listener();
    using listener::port;

private:
    int in_queue_[4];
};

/// May this user filter what reaches a socket of his (SO_ATTACH_FILTER in socket(7))? Linux lets
/// everybody; a sandbox may want CAP_NET_ADMIN.
bool sockets_can_be_filtered();

} // namespace support

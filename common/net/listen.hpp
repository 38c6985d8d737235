// Listening, accepting: what Node's net.createServer() and server.listen() do. Notes: chapter 05.
#pragma once

#include "unique_fd.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace net {

/// A connection fresh from accept(2). A handler takes it as what it needs: as `tcp::socket` to talk
/// to the client; as `unique_fd`, or as this, to give it to somebody else, so that Asio's epoll
/// need not hear of it.
class accepted {
public:
    accepted(asio::any_io_executor executor, asio::ip::tcp protocol, unique_fd fd)
        : executor_(std::move(executor)), protocol_(protocol), fd_(std::move(fd))
    {
    }
    operator asio::ip::tcp::socket() &&;
    operator unique_fd() && noexcept { return std::move(fd_); }

    /// socket.remoteAddress, remotePort. Throws std::system_error when the client has gone already.
    asio::ip::tcp::endpoint remote_endpoint() const;

    int native_handle() const noexcept { return fd_.get(); }
    [[nodiscard]] int release() noexcept { return fd_.release(); }

private:
    asio::any_io_executor executor_;
    asio::ip::tcp protocol_;
    unique_fd fd_;
};

/// A listening socket, as Node's net.Server.
///
/// The descriptor is close-on-exec, non-blocking and registered with no epoll until on_connection()
/// is called: a server that is only made to be given away leaves no trace behind.
///
/// Several processes may hold copies of one listening socket; each connection is accepted by
/// exactly one of them. Therefore close() only drops this process's copy. It never calls
/// shutdown(), which would stop the port for all holders.
class server {
public:
    using connection_handler = std::function<void(accepted)>;

    /// Takes ownership of a listening stream socket.
    server(asio::any_io_executor executor, unique_fd listening);
    server(server&&) noexcept;
    server& operator=(server&&) noexcept;
    ~server();

    /// server.on('connection', handler): accepts until close(). Each connection comes non-blocking
    /// and close-on-exec. Out of descriptors (EMFILE, ENFILE) or memory, it says so on stderr at
    /// most once a second and tries again after 100 ms; meanwhile clients wait in the kernel's
    /// queue. A connection that failed before it was accepted (ECONNABORTED and its like) is
    /// skipped. When the socket itself is of no use (EBADF; EINVAL after somebody's shutdown(2)),
    /// std::system_error leaves the executor's run().
    void on_connection(connection_handler handler);

    /// server.close(): ends the service here, by dropping this process's copy of the listening
    /// socket; harmless when there is none. Connections that are complete and wait in the kernel's
    /// queue go to the handler first: their clients may have sent a request already, and with the
    /// last copy of the socket the kernel would reset them. Unlike this, the destructor only drops.
    void close();

    /// Drops it too, but the descriptor goes to the caller instead of being closed, and what waits
    /// in the queue is for whoever accepts next. The reactor forgets it.
    unique_fd release();

    /// The descriptor number, still owned here; -1 after close() or release().
    int native_handle() const;

    /// server.address(). Throws std::system_error when closed, and for a server on a Unix path,
    /// which has no IP address.
    asio::ip::tcp::endpoint address() const;

private:
    class accept_loop;
    asio::any_io_executor executor_;
    unique_fd listening_;               // until on_connection()
    std::shared_ptr<accept_loop> loop_; // from then on
};

/// Binds and listens on the first address `host` resolves to; port 0 lets the kernel choose.
/// SO_REUSEADDR is set, so that a restart does not wait for TIME_WAIT; a second living listener is
/// refused all the same. The IPv6 wildcard takes IPv4 clients too, as Node's default does.
/// Throws std::system_error (EADDRINUSE, EACCES, ..., or a resolver error).
server listen(asio::any_io_executor executor, const std::string& host, std::uint16_t port);

/// "127.0.0.1:8888", "[::1]:8888".
std::string to_string(const asio::ip::tcp::endpoint& endpoint);

} // namespace net

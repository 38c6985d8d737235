// Listening, accepting: what Node's net.createServer() and server.listen() do. Notes: chapter 05.
#pragma once

#include "net/accepting.hpp"
#include "net/bound_socket.hpp"
#include "unique_fd.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace net {

/// A connection fresh from accept(2). A handler takes it as what it needs: as `tcp::socket` to talk
/// to the client; as `unique_fd`, or as this, to give it to somebody else, so that Asio's epoll
/// need not hear of it.
class accepted {
public:
    /// There is nothing to find out about it, for whoever takes it as a handle.
    static constexpr bool is_connection = true;

    /// `may_have_copies`: of the descriptor, in other processes; not if accept(2) was called here.
    accepted(asio::any_io_executor executor, asio::ip::tcp protocol, unique_fd fd,
             bool may_have_copies)
        : executor_(std::move(executor)),
          protocol_(protocol),
          may_have_copies_(may_have_copies),
          fd_(std::move(fd))
    {
    }
    operator asio::ip::tcp::socket() &&;
    operator unique_fd() && noexcept { return std::move(fd_); }

    /// socket.remoteAddress, remotePort. Throws std::system_error when the client has gone already.
    asio::ip::tcp::endpoint remote_endpoint() const;

    bool may_have_copies() const noexcept { return may_have_copies_; }
    int native_handle() const noexcept { return fd_.get(); }
    [[nodiscard]] int release() noexcept { return fd_.release(); }

private:
    asio::any_io_executor executor_;
    asio::ip::tcp protocol_;
    bool may_have_copies_;
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
    /// Takes ownership of a listening stream socket. `how`: if others may hold copies, as of one
    /// that came over a channel, anything but `alone`.
    /// `file`: of a socket on a path, when it is this server's to remove.
    server(asio::any_io_executor executor, unique_fd listening, accepting how = accepting::race,
           socket_file file = {});
    server(server&&) noexcept;
    server& operator=(server&&) noexcept;
    ~server();

    /// server.on('connection', handler): accepts until close(). Each connection comes non-blocking
    /// and close-on-exec; the handler takes it as what it needs, see `accepted`. A second call
    /// gives the connections from then on to another handler. Throws std::system_error: EBADF when
    /// this is closed, or what the kernel has against watching the socket.
    ///
    /// Out of descriptors (EMFILE, ENFILE) or memory, it first closes what net::end() keeps only
    /// until the client's end, if that has come. If there is nothing, it says so on stderr at most
    /// once a second and tries again after 100 ms; meanwhile clients wait in the kernel's queue. So
    /// it is when the handler takes `accepted&`, has not taken the connection out of it, and throws
    /// a std::system_error of that kind: it is called again with the same connection, and none is
    /// accepted meanwhile. Any other exception costs the connection. One that failed before it was
    /// accepted (ECONNABORTED and its like) is skipped. When the socket itself is of no use (EBADF;
    /// EINVAL after somebody's shutdown(2)), std::system_error leaves the executor's run().
    ///
    /// The socket is made non-blocking, for all who hold it. One of them may undo that (O_NONBLOCK
    /// belongs to the socket, fcntl(2)): then whoever loses the race for a connection waits inside
    /// accept4 for the next. Looking each time would cost a system call for each connection.
    template<class Handler>
    void on_connection(Handler handler)
    {
        if constexpr (std::is_invocable_v<Handler&, accepted&>)
            accept_for(std::move(handler));
        else
            accept_for([handler = std::move(handler)](accepted& connection) mutable {
                handler(std::move(connection));
            });
    }

    /// server.close(): ends the service here, by dropping this process's copy of the listening
    /// socket; harmless when there is none. Connections that are complete and wait in the kernel's
    /// queue go to the handler first. Unlike this, the destructor only drops.
    ///
    /// For a holder of several, while others go on. If this is the last copy, a connection that
    /// becomes complete between the last accept and the close is reset by the kernel: to end the
    /// service without that, close_for_all().
    void close();

    /// Ends the service for all who hold the socket, and resets no client: no new connection can
    /// begin, those that have begun have 30 ms to become complete, those that wait go to the
    /// handler, and this process's copy is dropped. For want of descriptors they wait for those
    /// that others let go of; after 1.5 s in which nobody did, the service ends without them,
    /// with a line on stderr. Each holder calls it, in any order; of those that only keep a copy,
    /// and accept nothing, one that is earlier than the others. A client further away than 30 ms
    /// may still be reset.
    ///
    /// A client that comes now gets no answer to its first SYN; a second later it tries again, and
    /// is refused when no copy is left. Whoever begins to accept on the socket (on_connection)
    /// admits newcomers again. Where the filter that this needs is refused (SO_ATTACH_FILTER; by
    /// some sandboxes, to ordinary users), one that comes within the last microseconds may be
    /// reset.
    asio::awaitable<void> close_for_all();

    /// Drops it too, but the descriptor goes to the caller instead of being closed, and what waits
    /// in the queue is for whoever accepts next. The reactor forgets it. A path stays where it is,
    /// and is the caller's to remove.
    unique_fd release();

    /// The descriptor number, still owned here; -1 after close() or release().
    int native_handle() const;

    /// server.address(). Throws std::system_error when closed, and for a server on a Unix path,
    /// which has no IP address.
    asio::ip::tcp::endpoint address() const;

private:
    using connection_handler = std::function<void(accepted&)>;
    void accept_for(connection_handler handler);
    unique_fd take_back() noexcept; // from the loop, if it has it
    void drop() noexcept;

    class accept_loop;
    asio::any_io_executor executor_;
    accepting how_;
    unique_fd listening_;               // until on_connection()
    std::shared_ptr<accept_loop> loop_; // from then on
    socket_file file_;
};

/// Node's options of server.listen().
struct listen_options {
    /// How many connections may wait to be accepted. 0: as many as the kernel allows
    /// (net.core.somaxconn, mostly 4096), which also is the most. Node's default is 511.
    int backlog = 0;

    /// The IPv6 wildcard takes no IPv4 clients, and somebody else may have the port there.
    bool ipv6_only = false;

    bool readable_all = false; ///< a path's file, by everybody
    bool writable_all = false; ///< so that everybody may connect (unix(7))
};

/// Binds and listens on the first address `host` resolves to; port 0 lets the kernel choose.
/// SO_REUSEADDR is set, so that a restart does not wait for TIME_WAIT; a second living listener is
/// refused all the same. The IPv6 wildcard takes IPv4 clients too, as Node's default does. It
/// accepts `alone`, even if copies of it are given away.
/// Throws std::system_error (EADDRINUSE, EACCES, ..., or a resolver error).
server listen(asio::any_io_executor executor, const std::string& host, std::uint16_t port,
              listen_options options = {});

/// The same on a Unix path, Node's server.listen(path). bind(2) makes a file there; the server
/// removes it when it closes or is destroyed, also when others hold copies of the socket, and not
/// when it is released. What a program that was killed has left there has to be removed first:
/// EADDRINUSE. Who may write to the file may connect.
/// Throws std::system_error (EADDRINUSE, EACCES, ENAMETOOLONG for more than 107 bytes, ...).
server listen_on_path(asio::any_io_executor executor, const std::string& path,
                      listen_options options = {});

/// "127.0.0.1:8888", "[::1]:8888".
std::string to_string(const asio::ip::tcp::endpoint& endpoint);

} // namespace net

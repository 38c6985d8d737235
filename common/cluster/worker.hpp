// A worker of a cluster, ours or Node's: what Node's `cluster` is in a process that cluster.fork()
// has started. Notes: chapter 09.
#pragma once

#include "ipc/channel.hpp"
#include "net/listen.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace cluster {

/// Of worker::listen().
struct listen_options {
    bool ipv6_only = false; ///< "::" takes no IPv4 clients
    int backlog = 0;        ///< connections that may wait in the kernel; 0: the primary's default
    bool readable_all = false; ///< a Unix path that everybody may read, or
    bool writable_all = false; ///< write: to connect is to write (unix(7))
};

/// A server like any other (net::server), whose connections come as the primary decides: it accepts
/// and sends them (round robin), or has sent a copy of its listening socket. Copies of this object
/// are the same server; when the last one goes, it is closed.
class server {
public:
    /// server.on('connection', handler): as net::server::on_connection, each connection as the
    /// handler takes it. Those that come before the first call wait for it.
    template<class Handler>
    void on_connection(Handler handler)
    {
        take_connections([handler = std::move(handler)](net::accepted& connection) mutable {
            handler(std::move(connection));
        });
    }

    /// One of its connections has ended: for a primary that chooses by that (least_busy). Costs
    /// nothing with another one.
    void connection_ended();

    /// server.close(): tells the primary, which sends no more. Connections that are open go on, one
    /// that is on its way is refused and goes to another worker.
    void close();

    /// server.address(). Throws std::system_error for a server on a Unix path.
    asio::ip::tcp::endpoint address() const;

private:
    friend class worker;
    class state;
    explicit server(std::shared_ptr<state> its) : state_(std::move(its)) {}
    void take_connections(std::function<void(net::accepted&)> handler);
    std::shared_ptr<state> state_;
};

/// This process, as one of a cluster.
///
///     cluster::worker worker(executor, parent, options.unique_id);
///     auto server = co_await worker.listen("127.0.0.1", 8888);
///     server.on_connection([&](unique_fd socket) { ... });
///     co_await worker.told_to_disconnect();
///     ... answer those that are open ...
///     co_await worker.disconnect();
class worker {
public:
    /// Says "online" to the primary at the other end of `parent`, which has to stay where it is and
    /// whose messages are received here from now on. `unique_id` is what NODE_UNIQUE_ID said;
    /// throws ipc::error (ERR_CLUSTER_NO_PRIMARY) for 0, when whoever started us is no primary, and
    /// would never answer.
    worker(asio::any_io_executor executor, ipc::channel& parent, int unique_id);
    ~worker();
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    int id() const noexcept { return id_; }

    /// Asks the primary for a server on `host` (a name or an address; empty: all interfaces) and
    /// `port` (0: one that the kernel picks, the same for all workers), and says that we listen.
    /// Throws std::system_error with what became of it there, EADDRINUSE say, as if it had happened
    /// here, ipc::channel_closed when the primary has gone, or has told us to disconnect, and
    /// ipc::protocol_error when it has broken the channel's protocol.
    asio::awaitable<server> listen(std::string host, std::uint16_t port,
                                   listen_options options = {});

    /// The same on a Unix path; a relative one is seen from here.
    asio::awaitable<server> listen(std::string path, listen_options options = {});

    /// process.on('message'); without it they are dropped.
    void on_message(std::function<void(ipc::message)> handler);

    /// Completes when the primary says "disconnect", or has gone.
    asio::awaitable<void> told_to_disconnect();

    /// worker.disconnect(): closes the servers; tells the primary that the exit which follows is
    /// meant, unless it was its idea; ends the channel. To be called when the connections have
    /// ended. Throws ipc::protocol_error when that is how the primary has gone.
    asio::awaitable<void> disconnect();

private:
    friend class server;
    class process;
    int id_;
    std::shared_ptr<process> process_;
};

} // namespace cluster

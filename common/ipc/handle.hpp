// What can travel beside a message: a connection or a listening server (Node's net.Socket,
// net.Server).
#pragma once

#include "ipc/error.hpp"
#include "posix.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/ip/tcp.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace ipc {

/// A connection that came over the channel. Keep both members together: the peer may ask how many
/// of the sockets it gave us are still open (Node's server.getConnections() and server.close() do),
/// and the lease is what is counted. It ends after the socket has closed; close the socket before
/// you let go of the lease alone.
///
/// A connection over a Unix path can be read and written like any other; its endpoints are no IP
/// addresses: ask handle::address_of().
struct connection {
    explicit connection(asio::ip::tcp::socket with, std::shared_ptr<const void> counted = {})
        : lease(std::move(counted)), socket(std::move(with))
    {
    }
    connection(connection&&) = default;
    connection& operator=(connection&& other)
    {
        socket = std::move(other.socket); // closes ours, and only then
        lease = std::move(other.lease);
        return *this;
    }
    ~connection() = default;

    std::shared_ptr<const void> lease; // declared first: destroyed last
    asio::ip::tcp::socket socket;
};

/// Owns one descriptor that may be sent, or none.
class handle {
public:
    enum class kind { none, connection, server };

    handle() noexcept = default;
    handle(handle&&) noexcept = default;
    handle& operator=(handle&& other) noexcept
    {
        kind_ = other.kind_;
        fd_ = std::move(other.fd_); // closes ours, and only then ends its lease
        lease_ = std::move(other.lease_);
        key_ = std::move(other.key_);
        return *this;
    }
    ~handle() = default;

    /// From anything that owns a descriptor (native_handle() and release()): a socket, an acceptor,
    /// a net::server. As everywhere in C++, an rvalue is moved from and an lvalue is copied: the
    /// copy is dup(2)'s, a second number for the same socket, and the original stays with the
    /// caller.
    ///
    /// What accept(2) has returned is a connection: a type that owns nothing else says so by a
    /// constant `is_connection`, and the kernel is not asked.
    ///
    /// Any other object is accepted by the compiler and refused at run time, as Node's send() does;
    /// a type that knows better advice than ours has it as `send_instead`, a static string.
    /// Throws invalid_handle_type; the caller then still owns what it passed.
    template<class T>
    requires(!std::same_as<std::remove_cvref_t<T>, handle>)
        handle(T&& object) // NOLINT: implicit, so that send("server", server) reads as in Node
    {
        if constexpr (requires {
                          object.native_handle();
                          object.release();
                      }) {
            if constexpr (requires { std::remove_cvref_t<T>::is_connection; })
                kind_ = kind::connection;
            else
                kind_ = kind_of(object.native_handle());
            if constexpr (std::is_lvalue_reference_v<T>)
                fd_ = posix::duplicate(object.native_handle());
            else
                fd_ = unique_fd(object.release());
        } else if constexpr (requires { std::remove_cvref_t<T>::send_instead; }) {
            refuse(typeid(T).name(), std::remove_cvref_t<T>::send_instead);
        } else {
            refuse(typeid(T).name(), "send a connection or a listening server");
        }
    }

    /// From a bare descriptor. Throws invalid_handle_type, and then `fd` still owns it.
    handle(unique_fd&& fd) : kind_(kind_of(fd.get())), fd_(std::move(fd)) {}

    /// From a descriptor whose kind is known, as the receiving channel knows it.
    handle(kind what, unique_fd fd, std::shared_ptr<const void> lease = {}) noexcept
        : kind_(what), lease_(std::move(lease)), fd_(std::move(fd))
    {
    }

    /// Whoever this connection is sent to counts it under `key` as long as it is open there, and
    /// channel::open_sockets() asks for the count. Node's keys name the server that has accepted
    /// it: "4:127.0.0.1:8888", of the address family, the address and the port. Any other text of
    /// at most 510 bytes does as well; what is too long, or not UTF-8, send() refuses with
    /// std::invalid_argument.
    void count_under(std::string key) { key_ = std::move(key); }
    const std::string& key() const noexcept { return key_; }

    explicit operator bool() const noexcept { return static_cast<bool>(fd_); }
    bool is_connection() const noexcept { return fd_ && kind_ == kind::connection; }
    bool is_server() const noexcept { return fd_ && kind_ == kind::server; }

    /// The descriptor, still owned here; -1 when empty.
    int native_handle() const noexcept { return fd_.get(); }

    /// Gives the descriptor to the caller, a server for net::server, say. This handle is empty
    /// afterwards. (For a connection, connection() gives what is counted along with it.)
    [[nodiscard]] unique_fd release() noexcept { return std::move(fd_); }

    /// The connection, moved out. Precondition: is_connection(). Throws std::system_error, for
    /// instance when this process can watch no other socket, and then it is still here: handle it
    /// for this one connection.
    ipc::connection connection(asio::any_io_executor executor) &&;

    /// Drops this process's copy: close(2), never shutdown(2), which would end it for all holders.
    void close() noexcept
    {
        fd_.reset();
        lease_.reset();
    }

    /// What the kernel says `fd` is: a socket that listens is a server, one that is connected, or
    /// was until the other side reset it, a connection. Throws invalid_handle_type for the rest:
    /// also for a socket that is only bound, and for an end of a socketpair (a channel sent over a
    /// channel can tie a knot that only the kernel's garbage collector unties).
    static kind kind_of(int fd);

    /// What a received `fd` is for us, when its envelope calls it `type` (Node's "net.Socket",
    /// "net.Server", "net.Native"); kind::none when nobody could use it as that. Node's cluster,
    /// and any net.Server, may send a socket that is bound and does not listen yet: the receiver
    /// listens, and that is done here.
    static kind kind_as(std::string_view type, int fd);

    /// Where the socket is: "127.0.0.1:8888", "[::1]:8888", "/run/app.sock", "@abstract" or, for an
    /// end of a Unix connection that has no path, "". Throws std::system_error.
    static std::string address_of(int fd);

private:
    [[noreturn]] static void refuse(const char* mangled_type, const char* instead);

    kind kind_ = kind::none;
    std::string key_;
    std::shared_ptr<const void> lease_; // declared before the descriptor: ends after it
    unique_fd fd_;
};

} // namespace ipc

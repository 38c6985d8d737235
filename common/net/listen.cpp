#include "net/listen.hpp"

#include "log.hpp"
#include "once_a_second.hpp"
#include "posix.hpp"

#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <cerrno>
#include <chrono>
#include <linux/filter.h>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace net {

using asio::ip::tcp;

namespace {

using posix::last_error;

constexpr std::chrono::milliseconds pause_without_resources{100};

using name_call = int (*)(int, sockaddr*, socklen_t*);

tcp::endpoint endpoint_of(int fd, name_call call, const char* name)
{
    tcp::endpoint endpoint;
    auto length = static_cast<socklen_t>(endpoint.capacity());
    if (call(fd, endpoint.data(), &length) != 0)
        throw last_error(name);
    if (const auto family = endpoint.data()->sa_family; family != AF_INET && family != AF_INET6)
        throw std::system_error(EAFNOSUPPORT, std::generic_category(), name); // a Unix path, say
    endpoint.resize(length);
    return endpoint;
}

// What Asio is to take its connections for. A server on a Unix path (Node's server.listen(path))
// has connections that are read and written like any other.
tcp protocol_of(int fd)
{
    int family = 0;
    socklen_t length = sizeof family;
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) != 0)
        throw last_error("getsockopt SO_DOMAIN");
    return family == AF_INET6 ? tcp::v6() : tcp::v4();
}

tcp::endpoint local_endpoint(int fd)
{
    return endpoint_of(fd, ::getsockname, "getsockname");
}

// Errors of accept(2) that concern one connection, not the listener: "treat like EAGAIN by
// retrying".
bool concerns_one_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
        return true;
    default:
        return false;
    }
}

// This is no listening socket, or no longer: somebody has called shutdown(2) on a copy.
bool concerns_the_listener(int error)
{
    return error == EBADF || error == EINVAL || error == ENOTSOCK;
}

// Drops each segment that would begin a connection (SYN: bit 1 of byte 13 in the TCP header, RFC
// 9293 §3.1) and lets all others pass: a handshake that has begun may end, and its connection waits
// to be accepted. The filter is one of the socket, whoever holds it (SO_ATTACH_FILTER in
// socket(7)). Where it is refused, a client that comes within the next microseconds is reset.
void refuse_newcomers(int listening) noexcept
{
    sock_filter drop_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffff'ffff),
    };
    const sock_fprog program{static_cast<unsigned short>(std::size(drop_syn)), drop_syn};
    (void)::setsockopt(listening, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

void admit_newcomers(int listening) noexcept
{
    const int unused = 0;
    (void)::setsockopt(listening, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
}

} // namespace

accepted::operator tcp::socket() &&
{
    tcp::socket socket(executor_);
    socket.assign(protocol_, fd_.get());
    (void)fd_.release();
    return socket;
}

tcp::endpoint accepted::remote_endpoint() const
{
    return endpoint_of(fd_.get(), ::getpeername, "getpeername");
}

// Shared by the server object and the operation that waits for the next connection.
class server::accept_loop : public std::enable_shared_from_this<accept_loop> {
public:
    accept_loop(asio::any_io_executor executor, unique_fd listening, connection_handler handler)
        : executor_(executor),
          protocol_(protocol_of(listening.get())),
          readiness_(executor),
          pause_(executor),
          handler_(std::move(handler))
    {
        readiness_.assign(listening.get());
        (void)listening.release();
    }

    void wait()
    {
        readiness_.async_wait(asio::posix::stream_descriptor::wait_read,
                              [self = shared_from_this()](std::error_code error) {
                                  if (!error && self->readiness_.is_open())
                                      self->accept();
                              });
    }

    unique_fd stop()
    {
        // release() takes the descriptor out of epoll. close() would rely on the kernel to do that,
        // which it does only with the last copy: ours is often not the last (epoll(7), Q6).
        pause_.cancel();
        return unique_fd(readiness_.is_open() ? readiness_.release() : -1);
    }

    // False when some had to be left in the queue, for want of descriptors. As many as a queue can
    // hold at most: under load new ones come all the time.
    bool accept_what_waits()
    {
        if (readiness_
                .is_open()) // another holder may have made it blocking, and it is the last call
            posix::set_non_blocking(readiness_.native_handle()); // that nobody wants to hang in
        for (int i = 0; i < SOMAXCONN && readiness_.is_open() && !no_room_for_; ++i) {
            unique_fd fd(::accept4(readiness_.native_handle(), nullptr, nullptr,
                                   SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (fd)
                hand_to_the_user({executor_, protocol_, std::move(fd)});
            else if (!concerns_one_connection(errno))
                return !posix::out_of_resources({errno, std::generic_category()}) ||
                       errno == EAGAIN; // EAGAIN: that was all
        }
        return !no_room_for_;
    }

    int native_handle() { return readiness_.is_open() ? readiness_.native_handle() : -1; }

private:
    // One at a time: wait() has epoll look again, so what is left in the queue is not forgotten,
    // and those already accepted, and the other processes, have their turn first. Accepting until
    // EAGAIN would cost one call for nothing whenever connections come one by one.
    void accept()
    {
        // [accept]
        const int fd =
            ::accept4(readiness_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            hand_to_the_user({executor_, protocol_, unique_fd(fd)});
        } else if (concerns_the_listener(errno)) {
            throw last_error("accept4");
        } else if (errno != EAGAIN && !concerns_one_connection(errno)) {
            return pause();
        } // EAGAIN: another process was faster
        // [/accept]
        go_on();
    }

    void go_on()
    {
        if (readiness_.is_open() && !no_room_for_) // closed: the handler has closed the server
            wait();
    }

    void hand_to_the_user(accepted connection)
    {
        try {
            handler_(connection);
        } catch (const std::system_error& error) {
            if (connection.native_handle() < 0 || !posix::out_of_resources(error.code()))
                return warn(error.what());
            no_room_for_.emplace(std::move(connection));
            pause(std::string("no room for a connection: ") + error.what());
        } catch (const std::exception& error) { // costs this connection, not the service
            warn(error.what());
        }
    }

    void warn(const std::string& why)
    {
        if (may_warn_())
            log_warning("connection: " + why);
    }

    // EMFILE and its like: the listener stays readable while we have no descriptor to accept with;
    // waiting on readiness would spin. Nothing is lost: the clients are connected and wait in the
    // kernel's queue, and the one that the handler had no descriptor for waits here, before them.
    void pause() { pause(last_error("cannot accept").what()); }

    void pause(const std::string& why)
    {
        if (may_warn_())
            log_warning(why + "; trying again every 100 ms");
        pause_.expires_after(pause_without_resources);
        pause_.async_wait([self = shared_from_this()](std::error_code error) {
            if (error || !self->readiness_.is_open())
                return;
            if (auto first = std::exchange(self->no_room_for_, std::nullopt)) {
                self->hand_to_the_user(std::move(*first));
                self->go_on();
            } else {
                self->accept();
            }
        });
    }

    asio::any_io_executor executor_;
    tcp protocol_;
    asio::posix::stream_descriptor readiness_;
    asio::steady_timer pause_;
    std::optional<accepted> no_room_for_;
    connection_handler handler_;
    once_a_second may_warn_;
};

server::server(asio::any_io_executor executor, unique_fd listening)
    : executor_(std::move(executor)), listening_(std::move(listening))
{
}

server::server(server&&) noexcept = default;

server& server::operator=(server&& other) noexcept
{
    if (this != &other) {
        release().reset();
        executor_ = std::move(other.executor_);
        listening_ = std::move(other.listening_);
        loop_ = std::move(other.loop_);
    }
    return *this;
}

server::~server()
{
    release().reset();
}

void server::accept_for(connection_handler handler)
{
    posix::set_non_blocking(listening_.get());
    admit_newcomers(listening_.get());
    loop_ = std::make_shared<accept_loop>(executor_, std::move(listening_), std::move(handler));
    loop_->wait();
}

void server::close()
{
    if (const auto loop = std::exchange(loop_, nullptr)) { // the handler may call close(), too
        loop->accept_what_waits();
        loop->stop().reset();
    }
    listening_.reset();
}

asio::awaitable<void> server::close_for_all()
{
    refuse_newcomers(native_handle());
    // A pause is for the others in this process, which will let go of descriptors.
    for (auto loop = loop_; loop && !loop->accept_what_waits() && loop == loop_;) {
        asio::steady_timer pause(executor_, pause_without_resources);
        co_await pause.async_wait(asio::use_awaitable);
    }
    release().reset();
}

unique_fd server::release()
{
    if (auto loop = std::exchange(loop_, nullptr))
        return loop->stop();
    return std::move(listening_);
}

int server::native_handle() const
{
    return loop_ ? loop_->native_handle() : listening_.get();
}

tcp::endpoint server::address() const
{
    return local_endpoint(native_handle());
}

server listen(asio::any_io_executor executor, const std::string& host, std::uint16_t port)
{
    tcp::resolver resolver(executor);
    const auto found = resolver.resolve(host, std::to_string(port),
                                        tcp::resolver::passive | tcp::resolver::numeric_service);
    const tcp::endpoint endpoint = *found.begin();

    unique_fd fd(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                          endpoint.protocol().protocol()));
    if (!fd)
        throw last_error("socket");
    const int on = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        throw last_error("setsockopt SO_REUSEADDR");
    const int off = 0;
    if (endpoint.protocol() == tcp::v6() &&
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0)
        throw last_error("setsockopt IPV6_V6ONLY");
    if (::bind(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0)
        throw last_error("bind");
    // A sandbox that refuses this call would be found out by the first client only. There is
    // nothing to accept yet: EINVAL.
    if (::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC) < 0 && errno != EINVAL)
        throw last_error("accept4");
    if (::listen(fd.get(), SOMAXCONN) != 0)
        throw last_error("listen");
    return {std::move(executor), std::move(fd)};
}

std::string to_string(const tcp::endpoint& endpoint)
{
    const auto address = endpoint.address();
    const auto port = ":" + std::to_string(endpoint.port());
    return (address.is_v6() ? "[" + address.to_string() + "]" : address.to_string()) + port;
}

} // namespace net

#include "net/listen.hpp"

#include "log.hpp"
#include "net/epoll_instance.hpp"
#include "net/stepping_back.hpp"
#include "observer.hpp"
#include "once_a_second.hpp"
#include "posix.hpp"

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

// As long as a sibling needs to wake up and accept, on a machine that has a processor for it.
constexpr std::chrono::microseconds step_back_for{60};

// Then the connections that are already accepted have their turn.
constexpr int most_at_once = 16;

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

void close_copy(unique_fd listening) noexcept
{
    if (observing && listening)
        observing->closing_copy(listening.get());
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
//
//        ┌──────────── another was faster ───────────┐
//        v                                           │
//     looking ──readable──> accepting ──accepted──> handler ──no room──┐
//      ^ │  ^                ^  │                     │                │
//      │ │  └────────────────│──│─────────────────────┘                │
//      │ └─it is for others─>(rest)                                    v
//      └───────────── 100 ms ── pausing <──no descriptor───────────────
class server::accept_loop final : public std::enable_shared_from_this<accept_loop>,
                                  private epoll_instance::watcher {
public:
    accept_loop(asio::any_io_executor executor, unique_fd listening, accepting how,
                connection_handler handler)
        : executor_(executor),
          how_(how),
          protocol_(protocol_of(listening.get())),
          epoll_(epoll_instance::of(executor)),
          listening_(std::move(listening)),
          pause_(executor),
          handler_(std::move(handler))
    {
    }

    ~accept_loop() override { stop(); }

    void look()
    {
        epoll_.add(listening_.get(), *this, events());
        looking_ = true;
    }

    unique_fd stop()
    {
        pause_.cancel();
        do_not_look();
        return std::move(listening_);
    }

    // False when some had to be left in the queue, for want of descriptors. As many as a queue can
    // hold at most: under load new ones come all the time.
    bool accept_what_waits()
    {
        if (listening_) // another holder may have made it blocking, and it is the last call that
            posix::set_non_blocking(listening_.get()); // nobody wants to hang in
        for (int i = 0; i < SOMAXCONN && listening_ && !no_room_for_; ++i) {
            const int fd =
                ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd >= 0)
                take(fd);
            else if (!concerns_one_connection(errno))
                return !posix::out_of_resources({errno, std::generic_category()}) ||
                       errno == EAGAIN; // EAGAIN: that was all
        }
        return !no_room_for_;
    }

    int native_handle() const { return listening_.get(); }

private:
    // Who has siblings takes one: what is left in the queue is reported again, and they, and those
    // already accepted, have their turn first. So does who slept: to look for a second one would
    // cost a call for nothing whenever connections come one by one.
    void on_events(std::uint32_t) override
    {
        if (how_ == accepting::step_back && stepping_back_.leaves_this_one()) {
            epoll_.rest(listening_.get(), *this, events(), step_back_for);
            return;
        }
        const auto self = shared_from_this(); // the handler may end the server
        const bool slept = epoll_.slept();
        const int most = how_ == accepting::alone && !slept ? most_at_once : 1;
        for (int i = 0; i < most && looking_; ++i)
            if (!accept()) {
                if (i == 0 && looking_) // else it has to pause
                    was_woken_in_vain();
                return;
            }
        if (how_ == accepting::step_back)
            stepping_back_.accepted(slept);
        else if (how_ == accepting::exclusive && slept && looking_) { // to the end of the line
            do_not_look();
            look_again();
        }
    }

    // Looked for again already; but then it would be told that there is a connection, not that
    // there is none.
    void on_rested() override
    {
        const auto self = shared_from_this();
        const bool is_ours = accept();
        stepping_back_.was_taken(!is_ours);
        if (!is_ours)
            was_woken_in_vain();
    }

    // False when there is nothing to accept.
    bool accept()
    {
        // [accept]
        const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take(fd);
        } else if (concerns_the_listener(errno)) {
            do_not_look_and_throw("accept4");
        } else if (errno != EAGAIN && !concerns_one_connection(errno)) {
            pause();
        } // EAGAIN: another process was faster
        // [/accept]
        return fd >= 0;
    }

    void was_woken_in_vain() noexcept
    {
        ++wakeups_in_vain_;
        if (observing)
            observing->woken_in_vain();
    }

    std::uint32_t events() const
    {
        return EPOLLIN | (how_ == accepting::exclusive ? EPOLLEXCLUSIVE : 0u);
    }

    void do_not_look() noexcept
    {
        if (std::exchange(looking_, false))
            epoll_.remove(listening_.get(), *this);
    }

    [[noreturn]] void do_not_look_and_throw(const char* call)
    {
        const int error = errno;
        do_not_look();
        throw std::system_error(error, std::generic_category(), call);
    }

    void look_again()
    {
        try {
            look();
        } catch (const std::system_error& error) { // the kernel can watch no more
            pause(error.what());
        }
    }

    void take(int fd)
    {
        const auto wakeups = std::exchange(wakeups_in_vain_, 0);
        if (observing)
            observing->accepted(fd, wakeups);
        hand_to_the_user({executor_, protocol_, unique_fd(fd), false});
    }

    void hand_to_the_user(accepted connection)
    {
        try {
            handler_(connection);
            if (observing && connection.native_handle() >= 0)
                observing->closing_copy(connection.native_handle());
        } catch (const std::system_error& error) {
            if (connection.native_handle() < 0 || !posix::out_of_resources(error.code()))
                return lose(connection, error);
            no_room_for_.emplace(std::move(connection));
            pause(std::string("no room for a connection: ") + error.what());
        } catch (const std::exception& error) { // costs this connection, not the service
            lose(connection, error);
        }
    }

    void lose(const accepted& connection, const std::exception& why)
    {
        if (observing && connection.native_handle() >= 0)
            observing->closing(connection.native_handle(), "broken");
        warn(why.what());
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
        do_not_look();
        if (may_warn_())
            log_warning(why + "; trying again every 100 ms");
        pause_.expires_after(pause_without_resources);
        pause_.async_wait([self = shared_from_this()](std::error_code error) {
            if (error || !self->listening_)
                return;
            if (auto first = std::exchange(self->no_room_for_, std::nullopt))
                self->hand_to_the_user(std::move(*first));
            if (self->listening_ && !self->no_room_for_ && !self->looking_)
                self->look_again();
        });
    }

    asio::any_io_executor executor_;
    const accepting how_;
    tcp protocol_;
    epoll_instance& epoll_;
    unique_fd listening_;
    bool looking_ = false; // or resting
    stepping_back stepping_back_;
    std::size_t wakeups_in_vain_ = 0; // since the last accept
    asio::steady_timer pause_;
    std::optional<accepted> no_room_for_;
    connection_handler handler_;
    once_a_second may_warn_;
};

server::server(asio::any_io_executor executor, unique_fd listening, accepting how, socket_file file)
    : executor_(std::move(executor)),
      how_(how),
      listening_(std::move(listening)),
      file_(std::move(file))
{
}

server::server(server&&) noexcept = default;

server& server::operator=(server&& other) noexcept
{
    if (this != &other) {
        drop();
        executor_ = std::move(other.executor_);
        how_ = other.how_;
        listening_ = std::move(other.listening_);
        loop_ = std::move(other.loop_);
        file_ = std::move(other.file_);
    }
    return *this;
}

server::~server()
{
    drop();
}

void server::accept_for(connection_handler handler)
{
    posix::set_non_blocking(listening_.get());
    admit_newcomers(listening_.get());
    loop_ =
        std::make_shared<accept_loop>(executor_, std::move(listening_), how_, std::move(handler));
    loop_->look();
}

void server::close()
{
    file_.remove();                                        // on a path, nobody comes any more
    if (const auto loop = std::exchange(loop_, nullptr)) { // the handler may call close(), too
        loop->accept_what_waits();
        close_copy(loop->stop());
    }
    close_copy(std::move(listening_));
}

asio::awaitable<void> server::close_for_all()
{
    file_.remove();
    refuse_newcomers(native_handle());
    // A pause is for the others in this process, which will let go of descriptors.
    for (auto loop = loop_; loop && !loop->accept_what_waits() && loop == loop_;) {
        asio::steady_timer pause(executor_, pause_without_resources);
        co_await pause.async_wait(asio::use_awaitable);
    }
    close_copy(release());
}

void server::drop() noexcept
{
    file_.remove();
    release().reset();
}

unique_fd server::release()
{
    file_.leave();
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

namespace {

server listen(asio::any_io_executor executor, bound_socket socket, int backlog)
{
    // A sandbox that refuses this call would be found out by the first client only. There is
    // nothing to accept yet: EINVAL.
    if (::accept4(socket.native_handle(), nullptr, nullptr, SOCK_CLOEXEC) < 0 && errno != EINVAL)
        throw last_error("accept4");
    auto listening = socket.listen(backlog);
    return {std::move(executor), std::move(listening), accepting::alone, socket.release_file()};
}

} // namespace

server listen(asio::any_io_executor executor, const std::string& host, std::uint16_t port,
              listen_options options)
{
    tcp::resolver resolver(executor);
    const auto found = resolver.resolve(host, std::to_string(port),
                                        tcp::resolver::passive | tcp::resolver::numeric_service);
    const tcp::endpoint endpoint = *found.begin();

    return listen(std::move(executor), bound_socket::to(endpoint, options.ipv6_only),
                  options.backlog);
}

server listen_on_path(asio::any_io_executor executor, const std::string& path,
                      listen_options options)
{
    return listen(std::move(executor),
                  bound_socket::to_path(
                      path, permissions_for_all(options.readable_all, options.writable_all)),
                  options.backlog);
}

std::string to_string(const tcp::endpoint& endpoint)
{
    const auto address = endpoint.address();
    const auto port = ":" + std::to_string(endpoint.port());
    return (address.is_v6() ? "[" + address.to_string() + "]" : address.to_string()) + port;
}

} // namespace net

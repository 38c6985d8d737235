#include "net/listen.hpp"

#include "net/accept_loop.hpp"
#include "observer.hpp"
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

// After the last SYN was let in: SYN-ACK and ACK take a round trip, and on a busy machine the turn
// of whichever thread of the kernel delivers them (tens of milliseconds are rare).
constexpr std::chrono::milliseconds handshakes_end_in{30};
// Longer than a connection waits for its client's end.
constexpr std::chrono::milliseconds room_comes_within{1'500};

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

tcp::endpoint local_endpoint(int fd)
{
    return endpoint_of(fd, ::getsockname, "getsockname");
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
    listening_ =
        take_back(); // the handler before may be what calls this, and lives on until it returns
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
    if (native_handle() < 0)
        co_return;
    refuse_newcomers(native_handle());
    asio::steady_timer pause(executor_, handshakes_end_in);
    co_await pause.async_wait(asio::use_awaitable);
    // A pause is for the others in this process, which let go of descriptors; if they do.
    const auto loop = loop_;
    std::size_t taken = 0;
    auto give_up = std::chrono::steady_clock::now() + room_comes_within;
    while (loop && !loop->accept_what_waits() && loop == loop_) {
        if (std::exchange(taken, loop->taken()) != loop->taken())
            give_up = std::chrono::steady_clock::now() + room_comes_within;
        else if (std::chrono::steady_clock::now() >= give_up) {
            log_warning("no room for those who wait to be accepted: the service ends without them");
            break;
        }
        pause.expires_after(pause_without_resources);
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
    return take_back();
}

unique_fd server::take_back() noexcept
{
    if (const auto loop = std::exchange(loop_, nullptr))
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

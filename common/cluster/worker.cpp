#include "cluster/worker.hpp"

#include "cluster/bound_socket.hpp"
#include "cluster/intercom.hpp"
#include "event.hpp"
#include "ipc/error.hpp"
#include "log.hpp"
#include "net/connect.hpp"
#include "observer.hpp"
#include "once_a_second.hpp"
#include "posix.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>

#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <sys/socket.h>
#include <system_error>
#include <utility>
#include <vector>

namespace cluster {

using asio::awaitable;
using asio::ip::tcp;

// Lives as long as the channel, or an operation on it.
class worker::process : public std::enable_shared_from_this<process> {
public:
    process(asio::any_io_executor its_executor, ipc::channel& its_parent)
        : executor(its_executor),
          parent(its_parent),
          changed(its_executor),
          intercom(its_executor, its_parent, [this](message said, unique_fd descriptor) {
              take(std::move(said), std::move(descriptor));
          })
    {
    }

    void start()
    {
        intercom.say(online(intercom.next()));
        asio::co_spawn(
            executor, [self = shared_from_this()] { return self->receive(); }, asio::detached);
    }

    /// Like queries are told apart by their index. When all that they have led to are closed, it
    /// begins with 0 again, as Node's does: the same port is then the same for all workers.
    struct used_indexes {
        std::uint32_t next = 0;
        std::size_t open = 0;
    };
    /// Gives `asked` its index, which is in use as long as the result lives.
    std::shared_ptr<void> take_index(query& asked);

    awaitable<server> listen(query asked);
    void take(message said, unique_fd descriptor);
    awaitable<void> receive();
    void report_ended();

    const asio::any_io_executor executor;
    ipc::channel& parent;
    event changed; // of the next two
    bool told_to_disconnect = false;
    bool primary_is_gone = false;
    std::exception_ptr broken; // the protocol, by the primary
    std::function<void(ipc::message)> on_message;
    std::map<std::string, std::weak_ptr<server::state>> servers; // by key
    std::map<std::string, used_indexes> indexes; // by the key of the first such query
    // Right behind the answer to a query a connection may come, before listen() has gone on.
    std::size_t unanswered_queries = 0;
    std::vector<std::pair<message, unique_fd>> early;
    std::uint64_t ended_connections = 0;
    bool primary_wants_ended = false;
    bool report_is_due = false;
    cluster::intercom intercom;
};

class server::state {
public:
    state(std::shared_ptr<worker::process> process, std::shared_ptr<void> its_index,
          std::string its_key, std::optional<socket_name> its_name)
        : key(std::move(its_key)),
          name(std::move(its_name)),
          process_(std::move(process)),
          index_(std::move(its_index))
    {
    }
    ~state() { close(); }

    void listen_on(unique_fd listening)
    {
        listening_.emplace(process_->executor, std::move(listening));
    }

    // Round robin: the primary has accepted it.
    void emit(unique_fd connection)
    {
        net::accepted accepted(process_->executor,
                               name && name->family == "IPv6" ? tcp::v6() : tcp::v4(),
                               std::move(connection), true); // it has one, until we answer
        if (!handler_)
            early_.push_back(std::move(accepted));
        else
            hand_to_the_user(accepted);
    }

    void take_connections(std::function<void(net::accepted&)> handler)
    {
        if (listening_)
            return listening_->on_connection(std::move(handler));
        handler_ = std::move(handler);
        for (auto& connection : std::exchange(early_, {}))
            hand_to_the_user(connection);
    }

    void close()
    {
        if (std::exchange(is_closed_, true))
            return;
        process_->servers.erase(key);
        index_.reset();
        if (listening_) // before the primary hears of it: it may bind the port again at once
            listening_->close();
        process_->intercom.say(cluster::close(process_->intercom.next(), key));
    }

    tcp::endpoint address() const
    {
        if (listening_)
            return listening_->address();
        if (!name)
            throw std::system_error(EAFNOSUPPORT, std::generic_category(), "address");
        return {asio::ip::make_address(name->address), static_cast<std::uint16_t>(name->port)};
    }

    void connection_ended()
    {
        ++process_->ended_connections;
        process_->report_ended();
    }

    const std::string key;
    const std::optional<socket_name> name;

private:
    // What it throws, for want of descriptors say, costs the connection: never the channel on which
    // it has come.
    void hand_to_the_user(net::accepted& connection)
    {
        try {
            handler_(connection);
        } catch (const std::exception& error) {
            if (may_warn_())
                log_warning(std::string("connection: ") + error.what());
            connection_ended();
        }
    }

    const std::shared_ptr<worker::process> process_;
    std::shared_ptr<void> index_;
    std::function<void(net::accepted&)> handler_; // round robin
    std::vector<net::accepted> early_;
    std::optional<net::server> listening_; // shared
    bool is_closed_ = false;
    once_a_second may_warn_;
};

void server::take_connections(std::function<void(net::accepted&)> handler)
{
    state_->take_connections(std::move(handler));
}

void server::connection_ended()
{
    state_->connection_ended();
}

void server::close()
{
    state_->close();
}

tcp::endpoint server::address() const
{
    return state_->address();
}

// ---- what the primary says ----------------------------------------------------------------------

void worker::process::take(message said, unique_fd descriptor)
{
    if (said.act == "disconnect") {
        told_to_disconnect = true;
        intercom.end(); // Node's primary answers nobody who is on his way out
        changed.notify();
    } else if (said.act == "newconn" && said.seq && unanswered_queries > 0 &&
               !servers.contains(said.key)) {
        early.emplace_back(std::move(said), std::move(descriptor));
    } else if (said.act == "newconn" && said.seq) {
        const auto found = servers.find(said.key);
        const auto server = found == servers.end() ? nullptr : found->second.lock();
        const bool is_ours = server && ipc::handle::kind_as("net.Socket", descriptor.get()) ==
                                           ipc::handle::kind::connection;
        // Before the connection can cause anything; and when it is refused, before it is closed:
        // the primary has its copy.
        intercom.say(accepted(intercom.next(), *said.seq, is_ours));
        if (!is_ours)
            return;
        posix::set_non_blocking(descriptor.get());
        server->emit(std::move(descriptor));
    }
}

awaitable<void> worker::process::receive()
{
    const auto self = shared_from_this();
    try {
        while (auto message = co_await parent.receive())
            if (on_message)
                on_message(std::move(*message));
    } catch (const ipc::protocol_error&) { // the channel has ended
        broken = std::current_exception();
    }
    primary_is_gone = true;
    intercom.end();
    changed.notify();
}

// All that end in one turn of the loop, in one message.
void worker::process::report_ended()
{
    if (!primary_wants_ended || std::exchange(report_is_due, true))
        return;
    asio::post(executor, [self = shared_from_this()] {
        self->report_is_due = false;
        self->intercom.say(ended(self->intercom.next(), self->ended_connections));
    });
}

// ---- listening ----------------------------------------------------------------------------------

std::shared_ptr<void> worker::process::take_index(query& asked)
{
    const auto like = asked.key();
    auto& used = indexes[like];
    asked.index = used.next++;
    ++used.open;
    return {nullptr, [self = shared_from_this(), like](auto) {
                if (--self->indexes[like].open == 0)
                    self->indexes.erase(like);
            }};
}

awaitable<server> worker::process::listen(query asked)
{
    const auto self = shared_from_this();
    ++unanswered_queries;
    std::shared_ptr<void> is_answered(nullptr, [self](auto) {
        --self->unanswered_queries;
        for (auto& [said, descriptor] : std::exchange(self->early, {}))
            self->take(std::move(said), std::move(descriptor));
    });
    auto index = take_index(asked);
    const auto seq = intercom.next();
    answered reply;
    try {
        reply = co_await intercom.ask(seq, query_server(seq, asked));
    } catch (const ipc::channel_closed&) {
        if (broken)
            std::rethrow_exception(broken);
        throw;
    }
    auto& [said, descriptor] = reply;
    const auto refused = [&](int error) {
        return std::system_error(
            error, std::generic_category(),
            "listen " + asked.address.value_or("on all interfaces") +
                (asked.is_path() ? "" : " port " + std::to_string(asked.port)));
    };
    if (said.error != 0)
        throw refused(said.error);
    primary_wants_ended = primary_wants_ended || said.wants_ended;

    auto result = std::make_shared<server::state>(self, std::move(index), said.key, said.name);
    if (descriptor) { // bound and not listening yet: that is for who accepts
        // To listen would bind it to any port, when Node's primary could not bind it: libuv keeps
        // that error to itself.
        const auto bound = name_of(descriptor.get());
        if (bound && asked.port > 0 && bound->port != asked.port)
            throw refused(EADDRINUSE);
        if (::listen(descriptor.get(), asked.backlog > 0 ? asked.backlog : SOMAXCONN) != 0)
            throw refused(errno);
        if (observing)
            observing->listening(descriptor.get());
        result->listen_on(std::move(descriptor));
    }
    servers[said.key] = result;
    is_answered.reset();
    if (!asked.is_path())
        asked.port = result->address().port();
    intercom.say(listening(intercom.next(), asked));
    report_ended(); // that we do so at all
    co_return server(std::move(result));
}

awaitable<server> worker::listen(std::string host, std::uint16_t port, listen_options options)
{
    query asked{.port = port, .ipv6_only = options.ipv6_only, .backlog = options.backlog};
    if (!host.empty()) {
        const auto found = net::resolve(host, port).at(0).address();
        asked.address = found.to_string();
        asked.address_type = found.is_v6() ? "6" : "4";
    }
    return process_->listen(std::move(asked));
}

awaitable<server> worker::listen(std::string path, listen_options options)
{
    return process_->listen({.address = std::filesystem::absolute(path).string(),
                             .port = -1,
                             .address_type = "-1",
                             .backlog = options.backlog,
                             .readable_all = options.readable_all,
                             .writable_all = options.writable_all});
}

// ---- its life -----------------------------------------------------------------------------------

worker::worker(asio::any_io_executor executor, ipc::channel& parent, int unique_id) : id_(unique_id)
{
    if (unique_id <= 0)
        throw ipc::error("ERR_CLUSTER_NO_PRIMARY",
                         "whoever started this program is no cluster's primary (NODE_UNIQUE_ID is "
                         "not set): it would never answer");
    process_ = std::make_shared<process>(std::move(executor), parent);
    process_->start();
}

worker::~worker() = default;

void worker::on_message(std::function<void(ipc::message)> handler)
{
    process_->on_message = std::move(handler);
}

awaitable<void> worker::told_to_disconnect()
{
    const auto its = process_;
    co_await its->changed.wait_until(
        [&] { return its->told_to_disconnect || its->primary_is_gone; });
}

awaitable<void> worker::disconnect()
{
    const auto its = process_;
    const auto servers = its->servers; // which changes meanwhile
    for (const auto& [key, one] : servers)
        if (const auto server = one.lock())
            server->close();
    if (its->broken)
        std::rethrow_exception(its->broken);
    if (its->primary_is_gone)
        co_return;
    if (!its->told_to_disconnect) {
        // The answer is waited for: the end of the channel must not overtake it in the primary.
        const auto seq = its->intercom.next();
        try {
            co_await its->intercom.ask(seq, exited_after_disconnect(seq));
        } catch (const ipc::channel_closed&) {
        }
    }
    co_await its->parent.disconnect();
}

} // namespace cluster

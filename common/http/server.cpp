#include "http/server.hpp"

#include "http/connection_set.hpp"

#include <utility>

namespace http {

server::server(asio::any_io_executor executor, request_handler handler, server_options options)
    : connections_(
          std::make_unique<connection_set>(std::move(executor), std::move(handler), options))
{
}

server::~server() = default;

void server::emit_connection(asio::ip::tcp::socket socket)
{
    connections_->add(unique_fd(socket.release()), true);
}

void server::emit_connection(unique_fd socket)
{
    connections_->add(std::move(socket), true);
}

void server::emit_connection(net::accepted socket)
{
    const bool may_have_copies = socket.may_have_copies();
    connections_->add(std::move(socket), may_have_copies);
}

void server::on_upgrade(std::string protocol, upgrade_handler handler)
{
    connections_->on_upgrade(std::move(protocol), std::move(handler));
}

void server::on_connect(upgrade_handler handler)
{
    connections_->on_connect(std::move(handler));
}

void server::close()
{
    connections_->close();
}

asio::awaitable<void> server::closed()
{
    return connections_->closed();
}

void server::close_all_connections()
{
    connections_->close_all();
}

std::size_t server::connections() const noexcept
{
    return connections_->size();
}

void server::on_connection_ended(std::function<void()> handler)
{
    connections_->on_ended = std::move(handler);
}

const server_counters& server::counters() const noexcept
{
    return connections_->counters();
}

} // namespace http

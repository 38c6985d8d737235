// A child of a Node or C++ parent in one page: everything common/ipc offers a child, and nothing
// else.
//
//   message "server" with a server      -> accepts, answers every client "served by <pid>\n"
//   message "socket" with a connection  -> answers "handled by <pid>\n"
//   message {"echo": x}                 -> sends the same back
//
// It ends when the channel ends. The Node manual's example of subprocess.send(message, handle),
// seen from the other side; run it from Node with fork('x.js', {execPath:
// 'build/tests/manual_child', execArgv: []}).

#include "ipc/parent.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <unistd.h>

using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

namespace {

// Says one line and closes. `connection` brings its lease along: when it goes, the parent may be
// told.
awaitable<void> answer(ipc::connection connection, std::string verb)
{
    const std::string text = verb + " by " + std::to_string(::getpid()) + "\n";
    co_await asio::async_write(connection.socket, asio::buffer(text), use_awaitable);
    connection.socket.shutdown(tcp::socket::shutdown_send);
}

// The parent, and other children, may accept from copies of the same listening socket.
awaitable<void> serve(std::shared_ptr<tcp::acceptor> server)
{
    for (;;) {
        tcp::socket socket = co_await server->async_accept(use_awaitable);
        asio::co_spawn(server->get_executor(), answer({std::move(socket), {}}, "served"),
                       asio::detached);
    }
}

awaitable<void> follow(ipc::channel& parent, asio::io_context& context)
{
    std::vector<std::shared_ptr<tcp::acceptor>> servers;

    while (auto message =
               co_await parent.receive()) { // process.on('message', (message, handle) => ...)
        auto& [body, handle] = *message;

        if (handle.is_server()) {
            auto server =
                std::make_shared<tcp::acceptor>(context, tcp::v4(), handle.release().release());
            server->non_blocking(true); // shared with others: see chapter 05
            servers.push_back(server);
            asio::co_spawn(context, serve(server), asio::detached);
        } else if (handle.is_connection()) {
            auto connection = std::move(handle).connection(context.get_executor());
            asio::co_spawn(context, answer(std::move(connection), "handled"), asio::detached);
        } else if (body.json().contains("echo")) {
            co_await parent.send(body);
        }
    }
    context.stop(); // the parent has hung up
}

} // namespace

int main()
{
    try {
        asio::io_context context;
        ipc::channel parent = ipc::connect_to_parent(context.get_executor());

        std::exception_ptr failure;
        asio::co_spawn(context, follow(parent, context), [&](std::exception_ptr error) {
            failure = error;
            context.stop();
        });
        context.run();
        if (failure)
            std::rethrow_exception(failure);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "manual_child: %s\n", error.what());
        return 1;
    }
}

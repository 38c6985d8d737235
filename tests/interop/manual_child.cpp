// A child of a Node or C++ parent in one page: everything common/ipc offers a child, and little
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
#include "net/end.hpp"
#include "net/listen.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <exception>
#include <list>
#include <string>
#include <unistd.h>

using asio::awaitable;
using asio::ip::tcp;

namespace {

// Says one line and ends. `connection` brings its lease along: when it has closed, the parent may
// be told.
awaitable<void> answer(ipc::connection connection, std::string verb)
{
    co_await net::end(connection.socket, verb + " by " + std::to_string(::getpid()) + "\n");
}

awaitable<void> follow(ipc::channel& parent, asio::io_context& context)
{
    const auto executor = context.get_executor();
    std::list<net::server> servers;

    while (auto message =
               co_await parent.receive()) { // process.on('message', (message, handle) => ...)
        auto& [body, handle] = *message;

        if (handle.is_server()) {
            auto& server = servers.emplace_back(executor, handle.release());
            server.on_connection([executor](tcp::socket socket) {
                asio::co_spawn(executor, answer(ipc::connection(std::move(socket)), "served"),
                               asio::detached);
            });
        } else if (handle.is_connection()) {
            auto connection = std::move(handle).connection(executor);
            asio::co_spawn(executor, answer(std::move(connection), "handled"), asio::detached);
        } else if (body.json().contains("echo")) {
            co_await parent.send(body);
        }
    }
} // The parent has hung up: the servers close, and with the last answer the context has no more to
  // do.

} // namespace

int main()
{
    try {
        asio::io_context context;
        ipc::channel parent = ipc::connect_to_parent(context.get_executor());

        std::exception_ptr failure;
        asio::co_spawn(context, follow(parent, context),
                       [&](std::exception_ptr error) { failure = error; });
        context.run();
        if (failure)
            std::rethrow_exception(failure);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "manual_child: %s\n", error.what());
        return 1;
    }
}

// The HTTP service cluster, the child: feeds the connections it accepts to an HTTP server of its
// own.
//
//     const server = http.createServer((req, res) => {
//       res.writeHead(200, { 'Content-Type': 'text/plain' })
//       res.end('Request handled by worker-' + process.pid)
//     })
//
//     process.on('message', (msg, socketServer) => {
//       if (socketServer) {
//         socketServer.on('connection', socket => {
//           server.emit('connection', socket)
//         })
//       }
//     })
//
// Notes: chapter 06.

#include "app/demo.hpp"
#include "http/server.hpp"

#include <asio/this_coro.hpp>
#include <unistd.h>

using asio::awaitable;

namespace {

// Unlike Node's process.pid, getpid() is a system call: asked once.
const pid_t pid = ::getpid();

// [handle]
void handle(const http::request&, http::response res)
{
    res.write_head(200, {{"Content-Type", "text/plain"}});
    res.end("Request handled by worker-" + std::to_string(pid));
}
// [/handle]

awaitable<void> child(const app::child_options& options, ipc::channel& parent)
{
    const auto executor = co_await asio::this_coro::executor;
    http::server server(executor, handle, options.http);
    std::vector<net::server> socket_servers;

    // [emit]
    while (auto message = co_await parent.receive()) {
        if (message->handle.is_server()) {
            auto& socket_server =
                socket_servers.emplace_back(executor, message->handle.release(), options.accept);
            socket_server.on_connection(
                [&](net::accepted socket) { server.emit_connection(std::move(socket)); });
        }
    }
    // [/emit]

    // The parent has hung up: those that are open may end in order, and the idle ones make room for
    // those that wait to be accepted.
    server.close();
    for (auto& socket_server : socket_servers)
        co_await app::end_service(socket_server, options);
    co_await server.closed();
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_child(argc, argv, child);
}

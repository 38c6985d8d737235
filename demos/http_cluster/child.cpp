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

// [handle]
void handle(const http::request&, http::response res)
{
    res.write_head(200, {{"Content-Type", "text/plain"}});
    res.end("Request handled by worker-" + std::to_string(::getpid()));
}
// [/handle]

awaitable<void> handle_later(http::request req, http::response res, std::chrono::milliseconds delay)
{
    co_await app::delay(delay);
    handle(req, std::move(res));
}

awaitable<void> child(const app::child_options& options, ipc::channel& parent)
{
    const auto executor = co_await asio::this_coro::executor;
    std::vector<net::server> socket_servers;

    http::server server(executor,
                        [&](const http::request& req, http::response res) {
                            if (options.delay.count() == 0)
                                handle(req, std::move(res));
                            else
                                app::spawn(executor,
                                           handle_later(req, std::move(res), options.delay));
                        },
                        {.headers_timeout = options.http.headers_timeout,
                         .request_timeout = options.http.request_timeout,
                         .keep_alive_timeout = options.http.keep_alive_timeout,
                         .max_header_size = options.http.max_header_size,
                         .max_requests_per_socket = options.http.max_requests_per_socket});

    // [emit]
    while (auto message = co_await parent.receive()) {
        if (message->handle.is_server()) {
            auto& socket_server = socket_servers.emplace_back(executor, message->handle.release());
            socket_server.on_connection(
                [&](unique_fd socket) { server.emit_connection(std::move(socket)); });
        }
    }
    // [/emit]
    socket_servers.clear();
    server.close();
    while (server.connections() > 0)
        co_await app::delay(std::chrono::milliseconds(10));
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_child(argc, argv, child);
}

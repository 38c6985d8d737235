// What comes after the document: Node's cluster, the worker. It listens as if it were alone, and
// asks the primary for that: ours, or Node's.
//
//     http.createServer((req, res) => {
//       res.writeHead(200, { 'Content-Type': 'text/plain' })
//       res.end('Request handled by worker-' + process.pid)
//     }).listen(process.env.PORT)
//
// Notes: chapters 09 and 10.

#include "app/demo.hpp"
#include "cluster/worker.hpp"
#include "http/server.hpp"

#include <asio/this_coro.hpp>
#include <unistd.h>

using asio::awaitable;

namespace {

const pid_t pid = ::getpid();

void handle(const http::request&, http::response res)
{
    res.write_head(200, {{"Content-Type", "text/plain"}});
    res.end("Request handled by worker-" + std::to_string(pid));
}

awaitable<void> child(const app::child_options& options, ipc::channel& parent)
{
    const auto executor = co_await asio::this_coro::executor;
    // [listen]
    cluster::worker worker(executor, parent, options.unique_id);
    http::server http_server(executor, handle, options.http);

    auto server = co_await worker.listen(options.host, options.port);
    server.on_connection(
        [&](net::accepted socket) { http_server.emit_connection(std::move(socket)); });
    http_server.on_connection_ended([server]() mutable { server.connection_ended(); });
    // [/listen]

    // [disconnect]
    co_await worker.told_to_disconnect();
    server.close();
    http_server.close();
    co_await http_server.closed();
    co_await worker.disconnect();
    // [/disconnect]
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_child(argc, argv, child);
}

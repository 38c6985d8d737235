// Example 2, the child: accepts from the server it was given, in competition with its siblings.
//
//     process.on('message', (msg, server) => {
//       if (server) {
//         server.on('connection', socket => {
//           setTimeout(() => {
//             socket.end(`${msg} 子进程：${process.pid}`)
//           }, 100)
//         })
//       }
//     })
//
// Notes: chapter 05.

#include "app/demo.hpp"
#include "net/end.hpp"

#include <asio/this_coro.hpp>
#include <unistd.h>

using asio::awaitable;

namespace {

const std::string pid = std::to_string(::getpid()); // process.pid

awaitable<void> answer(unique_fd socket, std::string msg, std::chrono::milliseconds delay)
{
    co_await app::delay(delay);
    co_await net::end(std::move(socket), msg + " 子进程：" + pid);
}

awaitable<void> child(const app::child_options& options, ipc::channel& parent)
{
    const auto executor = co_await asio::this_coro::executor;
    std::vector<net::server> servers;

    // [accept]
    while (auto message = co_await parent.receive()) {
        if (message->handle.is_server()) {
            const auto msg = message->body.to_string();
            auto& server =
                servers.emplace_back(executor, message->handle.release(), options.accept);
            server.on_connection([=](unique_fd socket) {
                app::spawn(executor, answer(std::move(socket), msg, options.delay));
            });
        }
    }
    // [/accept]

    // The parent has hung up: no more connections; what is open is answered, the process ends.
    for (auto& server : servers)
        co_await app::end_service(server, options);
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_child(argc, argv, child);
}

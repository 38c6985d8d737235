// Example 1, the child: answers on connections that its parent has accepted.
//
//     process.on('message', (msg, socket) => {
//       if (socket) {
//         setTimeout(() => {
//           socket.end(`${msg} 子进程：${process.pid}`)
//         }, 100)
//       }
//     })
//
// Notes: chapter 03.

#include "app/demo.hpp"
#include "net/end.hpp"

#include <asio/this_coro.hpp>
#include <unistd.h>

using asio::awaitable;

namespace {

const std::string pid = std::to_string(::getpid()); // process.pid

awaitable<void> answer(ipc::handle socket, std::string msg, std::chrono::milliseconds delay)
{
    co_await app::delay(delay);
    co_await net::end(socket.release(), msg + " 子进程：" + pid);
}

awaitable<void> child(const app::child_options& options, ipc::channel& parent)
{
    const auto executor = co_await asio::this_coro::executor;

    // [answer]
    while (auto message = co_await parent.receive()) {
        if (message->handle.is_connection())
            app::spawn(executor, answer(std::move(message->handle), message->body.to_string(),
                                        options.delay));
    }
    // [/answer]
} // The parent has hung up: what is open is answered, and the process ends.

} // namespace

int main(int argc, char** argv)
{
    return app::run_child(argc, argv, child);
}

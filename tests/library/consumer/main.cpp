// A parent of somebody else's: it starts a child in JavaScript, gives it a server, hears from it,
// and sees its end.
#include "ipc/child_process.hpp"
#include "net/listen.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <exception>
#include <iostream>

// [program]
asio::awaitable<void> serve(asio::any_io_executor executor)
{
    auto child = ipc::child_process::start(executor, {"node", "child.js"});
    auto server = net::listen(executor, "127.0.0.1", 0);
    std::cout << net::to_string(server.address()) << std::endl;
    co_await child.channel.send("yours", std::move(server)); // returns when the child has it

    const auto answer = co_await child.channel.receive();
    std::cout << (answer ? answer->body.to_string() : "the child has hung up") << std::endl;
    co_await child.channel.disconnect();
    std::cout << "the child " << to_string(co_await child.exited()) << std::endl;
}

int main()
{
    asio::io_context loop;
    co_spawn(loop, serve(loop.get_executor()), [](std::exception_ptr failed) {
        if (failed)
            std::rethrow_exception(failed);
    });
    loop.run();
}
// [/program]

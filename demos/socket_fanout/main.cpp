// Example 1: the main process accepts, and shares each connection with its children.
//
//     const server = http.createServer()
//     server.on('connection', socket => {
//       console.log('connection')
//       for (let i = 0; i < 4; i++) {
//         fork(path.resolve(__dirname, './child.js')).send('socket', socket)
//       }
//     })
//
// Three ways to read that (--mode), because the listing and the output the document shows differ:
//   rotate  connection k goes to worker k mod n: prints what the document printed
//   all     every worker gets a copy of every connection, and the first to end it has answered
//   fork    the listing to the letter: new children for each connection, of which one gets it
//
// Notes: chapter 03.

#include "app/demo.hpp"
#include "app/terminal.hpp"

using asio::awaitable;

namespace {

ipc::value message_for(std::size_t i)
{
    return "http socket" + std::to_string(i);
}

// send gives a connection away, so one child gets it and the others the message alone. stop() lets
// a child answer what it has and then end.
awaitable<void> send_to_one(workers::pool children, ipc::handle socket)
{
    co_await children.hand_over(0, std::move(socket), [](std::size_t) { return "socket"; });
    for (std::size_t i = 1; i < children.size(); ++i)
        if (children.serves(i))
            co_await children.send(i, "socket");
    co_await children.stop();
}

awaitable<void> fork_for(app::demo& demo, net::accepted& socket)
{
    auto options = demo.worker_options();
    options.respawn = false; // these children come and go
    workers::pool children(demo.executor(), options);
    children.start(); // throws when there is no room for them: then the connection waits
    return send_to_one(std::move(children), std::move(socket));
}

awaitable<void> socket_fanout(app::demo& demo)
{
    const auto& mode = demo.options().mode;
    net::server server = demo.listen();

    workers::pool work(demo.executor(), demo.worker_options());
    if (mode != "fork")
        work.start();

    std::size_t connections = 0;
    // [share]
    server.on_connection([&](net::accepted& socket) {
        awaitable<void> sharing =
            mode == "fork" ? fork_for(demo, socket)
            : mode == "all"
                ? work.hand_over_to_all(socket, message_for) // an lvalue: a copy (dup), ours closes
                : work.hand_over(connections++ % work.size(), std::move(socket), message_for);
        if (!demo.options().quiet)
            app::print("connection");
        app::spawn(demo.executor(), std::move(sharing));
    });
    // [/share]

    demo.ready(server.address(), mode == "fork" ? std::vector<pid_t>{} : work.pids());
    co_await demo.until_stopped(work);
    co_await server.close_for_all();
    co_await work.stop();
    demo.print_tally(work.counted());
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_demo(argc, argv,
                         {.name = "socket_fanout",
                          .about = "Example 1: the main process shares sockets with its children.",
                          .client = "net_client",
                          .modes = {"rotate", "all", "fork"}},
                         socket_fanout);
}

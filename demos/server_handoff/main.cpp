// Example 2: the children listen on the same port. The main process makes the server, gives every
// child a copy, closes its own, and from then on has no part in any connection.
//
//     server.listen(8888, () => {
//       console.log('server is start')
//       work[0].send('http server0', server)
//       work[2].send('http server2', server)
//       work[1].send('http server1', server)
//       work[3].send('http server3', server)
//       server.close()
//     })
//
// Notes: chapter 05.

#include "app/demo.hpp"
#include "app/terminal.hpp"

#include "../handoff_order.hpp"

using asio::awaitable;

namespace {

awaitable<void> server_handoff(app::demo& demo)
{
    net::server server = demo.listen();
    const auto address = server.address();

    workers::pool work(demo.executor(), demo.worker_options());
    work.start();

    // [hand_off]
    app::print("server is start");
    co_await work.each(handoff_order(work.size()), [&](std::size_t i) {
        return work.send(i, "http server" + std::to_string(i), server);
    });
    // Whoever replaces workers keeps a copy for them: nobody waits on it here.
    if (!demo.options().respawn)
        server.close();
    // [/hand_off]

    demo.ready(address, work.pids());
    co_await demo.until_stopped(work);
    co_await server.close_for_all();
    co_await work.stop();
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_demo(argc, argv,
                         {.name = "server_handoff",
                          .about = "Example 2: the children listen on the same port.",
                          .client = "net_client",
                          .workers_accept = true},
                         server_handoff);
}

// The HTTP service cluster, the main process: hands its listening server to every child, as example
// 2 does, and never sees a request.
//
//     server.listen(8888, () => {
//       console.log('server is start')
//       work[0].send('http server0', server)
//       ...
//       server.close()
//     })
//
// Notes: chapter 06.

#include "app/demo.hpp"
#include "app/terminal.hpp"

#include "../handoff_order.hpp"

using asio::awaitable;

namespace {

awaitable<void> http_cluster(app::demo& demo)
{
    net::server server = demo.listen();
    const auto address = server.address();

    workers::pool work(demo.executor(), demo.worker_options());
    work.start();

    app::print("server is start");
    co_await work.each(handoff_order(work.size()), [&](std::size_t i) {
        return work.send(i, "http server" + std::to_string(i), server);
    });
    if (!demo.options().respawn) // as in example 2
        server.close();

    demo.ready(address, work.pids());
    co_await demo.until_stopped(work);
    co_await server.close_for_all();
    co_await work.stop();
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_demo(
        argc, argv,
        {.name = "http_cluster",
         .about = "The HTTP service cluster: each child is a web server on one port.",
         .client = "http_client",
         .delay = std::chrono::milliseconds(0),
         .workers_accept = true,
         .http = true},
        http_cluster);
}

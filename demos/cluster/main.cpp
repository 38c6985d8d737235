// What comes after the document: Node's cluster. The main process forks workers; each of them
// "listens", and the main, which they ask for that, sees to it that one port serves them all.
//
//     if (cluster.isPrimary) {
//       for (let i = 0; i < numCPUs; i++) cluster.fork()
//
//       cluster.on('exit', (worker, code, signal) => {
//         console.log(`worker ${worker.process.pid} died`)
//       })
//     }
//
// Notes: chapters 09 and 10.

#include "app/demo.hpp"
#include "app/terminal.hpp"
#include "cluster/primary.hpp"

#include <csignal>

using asio::awaitable;

namespace {

cluster::scheduling scheduling_of(const std::string& policy)
{
    if (policy == "shared")
        return cluster::scheduling::shared;
    return policy == "least_busy" ? cluster::scheduling::least_busy
                                  : cluster::scheduling::round_robin;
}

// [reload]
awaitable<void> reload(app::demo& demo, cluster::primary& primary)
{
    const auto before = primary.pool().size();
    const auto replaced = co_await primary.reload(demo.options().listen_timeout);
    if (!replaced)
        co_return; // told to stop meanwhile
    if (replaced == before)
        demo.say("reloaded: " + std::to_string(*replaced) + " new workers");
    else
        demo.fail("reload given up after " + std::to_string(*replaced) + " of " +
                  std::to_string(before) + " workers: the others go on as they are");
}
// [/reload]

awaitable<void> cluster_main(app::demo& demo)
{
    const auto& options = demo.options();
    // [fork]
    cluster::primary primary(demo.executor(), demo.worker_options(), scheduling_of(options.policy));
    if (options.own_children) // others may ask for more than our port
        primary.on_refused(
            [&](const auto&, const auto&, auto why) { return demo.cannot_listen(why); });
    for (std::size_t i = 0; i < options.workers; ++i)
        primary.fork(options.children[i % options.children.size()]);
    // [/fork]
    demo.on_signal(SIGUSR2, [&] {
        if (primary.is_reloading())
            demo.say("a reload is under way already");
        else
            app::spawn(demo.executor(), reload(demo, primary));
    });
    const auto address = co_await primary.listening();
    app::print("server is start");
    demo.ready(address.address, address.port, primary.pool().pids());
    co_await demo.until_stopped(primary.pool());
    co_await primary.stop();
    demo.print_tally(primary.counted());
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_demo(argc, argv,
                         {.name = "cluster",
                          .about = "What Node's cluster does: workers that listen on one port, "
                                   "which they get from the main.",
                          .client = "http_client",
                          .delay = std::chrono::milliseconds(0),
                          .http = true,
                          .policies = {"round_robin", "least_busy", "shared"}},
                         cluster_main);
}

// A primary that forks WORKERS workers (one), and says what it is told of them. Node's counterpart,
// which says the same of the same workers, is node/cluster/acting_primary.js.
//
//     acting_primary ACT PROGRAM [ARGUMENT...]

#include "cluster/primary.hpp"
#include "event.hpp"
#include "net/end.hpp"
#include "workers/pool.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

using asio::awaitable;

namespace {

void say(const std::string& line)
{
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
}

/// Two workers' ports may be the same, and neither be known before.
class places {
public:
    std::string name(int port)
    {
        if (port == std::atoi(std::getenv("SERVER_PORT")))
            return "that port";
        if (port <= 0)
            return std::to_string(port);
        if (first_ == 0)
            first_ = port;
        return port == first_ ? "a port" : "another port";
    }

private:
    int first_ = 0;
};

awaitable<void> story(asio::io_context& context, std::vector<std::string> command)
{
    workers::options options;
    options.log = [](const std::string& what) { std::fprintf(stderr, "%s\n", what.c_str()); };
    const char* policy = std::getenv("NODE_CLUSTER_SCHED_POLICY"); // as Node's primary
    cluster::primary primary(context.get_executor(), options,
                             policy && std::strcmp(policy, "none") == 0
                                 ? cluster::scheduling::shared
                                 : cluster::scheduling::round_robin);
    const char* given = std::getenv("WORKERS");
    const int workers = given ? std::atoi(given) : 1;
    event changed(context.get_executor());
    places ports;
    int stops = 0;
    int exits = 0;
    primary.on_online([](const auto&) { say("online"); });
    primary.on_listening([&](const auto&, const auto& where) {
        say("listening on " + where.address + " " + ports.name(where.port));
    });
    primary.on_message([&](const auto& worker, ipc::message said) {
        const auto text = said.body.dump();
        say("message " + text);
        if (text.find("question") != std::string::npos)
            asio::co_spawn(context, primary.pool().send(0, "an answer"), asio::detached);
        if (text == "\"a socket\"")
            asio::co_spawn(context,
                           net::end(std::move(said.handle).connection(context.get_executor()),
                                    "served by the primary"),
                           asio::detached);
        if (text == "\"terminate\"")
            ::kill(worker.pid, SIGTERM);
        if (text == "\"stop\"")
            ++stops;
        changed.notify();
    });
    primary.on_disconnect([](const auto&) { say("disconnect"); });
    primary.on_exit([&](const auto& worker, const auto& status) {
        say("exit " +
            (status.signal != 0 ? std::string("SIG") + ::sigabbrev_np(status.signal)
                                : std::to_string(status.code)) +
            (worker.exited_after_disconnect ? " meant" : " not meant"));
        ++exits;
        changed.notify();
    });
    for (int i = 0; i < workers; ++i)
        primary.fork(command);
    co_await changed.wait_until([&] { return stops == workers || exits == workers; });
    co_await primary.stop();
    say("all have gone");
}

} // namespace

int main(int argc, char** argv)
{
    std::vector<std::string> command(argv + 2, argv + argc);
    command.emplace_back(argv[1]);
    asio::io_context context;
    std::exception_ptr failure;
    asio::co_spawn(context, story(context, std::move(command)),
                   [&](std::exception_ptr error) { failure = error; });
    context.run();
    return failure ? 1 : 0;
}

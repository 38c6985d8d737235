// A primary that forks one worker, and says what it is told of it. Node's counterpart, which says
// the same of the same worker, is node/cluster/acting_primary.js.
//
//     acting_primary ACT PROGRAM [ARGUMENT...]

#include "cluster/primary.hpp"
#include "event.hpp"
#include "workers/pool.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

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

std::string place(int port)
{
    if (port == std::atoi(std::getenv("SERVER_PORT")))
        return "that port";
    return port > 0 ? "another port" : std::to_string(port);
}

awaitable<void> story(asio::io_context& context, std::vector<std::string> command)
{
    workers::options options;
    options.log = [](const std::string& what) { std::fprintf(stderr, "%s\n", what.c_str()); };
    const char* policy = std::getenv("NODE_CLUSTER_SCHED_POLICY"); // as Node's primary
    cluster::primary primary(context.get_executor(), options,
                             policy && std::strcmp(policy, "none") == 0
                                 ? cluster::scheduling::shared
                                 : cluster::scheduling::round_robin);
    event changed(context.get_executor());
    bool is_to_stop = false;
    bool has_ended = false;
    primary.on_online([](const auto&) { say("online"); });
    primary.on_listening([](const auto&, const auto& where) {
        say("listening on " + where.address + " " + place(where.port));
    });
    primary.on_message([&](const auto&, ipc::message said) {
        const auto text = said.body.dump();
        say("message " + text);
        if (text.find("question") != std::string::npos)
            asio::co_spawn(context, primary.pool().send(0, "an answer"), asio::detached);
        is_to_stop = text == "\"stop\"";
        changed.notify();
    });
    primary.on_disconnect([](const auto&) { say("disconnect"); });
    primary.on_exit([&](const auto& worker, const auto& status) {
        say("exit " +
            (status.signal != 0 ? std::string("SIG") + ::sigabbrev_np(status.signal)
                                : std::to_string(status.code)) +
            (worker.exited_after_disconnect ? " meant" : " not meant"));
        has_ended = true;
        changed.notify();
    });
    primary.fork(std::move(command));
    co_await changed.wait_until([&] { return is_to_stop || has_ended; });
    co_await primary.stop();
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

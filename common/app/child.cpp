// The other half of app/demo.hpp: what a worker of ours is.
#include "app/conversations.hpp"
#include "app/demo.hpp"
#include "app/environment.hpp"
#include "app/events.hpp"
#include "app/terminal.hpp"
#include "app/typed.hpp"
#include "ipc/parent.hpp"
#include "net/epoll_instance.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <unistd.h>

namespace app {

using asio::awaitable;

namespace {

// For whoever reads our output to take what is left: less than a main has, which waits for us.
constexpr std::chrono::milliseconds worker_patience{50};

// The channel stays until all has been told; the process would wait for its end.
void end_reporting(asio::io_context& context, reporter& reports)
{
    const auto deadline = std::chrono::steady_clock::now() + drain_limit;
    while (open_conversations() > 0 && context.run_one_until(deadline) > 0) {
    }
    const auto is_read = std::make_shared<bool>(false); // at the limit nobody waits for it
    asio::co_spawn(context, reports.end(), [is_read](std::exception_ptr) { *is_read = true; });
    while (!*is_read && context.run_one_until(deadline) > 0) {
    }
}

int child_exit_code(
    int argc, char** argv,
    const std::function<awaitable<void>(const child_options&, ipc::channel&)>& story)
{
    int exit_code = cannot_start; // until it has to wait for its parent
    try {
        prepare_environment(service_output);
        check_waiting();
        const char* unique_id = std::getenv("NODE_UNIQUE_ID"); // it goes with the channel
        const int id = unique_id ? std::atoi(unique_id) : 0;
        asio::io_context context{1};
        std::optional<ipc::channel> parent;
        try {
            parent.emplace(ipc::connect_to_parent(context.get_executor()));
        } catch (const ipc::error& error) {
            const std::string own = argv[0];
            note(own + ": " + error.what() + "\n  this program is a worker: " + typed_main(own) +
                 " starts it and leaves it a channel");
            return bad_usage;
        }
        const auto options = parse_child(argc, argv, id);
        std::optional<reporter> reports;
        if (options.reports) {
            reports.emplace(context.get_executor(), *parent);
            parent->allow_half_open();
        }

        std::exception_ptr failure;
        bool finished = false;
        asio::co_spawn(context, story(options, *parent), [&](std::exception_ptr error) {
            failure = error;
            finished = true;
        });
        context.poll();
        if (!failure)
            exit_code = failed;
        net::epoll_instance::run_until(context, [&] { return finished; });
        if (failure)
            std::rethrow_exception(failure);
        // The conversations that are open may end; an idle process leaves at once.
        if (reports)
            end_reporting(context, *reports);
        parent->close();
        context.run_for(drain_limit);
        return ok;
    } catch (const exit_now& now) {
        return now.code;
    } catch (const ipc::channel_closed&) { // while it asked for something: whoever hung up knows
        return ok;
    } catch (const std::exception& error) {
        note("worker " + std::to_string(::getpid()) + ": " + error.what());
        return exit_code;
    }
}

} // namespace

int run_child(int argc, char** argv,
              std::function<awaitable<void>(const child_options&, ipc::channel&)> story)
{
    const int code = child_exit_code(argc, argv, story);
    end_output(argv[0], code, worker_patience); // whether it could be written is main's to judge
    return code;
}

awaitable<void> end_service(net::server& server, const child_options& options)
{
    if (options.ends_with_all)
        co_await server.close_for_all();
    else
        server.close();
}

} // namespace app

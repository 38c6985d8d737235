// A worker of any cluster that does one thing: the last argument. Node's counterpart, which says
// the same to the same primary, is node/cluster/acting_worker.js.

#include "cluster/worker.hpp"
#include "event.hpp"
#include "ipc/parent.hpp"
#include "net/connect.hpp"
#include "net/end.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <system_error>
#include <unistd.h>
#include <vector>

using asio::awaitable;
using asio::ip::tcp;

namespace {

class actor {
public:
    actor(asio::io_context& context, ipc::channel& parent, int id)
        : executor_(context.get_executor()), parent_(parent), worker_(executor_, parent, id)
    {
    }

    awaitable<void> perform(std::string act)
    {
        if (act == "talks")
            co_await talk();
        else if (act == "finds_it_taken")
            co_await find_it_taken();
        else if (act == "has_two")
            co_await have_two();
        else if (act == "has_a_path")
            keep(co_await worker_.listen(std::getenv("SERVER_PATH")));
        else if (act == "has_ipv6_only")
            co_await have_ipv6_only();
        else if (act != "idles")
            keep(co_await worker_.listen("127.0.0.1", port));

        if (act == "exits")
            ::_exit(3);
        if (act == "dies")
            ::raise(SIGKILL);
        if (act == "hangs_up") {
            co_await parent_.disconnect();
            co_return servers_.clear();
        }
        if (act == "leaves")
            co_return co_await worker_.disconnect();
        if (act == "serves")
            co_await be_served();
        if (act == "listens_again") {
            servers_.clear();
            keep(co_await worker_.listen("127.0.0.1", port));
        }
        co_await parent_.send("stop");
        co_await worker_.told_to_disconnect();
        co_await worker_.disconnect();
    }

private:
    void keep(cluster::server server)
    {
        server.on_connection([this](tcp::socket connection) {
            asio::co_spawn(executor_, serve(std::move(connection)), asio::detached);
        });
        servers_.push_back(std::move(server));
    }

    static awaitable<void> serve(tcp::socket connection)
    {
        co_await net::end(connection, "served");
    }

    awaitable<void> talk()
    {
        event heard(executor_);
        std::optional<ipc::value> answer;
        worker_.on_message([&](ipc::message said) {
            answer = std::move(said.body);
            heard.notify();
        });
        const nlohmann::json question{{"question", "你好 €"}};
        co_await parent_.send(question);
        co_await heard.wait_until([&] { return answer.has_value(); });
        co_await parent_.send(*answer);
    }

    awaitable<void> be_served()
    {
        tcp::socket client(executor_);
        const tcp::endpoint there(asio::ip::make_address("127.0.0.1"), port);
        co_await client.async_connect(there, asio::use_awaitable);
        std::string text;
        std::error_code end;
        co_await asio::async_read(client, asio::dynamic_buffer(text),
                                  asio::redirect_error(asio::use_awaitable, end));
        co_await parent_.send(text);
    }

    awaitable<void> find_it_taken()
    {
        std::string found = "nothing";
        try {
            keep(co_await worker_.listen("127.0.0.1", port));
        } catch (const std::system_error& error) {
            if (error.code() == std::errc::address_in_use)
                found = "EADDRINUSE";
        }
        co_await parent_.send(found);
    }

    awaitable<void> have_two()
    {
        keep(co_await worker_.listen("127.0.0.1", 0));
        keep(co_await worker_.listen("127.0.0.1", 0));
        const nlohmann::json found{
            {"differ", servers_[0].address().port() != servers_[1].address().port()}};
        co_await parent_.send(found);
    }

    awaitable<void> have_ipv6_only()
    {
        const cluster::listen_options only{.ipv6_only = true};
        keep(co_await worker_.listen("::", port, only));
        keep(co_await worker_.listen("127.0.0.1", port));
    }

    const std::uint16_t port = static_cast<std::uint16_t>(std::atoi(std::getenv("SERVER_PORT")));
    asio::any_io_executor executor_;
    ipc::channel& parent_;
    cluster::worker worker_;
    std::vector<cluster::server> servers_;
};

} // namespace

int main(int argc, char** argv)
{
    try {
        const int id = std::atoi(std::getenv("NODE_UNIQUE_ID"));
        asio::io_context context;
        ipc::channel parent = ipc::connect_to_parent(context.get_executor());
        actor it(context, parent, id);
        std::exception_ptr failure;
        asio::co_spawn(context, it.perform(argv[argc - 1]), [&](std::exception_ptr error) {
            failure = error;
            if (failure)
                context.stop();
        });
        context.run();
        if (failure)
            std::rethrow_exception(failure);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "acting_worker: %s\n", error.what());
        return 1;
    }
}

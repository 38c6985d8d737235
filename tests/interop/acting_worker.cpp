// A worker of any cluster that does one thing: the last argument. Node's counterpart, which says
// the same to the same primary, is node/cluster/acting_worker.js.

#include "cluster/worker.hpp"
#include "event.hpp"
#include "ipc/parent.hpp"
#include "net/end.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
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

    awaitable<void> perform(const std::string& act)
    {
        static const std::map<std::string, awaitable<void> (actor::*)()> acts{
            {"stays", &actor::stay},
            {"idles", &actor::stop},
            {"leaves", &actor::leave},
            {"exits", &actor::exit},
            {"dies", &actor::die},
            {"hangs_up", &actor::hang_up},
            {"talks", &actor::talk},
            {"serves", &actor::serve_one},
            {"knows_itself", &actor::know_itself},
            {"exits_at_once", &actor::exit_at_once},
            {"throws", &actor::fail},
            {"kills_itself", &actor::leave}, // Node's worker.kill(): it does not close its servers
            {"is_terminated", &actor::be_terminated},
            {"leaves_with_a_code", &actor::leave_with_a_code},
            {"leaves_as_it_is_told", &actor::leave_as_it_is_told},
            {"lets_its_client_finish", &actor::let_its_client_finish},
            {"serves_on_a_path", &actor::serve_on_a_path},
            {"has_a_path", &actor::have_a_path},
            {"has_a_relative_path", &actor::have_a_relative_path},
            {"has_a_path_for_all", &actor::have_a_path_for_all},
            {"has_ipv6_only", &actor::have_ipv6_only},
            {"has_two", &actor::have_two},
            {"has_any_port", &actor::have_any_port},
            {"listens_again", &actor::listen_again},
            {"listens_again_beside_another", &actor::listen_again},
            {"finds_it_taken", &actor::find_it_taken},
            {"finds_its_own_port_taken", &actor::find_its_own_port_taken},
            {"finds_no_such_address", &actor::find_no_such_address},
            {"gives_its_sockets_away", &actor::give_its_sockets_away},
        };
        return (this->*acts.at(act))();
    }

private:
    // ---- its life

    awaitable<void> stay()
    {
        co_await listen_here();
        co_await stop();
    }

    awaitable<void> stop()
    {
        co_await parent_.send("stop");
        co_await worker_.told_to_disconnect();
        co_await worker_.disconnect();
    }

    awaitable<void> leave()
    {
        co_await listen_here();
        co_await worker_.disconnect();
    }

    awaitable<void> leave_with_a_code()
    {
        co_await leave();
        std::exit(5);
    }

    awaitable<void> leave_as_it_is_told()
    {
        co_await listen_here();
        parent_.post("stop");
        co_await worker_.disconnect();
    }

    awaitable<void> exit()
    {
        co_await listen_here();
        ::_exit(3);
    }

    awaitable<void> exit_at_once()
    {
        ::_exit(42);
        co_return;
    }

    awaitable<void> die()
    {
        co_await listen_here();
        ::raise(SIGKILL);
    }

    awaitable<void> fail()
    {
        co_await listen_here();
        throw std::runtime_error("which nobody catches");
    }

    awaitable<void> be_terminated()
    {
        co_await listen_here();
        co_await parent_.send("terminate");
        co_await worker_.told_to_disconnect(); // which it never is
    }

    awaitable<void> hang_up()
    {
        co_await listen_here();
        co_await parent_.disconnect();
        servers_.clear();
    }

    // ---- what it says and hears

    awaitable<void> know_itself()
    {
        const nlohmann::ordered_json itself{
            {"id", worker_.id()}, {"environment", std::getenv("NODE_UNIQUE_ID") != nullptr}};
        co_await parent_.send(itself);
        co_await stop();
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
        co_await stop();
    }

    // With a primary that accepts, handles are on their way in both directions at once.
    awaitable<void> give_its_sockets_away()
    {
        servers_.push_back(co_await worker_.listen("127.0.0.1", port));
        servers_.back().on_connection([this](net::accepted connection) {
            asio::co_spawn(executor_, parent_.send("a socket", ipc::handle(std::move(connection))),
                           asio::detached);
        });
        auto one = co_await connect(here());
        auto other = co_await connect(here());
        for (auto* client : {&one, &other}) {
            const auto text = co_await read(*client);
            co_await parent_.send(text);
        }
        co_await stop();
    }

    // ---- its servers

    void keep(cluster::server server)
    {
        server.on_connection([this](net::accepted connection) {
            asio::co_spawn(executor_, net::end(std::move(connection), "served"), asio::detached);
        });
        servers_.push_back(std::move(server));
    }

    awaitable<void> listen_here() { keep(co_await worker_.listen("127.0.0.1", port)); }

    template<class Endpoint>
    awaitable<asio::generic::stream_protocol::socket> connect(Endpoint there)
    {
        asio::generic::stream_protocol::socket client(executor_);
        co_await client.async_connect(there, asio::use_awaitable);
        co_return client;
    }

    tcp::endpoint here() const { return {asio::ip::make_address("127.0.0.1"), port}; }

    awaitable<std::string> read(asio::generic::stream_protocol::socket& client)
    {
        std::string text;
        std::error_code end;
        co_await asio::async_read(client, asio::dynamic_buffer(text),
                                  asio::redirect_error(asio::use_awaitable, end));
        co_return text;
    }

    awaitable<void> serve_one()
    {
        co_await listen_here();
        auto client = co_await connect(here());
        const auto text = co_await read(client);
        co_await parent_.send(text);
        co_await stop();
    }

    awaitable<void> let_its_client_finish()
    {
        std::optional<unique_fd> served;
        event arrived(executor_);
        servers_.push_back(co_await worker_.listen("127.0.0.1", port));
        servers_.back().on_connection([&](net::accepted connection) {
            served.emplace(std::move(connection));
            arrived.notify();
        });
        auto client = co_await connect(here());
        co_await arrived.wait_until([&] { return served.has_value(); });
        co_await parent_.send("stop");
        co_await worker_.told_to_disconnect();
        asio::co_spawn(executor_, net::end(std::move(*served), "served before it leaves"),
                       asio::detached);
        const auto text = co_await read(client);
        co_await parent_.send(text);
        co_await worker_.disconnect();
    }

    awaitable<void> serve_on_a_path()
    {
        keep(co_await worker_.listen(path));
        auto client = co_await connect(asio::local::stream_protocol::endpoint(path));
        const auto text = co_await read(client);
        co_await parent_.send(text);
        co_await stop();
    }

    awaitable<void> have_a_path()
    {
        keep(co_await worker_.listen(path));
        co_await stop();
    }

    awaitable<void> have_a_relative_path()
    {
        const std::filesystem::path absolute(path);
        std::filesystem::current_path(absolute.parent_path());
        keep(co_await worker_.listen(absolute.filename().string()));
        co_await stop();
    }

    awaitable<void> have_a_path_for_all()
    {
        const cluster::listen_options all{.readable_all = true, .writable_all = true};
        keep(co_await worker_.listen(path, all));
        constexpr auto both = static_cast<std::filesystem::perms>(0666);
        const nlohmann::json found{
            {"for_all", (std::filesystem::status(path).permissions() & both) == both}};
        co_await parent_.send(found);
        co_await stop();
    }

    awaitable<void> have_ipv6_only()
    {
        const cluster::listen_options only{.ipv6_only = true};
        keep(co_await worker_.listen("::", port, only));
        co_await listen_here();
        co_await stop();
    }

    awaitable<void> have_two()
    {
        keep(co_await worker_.listen("127.0.0.1", 0));
        keep(co_await worker_.listen("127.0.0.1", 0));
        co_await stop();
    }

    awaitable<void> have_any_port()
    {
        keep(co_await worker_.listen("127.0.0.1", 0));
        co_await stop();
    }

    awaitable<void> listen_again()
    {
        co_await listen_here();
        servers_.clear();
        co_await listen_here();
        co_await stop();
    }

    awaitable<std::string> error_of(std::string address)
    {
        try {
            keep(co_await worker_.listen(std::move(address), port));
        } catch (const std::system_error& error) {
            co_return std::string(::strerrorname_np(error.code().value()));
        }
        co_return "none";
    }

    awaitable<void> find_it_taken()
    {
        const auto error = co_await error_of("127.0.0.1");
        co_await parent_.send(error);
        co_await stop();
    }

    awaitable<void> find_its_own_port_taken()
    {
        co_await listen_here();
        co_await find_it_taken();
    }

    awaitable<void> find_no_such_address()
    {
        const auto error = co_await error_of("192.0.2.1");
        co_await parent_.send(error);
        co_await stop();
    }

    const std::uint16_t port = static_cast<std::uint16_t>(std::atoi(std::getenv("SERVER_PORT")));
    const std::string path = std::getenv("SERVER_PATH");
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

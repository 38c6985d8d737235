// Sends HTTP requests and prints who answered each: the document's second client.
//
//     for (let i = 0; i < 5; i++)
//       http.get('http://localhost:8888', res => {
//         res.setEncoding('utf8')
//         res.on('data', data => console.log(data))
//         res.on('end', () => console.log('end'))
//       })
//
// One connection per request, as there: with --keep-alive a connection, and so its worker, is used
// again.
//
// Notes: chapter 07.

#include "app/client.hpp"
#include "http/client.hpp"
#include "net/deadline.hpp"
#include "net/error.hpp"

#include <memory>
#include <string>
#include <system_error>

using asio::awaitable;

namespace {

std::string host_header(const app::client_options& options)
{
    const bool is_v6_address = options.host.find(':') != std::string::npos;
    const std::string host = is_v6_address ? "[" + options.host + "]" : options.host;
    return options.port == 80 ? host : host + ":" + std::to_string(options.port);
}

// One request and its answer. A kept connection may turn out to have ended: then a new one is used.
awaitable<void> get(app::client& client, std::unique_ptr<http::client>& connection)
{
    const auto& options = client.options();
    for (bool again = true; again;) {
        const bool kept = connection && connection->reusable();
        if (!kept)
            connection =
                std::make_unique<http::client>(co_await client.connect(), host_header(options));

        const net::deadline deadline(connection->socket(), options.timeout);
        try {
            again = false;
            // [get]
            const auto res = co_await connection->get("/", options.keep_alive);
            if (res.status == 200)
                client.answered(res.body, res.body + "\nend");
            else
                client.failed("the server answered with status " + std::to_string(res.status));
            // [/get]
        } catch (const http::no_answer& error) {
            again = kept;
            if (!again)
                client.failed(error.what());
        } catch (const http::bad_answer& error) {
            client.failed(error.what());
        } catch (const std::system_error& error) {
            again = kept && net::means_peer_has_gone(error.code());
            if (deadline.passed())
                client.failed("no answer within " + std::to_string(options.timeout.count()) +
                              " ms");
            else if (!again)
                client.failed("the connection broke: " + app::describe(error.code()));
        }
    }
}

awaitable<void> lane(app::client& client)
{
    std::unique_ptr<http::client> connection;
    while (client.take_turn()) {
        try {
            co_await get(client, connection);
        } catch (const std::system_error& error) {
            client.failed("cannot connect: " + app::describe(error.code()));
        }
    }
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_client(argc, argv, "http_client", "http_cluster", lane);
}

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

#include <memory>
#include <stdexcept>
#include <string>

using asio::awaitable;

namespace {

// A kept connection may turn out to have ended meanwhile: then a new one is used.
awaitable<http::answer> get(app::client& client, std::unique_ptr<http::client>& connection)
{
    const auto& options = client.options();
    if (connection && connection->reusable()) {
        try {
            co_return co_await connection->get(options.target, options.keep_alive, options.timeout);
        } catch (const http::no_answer&) {
        }
    }
    connection = std::make_unique<http::client>(co_await client.connect(),
                                                http::host_field(options.host, options.port));
    co_return co_await connection->get(options.target, options.keep_alive, options.timeout);
}

awaitable<void> lane(app::client& client)
{
    std::unique_ptr<http::client> connection;
    while (client.take_turn()) {
        co_await client.printed();
        try {
            // [get]
            const auto res = co_await get(client, connection);
            if (res.status == 200)
                client.answered(res.body, res.body + "\nend");
            else
                client.failed("the server answered with status " + std::to_string(res.status));
            // [/get]
        } catch (const std::runtime_error& error) {
            client.failed(error.what());
        }
    }
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_client(argc, argv, "http_client", "http_cluster", lane);
}

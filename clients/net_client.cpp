// Opens connections and prints what each one says: the document's first client.
//
//     for (let i = 0; i < 5; i++)
//       net.createConnection(8888, 'localhost').on('data', data => console.log(data.toString()))
//
// Notes: chapter 07.

#include "app/client.hpp"
#include "net/deadline.hpp"

#include <asio/buffer.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <array>
#include <string>
#include <system_error>

using asio::awaitable;
using asio::ip::tcp;

namespace {

// A server says a line or two; more than this is not one of ours.
constexpr std::size_t longest_answer = 1024 * 1024;

// Everything the server sends until it ends the connection.
awaitable<std::string> read_to_end(tcp::socket& socket, std::error_code& error)
{
    std::string text;
    std::array<char, 4096> buffer;
    while (!error && text.size() <= longest_answer) {
        const auto size = co_await socket.async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        text.append(buffer.data(), size);
    }
    co_return text;
}

awaitable<void> lane(app::client& client)
{
    const auto limit = client.options().timeout;
    while (client.take_turn()) {
        try {
            // [lane]
            tcp::socket socket = co_await client.connect();
            std::error_code error;
            const net::deadline deadline(socket, limit);
            const std::string text = co_await read_to_end(socket, error);
            // [/lane]

            if (deadline.passed())
                client.failed("no answer within " + std::to_string(limit.count()) + " ms");
            else if (error != asio::error::eof)
                client.failed("the connection broke: " + app::describe(error));
            else if (text.empty())
                client.failed("the server closed the connection without a word");
            else
                client.answered(text, text);
        } catch (const std::system_error& error) {
            client.failed("cannot connect: " + app::describe(error.code()));
        }
    }
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_client(argc, argv, "net_client", "socket_fanout", lane);
}

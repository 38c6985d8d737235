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
#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>

using asio::awaitable;
using asio::ip::tcp;

namespace {

// A server says a line or two; more than this is not one of ours.
constexpr std::size_t longest_answer = 1024 * 1024;

// Everything the server sends until it ends the connection.
awaitable<std::string> read_to_end(tcp::socket& socket, std::chrono::milliseconds timeout)
{
    const net::deadline deadline(socket, timeout);
    std::string text;
    std::array<char, 4096> buffer;
    for (std::error_code error; error != asio::error::eof;) {
        const auto size = co_await socket.async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        text.append(buffer.data(), size);
        if (deadline.passed())
            throw std::runtime_error(app::no_answer_within(timeout));
        if (error && error != asio::error::eof)
            throw std::runtime_error("the connection broke: " + app::describe(error));
        if (text.size() > longest_answer)
            throw std::runtime_error("the answer is too long");
    }
    if (text.empty())
        throw std::runtime_error("the server closed the connection without a word");
    co_return text;
}

awaitable<void> lane(app::client& client)
{
    while (client.take_turn()) {
        co_await client.printed();
        try {
            // [lane]
            tcp::socket socket = co_await client.connect();
            const auto text = co_await read_to_end(socket, client.options().timeout);
            client.answered(text, text);
            // [/lane]
        } catch (const std::runtime_error& error) {
            client.failed(error.what());
        }
    }
}

} // namespace

int main(int argc, char** argv)
{
    return app::run_client(argc, argv, "net_client", "socket_fanout", lane);
}

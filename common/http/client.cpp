#include "http/client.hpp"

#include "http/parser.hpp"
#include "net/deadline.hpp"

#include <asio/buffer.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <string_view>
#include <system_error>
#include <utility>

namespace http {

namespace {

// The parser speaks of requests, where each status has its number.
std::string why_not(const parser& refused)
{
    const auto status = refused.fault_status();
    return status == 413 || status == 431
               ? std::string("the answer is too long")
               : std::string("the answer is not HTTP/1.1: ") + refused.fault_reason();
}

} // namespace

client::client(asio::ip::tcp::socket socket, std::string host)
    : socket_(std::move(socket)),
      host_(std::move(host)),
      parser_(std::make_unique<parser>(HTTP_RESPONSE, parser_limits{}))
{
}

client::~client() = default;

asio::awaitable<answer> client::get(std::string target, bool keep_alive,
                                    std::chrono::milliseconds timeout)
{
    reusable_ = false; // until the whole answer is there
    const net::deadline deadline(socket_, timeout);
    const std::string request = "GET " + target + " HTTP/1.1\r\nHost: " + host_ +
                                "\r\nConnection: " + (keep_alive ? "keep-alive" : "close") +
                                "\r\n\r\n";
    std::error_code error;
    co_await asio::async_write(socket_, asio::buffer(request),
                               asio::redirect_error(asio::use_awaitable, error));
    // Whether or not that worked, the server may have said why it wants no more: read on.

    parser_->reset();
    bool something_came = false;
    for (;;) {
        const auto size = co_await socket_.async_read_some(
            asio::buffer(buffer_), asio::redirect_error(asio::use_awaitable, error));
        if (deadline.passed())
            throw bad_answer("no answer within " + std::to_string(timeout.count()) + " ms");
        if (error && !something_came)
            throw no_answer(error == asio::error::eof
                                ? "the server closed the connection without an answer"
                                : "the connection broke before the answer: " + error.message());
        if (error && error != asio::error::eof)
            throw bad_answer("the connection broke in the middle of the answer: " +
                             error.message());

        something_came = true;
        std::string_view input(buffer_.data(), size);
        auto event = error ? parser_->parse_end() : parser_->parse(input);
        while (event == parser::event::message && parser_->status() < 200) {
            parser_->reset(); // an interim answer: the real one follows (RFC 9110 §15.2)
            event = error ? parser::event::fault : parser_->parse(input);
        }
        if (event == parser::event::message) {
            reusable_ = keep_alive && parser_->keep_alive() && input.empty() && !error;
            co_return answer{parser_->status(), std::move(parser_->body())};
        }
        if (error)
            throw bad_answer("the server closed the connection in the middle of its answer");
        if (event == parser::event::fault)
            throw bad_answer(why_not(*parser_));
    }
}

} // namespace http

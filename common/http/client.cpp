#include "http/client.hpp"

#include "http/parser.hpp"
#include "net/deadline.hpp"
#include "observer.hpp"

#include <asio/buffer.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <string_view>
#include <system_error>
#include <utility>

namespace http {

namespace {

// The real answer follows interim ones (RFC 9110 §15.2), at some time.
constexpr int most_interim_answers = 100;

// The parser gives the status that a server would refuse a request with.
std::string why_not(const parser& refused)
{
    switch (refused.fault_status()) {
    case 413:
        return "the answer is too long";
    case 431:
        return "the head of the answer is too large";
    case 501:
        return std::string("the answer cannot be read: ") + refused.fault_reason();
    default:
        return std::string("the answer is not HTTP/1.1: ") + refused.fault_reason();
    }
}

} // namespace

std::string host_field(const std::string& host, std::uint16_t port)
{
    const bool is_v6_address = host.find(':') != std::string::npos;
    const std::string name = is_v6_address ? "[" + host.substr(0, host.find('%')) + "]" : host;
    return port == 80 ? name : name + ":" + std::to_string(port);
}

client::client(asio::ip::tcp::socket socket, std::string host)
    : socket_(std::move(socket)),
      host_(std::move(host)),
      parser_(std::make_unique<parser>(HTTP_RESPONSE, parser_limits{}))
{
}

client::~client() = default;

bool client::reusable() const noexcept
{
    std::error_code broken;
    return reusable_ && socket_.available(broken) == 0 && !broken;
}

asio::awaitable<answer> client::get(std::string target, bool keep_alive,
                                    std::chrono::milliseconds timeout)
{
    reusable_ = false; // until the whole answer is there
    const net::deadline deadline(socket_, timeout);
    const std::string request = "GET " + target + " HTTP/1.1\r\nHost: " + host_ +
                                "\r\nConnection: " + (keep_alive ? "keep-alive" : "close") +
                                "\r\n\r\n";
    if (observing)
        observing->request(socket_.native_handle(), "GET", target);
    const auto sent = std::chrono::steady_clock::now();
    std::error_code error;
    co_await asio::async_write(socket_, asio::buffer(request),
                               asio::redirect_error(asio::use_awaitable, error));
    // Whether or not that worked, the server may have said why it wants no more: read on.

    parser_->reset();
    bool something_came = false;
    int interim_answers = 0;
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
        while (event == parser::event::message && parser_->status() / 100 == 1) {
            if (++interim_answers > most_interim_answers)
                throw bad_answer("the server announces its answer for ever");
            parser_->reset();
            event = parser_->parse(input);
        }
        if (event == parser::event::message) {
            if (observing)
                observing->response(socket_.native_handle(), parser_->status(),
                                    std::chrono::steady_clock::now() - sent);
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

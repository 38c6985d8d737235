#include "http/response.hpp"

#include "http/connection.hpp"

#include <stdexcept>
#include <utility>

namespace http {

response::response(std::shared_ptr<connection> connection) noexcept
    : connection_(std::move(connection))
{
}

response& response::operator=(response&& other) noexcept
{
    response(std::move(other)).connection_.swap(connection_);
    return *this;
}

response::~response()
{
    if (connection_)
        connection_->abandon();
}

response& response::write_head(unsigned status, std::initializer_list<header> headers)
{
    if (!connection_)
        throw std::logic_error("write_head() after end()");
    connection_->write_head(status, headers);
    return *this;
}

bool response::write(std::string_view part)
{
    if (!connection_)
        throw std::logic_error("write() after end()");
    return connection_->write(part);
}

asio::awaitable<bool> response::drained()
{
    if (!connection_)
        throw std::logic_error("drained() after end()");
    return connection::drained(connection_);
}

void response::end(std::string_view body)
{
    if (!connection_)
        throw std::logic_error("end() called twice");
    connection_->end(body); // if it throws, there is no answer yet
    connection_.reset();
}

} // namespace http

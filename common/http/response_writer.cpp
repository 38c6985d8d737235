#include "http/response_writer.hpp"

#include "http/character_set.hpp"
#include "http/status.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace http {

namespace {

constexpr std::string_view server_fields[] = {"connection", "content-length", "date", "keep-alive",
                                              "transfer-encoding"};

// Not for a handler to set: they tell where this answer ends and the next one begins.
bool is_set_by_server(std::string_view name)
{
    return std::any_of(std::begin(server_fields), std::end(server_fields),
                       [name](auto own) { return equal_ignoring_case(name, own); });
}

bool is_connection_close(const header& field)
{
    return equal_ignoring_case(field.name, "connection") &&
           equal_ignoring_case(field.value, "close");
}

// No control characters but tabs (RFC 9110 §5.5).
bool is_field_value(std::string_view value)
{
    static constexpr character_set allowed([](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return c == '\t' || (byte >= ' ' && byte != 0x7f);
    });
    return allowed.has_all(value);
}

} // namespace

void response_writer::check(unsigned status, std::initializer_list<header> fields)
{
    if (status < 200 || status > 999)
        throw std::invalid_argument("status out of range: " + std::to_string(status));
    for (const auto& field : fields) {
        if (!is_token(field.name) || !is_field_value(field.value))
            throw std::invalid_argument("not allowed in a header: " + std::string(field.name));
        if (is_set_by_server(field.name) && !is_connection_close(field))
            throw std::invalid_argument("the server itself sets the header " +
                                        std::string(field.name));
    }
}

void response_writer::begin(bool is_head_request, bool keep_alive, bool knows_chunks) noexcept
{
    is_head_request_ = is_head_request;
    keep_alive_ = keep_alive;
    knows_chunks_ = knows_chunks;
    has_begun_body_ = false;
    status_ = 0;
}

void response_writer::write_head(std::string& text, unsigned status,
                                 std::initializer_list<header> fields)
{
    if (status_ != 0)
        throw std::logic_error("write_head() called twice");
    status_ = static_cast<std::uint16_t>(status);
    append_status_line(text, status);
    for (const auto& field : fields) {
        if (is_connection_close(field))
            keep_alive_ = false;
        else
            text.append(field.name).append(": ").append(field.value).append("\r\n");
    }
}

void response_writer::end(std::string& text, std::string_view body,
                          std::string_view response_fields)
{
    if (status_ == 0)
        write_head(text, 200, {});
    text.append(response_fields);
    if (!may_have_body()) { // never with a body (RFC 9110 §6.4.1, §8.6)
        text.append("\r\n");
        return;
    }
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, body.size()).ptr;
    text.append("Content-Length: ").append(digits, end).append("\r\n\r\n");
    if (!is_head_request_)
        text.append(body);
}

void response_writer::begin_body(std::string& text, std::string_view response_fields)
{
    if (status_ == 0)
        write_head(text, 200, {});
    text.append(response_fields);
    if (may_have_body() && knows_chunks_) // to HEAD, too: the fields are those of GET
        text.append("Transfer-Encoding: chunked\r\n");
    text.append("\r\n");
    has_begun_body_ = true;
}

// An empty chunk would be the last one.
void response_writer::write(std::string& text, std::string_view part)
{
    if (part.empty() || is_head_request_ || !may_have_body())
        return;
    if (!knows_chunks_) {
        text.append(part);
        return;
    }
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, part.size(), 16).ptr;
    text.reserve(text.size() + sizeof digits + part.size() + 4);
    text.append(digits, end).append("\r\n").append(part).append("\r\n");
}

void response_writer::end_body(std::string& text)
{
    if (knows_chunks_ && !is_head_request_ && may_have_body())
        text.append("0\r\n\r\n");
}

} // namespace http

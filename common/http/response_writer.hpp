// response_writer: the bytes of one answer: status line, fields, length, body (RFC 9112 §4 to §6).
#pragma once

#include "http/message.hpp"
#include "http/response_fields.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace http {

class response_writer {
public:
    /// Throws std::invalid_argument for a status out of range, and for a field that is not allowed,
    /// or not the handler's to set: see response::write_head().
    static void check(unsigned status, std::initializer_list<header> fields);

    /// Begins with the answer to the next request. Is that HEAD? May the connection stay?
    void begin(bool is_head_request, bool keep_alive) noexcept;

    /// At the end of `text`. check() has passed. Throws std::logic_error the second time.
    void write_head(std::string& text, unsigned status, std::initializer_list<header> fields);

    /// The rest; and the head, as 200, if it has not been written. An answer that must not have a
    /// body gets none: to HEAD, 204, 304.
    void end(std::string& text, std::string_view body, std::string_view response_fields);

    bool is_head_request() const noexcept { return is_head_request_; }

    /// As end() will say it.
    unsigned status() const noexcept { return status_ == 0 ? 200 : status_; }

    /// Must be the last one on its connection.
    void do_not_keep_alive() noexcept { keep_alive_ = false; }
    bool keep_alive() const noexcept { return keep_alive_; }

private:
    bool is_head_request_ = false;
    bool keep_alive_ = false;
    std::uint16_t status_ = 0; // 0: its head is not written yet
};

} // namespace http

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

    /// Begins with the answer to the next request. Is that HEAD? May the connection stay? Does the
    /// client know chunks, being one of HTTP/1.1?
    void begin(bool is_head_request, bool keep_alive, bool knows_chunks = true) noexcept;

    /// At the end of `text`. check() has passed. Throws std::logic_error the second time.
    void write_head(std::string& text, unsigned status, std::initializer_list<header> fields);

    /// The rest; and the head, as 200, if it has not been written. An answer that must not have a
    /// body gets none: to HEAD, 204, 304.
    void end(std::string& text, std::string_view body, std::string_view response_fields);

    /// In the place of that, for a body that comes in parts: first the end of the head (and the
    /// head, as 200), then each part as it comes, the last of all by end_body(). The parts go as
    /// chunks (RFC 9112 §7.1); to a client that does not know them as they are, and then the end of
    /// the connection is the end of the body (§6.3): do_not_keep_alive() before begin_body().
    /// write() leaves `text` as it was if it throws, for want of memory.
    void begin_body(std::string& text, std::string_view response_fields);
    void write(std::string& text, std::string_view part);
    void end_body(std::string& text);
    bool has_begun_body() const noexcept { return has_begun_body_; }
    bool knows_chunks() const noexcept { return knows_chunks_; }

    bool is_head_request() const noexcept { return is_head_request_; }

    /// As end() will say it.
    unsigned status() const noexcept { return status_ == 0 ? 200 : status_; }

    /// Must be the last one on its connection.
    void do_not_keep_alive() noexcept { keep_alive_ = false; }
    bool keep_alive() const noexcept { return keep_alive_; }

private:
    bool may_have_body() const noexcept { return status_ != 204 && status_ != 304; }

    bool is_head_request_ = false;
    bool keep_alive_ = false;
    bool knows_chunks_ = true;
    bool has_begun_body_ = false;
    std::uint16_t status_ = 0; // 0: its head is not written yet
};

} // namespace http

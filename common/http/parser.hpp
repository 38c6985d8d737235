// parser: cuts a stream of bytes into HTTP/1.1 messages (RFC 9112).
//
// The work is done by llhttp, the parser of Node itself, in strict mode. llhttp is a state machine
// that takes bytes in pieces of any size and calls back for each part it has recognised. Around it
// stands what it leaves to its user: limits on sizes, and the rules that even its strict mode lets
// pass (in the source, each with its section of the RFC). It refuses two things that the RFC allows
// in a response: a folded line among the trailers, and a tab behind a transfer coding.
#pragma once

#include "http/message.hpp"
#include "http/request_line.hpp"

#include <llhttp.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace http {

/// Where a message is refused instead of kept in memory.
struct parser_limits {
    std::size_t max_header_size = 16 * 1024; ///< bytes of start line and fields, as sent
    std::size_t max_body_size =
        1024 * 1024; ///< bytes of body, as sent: chunk sizes and trailers count
    bool keep_request_body = false;
};

class parser {
public:
    enum class event {
        need_more,        ///< all input is used, and the message is not complete
        expects_continue, ///< the same, and the sender waits for "100 Continue" (RFC 9110 §10.1.1)
        message,          ///< the message is complete
        fault,            ///< not acceptable: see fault_status(); parse nothing more
    };

    /// HTTP_REQUEST or HTTP_RESPONSE.
    parser(llhttp_type type, parser_limits limits);
    parser(const parser&) = delete; // llhttp keeps a pointer to this object
    parser& operator=(const parser&) = delete;

    /// Of a request: may its method be CONNECT? Else that is 501.
    void takes_connect(bool takes) noexcept { takes_connect_ = takes; }

    /// Forgets the message; must be called between two.
    void reset();

    /// Takes bytes from the front of `input`, which it shortens, up to the end of the message at
    /// most: after the event `message`, what is left belongs to the next one.
    event parse(std::string_view& input);

    /// The peer has ended the stream: a response without a length is complete by that (RFC 9112
    /// §6.3). `message` or `fault`.
    event parse_end();

    /// The first byte of a message has come; the whole head has come.
    bool started() const noexcept { return part_ != part::start; }
    bool has_head() const noexcept { return part_ == part::body; }

    // Of a message, once it is complete. The views refer to the input of the last parse() if the
    // message came in one piece, else to this object's own copy: use them before either changes, or
    // call keep_head(), and they are good until reset().
    void keep_head();
    std::string_view method() const noexcept;
    std::string_view target() const noexcept { return target_text_; }
    const header_list& headers() const noexcept { return headers_; }
    unsigned status() const noexcept { return llhttp_.status_code; }
    bool is_http_1_0() const noexcept { return llhttp_.http_minor == 0; }

    /// May the connection carry another message after this one, as far as the sender is concerned?
    /// HTTP/1.1: yes unless it said close; HTTP/1.0: only if it said keep-alive (RFC 9112 §9.3).
    bool keep_alive() const noexcept { return keep_alive_; }

    bool is_connect_request() const noexcept
    {
        return llhttp_.type == HTTP_REQUEST && llhttp_.method == HTTP_CONNECT;
    }

    /// The method is HEAD; known before the head is complete, so also after a fault.
    bool is_head_request() const noexcept
    {
        return llhttp_.type == HTTP_REQUEST && llhttp_.method == HTTP_HEAD;
    }

    /// Of a response: the answer to HEAD has fields that speak of a body, and no body.
    void expect_no_body() noexcept { no_body_ = true; }

    /// The body of a response, or of a request if the limits say so; else that is discarded as it
    /// comes.
    std::string& body() noexcept { return body_; }

    unsigned fault_status() const noexcept { return fault_status_; }
    const char* fault_reason() const noexcept { return fault_reason_; }

    /// Bytes this object holds on to for reuse.
    std::size_t memory() const noexcept;

private:
    // A stretch of the head, counted from its first byte: pieces of a token that came in two reads
    // are neighbours there.
    struct span {
        std::uint32_t begin = 0;
        std::uint32_t length = 0;
    };
    struct field {
        span name;
        span value;
    };

    static const llhttp_settings_t* callbacks();
    void extend(span& token, const char* at, std::size_t length) noexcept;
    void check_lines(const char* end) noexcept;
    void refer_to(std::string_view head);
    std::string_view spaces_for_tabs(std::string_view piece, std::string& copy);
    std::optional<std::string_view> execute(std::string_view& input, std::size_t limit);
    event parse_head(std::string_view& input);
    event parse_response_head(std::string_view& input);
    event parse_unknown_method(std::string_view& input);
    event parse_body(std::string_view& input);
    event fault(unsigned status, const char* reason) noexcept;
    bool refuse(unsigned status, const char* reason) noexcept; // false, for "return refuse(...)"
    bool refuse_llhttp_fault() noexcept;
    bool check_version() noexcept;
    bool asks_to_keep_alive() const noexcept;
    bool check_request() noexcept;
    bool check_response() noexcept;
    bool check_transfer_encoding() noexcept;

    llhttp_t llhttp_;
    parser_limits limits_;
    bool takes_connect_ = false;

    enum class part { start, head, body } part_ = part::start;
    std::size_t size_ = 0;        // bytes so far: of the head, then of the body
    const char* piece_ = nullptr; // the bytes llhttp is looking at
    bool paused_ = false;         // llhttp has reached the end of the part
    const char* lines_ = nullptr; // what check_lines() has not seen yet
    char last_byte_ = 0;          // of what it has
    bool bad_line_ = false;       // it has found one
    request_line request_line_;
    bool unknown_method_ = false; // llhttp has stopped
    bool has_status_line_ = false;
    std::string undecided_; // of a response: the beginning of a line end that may be folded
    bool start_line_ended_ = false;
    span target_;
    std::vector<field> fields_;
    bool target_complete_ = false;
    bool name_complete_ = true;   // of the field at the back
    std::size_t name_length_ = 0; // of the field under way, be it a trailer
    bool nameless_ = false;       // there was a field with none

    std::string kept_head_; // the head, when the message did not come in one piece
    std::string_view head_; // the head, wherever it is
    std::string_view target_text_;
    header_list headers_;

    bool expects_continue_ = false;
    bool keep_alive_ = false;
    bool chunked_ = false;
    bool no_body_ = false;
    std::string body_;

    unsigned fault_status_ = 0;
    const char* fault_reason_ = "";
};

} // namespace http

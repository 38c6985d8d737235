#include "http/parser.hpp"

#include "http/character_set.hpp"

#include <algorithm>
#include <utility>

namespace http {

namespace {

// Host = uri-host [ ":" port ], or nothing (RFC 9112 §3.2, RFC 3986 §3.2.2). The characters are
// checked, not whether such a host can exist.
bool is_host(std::string_view text) noexcept
{
    static constexpr character_set name([](char c) {
        return is_alphanumeric(c) ||
               std::string_view("-._~%!$&'()*+,;=").find(c) != std::string_view::npos;
    });
    static constexpr character_set ipv6_address(
        [](char c) { return is_alphanumeric(c) || c == ':' || c == '.'; });
    static constexpr character_set digits(is_digit);

    std::size_t end = name.span(text);
    if (text.starts_with('[')) {
        end = 1 + ipv6_address.span(text.substr(1));
        if (end == 1 || end == text.size() || text[end] != ']')
            return false;
        ++end;
    }
    const auto port = text.substr(end);
    return port.empty() || (port.front() == ':' && digits.has_all(port.substr(1)));
}

// host ":" port, of which neither may be missing (RFC 9112 §3.2.3).
bool is_authority(std::string_view text) noexcept
{
    const auto port = text.rfind(':');
    return is_host(text) && port != text.npos && port > 0 && port + 1 < text.size() &&
           is_digit(text.back());
}

} // namespace

parser::parser(llhttp_type type, parser_limits limits) : limits_(limits)
{
    llhttp_.type = type;
    reset();
}

void parser::reset()
{
    llhttp_init(&llhttp_, static_cast<llhttp_type>(llhttp_.type), callbacks());
    llhttp_.data = this;
    part_ = part::start;
    size_ = 0;
    last_byte_ = 0;
    bad_line_ = unknown_method_ = start_line_ended_ = has_status_line_ = false;
    request_line_ = {};
    undecided_.clear();
    target_ = {};
    target_complete_ = false;
    name_complete_ = true;
    name_length_ = 0;
    nameless_ = false;
    fields_.clear();
    kept_head_.clear();
    head_ = target_text_ = {};
    headers_.clear();
    expects_continue_ = keep_alive_ = chunked_ = no_body_ = false;
    body_.clear();
    fault_status_ = 0;
    fault_reason_ = "";
}

const llhttp_settings_t* parser::callbacks()
{
    static const llhttp_settings_t settings = [] {
        llhttp_settings_t s;
        llhttp_settings_init(&s);
        s.on_url = [](llhttp_t* llhttp, const char* at, std::size_t length) {
            auto* p = static_cast<parser*>(llhttp->data);
            p->extend(p->target_, at, length);
            return 0;
        };
        s.on_url_complete = [](llhttp_t* llhttp) {
            static_cast<parser*>(llhttp->data)->target_complete_ = true;
            return 0;
        };
        s.on_header_field = [](llhttp_t* llhttp, const char* at, std::size_t length) {
            auto* p = static_cast<parser*>(llhttp->data);
            p->name_length_ += length;
            if (p->part_ == part::body) // a trailer: nobody here wants it (RFC 9110 §6.5.1)
                return 0;
            if (std::exchange(p->name_complete_, false))
                p->fields_.emplace_back();
            p->extend(p->fields_.back().name, at, length);
            return 0;
        };
        s.on_header_field_complete = [](llhttp_t* llhttp) {
            auto* p = static_cast<parser*>(llhttp->data);
            p->name_complete_ = true;
            p->nameless_ = p->nameless_ || p->name_length_ == 0;
            p->name_length_ = 0;
            return 0;
        };
        s.on_header_value = [](llhttp_t* llhttp, const char* at, std::size_t length) {
            auto* p = static_cast<parser*>(llhttp->data);
            if (p->part_ != part::body)
                p->extend(p->fields_.back().value, at, length);
            return 0;
        };
        s.on_headers_complete = [](llhttp_t* llhttp) -> int {
            // llhttp would stop parsing here at an offer to upgrade. But it may be ignored, and
            // before it is taken the request's body comes (RFC 9110 §7.8).
            llhttp->upgrade = 0;
            // No body, whatever the fields say (RFC 9112 §6.3).
            const auto status = llhttp->type == HTTP_RESPONSE ? llhttp->status_code : 200;
            if (status / 100 == 1 || status == 204 || status == 304 ||
                static_cast<parser*>(llhttp->data)->no_body_)
                llhttp->flags |= F_SKIPBODY;
            return HPE_PAUSED;
        };
        s.on_body = [](llhttp_t* llhttp, const char* at, std::size_t length) {
            auto* p = static_cast<parser*>(llhttp->data);
            p->check_lines(at);
            p->lines_ = at + length; // these bytes mean nothing to us
            p->last_byte_ = 0;
            if (llhttp->type == HTTP_RESPONSE || p->limits_.keep_request_body)
                p->body_.append(at, length);
            return 0;
        };
        s.on_message_complete = [](llhttp_t*) -> int { return HPE_PAUSED; };
        return s;
    }();
    return &settings;
}

// Pieces of one token follow each other without a gap, so the last one tells where it ends.
void parser::extend(span& token, const char* at, std::size_t length) noexcept
{
    const auto begin = static_cast<std::uint32_t>(size_ + static_cast<std::size_t>(at - piece_));
    if (token.length == 0)
        token.begin = begin;
    token.length = begin + static_cast<std::uint32_t>(length) - token.begin;
}

parser::event parser::parse(std::string_view& input)
{
    const bool is_request = llhttp_.type == HTTP_REQUEST;
    if (part_ == part::start) {
        // Empty lines before a request are ignored (RFC 9112 §2.2): some clients end a body with
        // one.
        if (is_request)
            input.remove_prefix(std::min(input.find_first_not_of("\r\n"), input.size()));
        if (input.empty())
            return event::need_more;
        if (!is_request && (input.front() == '\r' || input.front() == '\n'))
            return fault(400, "no status line"); // llhttp would skip them too
        part_ = part::head;
    }
    if (part_ == part::head) {
        const auto result = is_request ? parse_head(input) : parse_response_head(input);
        if (result != event::message)
            return result;
    }
    return parse_body(input);
}

// Every line ends with CR LF, and none is continued on the next: those of the head, and what stands
// around the data of a chunked body. llhttp 8 takes a CR or LF alone in some of these places, and
// joins continued lines ("obs-fold"). Whoever stands before us may read them differently, and out
// of such differences requests are smuggled (RFC 9112 §2.2, §5.2, §7.1, §11.2).
void parser::check_lines(const char* end) noexcept
{
    const std::string_view text(lines_, static_cast<std::size_t>(end - lines_));
    lines_ = end;
    if (text.empty() || bad_line_)
        return;
    const auto is_folded = [](char before, char c) {
        return before == '\n' && (c == ' ' || c == '\t');
    };
    std::size_t at = last_byte_ == '\r' && text[0] == '\n' ? 1 : 0;
    bad_line_ = (last_byte_ == '\r' && at == 0) || is_folded(last_byte_, text[0]) ||
                (at == 1 && text.size() > 1 && is_folded('\n', text[1]));
    while (!bad_line_) {
        const auto cr = text.find('\r', at);
        const auto lf = text.find('\n', at);
        if (lf == text.npos && (cr == text.npos || cr + 1 == text.size()))
            break;
        at = lf + 1;
        bad_line_ =
            cr == text.npos || lf != cr + 1 || (at < text.size() && is_folded('\n', text[at]));
    }
    last_byte_ = text.back();
}

// A tab is as good as a space around a value (RFC 9110 §5.6.3), but llhttp knows only the space
// behind what it looks for: "close", "chunked", a length. So it is shown spaces; what it finds is
// told by position, and read in the original. Not in the start line, where a tab is wrong.
std::string_view parser::spaces_for_tabs(std::string_view piece, std::string& copy)
{
    const auto fields = start_line_ended_ ? 0 : piece.find('\n');
    if (fields == piece.npos)
        return piece;
    start_line_ended_ = true;
    if (piece.find('\t', fields) == piece.npos)
        return piece;
    copy = piece;
    std::replace(copy.begin() + static_cast<std::ptrdiff_t>(fields), copy.end(), '\t', ' ');
    return copy;
}

// llhttp stops at the end of the head and at that of the message: its callbacks there say "pause".
// Neither part may be longer than `limit`; one byte more is enough to know that it is. Nothing when
// there is a fault.
std::optional<std::string_view> parser::execute(std::string_view& input, std::size_t limit)
{
    auto piece = input.substr(0, limit - size_ + 1);
    std::string copy;
    const auto fed = part_ == part::head ? spaces_for_tabs(piece, copy) : piece;
    piece_ = fed.data();
    lines_ = piece.data();
    const auto result = llhttp_execute(&llhttp_, fed.data(), fed.size());
    paused_ = result == HPE_PAUSED;
    if (result != HPE_OK)
        piece = piece.substr(0, static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - piece_));
    check_lines(piece.data() + piece.size());
    if (bad_line_) {
        refuse(400, "a line that does not end with CR LF, or is continued on the next");
        return std::nullopt;
    }
    if (part_ == part::head && llhttp_.type == HTTP_REQUEST) {
        request_line_.check(piece);
        if (request_line_.is_malformed()) {
            refuse(400, "malformed request line");
            return std::nullopt;
        }
    }
    if (nameless_) {
        refuse(400, "header without a name");
        return std::nullopt;
    }
    if (paused_) {
        llhttp_resume(&llhttp_);
    } else if (result != HPE_OK) {
        refuse_llhttp_fault();
        input.remove_prefix(piece.size());
        size_ += piece.size();
        return std::nullopt;
    }
    input.remove_prefix(piece.size());
    return piece;
}

parser::event parser::parse_head(std::string_view& input)
{
    if (unknown_method_)
        return parse_unknown_method(input);
    auto piece = execute(input, limits_.max_header_size);
    if (!piece)
        return unknown_method_ ? parse_unknown_method(input) : event::fault;
    if (size_ + piece->size() > limits_.max_header_size)
        return target_complete_ || llhttp_.type == HTTP_RESPONSE ? fault(431, "header too large")
                                                                 : fault(414, "target too long");
    if (!paused_) {
        size_ += piece->size();
        kept_head_.append(*piece);
        return event::need_more;
    }

    if (!kept_head_.empty())
        piece = kept_head_.append(*piece);
    refer_to(*piece);
    part_ = part::body;
    size_ = 0;
    keep_alive_ = asks_to_keep_alive() && !llhttp_message_needs_eof(&llhttp_);
    if (!(llhttp_.type == HTTP_REQUEST ? check_request() : check_response()))
        return event::fault;
    if (expects_continue_ && input.empty() && (chunked_ || llhttp_.content_length > 0)) {
        keep_head();
        return event::expects_continue;
    }
    return event::message; // but for the body
}

// In a response a field value may go on in the next line, if that begins with white space; a user
// agent reads such a line end as spaces (RFC 9112 §5.2), and a request that has one is refused. Of
// llhttp, version 8 would join the lines and 9 refuse them: neither gets to see them.
//
//     "X: a" CR LF SP "b"   becomes   "X: a" SP SP SP "b"
//
// The end of the input may cut a line end before the byte that decides: then it waits, at most CR
// LF CR.
parser::event parser::parse_response_head(std::string_view& input)
{
    std::string text = std::exchange(undecided_, {});
    const auto had_waited = text.size();
    text += input;
    bool is_whole = false;
    for (std::size_t at = 0; !is_whole && (at = text.find("\r\n", at)) != text.npos;) {
        const auto next = at + 2;
        const bool is_folded = next < text.size() && (text[next] == ' ' || text[next] == '\t');
        if (is_folded && has_status_line_)
            text[at] = text[at + 1] = ' ';
        is_whole = text.compare(at, 4, "\r\n\r\n") == 0;
        has_status_line_ |= next < text.size(); // until then the same line end is seen again
        at = next;
    }
    std::string_view rest = text;
    for (const std::string_view cut : {"\r\n\r", "\r\n", "\r"})
        if (!is_whole && undecided_.empty() && rest.ends_with(cut)) {
            undecided_ = cut;
            rest.remove_suffix(cut.size());
        }
    const auto result = rest.empty() ? event::need_more : parse_head(rest);
    if (result == event::message) {
        keep_head(); // `text` goes away
        input.remove_prefix(text.size() - rest.size() - had_waited);
    } else {
        input = {};
    }
    return result;
}

// Any token may be a method, and one that we do not know is 501 (RFC 9110 §9.1); what is no request
// line at all is 400. To tell which, the line must be complete.
parser::event parser::parse_unknown_method(std::string_view& input)
{
    const auto used = request_line_.check(input);
    input.remove_prefix(used);
    size_ += used;
    if (size_ > limits_.max_header_size)
        return fault(414, "request line too long");
    if (request_line_.is_malformed())
        return fault(400, "malformed request line");
    if (!request_line_.is_complete())
        return event::need_more;
    return request_line_.major_version() == 1 ? fault(501, "unknown method")
                                              : fault(505, "HTTP/1.0 and HTTP/1.1 only");
}

parser::event parser::parse_body(std::string_view& input)
{
    const auto piece = execute(input, limits_.max_body_size);
    if (!piece)
        return event::fault;
    size_ += piece->size();
    if (size_ > limits_.max_body_size)
        return fault(413, "body too large");
    if (paused_)
        return event::message;
    keep_head();
    return event::need_more;
}

// Before the input, in which the head may be, goes away.
void parser::keep_head()
{
    if (kept_head_.empty()) {
        kept_head_ = head_;
        refer_to(kept_head_);
    }
}

parser::event parser::parse_end()
{
    // With a body that ends with the stream, llhttp calls on_message_complete, which pauses.
    return llhttp_finish(&llhttp_) == HPE_PAUSED ? event::message
                                                 : fault(400, "incomplete message");
}

void parser::refer_to(std::string_view head)
{
    const auto text = [head](span token) { return head.substr(token.begin, token.length); };
    head_ = head;
    target_text_ = text(target_);
    headers_.clear();
    for (const auto& [name, raw_value] : fields_) {
        auto value = text(raw_value);
        value = value.substr(0, value.find_last_not_of(" \t") + 1);
        headers_.push_back({text(name), value});
    }
}

bool parser::check_version() noexcept
{
    return (llhttp_.http_major == 1 && llhttp_.http_minor <= 1) ||
           refuse(505, "HTTP/1.0 and HTTP/1.1 only"); // RFC 9110 §15.6.6
}

// HTTP/1.1 unless it says "close"; HTTP/1.0 only if it says "keep-alive" (RFC 9112 §9.3). llhttp
// would also listen to Proxy-Connection, which HTTP does not know (RFC 9112 §C.2.2).
bool parser::asks_to_keep_alive() const noexcept
{
    bool keep_alive = !is_http_1_0();
    for (auto [name, list] : headers_) {
        if (!equal_ignoring_case(name, "connection"))
            continue;
        while (!list.empty()) {
            const auto option = take_element(list);
            if (equal_ignoring_case(option, "close"))
                return false;
            keep_alive = keep_alive || equal_ignoring_case(option, "keep-alive");
        }
    }
    return keep_alive;
}

bool parser::check_request() noexcept
{
    if (!check_version())
        return false;
    if (llhttp_.method == HTTP_CONNECT && !takes_connect_)
        return refuse(501, "not a proxy"); // RFC 9110 §9.3.6
    if (llhttp_.method == HTTP_CONNECT && !is_authority(target_text_))
        return refuse(400, "malformed target");
    if (target_text_ == "*" && llhttp_.method != HTTP_OPTIONS) // RFC 9112 §3.2.4
        return refuse(400, "malformed target");

    const bool is_1_0 = is_http_1_0();
    std::size_t hosts = 0;
    bool transfer_encoding = false;
    for (auto [name, value] : headers_) {
        switch (name.size()) { // most fields are told apart by their length alone
        case 4:
            if (equal_ignoring_case(name, "host")) {
                ++hosts;
                if (!is_host(value))
                    return refuse(400, "malformed Host");
            }
            break;
        case 6:
            if (!is_1_0 && equal_ignoring_case(name, "expect")) { // RFC 9110 §10.1.1
                while (!value.empty()) {
                    const auto expectation = take_element(value);
                    if (expectation.empty())
                        continue;
                    if (!equal_ignoring_case(expectation, "100-continue"))
                        return refuse(417, "unknown expectation");
                    expects_continue_ = true;
                }
            }
            break;
        case 17:
            transfer_encoding |= equal_ignoring_case(name, "transfer-encoding");
            break;
        default:
            break;
        }
    }
    if (hosts > 1 || (hosts == 0 && !is_1_0)) // RFC 9112 §3.2
        return refuse(400, hosts == 0 ? "Host is missing" : "more than one Host");
    if (llhttp_.method == HTTP_CONNECT && (transfer_encoding || llhttp_.content_length > 0))
        return refuse(400, "CONNECT has no body"); // what would it be, and what the tunnel's?
    if (transfer_encoding)
        return check_transfer_encoding();
    if (llhttp_.content_length > limits_.max_body_size)
        return refuse(413, "body too large");
    return true;
}

bool parser::check_response() noexcept
{
    if (!head_.starts_with("HTTP/")) // llhttp 9.4 also takes RTSP's and Icecast's
        return refuse(400, "no status line");
    if (!check_version())
        return false;
    // status-line = HTTP-version SP 3DIGIT SP ... (RFC 9112 §4); llhttp 8 also takes fewer digits.
    const auto code = head_.substr(std::string_view("HTTP/1.1 ").size(), 4);
    if (!std::all_of(code.begin(), code.begin() + 3, is_digit) ||
        (code[3] != ' ' && code[3] != '\r'))
        return refuse(400, "malformed status line");
    if (status() == 101) // only where a request offered it (RFC 9110 §7.8), and ours never do
        return refuse(400, "it changes to a protocol that nobody asked for");
    if (llhttp_.flags & F_SKIPBODY) // ends with its head, whatever its fields say (RFC 9112 §6.3)
        return true;
    bool transfer_encoding = false;
    for (const auto& [name, value] : headers_) {
        if (!equal_ignoring_case(name, "transfer-encoding"))
            continue;
        transfer_encoding = true;
        // A tab behind "chunked" is white space; but to llhttp, and so to Node, that is another
        // coding, whose body ends with the connection. An answer that is read in two ways, the
        // framing as text in one of them, is not read at all.
        const auto end = static_cast<std::size_t>(value.data() - head_.data()) + value.size();
        if (head_.substr(end, head_.find('\r', end) - end).find('\t') != head_.npos)
            return refuse(501, "unknown transfer coding");
    }
    if (transfer_encoding)
        return check_transfer_encoding();
    if (llhttp_.content_length > limits_.max_body_size)
        return refuse(413, "body too large");
    return true;
}

// The one coding we know is "chunked", and it says where the body ends: 400 if it is not the last
// one, or there twice. In front of it, codings we do not know: 501 (RFC 9112 §6.1, §6.3). A
// response may end with another one (its body then ends with the connection), but we cannot read
// that: 501.
bool parser::check_transfer_encoding() noexcept
{
    if (is_http_1_0() || (llhttp_.flags & F_CONTENT_LENGTH))
        return refuse(400, "Transfer-Encoding not allowed here");
    std::size_t codings = 0;
    for (auto [name, list] : headers_) {
        if (!equal_ignoring_case(name, "transfer-encoding"))
            continue;
        while (!list.empty()) { // fields of one name make one list (RFC 9110 §5.6.1)
            const auto coding = take_element(list);
            if (coding.empty())
                continue;
            if (chunked_)
                return refuse(400, "chunked must be the last transfer coding");
            chunked_ = equal_ignoring_case(coding, "chunked");
            ++codings;
        }
    }
    if (!chunked_ || !(llhttp_.flags & F_CHUNKED))
        return llhttp_.type == HTTP_RESPONSE
                   ? refuse(501, "unknown transfer coding")
                   : refuse(400, "the last transfer coding must be chunked");
    return codings == 1 || refuse(501, "unknown transfer coding");
}

bool parser::refuse(unsigned status, const char* reason) noexcept
{
    fault_status_ = status;
    fault_reason_ = reason;
    return false;
}

parser::event parser::fault(unsigned status, const char* reason) noexcept
{
    refuse(status, reason);
    return event::fault;
}

// What llhttp does not accept is 400, with these exceptions.
bool parser::refuse_llhttp_fault() noexcept
{
    const char* reason = llhttp_get_error_reason(&llhttp_);
    const std::string_view text = reason;
    switch (llhttp_get_errno(&llhttp_)) {
    case HPE_INVALID_METHOD:
        unknown_method_ = true; // see parse_unknown_method()
        break;
    case HPE_INVALID_CONSTANT:
        if (llhttp_.type == HTTP_RESPONSE) // each version says it in other words
            return refuse(400, "no status line");
        if (text == "Invalid method for HTTP/x.x request") // one of RTSP's
            return refuse(501, "unknown method");
        break;
    case HPE_INVALID_VERSION:
        if (text == "Invalid HTTP version")
            return refuse(505, "HTTP/1.0 and HTTP/1.1 only");
        break;
    case HPE_PAUSED_H2_UPGRADE: // the preface of HTTP/2 (RFC 9113 §3.4)
        return refuse(505, "HTTP/1.0 and HTTP/1.1 only");
    case HPE_INVALID_TRANSFER_ENCODING:
        if (llhttp_.type == HTTP_RESPONSE && text == "Empty Transfer-Encoding") // since 9.4
            return refuse(501, "unknown transfer coding");
        break;
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_INVALID_CHUNK_SIZE:
        if (text.ends_with("overflow"))
            return refuse(413, "body too large");
        break;
    default:
        break;
    }
    return refuse(400, reason);
}

std::string_view parser::method() const noexcept
{
    return llhttp_method_name(static_cast<llhttp_method_t>(llhttp_.method));
}

std::size_t parser::memory() const noexcept
{
    return kept_head_.capacity() + body_.capacity() + fields_.capacity() * sizeof(field) +
           headers_.capacity() * sizeof(header);
}

} // namespace http

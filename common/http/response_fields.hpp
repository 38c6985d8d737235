// response_fields: what the server adds to every answer, before its length: Served-By, Date,
// Connection and Keep-Alive. It changes once a second, and is made as often.
#pragma once

#include <chrono>
#include <ctime>
#include <string>
#include <string_view>

namespace http {

/// IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7).
std::string http_date(std::time_t time);

class response_fields {
public:
    /// `keep_alive_timeout` is what Keep-Alive tells, in whole seconds; zero: it is left out.
    /// `name` is what Served-By tells, with the PID of this process; empty: it is left out. Throws
    /// std::invalid_argument for a name that is no token.
    explicit response_fields(std::chrono::milliseconds keep_alive_timeout,
                             const std::string& name = {});

    /// Field lines, each with its line end, of an answer sent at `now`: for a connection that
    /// stays, or for the last answer of one that ends. Good until the next call.
    std::string_view at(std::time_t now, bool keep_alive);

private:
    std::chrono::milliseconds keep_alive_timeout_;
    std::string served_by_; // a line, or nothing
    std::time_t made_ = -1;
    std::string keeping_;
    std::string closing_;
};

} // namespace http

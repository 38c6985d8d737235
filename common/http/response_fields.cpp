#include "http/response_fields.hpp"

#include "http/message.hpp"

#include <cstdio>
#include <stdexcept>
#include <unistd.h>

namespace http {

// Not strftime(): it speaks the language of the locale.
std::string http_date(std::time_t time)
{
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    char text[64];
    const int length = std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                     days[utc.tm_wday], utc.tm_mday, months[utc.tm_mon],
                                     utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    return {text, static_cast<std::size_t>(length)};
}

response_fields::response_fields(std::chrono::milliseconds keep_alive_timeout,
                                 const std::string& name)
    : keep_alive_timeout_(keep_alive_timeout)
{
    if (name.empty())
        return;
    if (!is_token(name))
        throw std::invalid_argument("http: the name '" + name + "' is not for a header");
    served_by_ = "Served-By: " + name + "/" + std::to_string(::getpid()) + "\r\n";
}

std::string_view response_fields::at(std::time_t now, bool keep_alive)
{
    if (now != made_) {
        made_ = now;
        const auto date = served_by_ + "Date: " + http_date(now) + "\r\n";
        closing_ = date + "Connection: close\r\n";
        keeping_ = date + "Connection: keep-alive\r\n";
        if (keep_alive_timeout_ > std::chrono::milliseconds::zero())
            keeping_ += "Keep-Alive: timeout=" +
                        std::to_string(keep_alive_timeout_ / std::chrono::seconds(1)) + "\r\n";
    }
    return keep_alive ? keeping_ : closing_;
}

} // namespace http

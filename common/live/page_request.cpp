#include "live/page_request.hpp"

#include <string>

namespace live {

bool is_own_host(const http::header_list& headers, std::uint16_t port)
{
    const auto host = headers.find("host");
    if (!host)
        return false;
    for (const std::string name : {"127.0.0.1", "localhost"})
        if (http::equal_ignoring_case(*host, name + ":" + std::to_string(port)) ||
            (port == 80 && http::equal_ignoring_case(*host, name)))
            return true;
    return false;
}

bool is_own_origin(const http::header_list& headers, bool may_be_missing)
{
    bool is_there = false;
    const auto host = headers.find("host");
    for (const auto& [name, value] : headers)
        if (http::equal_ignoring_case(name, "origin")) {
            is_there = true;
            if (!host || !http::equal_ignoring_case(value, "http://" + std::string(*host)))
                return false;
        }
    return is_there || may_be_missing;
}

bool is_json(const http::header_list& headers)
{
    const auto type = headers.find("content-type");
    return type && http::equal_ignoring_case(type->substr(0, type->find_first_of("; \t")),
                                             "application/json");
}

} // namespace live

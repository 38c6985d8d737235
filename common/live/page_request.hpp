// page_request: may this request be answered? The page has the power to start and kill processes
// here, and any site that the same browser has open can send requests to this port.
#pragma once

#include "http/message.hpp"

#include <cstdint>
#include <string_view>

namespace live {

/// Host is one of the names by which the page is found on this machine: "127.0.0.1:8889",
/// "localhost:8889", without the port where that is 80. A name that somebody else has made to point
/// here (DNS rebinding) is not.
bool is_own_host(const http::header_list& headers, std::uint16_t port);

/// Origin is this page (Fetch, 3.2): http:// and the Host. Without one it is not, but
/// `may_be_missing` says whether that is right: a browser sends none with the page itself, and
/// always one with a POST.
bool is_own_origin(const http::header_list& headers, bool may_be_missing);

/// Content-Type is application/json, whatever stands behind it: what a form of another site cannot
/// send without being asked first (CORS).
bool is_json(const http::header_list& headers);

} // namespace live

// page_server: what the page's own HTTP server answers.
//
//     GET  /          the page
//     GET  /events    what happens, as Server-Sent Events (event_stream.hpp)
//     POST /control   an order of the page's (order.hpp): 204, or a line that says why not
//
// To whoever is not this page, on this machine, 403 (page_request.hpp).
#pragma once

#include "http/message.hpp"
#include "http/options.hpp"
#include "http/response.hpp"
#include "live/event_log.hpp"
#include "live/event_stream.hpp"
#include "live/stage.hpp"

#include <asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

namespace live {

/// More pages than these at once: the oldest stream is ended. (A browser that reloads the page may
/// leave one behind that is only noticed by the next events.)
constexpr std::size_t most_pages = 32;

/// What the http::server below it should have.
http::server_options page_server_options();

class page_server {
public:
    /// `page`: its HTML, which must live as long. `port`: where it is served.
    page_server(asio::any_io_executor executor, std::string_view page, std::uint16_t port,
                std::shared_ptr<stage> stage, std::shared_ptr<event_log> log);

    void answer(const http::request& request, http::response response);

private:
    void send_page(http::response response);
    void send_events(const http::request& request, http::response response);
    void control(const http::request& request, http::response response);

    const asio::any_io_executor executor_;
    const std::string_view page_;
    const std::uint16_t port_;
    const std::shared_ptr<stage> stage_;
    const std::shared_ptr<event_log> log_;
    std::list<std::weak_ptr<subscriber>> pages_; // the oldest first
};

} // namespace live

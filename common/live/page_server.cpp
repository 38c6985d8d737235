#include "live/page_server.hpp"

#include "live/order.hpp"
#include "live/page_request.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include <charconv>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace live {

namespace {

void say(http::response response, unsigned status, const std::string& line)
{
    response.write_head(status, {{"Content-Type", "text/plain; charset=utf-8"},
                                 {"Cache-Control", "no-store"},
                                 {"X-Content-Type-Options", "nosniff"}});
    response.end(line + "\n");
}

void say_allowed(http::response response, std::string_view methods)
{
    response.write_head(405, {{"Allow", methods}, {"Content-Type", "text/plain"}});
    response.end("here only " + std::string(methods) + "\n");
}

std::uint64_t last_event_id(const http::header_list& headers)
{
    const auto text = headers.find("last-event-id").value_or("");
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    return error == std::errc() && end == text.data() + text.size() ? id : 0;
}

} // namespace

http::server_options page_server_options()
{
    http::server_options options;
    options.max_body_size = longest_order;
    options.keep_body = true;
    options.headers_timeout = std::chrono::seconds(10);
    options.request_timeout = std::chrono::seconds(30); // and a page that reads nothing
    return options;
}

page_server::page_server(asio::any_io_executor executor, std::string_view page, std::uint16_t port,
                         std::shared_ptr<stage> stage, std::shared_ptr<event_log> log)
    : executor_(std::move(executor)),
      page_(page),
      port_(port),
      stage_(std::move(stage)),
      log_(std::move(log))
{
}

void page_server::answer(const http::request& request, http::response response)
{
    const bool is_control = request.target == "/control";
    if (!is_own_host(request.headers, port_))
        return say(std::move(response), 403,
                   "this page is found at http://127.0.0.1:" + std::to_string(port_) +
                       "/ and under no other name");
    if (!is_own_origin(request.headers, !is_control))
        return say(std::move(response), 403, "only this page itself may ask for that");

    const bool gets = request.method == "GET" || request.method == "HEAD";
    const auto path = request.target.substr(0, request.target.find('?'));
    if (is_control)
        request.method == "POST" ? control(request, std::move(response))
                                 : say_allowed(std::move(response), "POST");
    else if (path != "/" && path != "/events")
        say(std::move(response), 404, "there is nothing here but / and /events");
    else if (!gets)
        say_allowed(std::move(response), "GET, HEAD");
    else if (path == "/")
        send_page(std::move(response));
    else
        send_events(request, std::move(response));
}

// What may run in it, its own policy says, in its head: the same when it is opened as a file. But
// who may show it within a page of theirs can only be said here (CSP, 6.4.2).
void page_server::send_page(http::response response)
{
    response.write_head(200, {{"Content-Type", "text/html; charset=utf-8"},
                              {"Cache-Control", "no-store"},
                              {"X-Content-Type-Options", "nosniff"},
                              {"Referrer-Policy", "no-referrer"},
                              {"Content-Security-Policy", "frame-ancestors 'none'"}});
    response.end(page_);
}

void page_server::send_events(const http::request& request, http::response response)
{
    if (request.method == "HEAD") {
        response.write_head(200, {{"Content-Type", "text/event-stream"}});
        return response.end();
    }
    pages_.remove_if([](const auto& one) { return one.expired(); });
    if (pages_.size() >= most_pages) {
        if (const auto oldest = pages_.front().lock())
            oldest->is_dropped = true;
        pages_.pop_front();
        log_->changed.notify();
    }
    auto who = std::make_shared<subscriber>();
    who->last_id = last_event_id(request.headers);
    pages_.push_back(who);
    asio::co_spawn(executor_,
                   live::send_events(std::move(response), log_, std::move(who), stage_->state()),
                   asio::detached);
}

void page_server::control(const http::request& request, http::response response)
{
    if (!is_json(request.headers))
        return say(std::move(response), 400, "an order is sent as application/json");
    try {
        stage_->carry_out(parse_order(request.body));
    } catch (const refused& reason) {
        return say(std::move(response), reason.status, reason.why);
    } catch (const std::invalid_argument& mistake) {
        return say(std::move(response), 400, mistake.what());
    } catch (const std::system_error& error) { // no descriptor, no process
        return say(std::move(response), 503, std::string("it cannot be started: ") + error.what());
    }
    response.write_head(204);
    response.end();
}

} // namespace live

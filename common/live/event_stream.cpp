#include "live/event_stream.hpp"

#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace live {

namespace {

// What is sent at once: enough for a flood, and little for a page that does not read.
constexpr std::size_t longest_part = 32 * 1024;

} // namespace

asio::awaitable<void> send_events(http::response response, std::shared_ptr<event_log> log,
                                  std::shared_ptr<subscriber> who, std::string state,
                                  std::chrono::milliseconds silence)
{
    // A timer, and nobody waits for it but by the log's event: so one wait serves for both.
    asio::steady_timer timer(co_await asio::this_coro::executor);
    auto is_silent = std::make_shared<bool>(false);

    response.write_head(200, {{"Content-Type", "text/event-stream"},
                              {"Cache-Control", "no-store"},
                              {"X-Content-Type-Options", "nosniff"}});
    std::string part = "retry: 1000\n\n" + std::move(state);
    auto next = log->after(who->last_id);
    while (!who->is_dropped) {
        if (next < log->first()) {
            part +=
                to_message(0, "missing", "{\"count\":" + std::to_string(log->first() - next) + "}");
            next = log->first();
        }
        while (next < log->next() && part.size() < longest_part)
            part += log->message(next++);
        if (*is_silent && part.empty())
            part = ":\n\n";
        if (!part.empty()) {
            response.write(std::exchange(part, {}));
            const bool is_there = co_await response.drained();
            if (!is_there)
                co_return;
            *is_silent = false;
            continue;
        }
        if (log->ended())
            break;
        timer.expires_after(silence);
        timer.async_wait([is_silent, log](std::error_code cancelled) {
            if (cancelled)
                return;
            *is_silent = true;
            log->changed.notify();
        });
        co_await log->changed.wait();
        timer.cancel();
    }
    response.end();
}

} // namespace live

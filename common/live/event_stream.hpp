// event_stream: one page's share of the log, as Server-Sent Events (WHATWG HTML, 9.2).
#pragma once

#include "http/response.hpp"
#include "live/event_log.hpp"

#include <asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace live {

/// How long nothing may be said before a comment is, so that both sides see whether the other one
/// is still there. The standard advises about 15 s (9.2.7).
constexpr std::chrono::seconds longest_silence{15};

/// One page's connection.
struct subscriber {
    std::uint64_t last_id = 0; ///< what it has had already (Last-Event-ID); 0: nothing
    bool is_dropped = false;   ///< set it, and notify the log's `changed`, to end it
};

/// Sends to this page what is in the log and what comes, from behind `who->last_id`; before that
/// `state`, a message without a number. Of what the log has no longer, the event `missing` says how
/// many there were: to a page that comes late, or that reads so slowly that it has fallen behind.
/// Ends when the log does, or the page is dropped, or has gone.
asio::awaitable<void> send_events(http::response response, std::shared_ptr<event_log> log,
                                  std::shared_ptr<subscriber> who, std::string state,
                                  std::chrono::milliseconds silence = longest_silence);

} // namespace live

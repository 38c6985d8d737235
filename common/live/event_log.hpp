// event_log: what has happened, numbered, the last 4,096 of it kept for whoever comes late.
#pragma once

#include "event.hpp"

#include <asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace live {

/// A message of Server-Sent Events, with its empty line (WHATWG HTML, 9.2.6): `event` and `id` are
/// left out when they are empty or 0. `data` must be one line; none of it may have a line end.
std::string to_message(std::uint64_t id, std::string_view event, std::string_view data);

class event_log {
public:
    static constexpr std::size_t usual_capacity = 4096;

    /// `kept`: how many are. The first number is the time, in microseconds since 1970, so
    /// that what a page has from an earlier process is less than what this one has (and all are
    /// exact in JavaScript, up to the year 2255).
    explicit event_log(const asio::any_io_executor& executor, std::size_t kept = usual_capacity);

    /// Keeps it, and wakes who waits for `changed`.
    void append(std::string_view event, std::string_view data);

    /// Whoever comes from now on begins with what is appended next: what was before belongs to
    /// something that has ended.
    void begin_anew() noexcept { beginning_ = next_; }

    /// Nothing more will come.
    void end();
    bool ended() const noexcept { return ended_; }

    // Numbers: of the oldest that is kept, of the one to come, of where newcomers begin.
    std::uint64_t first() const noexcept { return next_ - messages_.size(); }
    std::uint64_t next() const noexcept { return next_; }
    std::uint64_t beginning() const noexcept { return beginning_; }

    /// Where one goes on who has had `last` (0: nothing). Less than first() when some are missing.
    std::uint64_t after(std::uint64_t last) const noexcept;

    /// As to_message() has it; first() <= id < next().
    const std::string& message(std::uint64_t id) const { return messages_[id - first()]; }

    event changed; ///< something was appended, or the log has ended

private:
    const std::size_t kept_;
    const std::uint64_t origin_;
    std::uint64_t next_;
    std::uint64_t beginning_;
    std::deque<std::string> messages_;
    bool ended_ = false;
};

} // namespace live

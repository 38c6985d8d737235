// lingering: how long to read on after one's last word.
//
// close(2) while input is unread makes the kernel send a reset, and a reset takes away what the
// peer has not read yet, our last word included (RFC 9293 §3.10.4). So whoever ends a connection
// ends its own side (shutdown(2), SHUT_WR) and reads to the peer's end, within limits (RFC 9112
// §9.6). Of time, not of size: a client may send all of a large body before it reads that nobody
// wanted it.
#pragma once

#include <algorithm>
#include <chrono>

namespace net {

class lingering {
public:
    using clock = std::chrono::steady_clock;

    static constexpr std::chrono::milliseconds longest_silence{1'000};
    static constexpr std::chrono::milliseconds longest{30'000}; ///< however busily the peer sends

    /// Begins; to be made when our side has ended.
    explicit lingering(clock::time_point now = clock::now()) noexcept : began_(now), heard_(now) {}

    /// The peer has sent something.
    void heard(clock::time_point now = clock::now()) noexcept { heard_ = now; }

    bool is_over(clock::time_point now = clock::now()) const noexcept { return now >= end(); }

    /// Until it is over unless more is heard: above zero as long as it is not.
    std::chrono::milliseconds left(clock::time_point now = clock::now()) const noexcept
    {
        return std::chrono::ceil<std::chrono::milliseconds>(end() - now);
    }

private:
    clock::time_point end() const noexcept
    {
        return std::min(heard_ + longest_silence, began_ + longest);
    }

    clock::time_point began_;
    clock::time_point heard_;
};

} // namespace net

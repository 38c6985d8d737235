// output: what a connection has to say, and how much of it the kernel has taken.
//
//     buffer:   sent | complete answers, to be sent | the answer that is being written
//
// Nothing is sent before it is complete: an answer leaves as a whole, its length known, and all
// those that became complete meanwhile leave with it, in one send(2). Of an answer in parts, each
// part is complete by itself.
#pragma once

#include "http/free_list.hpp"

#include <cstddef>
#include <string>

namespace http {

class output {
public:
    /// The buffer is taken from `spare`, and lives there while there is nothing to say.
    explicit output(free_list<std::string>& spare) noexcept : spare_(spare) {}

    /// Where the next answer is to be written: behind all that is there.
    std::string& text();

    void complete() noexcept { complete_ = buffer_.size(); } ///< all of text() may be sent
    void drop_incomplete() { buffer_.resize(complete_); }    ///< what complete() was not told of

    /// Bytes of complete answers that the kernel has not taken yet.
    std::size_t waiting() const noexcept { return complete_ - sent_; }

    enum class result {
        sent,    ///< nothing waits any more
        blocked, ///< the rest waits for EPOLLOUT: the client must read first
        broken,  ///< the client has gone (EPIPE, ECONNRESET)
    };

    /// Gives what waits to the kernel. The socket need not be non-blocking.
    result send(int socket);

private:
    void forget_sent();

    free_list<std::string>& spare_;
    std::string buffer_;
    std::size_t sent_ = 0;
    std::size_t complete_ = 0;
    bool sent_before_ = false;
    bool no_delay_ = false;
};

} // namespace http

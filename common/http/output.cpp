#include "http/output.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

namespace http {

std::string& output::text()
{
    if (buffer_.empty())
        buffer_ = spare_.take([] { return std::string(); });
    return buffer_;
}

output::result output::send(int socket)
{
    while (sent_ < complete_) {
        if (sent_before_ && !std::exchange(no_delay_, true)) {
            // Without this a small answer waits for the acknowledgement of the one before (Nagle).
            const int on = 1;
            ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
        const auto sent =
            ::send(socket, buffer_.data() + sent_, complete_ - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            sent_ += static_cast<std::size_t>(sent);
            sent_before_ = true;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            forget_sent();
            return result::blocked;
        } else if (errno != EINTR) {
            return result::broken;
        }
    }
    buffer_.erase(0, complete_); // what is left is the answer being written
    sent_ = complete_ = 0;
    if (buffer_.empty() && buffer_.capacity() > 0) {
        const auto memory = buffer_.capacity();
        spare_.give_back(std::exchange(buffer_, {}), memory);
    }
    return result::sent;
}

// An answer in parts may go on for ever behind a client that never catches up. Each byte is moved
// at most once for each that is sent.
void output::forget_sent()
{
    if (sent_ <= buffer_.size() / 2)
        return;
    buffer_.erase(0, sent_);
    complete_ -= sent_;
    sent_ = 0;
}

} // namespace http

// Cutting a byte stream into lines: the framing of Node's IPC channel in its json mode.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ipc {

/// A line longer than the limit: the peer is broken or hostile.
struct line_too_long : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Collects bytes, gives back whole lines. JSON text contains no raw newline, so the newline is the
/// frame, and cutting at it never cuts a UTF-8 character.
class json_lines {
public:
    explicit json_lines(std::size_t limit = 16 * 1024 * 1024) : limit_(limit) {}

    /// Appends bytes.
    void feed(std::string_view bytes)
    {
        // Lines already given out are dropped here, once a chunk instead of once a line.
        buffer_.erase(0, begin_);
        searched_ -= begin_;
        begin_ = 0;
        buffer_.append(bytes);
    }

    /// Takes the next whole line, without its newline; the view holds until the next call of feed()
    /// or next(). False when there is none yet. Throws line_too_long for a line beyond the limit,
    /// finished or not: whoever calls this until it says false holds `limit` + one chunk at most.
    bool next(std::string_view& line)
    {
        const auto newline = buffer_.find('\n', searched_);
        const auto end = newline == std::string::npos ? buffer_.size() : newline;
        if (end - begin_ > limit_)
            throw line_too_long("a line of more than " + std::to_string(limit_) + " bytes");
        searched_ = end;
        if (newline == std::string::npos) {
            if (begin_ == buffer_.size() && buffer_.capacity() > 1024 * 1024)
                clear();
            return false;
        }
        line = std::string_view(buffer_).substr(begin_, newline - begin_);
        begin_ = searched_ = newline + 1;
        return true;
    }

    /// Is the beginning of a line waiting for its end?
    bool partial() const { return begin_ != buffer_.size(); }

    /// Forgets what has been fed, and gives its memory back.
    void clear()
    {
        buffer_ = {};
        begin_ = searched_ = 0;
    }

private:
    std::size_t limit_;
    std::string buffer_;
    std::size_t begin_ = 0;    // start of the next line
    std::size_t searched_ = 0; // no newline between begin_ and here
};

} // namespace ipc

// line_splitter: lines out of a stream of bytes that comes in pieces.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace live {

class line_splitter {
public:
    /// Of a line longer than `longest`, its beginning is given, one byte longer than that, and the
    /// rest is thrown away: so a stream without line ends costs no memory.
    explicit line_splitter(std::size_t longest) : longest_(longest) {}

    /// Calls `take` for each line that is complete now, without its line end.
    void feed(std::string_view bytes, const std::function<void(std::string_view)>& take);

    /// The stream has ended: what is left is a line, too.
    void end(const std::function<void(std::string_view)>& take);

private:
    const std::size_t longest_;
    std::string line_; // its beginning
};

} // namespace live

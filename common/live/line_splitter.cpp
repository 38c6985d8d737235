#include "live/line_splitter.hpp"

#include <algorithm>
#include <utility>

namespace live {

void line_splitter::feed(std::string_view bytes, const std::function<void(std::string_view)>& take)
{
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const auto piece = bytes.substr(0, end);
        const auto room = longest_ + 1 - line_.size();
        line_.append(piece.substr(0, std::min(room, piece.size())));
        if (end == bytes.npos)
            return;
        bytes.remove_prefix(end + 1);
        take(std::exchange(line_, {}));
    }
}

void line_splitter::end(const std::function<void(std::string_view)>& take)
{
    if (!line_.empty())
        take(std::exchange(line_, {}));
}

} // namespace live

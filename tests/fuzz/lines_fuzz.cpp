// The line splitter: however the bytes are cut, the lines are those between the newlines.
#include "ipc/json_lines.hpp"

#include "fuzz/fuzz.hpp"

#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    constexpr std::size_t limit = 100;
    fuzz::input input(data, size);
    ipc::json_lines lines(limit);
    std::string all;
    std::vector<std::string> given;
    bool refused = false;
    try {
        while (!input.empty()) {
            const auto piece = input.bytes(input.byte());
            all += piece;
            lines.feed(piece);
            for (std::string_view line; lines.next(line);)
                given.emplace_back(line);
        }
    } catch (const ipc::line_too_long&) {
        refused = true;
    }

    std::size_t begin = 0;
    for (const auto& line : given) {
        const auto end = all.find('\n', begin);
        fuzz::claim(end != std::string::npos, "a line has an end");
        fuzz::claim(all.compare(begin, end - begin, line) == 0, "a line is what was fed");
        fuzz::claim(line.size() <= limit, "a line is within the limit");
        begin = end + 1;
    }
    const auto next_end = std::min(all.find('\n', begin), all.size());
    if (refused)
        fuzz::claim(next_end - begin > limit, "only too long a line is refused");
    else {
        fuzz::claim(all.find('\n', begin) == std::string::npos, "no line is kept back");
        fuzz::claim(lines.partial() == (begin < all.size()), "the rest is the begin of a line");
    }
    return 0;
}

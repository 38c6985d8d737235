// How the time to read one line grows with what it holds: bench_lines [MEMBERS]
//
// A line of many small members must cost twice as much with twice as many. Prints one JSON array:
// per kind of line, the seconds for N and for 8 N members, and the ratio of one doubling, as the
// mean of these three: where memory comes fresh from the kernel, one alone may be beyond two.
#include "ipc/wire_format.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <string>

namespace {

/// Of the processor, not of the wall; the best of nine.
double seconds_to_read(const std::string& line)
{
    std::clock_t best = std::numeric_limits<std::clock_t>::max();
    for (int i = 0; i < 9; ++i) {
        const auto begin = std::clock();
        const auto decoded = ipc::wire::decode(line);
        best = std::min(best, std::clock() - begin);
    }
    return static_cast<double>(best) / CLOCKS_PER_SEC;
}

std::string line_of(const std::string& open, const std::string& member, const std::string& close,
                    std::size_t members)
{
    std::string line = open;
    for (std::size_t i = 0; i < members; ++i) {
        line += i > 0 ? "," : "";
        line += member.front() == ':' ? '"' + std::to_string(i) + '"' + member : member;
    }
    return line + close;
}

} // namespace

int main(int argc, char** argv)
{
    const std::size_t members = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
    const struct {
        const char* title;
        std::string open, member, close;
    } kinds[] = {
        {"numbers in an array", "[", "1", "]"},
        {"objects in an array", "[", "{}", "]"},
        {"keys of an object", "{", ":0", "}"},
        {"half surrogate pairs", "[", "\"\\ud83d\"", "]"},
        {"members of an envelope", "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":[",
         "[]", "]}"},
    };
    const char* between = "[";
    for (const auto& kind : kinds) {
        const double once = seconds_to_read(line_of(kind.open, kind.member, kind.close, members));
        const double eight_times =
            seconds_to_read(line_of(kind.open, kind.member, kind.close, 8 * members));
        std::printf("%s{\"title\":\"%s\",\"members\":%zu,\"seconds\":%.6f,"
                    "\"seconds_for_eight_times\":%.6f,\"ratio\":%.2f}",
                    between, kind.title, members, once, eight_times, std::cbrt(eight_times / once));
        between = ",\n";
    }
    std::puts("]");
}

// Long and wide lines, which random bytes never become: the input is a recipe, and says how often
// each of its pieces is repeated. Whatever comes out of it is refused or it is JSON within the
// limits of json_text.hpp, and costs time and memory in proportion to its length (-timeout,
// -rss_limit_mb).
#include "ipc/error.hpp"
#include "ipc/json_lines.hpp"
#include "ipc/json_text.hpp"
#include "ipc/wire_format.hpp"

#include "fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>

namespace {

constexpr std::size_t longest = 2 * 1024 * 1024;

/// How often, the length of the piece, the piece: and again. The name of a key that is repeated
/// may have its number in it, so that an object can be wide: '#'.
std::string line_of(fuzz::input input)
{
    std::string line;
    while (!input.empty() && line.size() < longest) {
        const std::size_t times = std::size_t{1} << input.byte() % 21;
        const auto piece = input.bytes(input.byte() % 32);
        if (piece.empty())
            continue;
        const bool is_numbered = piece.find('#') != piece.npos;
        for (std::size_t i = 0; i < times && line.size() < longest; ++i)
            for (const char c : piece) {
                if (c == '#' && is_numbered)
                    line += std::to_string(i);
                else if (c != '\n')
                    line += c;
            }
    }
    return line;
}

struct measure {
    std::size_t depth = 0;
    std::size_t values = 0;
};

/// Of canonical JSON: no white space between tokens. A key is followed by a colon.
measure measure_of(std::string_view text)
{
    measure result;
    std::size_t depth = 0;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '"') {
            for (++at; text[at] != '"'; ++at)
                at += text[at] == '\\';
            ++at;
            result.values += at == text.size() || text[at] != ':';
        } else if (c == '[' || c == '{') {
            result.depth = std::max(result.depth, ++depth);
            ++result.values;
            ++at;
        } else if (c == ']' || c == '}') {
            --depth;
            ++at;
        } else if (c == ',' || c == ':') {
            ++at;
        } else { // a number or a literal
            ++result.values;
            at = std::min(text.find_first_of(",]}", at), text.size());
        }
    }
    return result;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto line = line_of({data, size});

    ipc::json_lines lines(longest / 2);
    std::string_view got;
    try {
        for (std::string_view rest = line; !rest.empty();
             rest.remove_prefix(std::min<std::size_t>(rest.size(), 64 * 1024))) {
            lines.feed(rest.substr(0, 64 * 1024));
            fuzz::claim(!lines.next(got), "there is no end of a line");
        }
        lines.feed("\n");
        fuzz::claim(lines.next(got) && got == line, "a long line is what was fed");
        fuzz::claim(line.size() <= longest / 2, "a line is within the limit");
    } catch (const ipc::line_too_long&) {
        fuzz::claim(line.size() > longest / 2, "only too long a line is refused");
    }

    try {
        const auto text = ipc::check_json(line).text;
        const auto measured = measure_of(text);
        fuzz::claim(measured.depth <= ipc::max_depth, "no deeper than is said");
        fuzz::claim(measured.values <= ipc::max_values, "no more values than is said");
        fuzz::claim(text.size() <= 3 * line.size(), "it grows by no more than is said");
        if (text.size() < 64 * 1024) // that one is slow under the sanitizers
            fuzz::claim(nlohmann::json::accept(text), "what is taken is JSON, and UTF-8");
        const auto decoded = ipc::wire::decode(line);
        if (const auto* message = std::get_if<ipc::wire::user_message>(&decoded))
            fuzz::claim(ipc::wire::encode(message->body) == text + '\n', "goes back as it came");
    } catch (const ipc::protocol_error&) {
    }
    return 0;
}

// One line of a peer's: whatever its bytes, it is refused or it is JSON, canonical and the same
// when it is read again.
#include "ipc/error.hpp"
#include "ipc/json_text.hpp"
#include "ipc/wire_format.hpp"

#include "fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view line(reinterpret_cast<const char*>(data), size);
    try {
        const auto text = ipc::check_json(line).text;
        fuzz::claim(nlohmann::json::accept(text), "what is taken is JSON, and UTF-8");
        fuzz::claim(ipc::check_json(text).text == text, "canonical text stays as it is");
        fuzz::claim(text.size() <= 3 * line.size(), "it grows by no more than is said");
        // What the parser takes as it stands has kept its meaning.
        if (nlohmann::json::accept(line))
            fuzz::claim(nlohmann::json::parse(line) == nlohmann::json::parse(text), "same value");
        const auto decoded = ipc::wire::decode(line);
        if (const auto* message = std::get_if<ipc::wire::user_message>(&decoded))
            fuzz::claim(ipc::wire::encode(message->body) == text + '\n', "goes back as it came");
    } catch (const ipc::protocol_error&) {
        // A byte order mark, which the library passes over, is none of JSON's; nor is a NUL byte,
        // which it takes for the end.
        const bool is_known =
            line.starts_with("\xef\xbb\xbf") || line.find('\0') != std::string_view::npos;
        fuzz::claim(is_known || !nlohmann::json::accept(line) || size > 1000,
                    "what is refused is not JSON");
    }
    return 0;
}

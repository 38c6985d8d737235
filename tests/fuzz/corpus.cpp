// Writes the first inputs of the fuzz targets, in their format, from the tests' cases: corpus
// FOLDER
#include "unit/http_cases.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

// What the tests of the channel write to it, good and bad.
const std::vector<std::string> channel_lines{
    "\"text\"\n",
    "{\"a\":[1,2,{\"b\":null}]}\n",
    "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":\"m\",\"key\":\"k\"}\n",
    "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"msg\":1}\n",
    "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\"}\n",
    "{\"cmd\":\"NODE_HANDLE\",\"type\":\"dgram.Socket\",\"msg\":{\"cmd\":\"NODE_HANDLE\"}}\n",
    "{\"cmd\":\"NODE_HANDLE_ACK\"}\n",
    "{\"cmd\":\"NODE_HANDLE_NACK\"}\n",
    "{\"cmd\":\"NODE_SOCKET_GET_COUNT\",\"key\":\"k\"}\n",
    "{\"cmd\":\"NODE_SOCKET_NOTIFY_CLOSE\",\"key\":\"k\"}\n",
    "{\"cmd\":\"NODE_DEBUG_ENABLED\"}\n",
    "not json\n",
    "\n",
    "\xff\xfe\n",
    "{\"half\":",
};

void write(const std::filesystem::path& folder, std::size_t number, const std::string& bytes)
{
    std::filesystem::create_directories(folder);
    std::ofstream(folder / std::to_string(number), std::ios::binary) << bytes;
}

/// What to do, the length, the text: see channel_fuzz.
std::string piece(int order, const std::string& text)
{
    return std::string{static_cast<char>(order), static_cast<char>(text.size())} + text;
}

} // namespace

int main(int, char** argv)
{
    const std::filesystem::path folder = argv[1];
    std::size_t number = 0;
    for (const auto& line : channel_lines) {
        write(folder / "lines", number, static_cast<char>(line.size()) + line);
        for (const int order : {0, 1, 0x05, 0x09, 0x0d, 0x1a, 0xc0, 0xc1})
            write(folder / "channel", number++,
                  piece(order, line) + piece(0, "\"next\"\n") + piece(0x41, channel_lines[2]));
    }
    number = 0;
    for (const auto& example : http_cases::all)
        for (const char size : {char{0x7f}, char{0}})
            write(folder / "http", number++, size + example.bytes + http_cases::follow_up);
}

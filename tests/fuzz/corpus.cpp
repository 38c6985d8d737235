// Writes the first inputs of the fuzz targets, in their format, from the tests' cases: corpus
// FOLDER
#include "unit/channel_cases.hpp"
#include "unit/http_cases.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace {

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

/// What is repeated 2^power times, one after the other: see wide_fuzz.
using recipe = std::vector<std::pair<int, std::string>>;

const std::vector<recipe> recipes{
    {{0, "["}, {20, "1,"}, {0, "1]"}},
    {{0, "["}, {19, "\"\","}, {0, "1]"}},
    {{0, "{"}, {17, "\"#\":1,"}, {0, "\"x\":1}"}},
    {{0, "{"}, {16, "\"#\":{},"}, {0, "\"x\":1}"}},
    {{0, "{"}, {18, "\"k\":1,"}, {0, "\"k\":1}"}},
    {{10, "["}, {10, "]"}},
    {{9, "[["}, {9, "]]"}},
    {{9, "{\"a\":"}, {0, "1"}, {9, "}"}},
    {{0, "\""}, {20, "x"}, {0, "\""}},
    {{0, "\""}, {18, "\\ud83d"}, {0, "\""}},
    {{0, "\""}, {20, "\xff"}, {0, "\""}},
    {{20, "9"}},
    {{0, "1."}, {20, "0"}},
    {{3, "{\"cmd\":\"NODE_HANDLE\",\"msg\":"}, {0, "1"}, {3, "}"}},
    {{0, "{\"cmd\":\"NODE_HANDLE\",\"key\":\""},
     {10, "k"},
     {0, "\",\"msg\":["},
     {16, "1,"},
     {0, "1]}"}},
};

/// Events of a demo's, orders of a page's.
constexpr const char* page_inputs[]{
    R"({"v":1,"seq":0,"t_us":1,"pid":7,"role":"main","slot":null,"ev":"start","program":"cluster"})",
    R"({"v":1,"seq":1,"t_us":2,"pid":7,"role":"main","slot":null,"ev":"strategy","how":"race","workers":4})",
    R"({"v":1,"seq":2,"t_us":3,"pid":7,"role":"main","slot":null,"ev":"listening","address":"::1","port":80,"fd":8})",
    R"({"v":1,"seq":3,"t_us":4,"pid":8,"role":"worker","slot":0,"ev":"accept","fd":9,"wakeups":0})",
    R"({"action":"start","demo":"socket_fanout","mode":"all","workers":8,"delay":100,"respawn":true})",
    R"({"action":"start","demo":"http_cluster","accept":"exclusive","workers":1})",
    R"({"action":"load","count":500,"concurrency":256,"keep_alive":true})",
    R"({"action":"kill","slot":7})",
    R"({"action":"end"})",
};

std::string text_of(const recipe& from)
{
    std::string text;
    for (const auto& [power, piece] : from)
        (text += {static_cast<char>(power), static_cast<char>(piece.size())}) += piece;
    return text;
}

/// What the processes of a cluster say: see cluster_fuzz.
const std::string online = "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}\n";
const std::string answer =
    R"({"cmd":"NODE_CLUSTER","errno":null,"key":"k","ack":1,"data":null,)"
    R"("sockname":{"address":"127.0.0.1","family":"IPv4","port":8888},"seq":0})"
    "\n";
const std::vector<std::string> cluster_lines{
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"127.0.0.1","port":0,"addressType":4,"flags":0,"backlog":0,"seq":1})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":"AA","address":null,"port":0,"addressType":6,"flags":1,"backlog":false,"seq":1})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":1,"data":null,"address":"/nowhere/x","port":-1,"addressType":-1,"backlog":1,"readableAll":true,"seq":1})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":null,"addressType":null,"fd":0,"seq":1})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"address":"","port":0,"addressType":"udp4","fd":-1,"seq":1})",
    R"({"cmd":"NODE_CLUSTER","act":"listening","index":0,"data":null,"address":"127.0.0.1","port":1,"addressType":4,"seq":2})",
    R"({"cmd":"NODE_CLUSTER","act":"close","key":"127.0.0.1:0:4:undefined:0","seq":3})",
    R"({"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":4})",
    R"({"cmd":"NODE_CLUSTER","ack":0,"accepted":true,"seq":5})",
    R"({"cmd":"NODE_CLUSTER","act":"ended","ended":7,"seq":6})",
    R"({"cmd":"NODE_CLUSTER","act":"newconn","key":"k","seq":1})",
    R"({"cmd":"NODE_CLUSTER","act":"disconnect","seq":2})",
    R"({"cmd":"NODE_CLUSTER","errno":0,"key":"k","ack":1,"data":null,"seq":0})",
    R"({"cmd":"NODE_CLUSTER","errno":-98,"key":"k","ack":1,"data":null,"seq":0})",
};

std::string wrapped(const std::string& message)
{
    return R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":)" + message + "}";
}

} // namespace

int main(int, char** argv)
{
    const std::filesystem::path folder = argv[1];
    std::size_t number = 0;
    const std::string connection =
        channel_cases::all_that_are(channel_cases::refused).front().line + "\n";
    for (const auto& one : channel_cases::all)
        for (const auto& line : {one.line + "\n", one.line}) { // also without its end
            write(folder / "lines", number, static_cast<char>(line.size()) + line);
            write(folder / "wire", number, line);
            for (const int order : {0, 1, 0x05, 0x09, 0x0d, 0x1a, 0xc0, 0xc1})
                write(folder / "channel", number++,
                      piece(order, line) + piece(0, "\"next\"\n") + piece(0x41, connection));
        }
    number = 0;
    for (const auto& line : cluster_lines) {
        for (const int role : {1, 3, 5})
            write(folder / "cluster", number++, static_cast<char>(role) + online + line + "\n");
        for (const int order : {0, 1, 3, 5, 7, 0x81})
            write(folder / "cluster", number++,
                  std::string(1, '\0') + piece(0, answer) + piece(order, line + "\n") +
                      piece(order, wrapped(line) + "\n"));
    }
    number = 0;
    for (const auto& recipe : recipes)
        write(folder / "wide", number++, text_of(recipe));
    number = 0;
    for (const auto& example : http_cases::all)
        for (const char size : {char{0x7f}, char{0}})
            write(folder / "http", number++, size + example.bytes + http_cases::follow_up);
    for (const char size : {char{0x7f}, char{0}})
        for (const std::string request :
             {"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
              "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"})
            write(folder / "http", number++, size + request + "and what is behind it");
    for (const auto& example : http_cases::openings)
        write(folder / "http", number++, char{0x7f} + example.possible + example.rest);
    number = 0;
    for (const auto* text : page_inputs)
        write(folder / "page", number++, text);
}

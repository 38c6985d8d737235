// What a client is told to ask for, taken apart.
#include "app/url.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

using app::parse_url;
using std::string;

namespace {

struct url_case {
    string text;
    string host;
    std::uint16_t port;
    string target;
};

const std::vector<url_case> good{
    {"http://localhost:8888/", "localhost", 8888, "/"},
    {"http://localhost:8888", "localhost", 8888, "/"},
    {"http://localhost", "localhost", 80, "/"},
    {"http://localhost:/", "localhost", 80, "/"},
    {"http://localhost:65535/", "localhost", 65535, "/"},
    {"HTTP://localhost/", "localhost", 80, "/"},
    {"http://127.0.0.1:1/a/b", "127.0.0.1", 1, "/a/b"},
    {"http://a-b.example/?c=d&e", "a-b.example", 80, "/?c=d&e"},
    {"http://a?c", "a", 80, "/?c"},
    {"http://a/b#part", "a", 80, "/b"},
    {"http://a#part", "a", 80, "/"},
    {"http://a/b?c=http://d@e:99/", "a", 80, "/b?c=http://d@e:99/"},
    {"http://[::1]:8888/", "::1", 8888, "/"},
    {"http://[::1]", "::1", 80, "/"},
    {"http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1", 80, "/"},
    {"http://[fe80::1%25lo]:8888/", "fe80::1%lo", 8888, "/"},
    {"http://[fe80::1%lo]:8888/", "fe80::1%lo", 8888, "/"},
    {"http://a/b%20c", "a", 80, "/b%20c"},
    {"http://a/b c", "a", 80, "/b%20c"},
    {"http://a/子?\"<>", "a", 80, "/%E5%AD%90?%22%3C%3E"},
    {"http://a//b", "a", 80, "//b"},
    {"http://a/[b]", "a", 80, "/[b]"},
};

TEST(Url, IsTakenApart)
{
    for (const auto& one : good) {
        const auto url = parse_url(one.text);
        EXPECT_EQ(url.host, one.host) << one.text;
        EXPECT_EQ(url.port, one.port) << one.text;
        EXPECT_EQ(url.target, one.target) << one.text;
    }
}

TEST(Url, ThatIsNoneIsRefusedWithALineThatSaysWhy)
{
    const std::vector<std::pair<string, string>> bad{
        {"", "http://"},
        {"localhost", "http://"},
        {"localhost:8888/", "http://"},
        {"http:/localhost", "http://"},
        {"//localhost/", "http://"},
        {"https://localhost/", "TLS"},
        {"HTTPS://localhost/", "TLS"},
        {"ftp://localhost/", "ftp://"},
        {"http://", "host"},
        {"http:///path", "host"},
        {"http://:8888/", "host"},
        {"http://me@localhost/", "'@'"},
        {"http://me:secret@localhost/", "'@'"},
        {"http://@localhost/", "'@'"},
        {"http://localhost:0/", "port"},
        {"http://localhost:65536/", "port"},
        {"http://localhost:-1/", "port"},
        {"http://localhost:+1/", "port"},
        {"http://localhost:80x/", "port"},
        {"http://localhost: 80/", "port"},
        {"http://::1:8888/", "brackets"},
        {"http://fe80::1/", "brackets"},
        {"http://[::1/", "']'"},
        {"http://[::1]8888/", "']'"},
        {"http://[]/", "host"},
        {"http://[localhost]/", "IPv6"},
        {"http://[::1\r\nX: y]/", "name of a host"},
        {"http://local host/", "name of a host"},
        {"http://localhost\\path", "name of a host"},
        {"http://local\r\nhost/", "name of a host"},
        {string("http://a\0b/", 11), "name of a host"},
        {"http://a/\r\nX: y", "control"},
        {"http://a/\t", "control"},
        {"http://a/\x7f", "control"},
    };
    for (const auto& [text, why] : bad) {
        try {
            parse_url(text);
            ADD_FAILURE() << text;
        } catch (const std::invalid_argument& wrong) {
            EXPECT_NE(string(wrong.what()).find(why), string::npos) << text << ": " << wrong.what();
        }
    }
}

TEST(Url, HostAndPortAreOneWordWithAnIPv6AddressInBrackets)
{
    EXPECT_EQ(app::to_string("localhost", 80), "localhost:80");
    EXPECT_EQ(app::to_string("::1", 8888), "[::1]:8888");
    EXPECT_EQ(app::to_string("fe80::1%lo", 8888), "[fe80::1%lo]:8888");
}

} // namespace

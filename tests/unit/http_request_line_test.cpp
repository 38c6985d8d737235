// The first line of a request, and what cannot become one. Whole requests: http_parser_test.
#include "http/request_line.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

using http::request_line;

namespace {

TEST(RequestLine, IsCompleteWithItsLineEndAndLooksNoFurther)
{
    request_line line;
    EXPECT_EQ(line.check("BREW /a?b HTTP/1.1\r\nHost: a\r\n"), 20u);
    EXPECT_TRUE(line.is_complete());
    EXPECT_EQ(line.major_version(), 1);
    EXPECT_EQ(line.check("\x01"), 0u);
    EXPECT_TRUE(line.is_complete());
}

TEST(RequestLine, IsTheSameInPieces)
{
    const std::string_view bytes = "GET / HTTP/2.0\r\n";
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
        request_line line;
        EXPECT_EQ(line.check(bytes.substr(0, cut)), cut);
        EXPECT_FALSE(line.is_complete() || line.is_malformed());
        EXPECT_EQ(line.check(bytes.substr(cut)), bytes.size() - cut);
        EXPECT_TRUE(line.is_complete());
        EXPECT_EQ(line.major_version(), 2);
    }
}

TEST(RequestLine, IsMalformedFromTheFirstByteThatCannotBeThereAndStaysSo)
{
    request_line line;
    EXPECT_EQ(line.check("GET /a\tb"), 7u);
    EXPECT_TRUE(line.is_malformed());
    EXPECT_EQ(line.check(" HTTP/1.1\r\n"), 0u);
    EXPECT_TRUE(line.is_malformed());
}

// At each place of a line, which of all 256 bytes may come next?
TEST(RequestLine, AllowsAtEachPlaceWhatTheGrammarAllows)
{
    const std::string alphanumeric =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const std::string token = alphanumeric + "!#$%&'*+-.^_`|~"; // RFC 9110 §5.6.2
    const std::string visible = [] {
        std::string all;
        for (char c = '!'; c <= '~'; ++c)
            if (c != '#') // a fragment
                all += c;
        return all;
    }();
    const struct {
        std::string_view before;
        std::string next;
    } places[] = {
        {"", token},
        {"GET", token + " "},
        {"GET ", visible},
        {"GET /", visible + " "},
        {"GET / ", "H"},
        {"GET / HTTP", "/"},
        {"GET / HTTP/", "0123456789"},
        {"GET / HTTP/1", "."},
        {"GET / HTTP/1.", "0123456789"},
        {"GET / HTTP/1.1", "\r"},
        {"GET / HTTP/1.1\r", "\n"},
    };
    for (const auto& place : places)
        for (int value = 0; value < 256; ++value) {
            const char byte = static_cast<char>(value);
            request_line line;
            line.check(place.before);
            line.check({&byte, 1});
            EXPECT_EQ(line.is_malformed(), place.next.find(byte) == std::string::npos)
                << place.before << " and then " << value;
        }
}

} // namespace

// Served-By, Date, Connection and Keep-Alive, at any second.
#include "http/response_fields.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

TEST(HttpDate, IsTheFixedFormatInEnglishAndUtc)
{
    EXPECT_EQ(http::http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT"); // RFC 9110 §5.6.7
    EXPECT_EQ(http::http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(http::http_date(1709164799), "Wed, 28 Feb 2024 23:59:59 GMT");
    EXPECT_EQ(http::http_date(1709164800), "Thu, 29 Feb 2024 00:00:00 GMT");
    EXPECT_EQ(http::http_date(4102444800), "Fri, 01 Jan 2100 00:00:00 GMT");
}

TEST(ResponseFields, SayWhetherTheConnectionStaysAndForHowLong)
{
    http::response_fields fields(5'900ms);
    EXPECT_EQ(fields.at(784111777, true), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                          "Connection: keep-alive\r\n"
                                          "Keep-Alive: timeout=5\r\n");
    EXPECT_EQ(fields.at(784111777, false), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                           "Connection: close\r\n");
}

TEST(ResponseFields, SayNothingOfATimeoutThatIsNotThere)
{
    http::response_fields fields(0ms);
    EXPECT_EQ(fields.at(784111777, true), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                          "Connection: keep-alive\r\n");
}

TEST(ResponseFields, SayWhoServesWhereThereIsAName)
{
    http::response_fields fields(0ms, "a.b-c_1");
    EXPECT_EQ(fields.at(784111777, false), "Served-By: a.b-c_1/" + std::to_string(::getpid()) +
                                               "\r\n"
                                               "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                               "Connection: close\r\n");
    for (const auto* name : {"a b", "a/b", "a\r\nX: y", "\xc3\xa9"})
        EXPECT_THROW(http::response_fields(0ms, name), std::invalid_argument) << name;
}

TEST(ResponseFields, FollowTheClockForwardsAndBackwards)
{
    http::response_fields fields(0ms);
    const auto date = [&](std::time_t now) {
        return std::string(fields.at(now, false)).substr(6, 29);
    };
    for (const std::time_t now : {0, 1, 0, 784111777, 784111778})
        EXPECT_EQ(date(now), http::http_date(now));
}

} // namespace

// The bytes of an answer.
#include "http/response_writer.hpp"

#include "http/status.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

using http::response_writer;
using std::string;

namespace {

TEST(ResponseWriter, WritesStatusFieldsLengthAndBody)
{
    response_writer writer;
    writer.begin(false, true);
    string text = "before ";
    writer.write_head(text, 404, {{"X", "1"}, {"Y", "a\tb"}});
    writer.end(text, "not here", "Common: fields\r\n");
    EXPECT_EQ(text, "before HTTP/1.1 404 Not Found\r\nX: 1\r\nY: a\tb\r\nCommon: fields\r\n"
                    "Content-Length: 8\r\n\r\nnot here");
    EXPECT_TRUE(writer.keep_alive());
}

TEST(ResponseWriter, WithoutAHeadTheStatusIs200)
{
    response_writer writer;
    for (int i = 0; i < 2; ++i) { // for each request anew
        string text;
        writer.begin(false, true);
        writer.end(text, "", "");
        EXPECT_EQ(text, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

TEST(ResponseWriter, LeavesTheBodyOutWhereThereMustBeNone)
{
    response_writer writer;
    string head;
    writer.begin(true, true);
    writer.end(head, "hello", "");
    EXPECT_EQ(head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    for (const unsigned status : {204u, 304u}) {
        string text;
        writer.begin(false, true);
        writer.write_head(text, status, {});
        writer.end(text, "hello", "");
        EXPECT_TRUE(text.ends_with("\r\n\r\n")) << text;
        EXPECT_EQ(text.find("Content-Length"), string::npos);
    }
}

TEST(ResponseWriter, WritesABodyInParts)
{
    response_writer writer;
    for (const bool knows_chunks : {true, false}) { // for each request anew
        writer.begin(false, true, knows_chunks);
        EXPECT_FALSE(writer.has_begun_body());
        string text;
        writer.begin_body(text, "Common: fields\r\n");
        EXPECT_TRUE(writer.has_begun_body());
        writer.write(text, "");
        writer.write(text, "0123456789abcdef");
        writer.write(text, "z");
        writer.end_body(text);
        EXPECT_EQ(text, knows_chunks ? "HTTP/1.1 200 OK\r\nCommon: fields\r\n"
                                       "Transfer-Encoding: chunked\r\n\r\n"
                                       "10\r\n0123456789abcdef\r\n1\r\nz\r\n0\r\n\r\n"
                                     : "HTTP/1.1 200 OK\r\nCommon: fields\r\n\r\n"
                                       "0123456789abcdefz");
    }
}

TEST(ResponseWriter, TakesConnectionCloseForAWordToTheServer)
{
    response_writer writer;
    string text;
    writer.begin(false, true);
    writer.write_head(text, 200, {{"CONNECTION", "Close"}});
    EXPECT_FALSE(writer.keep_alive());
    EXPECT_EQ(text, "HTTP/1.1 200 OK\r\n");
    EXPECT_THROW(writer.write_head(text, 200, {}), std::logic_error);
}

TEST(ResponseWriter, RefusesWhatWouldBreakTheMessage)
{
    const auto check = [](unsigned status, http::header field) {
        response_writer::check(status, {field});
    };
    check(200, {"X", "\x80 any text"});
    check(999, {"X", ""});
    for (int value = 0; value < 256; ++value) {
        const char byte = static_cast<char>(value);
        const bool is_allowed = byte == '\t' || (value >= ' ' && value != 0x7f);
        if (is_allowed)
            EXPECT_NO_THROW(check(200, {"X", {&byte, 1}})) << value;
        else
            EXPECT_THROW(check(200, {"X", {&byte, 1}}), std::invalid_argument) << value;
    }
    for (const auto name : {"", " ", "X:", "X Y", "X\r\nY", "\xe5"})
        EXPECT_THROW(check(200, {name, "a"}), std::invalid_argument) << name;
    for (const auto name :
         {"Date", "connection", "CONTENT-LENGTH", "Keep-Alive", "Transfer-Encoding"})
        EXPECT_THROW(check(200, {name, "1"}), std::invalid_argument) << name;
    for (const unsigned status : {0u, 100u, 199u, 1000u})
        EXPECT_THROW(check(status, {"X", "a"}), std::invalid_argument) << status;
}

TEST(Status, HasTheNamesOfTheRfcAndNoneForOthers)
{
    EXPECT_EQ(http::reason_phrase(200), "OK");
    EXPECT_EQ(http::reason_phrase(413), "Content Too Large");
    EXPECT_EQ(http::reason_phrase(299), "");
    string text;
    http::append_status_line(text, 200);
    http::append_status_line(text, 431);
    http::append_status_line(text, 299);
    EXPECT_EQ(
        text,
        "HTTP/1.1 200 OK\r\nHTTP/1.1 431 Request Header Fields Too Large\r\nHTTP/1.1 299 \r\n");
}

} // namespace

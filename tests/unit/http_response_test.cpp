// The parser by itself, with responses: what the client reads.
#include "http/parser.hpp"
#include "unit/http_response_cases.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

using http::parser;
using http_response_cases::response_case;
using std::string;
using std::string_view;
using std::vector;

namespace {

struct outcome {
    int status = 0; ///< below zero: refused
    string body{};
    bool stays = false;
    bool operator==(const outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const outcome& one)
{
    return out << one.status << (one.stays ? " stays " : " ends ") << one.body.size() << " bytes \""
               << one.body.substr(0, 40) << '"';
}

outcome expected(const response_case& one)
{
    return {one.status, one.body, one.then == http_response_cases::stays};
}

/// What a client makes of these pieces, after which the server ends the connection.
outcome feed(const vector<string_view>& pieces)
{
    parser under_test(HTTP_RESPONSE,
                      {http_response_cases::max_header_size, http_response_cases::max_body_size});
    auto event = parser::event::need_more;
    for (auto piece : pieces) {
        const string only_now(piece); // so that a view kept too long is seen by the sanitizer
        string_view input = only_now;
        do {
            event = under_test.parse(input);
            if (event == parser::event::message && under_test.status() / 100 == 1)
                under_test.reset();
            else
                break;
        } while (!input.empty());
        if (event == parser::event::need_more) {
            EXPECT_TRUE(input.empty()) << "it wants more and has not used what there is";
        }
        if (event == parser::event::fault ||
            (event == parser::event::message && under_test.started()))
            break;
    }
    if (event == parser::event::need_more || !under_test.started())
        event = under_test.parse_end();
    if (event != parser::event::message) {
        EXPECT_NE(under_test.fault_reason(), string());
        return {-static_cast<int>(under_test.fault_status())};
    }
    return {static_cast<int>(under_test.status()), under_test.body(), under_test.keep_alive()};
}

TEST(HttpResponseCases, AreMoreThanAHundredEachWithItsNameAndItsSource)
{
    std::set<string> names;
    for (const auto& one : http_response_cases::all) {
        EXPECT_TRUE(names.insert(one.name).second) << one.name;
        EXPECT_FALSE(one.source.empty()) << one.name;
    }
    EXPECT_GE(names.size(), 100u);
}

TEST(HttpResponse, EachCaseHasItsOutcomeWhenItComesWhole)
{
    for (const auto& one : http_response_cases::all)
        EXPECT_EQ(feed({one.bytes}), expected(one)) << one.name << " (" << one.source << ")";
}

TEST(HttpResponse, EachCaseHasTheSameOutcomeByteByByte)
{
    for (const auto& one : http_response_cases::all) {
        vector<string_view> pieces;
        for (std::size_t i = 0; i < one.bytes.size(); ++i)
            pieces.push_back(string_view(one.bytes).substr(i, 1));
        EXPECT_EQ(feed(pieces), expected(one)) << one.name;
    }
}

TEST(HttpResponse, EachCaseHasTheSameOutcomeCutInTwoAnywhere)
{
    for (const auto& one : http_response_cases::all)
        for (std::size_t i = 1; i < one.bytes.size(); ++i) {
            if (http_response_cases::is_worth_cutting_at(one, i)) {
                EXPECT_EQ(
                    feed({string_view(one.bytes).substr(0, i), string_view(one.bytes).substr(i)}),
                    expected(one))
                    << one.name << " cut at " << i;
            }
        }
}

TEST(HttpResponse, AFoldedValueIsReadWithSpacesInPlaceOfItsLineEnd)
{
    parser under_test(HTTP_RESPONSE, {});
    const string bytes = "HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\nContent-Length: 0\r\n\r\n";
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
        string_view first = string_view(bytes).substr(0, cut);
        string_view rest = string_view(bytes).substr(cut);
        ASSERT_EQ(under_test.parse(first), parser::event::need_more);
        ASSERT_EQ(under_test.parse(rest), parser::event::message);
        ASSERT_EQ(under_test.headers().size(), 2u);
        EXPECT_EQ(under_test.headers().find("x"), "a  \tb") << "cut at " << cut;
        under_test.reset();
    }
}

TEST(HttpResponse, WhatIsNoHttpIsRefusedAtTheFirstByteThatShowsIt)
{
    for (const string start : {"X", "\r", "\n", "HTTP/x", "HTTP/1.1 OK", "HTTP/1.1 200 OK\nX"}) {
        parser under_test(HTTP_RESPONSE, {});
        string_view input = start;
        EXPECT_EQ(under_test.parse(input), parser::event::fault) << start;
    }
}

TEST(HttpResponse, AnAnswerToHeadHasNoBodyWhateverItsFieldsSay)
{
    for (const string fields : {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
        parser under_test(HTTP_RESPONSE, {});
        under_test.expect_no_body();
        const string bytes = "HTTP/1.1 200 OK\r\n" + fields + "\r\nHTTP/";
        string_view input = bytes;
        EXPECT_EQ(under_test.parse(input), parser::event::message);
        EXPECT_EQ(input, "HTTP/") << "the beginning of the next answer";
    }
}

} // namespace

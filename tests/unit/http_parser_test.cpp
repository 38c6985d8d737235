// The parser by itself: bytes in, messages and faults out.
#include "http/parser.hpp"
#include "unit/http_cases.hpp"

#include <gtest/gtest.h>

#include <set>

using http::parser;
using std::string;
using std::string_view;
using std::vector;

namespace {

struct outcome {
    vector<unsigned> answers; ///< 200 for each message, then perhaps the status of a fault
    bool ends = false;
    string last_target; ///< of the last message
    bool operator==(const outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const outcome& one)
{
    for (const auto status : one.answers)
        out << status << ' ';
    return out << (one.ends ? "and the end" : "and goes on") << ", last " << one.last_target;
}

outcome expected(const http_cases::http_case& one)
{
    outcome result{one.answers, one.then == http_cases::ends, ""};
    if (!result.ends)
        result.answers.push_back(200);
    return result;
}

/// What a server would make of these pieces.
outcome feed(const vector<string_view>& pieces)
{
    parser under_test(HTTP_REQUEST, {http_cases::max_header_size, http_cases::max_body_size});
    outcome result;
    for (auto piece : pieces) {
        const string only_now(piece); // so that a view kept too long is seen by the sanitizer
        string_view input = only_now;
        while (!input.empty()) {
            const auto event = under_test.parse(input);
            if (event == parser::event::fault) {
                result.answers.push_back(under_test.fault_status());
                result.ends = true;
                EXPECT_NE(under_test.fault_reason(), string());
                return result;
            }
            if (event != parser::event::message) {
                EXPECT_TRUE(input.empty()) << "it wants more and has not used what there is";
                break;
            }
            result.answers.push_back(200);
            result.last_target = under_test.target();
            if (!under_test.keep_alive()) {
                result.ends = true;
                return result;
            }
            under_test.reset();
        }
    }
    return result;
}

/// The parts that all() of the cases must have in common, whichever way they are fed.
void expect_outcome(const http_cases::http_case& one, const vector<string_view>& pieces)
{
    auto result = feed(pieces);
    if (one.then == http_cases::stays) {
        EXPECT_EQ(result.last_target, "/next");
    } else {
        EXPECT_NE(result.last_target, "/next");
        EXPECT_NE(result.last_target, "/smuggled");
    }
    result.last_target.clear();
    EXPECT_EQ(result, expected(one));
}

TEST(HttpCases, AreMoreThanAHundredEachWithItsNameAndItsSource)
{
    std::set<string> names;
    for (const auto& one : http_cases::all) {
        EXPECT_TRUE(names.insert(one.name).second) << one.name;
        EXPECT_FALSE(one.source.empty()) << one.name;
        EXPECT_FALSE(one.answers.empty()) << one.name;
    }
    EXPECT_GE(names.size(), 100u);
}

TEST(HttpParser, E2_EachCaseHasItsOutcomeWhenItComesWhole)
{
    for (const auto& one : http_cases::all) {
        SCOPED_TRACE(one.name + " (" + one.source + ")");
        expect_outcome(one, {one.bytes + http_cases::follow_up});
    }
}

TEST(HttpParser, E2_E4_EachCaseHasTheSameOutcomeByteByByte)
{
    for (const auto& one : http_cases::all) {
        SCOPED_TRACE(one.name);
        const string bytes = one.bytes + http_cases::follow_up;
        vector<string_view> pieces;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            pieces.push_back(string_view(bytes).substr(i, 1));
        expect_outcome(one, pieces);
    }
}

TEST(HttpParser, E2_E4_EachCaseHasTheSameOutcomeCutInTwoAnywhere)
{
    for (const auto& one : http_cases::all) {
        const string bytes = one.bytes + http_cases::follow_up;
        for (std::size_t i = 1; i < bytes.size(); ++i) {
            SCOPED_TRACE(one.name + " cut at " + std::to_string(i));
            if (http_cases::is_worth_cutting_at(one, i))
                expect_outcome(one,
                               {string_view(bytes).substr(0, i), string_view(bytes).substr(i)});
        }
    }
}

TEST(HttpParser, RefusesAnOpeningAtTheFirstByteThatNoRequestCouldHave)
{
    for (const auto& one : http_cases::openings) {
        SCOPED_TRACE(one.name);
        parser under_test(HTTP_REQUEST, {});
        for (const char& byte : one.possible) {
            string_view input(&byte, 1);
            EXPECT_EQ(under_test.parse(input), parser::event::need_more) << byte;
        }
        string_view input = string_view(one.rest).substr(0, 1);
        EXPECT_EQ(under_test.parse(input), parser::event::fault);
        EXPECT_EQ(under_test.fault_status(), 400u);

        parser all_at_once(HTTP_REQUEST, {});
        const string bytes = one.possible + one.rest;
        input = bytes;
        EXPECT_EQ(all_at_once.parse(input), parser::event::fault);
        EXPECT_EQ(all_at_once.fault_status(), 400u);
    }
}

TEST(HttpParser, OnlyCharactersOfATokenMayBeginARequest)
{
    for (int value = 0; value < 256; ++value) {
        const char byte = static_cast<char>(value);
        const bool possible = http::is_token({&byte, 1}) || byte == '\r' || byte == '\n';
        parser under_test(HTTP_REQUEST, {});
        string_view input(&byte, 1);
        EXPECT_EQ(under_test.parse(input),
                  possible ? parser::event::need_more : parser::event::fault)
            << value;
    }
}

TEST(HttpParser, TellsMethodTargetAndFieldsInTheOrderTheyCame)
{
    parser under_test(HTTP_REQUEST, {});
    const string bytes = "M-SEARCH /a?b HTTP/1.1\r\nHost: a\r\nX-One:\t 1 \t\r\nx-one: 2\r\n"
                         "Empty:\r\n\r\n";
    for (const bool in_two : {false, true}) {
        string_view first = bytes;
        string_view rest = bytes;
        if (in_two) { // in the midst of a name
            first = first.substr(0, 35);
            rest.remove_prefix(35);
            ASSERT_EQ(under_test.parse(first), parser::event::need_more);
        }
        ASSERT_EQ(under_test.parse(rest), parser::event::message);
        EXPECT_EQ(under_test.method(), "M-SEARCH");
        EXPECT_EQ(under_test.target(), "/a?b");
        const auto& headers = under_test.headers();
        ASSERT_EQ(headers.size(), 4u);
        EXPECT_EQ(headers[1].name, "X-One");
        EXPECT_EQ(headers[1].value, "1");
        EXPECT_EQ(headers[2].name, "x-one");
        EXPECT_EQ(headers.find("X-ONE"), "1");
        EXPECT_EQ(headers.find("empty"), "");
        EXPECT_EQ(headers.find("absent"), std::nullopt);
        under_test.reset();
    }
}

TEST(HttpParser, KeepsTheHeadWhenTheInputGoesAway)
{
    parser under_test(HTTP_REQUEST, {});
    {
        string bytes = "GET /kept HTTP/1.1\r\nHost: here\r\n\r\n";
        string_view input = bytes;
        ASSERT_EQ(under_test.parse(input), parser::event::message);
        under_test.keep_head();
        bytes.assign(bytes.size(), '?');
    }
    EXPECT_EQ(under_test.target(), "/kept");
    EXPECT_EQ(under_test.headers().find("host"), "here");
}

TEST(HttpParser, ASenderThatWaitsForContinueIsToldOnlyIfItsBodyHasNotCome)
{
    const string head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n";
    const auto first_event = [&](const string& rest) {
        parser under_test(HTTP_REQUEST, {});
        const string bytes = head + rest;
        string_view input = bytes;
        return under_test.parse(input);
    };
    EXPECT_EQ(first_event("Content-Length: 2\r\n\r\n"), parser::event::expects_continue);
    EXPECT_EQ(first_event("Transfer-Encoding: chunked\r\n\r\n"), parser::event::expects_continue);
    EXPECT_EQ(first_event("Content-Length: 2\r\n\r\na"), parser::event::need_more);
    EXPECT_EQ(first_event("Content-Length: 0\r\n\r\n"), parser::event::message);
    EXPECT_EQ(first_event("Content-Length: 99999999\r\n\r\n"), parser::event::fault);
}

TEST(HttpParser, HoldsOnToLittle)
{
    parser under_test(HTTP_REQUEST, {});
    const string bytes =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + string(1'000'000, 'x');
    for (string_view rest = bytes; !rest.empty();) {
        auto piece = rest.substr(0, 16 * 1024);
        rest.remove_prefix(piece.size());
        ASSERT_NE(under_test.parse(piece), parser::event::fault);
    }
    EXPECT_LT(under_test.memory(), 4096u) << "the body of a request is thrown away as it comes";
}

} // namespace

// Text from a peer, measured and repaired before the parser sees it.
#include "ipc/error.hpp"
#include "ipc/json_text.hpp"
#include "memory.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace {

using std::string;

string canonical(const string& line)
{
    return ipc::check_json(line).text;
}

string refusal_of(const string& line)
{
    try {
        const auto text = canonical(line);
        return "taken, as " + text.substr(0, 100);
    } catch (const ipc::protocol_error& error) {
        return error.what();
    }
}

string repeated(const string& text, std::size_t times, const string& between = "")
{
    string result;
    result.reserve(times * (text.size() + between.size()));
    for (std::size_t i = 0; i < times; ++i)
        (result += i > 0 ? between : "") += text;
    return result;
}

TEST(JsonText, LosesTheWhiteSpaceBetweenTokensAndNothingElse)
{
    EXPECT_EQ(canonical(" { \"a b\" :\t[ 1 , 2 ] }\r"), R"({"a b":[1,2]})");
    EXPECT_EQ(canonical("[true, false ,null]"), "[true,false,null]");
    for (const string apart :
         {"1 2", "tr ue", "\"a\" \"b\"", "[1 2]", "1 \"a\"", "- 1", "{\"a\" 1}"})
        EXPECT_EQ(refusal_of(apart).find("a line that is not JSON"), 0U) << apart;
}

TEST(JsonText, KeepsTheDigitsOfNumbersAndTheOrderOfKeys)
{
    for (const string text : {"0.1", "-0", "1e21", "1E+2", "12345678901234567890123", "0.000001",
                              "1.50", "1e-400", R"({"b":1,"a":2,"10":3,"9":4})"})
        EXPECT_EQ(canonical(text), text);
    EXPECT_EQ(canonical(R"({"a":1,"a":2})"), R"({"a":1,"a":2})");
    EXPECT_EQ(ipc::value(ipc::check_json(R"({"a":1,"a":2})")).json()["a"], 2) << "as in Node";
}

TEST(JsonText, SpellsEachCharacterInOneWay)
{
    EXPECT_EQ(canonical(R"("\u0041\/\u00e9\u20ac\ud83d\ude00")"), "\"A/é€😀\"");
    EXPECT_EQ(canonical(R"("\u0000\u0008\b\u001f\u001B\n\"\u0022\\\u005c\u007f")"),
              "\"\\u0000\\b\\b\\u001f\\u001b\\n\\\"\\\"\\\\\\\\\x7f\"");
}

TEST(JsonText, WhatCannotBeACharacterIsReadAsNodeReadsIt)
{
    const string one = "\xef\xbf\xbd"; // U+FFFD
    const std::vector<std::pair<string, string>> cases{
        {R"(\ud800)", one},
        {R"(\udc00)", one},
        {R"(\ud83d\ud83d\ude00)", one + "😀"},
        {R"(\ude00\ud83d)", one + one},
        {R"(\ud800\u0041)", one + "A"},
        {R"(\ud800\n)", one + "\\n"},
        {"\xff", one},
        {"\xc3", one},
        {"a\xe2\x82z", "a" + one + "z"},                                 // a character cut short
        {"\xed\xa0\xbd\xed\xb8\x80", one + one + one + one + one + one}, // surrogates as UTF-8
        {"\xc0\xaf", one + one},                                         // longer than need be
        {"\xf0\x9f\x98", one},
        {"\xf4\x90\x80\x80", one + one + one + one}, // beyond U+10FFFF
        {"\xf0\x9f\x98\x80", "😀"},
    };
    for (const auto& [from, to] : cases) {
        EXPECT_EQ(canonical('"' + from + '"'), '"' + to + '"') << ipc::quote(from);
        EXPECT_EQ(canonical("{\"" + from + "\":1}"), "{\"" + to + "\":1}") << ipc::quote(from);
    }
}

TEST(JsonText, NamesWhatItRefuses)
{
    EXPECT_EQ(refusal_of(string("1\0", 2)), "a NUL byte in a line: \"1\\x00\"");
    EXPECT_EQ(refusal_of(string("\"a\0b\"", 5)), "a NUL byte in a line: \"\"a\\x00b\"\"");
    EXPECT_EQ(refusal_of(string("\"\\\0\"", 4)).find("a NUL byte"), 0U);
    for (const string number : {"1e400", "-1e400", "[1,1e400]"})
        EXPECT_EQ(refusal_of(number), "a number that no double can hold: \"" + number + "\"");
    for (const string line : {"",
                              " ",
                              "not json",
                              "undefined",
                              "NaN",
                              "Infinity",
                              "'a'",
                              "{a:1}",
                              "01",
                              "1.",
                              ".5",
                              "+1",
                              "0x10",
                              "[1,]",
                              "{\"a\":1,}",
                              "[",
                              "]",
                              "{\"a\":1",
                              "\"a",
                              "\"\\",
                              "\"\\x41\"",
                              "\"\\u12\"",
                              "\"\\u12g4\"",
                              "\"a\tb\"",
                              "1 2",
                              "/* */1",
                              "1//",
                              "\xef\xbb\xbf"
                              "1",
                              "\xc2\xa0"
                              "1",
                              "truefalse",
                              "{\"a\"}",
                              "{1:2}",
                              "[1}",
                              "\x1b[31m"})
        EXPECT_EQ(refusal_of(line).find("a line that is not JSON: \""), 0U) << ipc::quote(line);
}

TEST(JsonText, EachLimitIsExactAndNamed)
{
    using ipc::max_depth, ipc::max_keys, ipc::max_values;
    const auto nested = [](std::size_t depth) { return string(depth, '[') + string(depth, ']'); };
    EXPECT_EQ(canonical(nested(max_depth)).size(), 2 * max_depth);
    EXPECT_EQ(refusal_of(nested(max_depth + 1)), "nested deeper than 1000");
    EXPECT_EQ(refusal_of(repeated("{\"a\":", 2000)), "nested deeper than 1000") << "before its end";

    const auto array = [](std::size_t elements) {
        return '[' + repeated("1", elements, ",") + ']';
    };
    EXPECT_NO_THROW(canonical(array(max_values - 1)));
    EXPECT_EQ(refusal_of(array(max_values)), "more than 1000000 values in one line");
    EXPECT_EQ(refusal_of('[' + repeated("[]", max_values, ",") + ']'),
              "more than 1000000 values in one line");

    const auto object = [](std::size_t keys) {
        string result = "{";
        for (std::size_t i = 0; i < keys; ++i)
            result += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
        return result + '}';
    };
    EXPECT_NO_THROW(canonical(object(max_keys)));
    EXPECT_EQ(refusal_of(object(max_keys + 1)), "more than 100000 keys in one object");
    EXPECT_NO_THROW(canonical('[' + repeated(object(1000), 200, ",") + ']'))
        << "not of all objects";
}

TEST(JsonText, WhatALineCostsIsAFewTimesItsSize)
{
    if (!memory::is_given_back)
        GTEST_SKIP() << "AddressSanitizer's own memory is larger";
    constexpr std::size_t size = 16 * memory::mebibyte;
    for (const string piece : {"[],", "{},", "\"\xff\",", "1,", "{\"a\":{}},"}) {
        string line = "[" + repeated(piece, std::min(size / piece.size(), std::size_t{400'000}));
        line.back() = ']';
        memory::growth growth;
        const auto checked = ipc::check_json(line);
        growth.look();
        EXPECT_LE(growth.most(), 3 * line.size() + memory::mebibyte) << piece;
    }
}

TEST(JsonText, KnowsTheMembersOfAnEnvelopeWhereverTheyAre)
{
    string checked; // what the members are views of
    const auto members = [&](const string& text) {
        checked = canonical(text);
        return ipc::members_of(checked);
    };
    const auto found = members(
        R"({"x":{"cmd":1,"msg":"}"},"msg":[{"a":"\"}]"},2],"cmd":"c","\u006bey":"k","type":"t"})");
    EXPECT_EQ(found.msg, R"([{"a":"\"}]"},2])");
    EXPECT_EQ(found.cmd, "\"c\"");
    EXPECT_EQ(found.key, "\"k\"") << "however it is spelled";
    EXPECT_EQ(found.type, "\"t\"");
    EXPECT_EQ(members(R"({"cmd":1,"cmd":"2"})").cmd, "\"2\"") << "the last one counts";
    for (const string text : {"{}", "[]", "1", "\"cmd\"", R"([{"cmd":1}])", R"({"a":{"cmd":1}})"})
        EXPECT_EQ(members(text).cmd, "") << text;
}

TEST(JsonText, AStringWithoutEscapesNeedsNoParsing)
{
    EXPECT_EQ(ipc::plain_string("\"\""), "");
    EXPECT_EQ(ipc::plain_string("\"http server\""), "http server");
    EXPECT_EQ(ipc::plain_string("\"子进程\""), "子进程");
    for (const string other :
         {R"("a\"b")", R"("\\")", R"("a\n")", "1", "null", "[]", R"({"a":"b"})", ""})
        EXPECT_EQ(ipc::plain_string(other), std::nullopt) << other;
}

TEST(JsonText, WhatIsWrittenWithoutTheLibraryIsWhatTheLibraryWouldWrite)
{
    for (int byte = 0; byte < 0x80; ++byte) {
        const string text = string("a") + static_cast<char>(byte) + "z";
        EXPECT_EQ(ipc::value(text).dump(), nlohmann::json(text).dump());
        EXPECT_EQ(ipc::value(ipc::check_json(nlohmann::json(text).dump())).to_string(), text);
    }
    EXPECT_EQ(ipc::value("子进程").dump(), "\"子进程\"");
    EXPECT_THROW(ipc::value("\xff").dump(), std::invalid_argument);
}

TEST(JsonText, TheCanonicalFormOfTheCanonicalFormIsItself)
{
    for (const string line :
         {R"( {"a" : "\ud800\u001f", "b":[1.0e5 , -0 ]} )", "\"\xff\"", "[[],{}]"})
        EXPECT_EQ(canonical(canonical(line)), canonical(line));
}

} // namespace

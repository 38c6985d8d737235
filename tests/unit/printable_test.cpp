// What a strange server sends, as a terminal is shown it.
#include "app/printable.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using app::printable;
using std::string;
using std::operator""s;

namespace {

TEST(Printable, WhatIsOnlySeenStaysAsItIs)
{
    for (const string text : {"", "http socket0 子进程：28218", "a\tb\nc\n", "a\r\nb\r\n", "é 😀 ~",
                              "\xef\xbf\xbd", "\xf4\x8f\xbf\xbd", "\\x1b"})
        EXPECT_EQ(printable(text), text);
}

TEST(Printable, WhatWouldDoSomethingToATerminalIsWrittenOut)
{
    const std::vector<std::pair<string, string>> cases{
        {"\x1b[31mred", "\\x1b[31mred"},                    // colour
        {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},         // the window's title
        {"\x1b]52;c;eA==\x1b\\", "\\x1b]52;c;eA==\\x1b\\"}, // the clipboard
        {"\x1bPq\x1b\\", "\\x1bPq\\x1b\\"},                 // device control
        {"\xc2\x9b"
         "31m",
         "\\u009b31m"}, // CSI of C1, in UTF-8
        {"\x9b"
         "31m",
         "\\x9b31m"}, // and as a byte
        {"a\rb", "a\\rb"},
        {"a\r\r\nb", "a\\r\r\nb"},
        {"a\b\b", "a\\x08\\x08"},
        {"\a\v\f\x0e\x7f", "\\x07\\x0b\\x0c\\x0e\\x7f"},
        {"a\0b"s, "a\\x00b"},
        {"\u202egnp.exe", "\\u202egnp.exe"}, // right to left
        {"\u2066a\u2069", "\\u2066a\\u2069"},
        {"\u200ea\u200f\u061c", "\\u200ea\\u200f\\u061c"},
        {"a\u2028b\u2029", "a\\u2028b\\u2029"}, // ends of lines
        {"\u0085", "\\u0085"},
        {"\U000e0041", "\\u{e0041}"}, // tags: text that nobody sees
    };
    for (const auto& [text, seen] : cases)
        EXPECT_EQ(printable(text), seen);
}

TEST(Printable, InOneLineThereIsNoOther)
{
    EXPECT_EQ(app::printable_line("a\nb\r\nc\td\x1b[31m"), "a\\nb\\r\\nc\\td\\x1b[31m");
}

TEST(Printable, WhatIsNotUtf8IsWrittenOutByteByByte)
{
    const std::vector<std::pair<string, string>> cases{
        {"\xff\xfe", "\\xff\\xfe"},
        {"\x80", "\\x80"},
        {"\xe5\xad", "\\xe5\\xad"},                   // cut off
        {"\xe5\xad子", "\\xe5\\xad子"},               // and followed
        {"\xc0\x9b\xc1\xbf", "\\xc0\\x9b\\xc1\\xbf"}, // longer than need be
        {"\xe0\x80\x9b", "\\xe0\\x80\\x9b"},          // a control character, longer still
        {"\xf0\x80\x82\x9b", "\\xf0\\x80\\x82\\x9b"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          // a surrogate
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, // beyond Unicode
        {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
    };
    for (const auto& [text, seen] : cases)
        EXPECT_EQ(printable(text), seen);
}

TEST(Printable, TheHeadOfATextEndsBeforeACharacterThatHasNoRoom)
{
    EXPECT_EQ(app::head_of("abc", 3), "abc");
    EXPECT_EQ(app::head_of("abcd", 3), "abc");
    EXPECT_EQ(app::head_of("子进", 3), "子");
    EXPECT_EQ(app::head_of("子进", 5), "子");
    EXPECT_EQ(app::head_of("子", 2), "");
    const std::string no_utf8(20, '\x80');
    EXPECT_EQ(app::head_of(no_utf8, 10).size(), 7u);
}

TEST(Printable, NoByteWhateverItsNeighboursIsAControlCharacterAfterwards)
{
    for (int first = 0; first < 256; ++first)
        for (int second = 0; second < 256; ++second) {
            const string text{static_cast<char>(first), static_cast<char>(second), 'x'};
            for (const char c : printable(text))
                EXPECT_TRUE(static_cast<unsigned char>(c) >= ' ' || c == '\n' || c == '\t' ||
                            (c == '\r' && text.starts_with("\r\n")))
                    << first << ' ' << second;
        }
}

} // namespace

#include "ipc/json_lines.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

std::vector<std::string> lines_of(ipc::json_lines& lines)
{
    std::vector<std::string> result;
    for (std::string_view line; lines.next(line);)
        result.emplace_back(line);
    return result;
}

using strings = std::vector<std::string>;

TEST(JsonLines, GivesEachLineOnceWhereverTheBytesAreCut)
{
    const std::string text = "1\n\"a€b\"\n\n{}\nrest";
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        ipc::json_lines lines;
        lines.feed(text.substr(0, cut));
        auto result = lines_of(lines);
        lines.feed(text.substr(cut));
        for (auto& line : lines_of(lines))
            result.push_back(line);
        EXPECT_EQ(result, (strings{"1", "\"a€b\"", "", "{}"})) << "cut at " << cut;
        EXPECT_TRUE(lines.partial());
    }
}

TEST(JsonLines, KnowsWhetherALineHasBegun)
{
    ipc::json_lines lines;
    EXPECT_FALSE(lines.partial());
    lines.feed("1\n2");
    lines_of(lines);
    EXPECT_TRUE(lines.partial());
    lines.feed("\n");
    lines_of(lines);
    EXPECT_FALSE(lines.partial());
}

TEST(JsonLines, TakesALineOfExactlyTheLimitAndRefusesOneByteMore)
{
    ipc::json_lines lines(10);
    lines.feed("0123456789\n");
    EXPECT_EQ(lines_of(lines), strings{"0123456789"});
    lines.feed("01234567890\n");
    EXPECT_THROW(lines_of(lines), ipc::line_too_long);
}

TEST(JsonLines, RefusesAnEndlessLineBeforeItsEnd)
{
    ipc::json_lines lines(10);
    lines.feed("01234567890");
    EXPECT_THROW(lines_of(lines), ipc::line_too_long);
}

} // namespace

// Command lines split as the POSIX shell does (Shell Command Language, 2.2 and 2.3).
#include "app/words.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using words = std::vector<std::string>;

TEST(Words, AreSplitWhereTheShellSplitsThem)
{
    const struct {
        std::string command;
        words expected;
    } cases[] = {
        {"", {}},
        {" \t\n ", {}},
        {"node child.js", {"node", "child.js"}},
        {"  node\t child.js\n", {"node", "child.js"}},
        // single quotes: nothing is special
        {"node 'a b.js'", {"node", "a b.js"}},
        {R"('\' '"' '$HOME')", {"\\", "\"", "$HOME"}},
        {R"('it'\''s')", {"it's"}},
        {"''", {""}},
        {"node ''", {"node", ""}},
        {"a''b", {"ab"}},
        {"'line\nbreak'", {"line\nbreak"}},
        // double quotes: a backslash is special before four characters and a newline
        {R"(node "a b.js")", {"node", "a b.js"}},
        {R"("\"" "\\" "\$" "\`")", {"\"", "\\", "$", "`"}},
        {R"("\a" "\'" "\ ")", {"\\a", "\\'", "\\ "}},
        {R"("'")", {"'"}},
        {"\"\"", {""}},
        {"\"a\\\nb\"", {"ab"}},
        // a backslash outside
        {R"(a\ b)", {"a b"}},
        {R"(\' \" \\)", {"'", "\"", "\\"}},
        {R"(\n)", {"n"}},
        {"a\\\nb", {"ab"}},
        {"a \\\n b", {"a", "b"}},
        {"\\\n", {}},
        // quotes in the midst of a word, and next to each other
        {R"(--eval='a b'"c d"e\ f)", {"--eval=a bc de f"}},
        // what only a shell would act on
        {"a|b & c; $d *.js ~ # > <(", {"a|b", "&", "c;", "$d", "*.js", "~", "#", ">", "<("}},
        {"子进程 '工 人'", {"子进程", "工 人"}},
    };
    for (const auto& [command, expected] : cases)
        EXPECT_EQ(app::split_words(command), expected) << command;
}

TEST(Words, WhatIsNotClosedIsAMistake)
{
    for (const std::string command :
         {"'", "\"", "a 'b", "a \"b", R"("\")", "'a'\"'\"'", "a\\", "\\", "\"a\\"})
        EXPECT_THROW(app::split_words(command), std::invalid_argument) << command;
}

} // namespace

// The options in a program's help, in lines that fit.

#include "app/help.hpp"

#include <gtest/gtest.h>

using app::help_options;

TEST(Help, ChoicesThatAreTooWideGoOnBehindAComma)
{
    const std::string flags = "--policy P:{round_robin,least_busy,shared}=round_robin";
    EXPECT_EQ(help_options({{flags, "which child"}}, 40), "  --policy P:{round_robin,least_busy,\n"
                                                          "        shared}=round_robin\n"
                                                          "        which child\n");
    EXPECT_EQ(help_options({{flags, "which child"}}, 80),
              "  " + flags + "\n                                which child\n");
}

TEST(Help, WhatCannotBeBrokenIsLeftWhole)
{
    EXPECT_EQ(help_options({{"--a-long-flag", "of"}}, 10), "  --a-long-flag\n        of\n");
}

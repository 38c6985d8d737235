// The exception the document met: what can be sent to a child, and what cannot.
#include "support/programs.hpp"

#include <gtest/gtest.h>

using namespace support;
using std::string;

namespace {

TEST(InvalidHandle, E1_SendsConnectionsAndServersAndNothingElse)
{
    const auto result = run({demo("invalid_handle")});
    EXPECT_EQ(result.status, exited(0));
    EXPECT_EQ(result.err, "");
    const auto said = lines(result.out);
    ASSERT_EQ(said.size(), 6u) << result.out;

    const string refused = "ERR_INVALID_HANDLE_TYPE: This handle type cannot be sent";
    struct {
        string what, outcome, detail;
    } const expected[] = {
        {"connection", "sent", "net.Socket"}, {"listening server", "sent", "net.Server"},
        {"HTTP server", refused, "send "},    {"epoll", refused, "send "},
        {"regular file", refused, "send "},   {"UDP", refused, "send "}};
    for (std::size_t i = 0; i < 6; ++i) {
        const auto& [what, outcome, detail] = expected[i];
        EXPECT_NE(said[i].find(what), string::npos) << said[i];
        const auto at = said[i].find(outcome);
        ASSERT_NE(at, string::npos) << said[i];
        EXPECT_NE(said[i].find(detail, at + outcome.size()), string::npos) << said[i];
    }
}

TEST(InvalidHandle, IsRepeatable)
{
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(lines(run({demo("invalid_handle")}).out).size(), 6u);
}

TEST(InvalidHandle, TraceShowsThatNothingRefusedIsWritten)
{
    const auto result = run({demo("invalid_handle"), "--trace"});
    EXPECT_EQ(result.status, exited(0));
    std::size_t handles = 0;
    for (const auto& line : lines(result.err))
        handles +=
            line.find("->") != string::npos && line.find(R"("cmd":"NODE_HANDLE",)") != string::npos;
    EXPECT_EQ(handles, 2u) << result.err;
}

TEST(InvalidHandle, HasHelpVersionAndUsageErrors)
{
    const auto help = run({demo("invalid_handle"), "--help"});
    EXPECT_EQ(help.status, exited(0));
    EXPECT_EQ(help.out.find("build/demos/invalid_handle\n  build/demos/invalid_handle"), 0u)
        << help.out;
    EXPECT_EQ(run({demo("invalid_handle"), "--version"}).out.find("invalid_handle 0."), 0u);
    const auto mistake = run({demo("invalid_handle"), "--no-such-flag"});
    EXPECT_EQ(mistake.status, exited(2));
    EXPECT_EQ(mistake.out, "");
    EXPECT_EQ(mistake.err.find("invalid_handle: "), 0u) << mistake.err;
}

} // namespace

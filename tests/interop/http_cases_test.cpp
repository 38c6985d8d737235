// What our table of raw requests says about Node, asked of Node itself.
#include "unit/http_cases.hpp"

#include "support/process.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace {

TEST(HttpCases, NodeAnswersOtherwiseWhereTheTableSaysSo)
{
    support::process server({support::node(), support::fixture("interop/http_server.js")});
    std::istringstream line(server.out_line("Node "));
    std::string word, version;
    std::uint16_t port = 0;
    line >> word >> version >> port;
    if (!version.starts_with("20."))
        GTEST_SKIP() << "said of Node 20; this is " << version;

    for (const auto& difference : http_cases::node_differences) {
        SCOPED_TRACE(difference.name);
        const auto& all = http_cases::all;
        const auto one = std::find_if(all.begin(), all.end(),
                                      [&](const auto& it) { return it.name == difference.name; });
        ASSERT_NE(one, all.end());
        auto client = support::connect(port);
        client.send(one->bytes + http_cases::follow_up);
        client.end_sending();
        const auto text = client.read_to_end();
        std::vector<unsigned> answers;
        const std::string begin = "HTTP/1.1 ";
        for (auto at = text.find(begin); at != text.npos; at = text.find(begin, at + 1))
            if (const auto status = std::stoul(text.substr(at + begin.size(), 3)); status >= 200)
                answers.push_back(static_cast<unsigned>(status));
        EXPECT_EQ(answers, difference.answers) << text;

        auto ours = one->answers;
        if (one->then == http_cases::stays)
            ours.push_back(200);
        EXPECT_NE(ours, difference.answers) << "no difference";
    }
}

} // namespace

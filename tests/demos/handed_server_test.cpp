// What the two demos have in common that give their listening server away: main has no part in what
// follows.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

using namespace support;
using std::string;
using std::vector;

namespace {

/// Parameters: the demo's name, and whether its main replaces workers and so keeps a copy.
class HandedServer : public testing::TestWithParam<std::tuple<string, bool>> {
protected:
    const string& name() const { return std::get<0>(GetParam()); }
    vector<string> arguments() const
    {
        vector<string> result{"--delay", "0", "--quiet"};
        if (std::get<1>(GetParam()))
            result.push_back("--respawn");
        return result;
    }
    static void expect_worker(const running_demo& main, pid_t pid)
    {
        EXPECT_TRUE(std::count(main.workers.begin(), main.workers.end(), pid)) << pid;
    }
};
INSTANTIATE_TEST_SUITE_P(, HandedServer,
                         testing::Combine(testing::Values("server_handoff", "http_cluster"),
                                          testing::Bool()),
                         [](const auto& test) {
                             return std::get<0>(test.param) +
                                    (std::get<1>(test.param) ? "_respawn" : "");
                         });

TEST_P(HandedServer, B6_AHundredConnectionsDoNotWakeMain)
{
    running_demo main(name(), arguments());
    main.wait_until_at_rest();
    ASSERT_TRUE(eventually([&] { return sleeps(main.pid()); }));
    const auto times_asleep = [&] { return status_field(main.pid(), "voluntary_ctxt_switches"); };
    const auto before = times_asleep();
    for (int i = 0; i < 100; ++i)
        expect_worker(main, who_answered(open_client(name(), main.port).read_to_end()));
    EXPECT_EQ(times_asleep(), before);
    EXPECT_EQ(epoll_ghosts(main.pid()), 0u);
    EXPECT_EQ(main.stop(), exited(0));
}

TEST_P(HandedServer, C8_AThousandClientsStraightAfterTheReadyLineAreAllAnsweredByWorkers)
{
    running_demo main(name(), arguments());
    for (int i = 0; i < 20; ++i) {
        vector<connection> fifty;
        for (int k = 0; k < 50; ++k)
            fifty.push_back(open_client(name(), main.port));
        for (auto& client : fifty)
            expect_worker(main, who_answered(client.read_to_end()));
    }
    EXPECT_EQ(main.stop(), exited(0));
}

} // namespace

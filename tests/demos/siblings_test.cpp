// A worker that is stopped or killed between its wake-up and its accept delays nobody: its siblings
// were woken, too. All on one processor, where those moments are far apart.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <sched.h>
#include <tuple>
#include <vector>

using namespace support;
using std::string;

namespace {

class SiblingsOfAStoppedWorker : public testing::TestWithParam<std::tuple<string, string>> {
protected:
    SiblingsOfAStoppedWorker()
    {
        ::sched_getaffinity(0, sizeof before, &before);
        cpu_set_t one;
        CPU_ZERO(&one);
        for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
            if (CPU_ISSET(cpu, &before))
                CPU_SET(cpu, &one);
        ::sched_setaffinity(0, sizeof one, &one); // the programs that we start inherit it
    }
    ~SiblingsOfAStoppedWorker() override { ::sched_setaffinity(0, sizeof before, &before); }

    static running_demo started()
    {
        const auto& [name, way] = GetParam();
        return running_demo(name, {"--delay", "0", "--accept", way});
    }

    /// Nobody waits in the kernel's queue.
    static bool all_are_accepted(const running_demo& main)
    {
        return eventually([&] { return unaccepted_connections(main.port) == 0; });
    }

    cpu_set_t before;
};

TEST_P(SiblingsOfAStoppedWorker, AcceptWhatItWasWokenFor)
{
    const auto main = started();
    for (std::size_t round = 0; round < 40; ++round) {
        main.wait_until_at_rest();
        const auto running = main.workers[round % main.workers.size()];
        const auto client = connect(main.port); // its request does not come: only accepting counts
        for (const auto worker : main.workers)
            if (worker != running)
                ::kill(worker, SIGSTOP);
        EXPECT_TRUE(all_are_accepted(main)) << "round " << round;
        for (const auto worker : main.workers)
            ::kill(worker, SIGCONT);
    }
}

TEST_P(SiblingsOfAStoppedWorker, AcceptWhatItDiedOver)
{
    for (int start = 0; start < 5; ++start) {
        const auto main = started();
        for (std::size_t i = 0; i + 1 < main.workers.size(); ++i) {
            const auto client = connect(main.port);
            ::kill(main.workers[i], SIGKILL);
            EXPECT_TRUE(all_are_accepted(main)) << "worker " << i;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(EveryWay, SiblingsOfAStoppedWorker,
                         testing::Combine(testing::Values("server_handoff", "http_cluster"),
                                          testing::Values("step_back", "race")),
                         [](const auto& each) {
                             return std::get<0>(each.param) + "_" + std::get<1>(each.param);
                         });

} // namespace

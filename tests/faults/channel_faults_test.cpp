// A worker that says what it should not, to each of the three mains, in the middle of the service:
// it may cost that worker, and nothing else.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <set>

using namespace support;
using std::string;

namespace {

class ChannelFaults : public testing::TestWithParam<string> {
protected:
    static const string& name() { return GetParam(); }

    /// Worker 0 is to fail in this way, worker 1 is ours.
    class scene : public running_demo {
    public:
        explicit scene(const string& how)
            : running_demo(name(), {"--quiet", "--workers", "2", "--child",
                                    quoted(test_program("faulty_child")) + " later " + how,
                                    "--child", quoted(demo(name() + "_child")) + " --delay 0"})
        {
            EXPECT_TRUE(eventually([&] {
                return is_at_rest(workers[1]) &&
                       std::stoul(status_field(workers[0], "SigCgt"), nullptr, 16) &
                           1ul << (SIGUSR1 - 1);
            }));
            for (int i = 0; i < 50; ++i)
                ask(); // what main allocates once and for all
            wait_until_no_connection_is_held();
            before_ = descriptors(pid()).size();
            resident_before_ = resident();
        }

        void let_it_fail() const { ::kill(workers[0], SIGUSR1); }

        /// Whoever can answer has answered, and nobody else.
        void expect_service_of(const std::set<pid_t>& who) const
        {
            std::set<pid_t> answers;
            for (int i = 0; i < 8; ++i)
                answers.insert(ask());
            EXPECT_EQ(answers, who);
        }

        /// The faulty one is still there, and main holds what it held.
        void expect_it_cost_nothing()
        {
            EXPECT_TRUE(runs(workers[0]));
            expect_service_of(name() == "socket_fanout" ? std::set{workers[0], workers[1]}
                                                        : std::set{workers[1]});
            EXPECT_TRUE(eventually([&] { return descriptors(pid()).size() == before_; }));
            settle();
        }

        /// The faulty one is gone, and with it a channel and a pidfd.
        void expect_it_cost_the_worker()
        {
            EXPECT_TRUE(eventually([&] { return !runs(workers[0]) && !is_zombie(workers[0]); }));
            expect_service_of({workers[1]});
            EXPECT_TRUE(eventually([&] { return descriptors(pid()).size() == before_ - 2; }));
            settle();
        }

    private:
        pid_t ask() const { return who_answered(open_client(name(), port).read_to_end()); }
        std::size_t resident() const { return std::stoul(status_field(pid(), "VmRSS")); } // kB

        void settle()
        {
            if (patient(milliseconds(1)) == milliseconds(1)) { // sanitizers keep what is freed
                EXPECT_TRUE(eventually([&] { return resident() < resident_before_ + 8 * 1024; }))
                    << resident() << " kB, and " << resident_before_ << " before";
            }
            EXPECT_EQ(stop_and_settle_accounts(), exited(0));
        }

        std::size_t before_ = 0;
        std::size_t resident_before_ = 0;
    };
};
INSTANTIATE_TEST_SUITE_P(, ChannelFaults,
                         testing::Values("server_handoff", "socket_fanout", "http_cluster"),
                         [](const auto& test) { return test.param; });

TEST_P(ChannelFaults, A6_A15_DescriptorsThatBelongToNoMessageAreClosed)
{
    scene main("strays");
    main.let_it_fail();
    main.err_line("3 descriptor(s) that belong to no message");
    main.expect_it_cost_nothing();
}

TEST_P(ChannelFaults, A15_AHandleThatDidNotComeIsRefused)
{
    scene main("no_descriptor");
    main.let_it_fail();
    main.err_line("faulty: 2 refused");
    main.expect_it_cost_nothing();
}

TEST_P(ChannelFaults, A16_WhatIsNotWhatItIsSaidToBeIsRefused)
{
    scene main("wrong_kind");
    main.let_it_fail();
    main.err_line("faulty: 5 refused");
    main.err_line("and nobody here takes any: refused");
    main.expect_it_cost_nothing();
}

TEST_P(ChannelFaults, A13_AnEndlessLineIsForgottenWithItsWorker)
{
    scene main("endless");
    main.let_it_fail();
    main.err_line("worker " + std::to_string(main.workers[0]) + " broke the channel's protocol");
    main.expect_it_cost_the_worker();
}

} // namespace

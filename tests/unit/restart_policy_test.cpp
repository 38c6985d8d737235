// Which lives of a worker count as failures, how long the pauses are, and when it is enough:
// without a process and without waiting.
#include "workers/restart_policy.hpp"

#include <algorithm>
#include <climits>
#include <csignal>
#include <gtest/gtest.h>
#include <set>
#include <vector>

namespace {

using std::chrono::milliseconds;
using workers::life;
using workers::restart_options;
using workers::restart_policy;

constexpr milliseconds brief{10};
constexpr milliseconds long_enough{1000}; // min_uptime, by default

life exit_of(int code, milliseconds uptime, bool served)
{
    return {.uptime = uptime, .served = served, .exit_code = code};
}

life death_by(int signal, milliseconds uptime, bool served)
{
    return {.uptime = uptime, .served = served, .signal = signal};
}

bool is_failure(const life& ended)
{
    return workers::is_failure(ended, {});
}

TEST(RestartPolicy, D8_ABriefLifeThatNeverServedIsAFailureHoweverItEnded)
{
    EXPECT_TRUE(is_failure(exit_of(0, brief, false)));
    EXPECT_TRUE(is_failure(exit_of(1, brief, false)));
    for (const int signal : {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGSEGV, SIGUSR1})
        EXPECT_TRUE(is_failure(death_by(signal, brief, false))) << signal;
}

TEST(RestartPolicy, D8_WhoHasServedMayRetireOrBeKilledFromOutside)
{
    EXPECT_FALSE(is_failure(exit_of(0, brief, true)));
    for (const int signal : {SIGKILL, SIGTERM, SIGINT, SIGHUP})
        EXPECT_FALSE(is_failure(death_by(signal, brief, true))) << signal;
}

TEST(RestartPolicy, D8_WhoHasServedAndFailsByItselfIsAFailure)
{
    for (const int code : {1, 127, 255, -1}) // -1: nobody knows how it ended
        EXPECT_TRUE(is_failure(exit_of(code, brief, true))) << code;
    for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGPIPE,
                             SIGALRM, SIGQUIT, SIGXCPU, SIGUSR1})
        EXPECT_TRUE(is_failure(death_by(signal, brief, true))) << signal;
    EXPECT_TRUE(is_failure({.uptime = brief, .served = true, .faulty = true, .signal = SIGKILL}));
}

TEST(RestartPolicy, D8_NoLifeOfMinUptimeIsAFailure)
{
    EXPECT_TRUE(is_failure(exit_of(1, long_enough - milliseconds(1), false)));
    EXPECT_FALSE(is_failure(exit_of(1, long_enough, false)));
    EXPECT_FALSE(is_failure(death_by(SIGSEGV, long_enough, false)));
    EXPECT_FALSE(is_failure({.uptime = long_enough, .faulty = true, .signal = SIGKILL}));
    const restart_options strict{.min_uptime = milliseconds(5000)};
    EXPECT_TRUE(workers::is_failure(exit_of(1, milliseconds(4999), true), strict));
}

TEST(RestartPolicy, D8_ThePausesDoubleUpToTheLimitAndThenThePlaceIsGivenUp)
{
    restart_policy policy;
    std::vector<milliseconds> pauses;
    while (const auto pause = policy.after(exit_of(1, brief, false)))
        pauses.push_back(*pause);
    EXPECT_EQ(policy.failures(), 8);
    const std::vector<long> least{100, 200, 400, 800, 1600, 3200, 5000};
    ASSERT_EQ(pauses.size(), least.size());
    for (std::size_t i = 0; i < least.size(); ++i) {
        EXPECT_GE(pauses[i].count(), least[i]);
        EXPECT_LE(pauses[i].count(), std::min(least[i] * 11 / 10, 5000L));
    }
}

TEST(RestartPolicy, D8_AFailedStartIsAFailure)
{
    restart_policy policy({.max_failures = 3});
    EXPECT_TRUE(policy.after_failed_start());
    EXPECT_TRUE(policy.after(exit_of(1, brief, false)));
    EXPECT_EQ(policy.after_failed_start(), std::nullopt);
}

TEST(RestartPolicy, D8_ALifeThatIsNoFailureEndsTheRow)
{
    for (const auto& good : {exit_of(0, brief, true), death_by(SIGKILL, brief, true),
                             exit_of(1, long_enough, false)}) {
        restart_policy policy({.max_failures = 3});
        EXPECT_TRUE(policy.after(exit_of(1, brief, false)));
        EXPECT_TRUE(policy.after(exit_of(1, brief, false)));
        const auto pause = policy.after(good);
        ASSERT_TRUE(pause);
        EXPECT_LE(*pause, milliseconds(110));
        EXPECT_EQ(policy.failures(), 0);
        EXPECT_TRUE(policy.after(exit_of(1, brief, false)));
        EXPECT_TRUE(policy.after(exit_of(1, brief, false)));
        EXPECT_FALSE(policy.after(exit_of(1, brief, false)));
    }
}

TEST(RestartPolicy, D8_AHundredThousandThatServedAndWereKilledAreReplacedAtOnce)
{
    restart_policy policy;
    for (int i = 0; i < 100'000; ++i) {
        const auto pause = policy.after(death_by(SIGKILL, brief, true));
        ASSERT_TRUE(pause);
        ASSERT_LE(*pause, milliseconds(110));
    }
}

TEST(RestartPolicy, PlacesThatFailedTogetherDoNotStartTogether)
{
    std::set<milliseconds> pauses;
    for (unsigned place = 0; place < 16; ++place) {
        restart_policy policy({.min_delay = milliseconds(1000)}, place);
        pauses.insert(*policy.after(exit_of(1, brief, false)));
    }
    EXPECT_GT(pauses.size(), 1u);
}

TEST(RestartPolicy, ItsOptionsMayBeExtreme)
{
    restart_policy never({.max_failures = 0});
    EXPECT_FALSE(never.after(exit_of(0, brief, true)));

    restart_policy at_once({.max_failures = 4, .min_delay = milliseconds(0)});
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(at_once.after(exit_of(1, brief, false)), milliseconds(0));

    restart_policy limited({.min_delay = milliseconds(500), .max_delay = milliseconds(20)});
    EXPECT_EQ(limited.after(exit_of(1, brief, false)), milliseconds(20));

    restart_policy patient({.max_failures = INT_MAX});
    for (int i = 0; i < 1000; ++i)
        ASSERT_LE(*patient.after(exit_of(1, brief, false)), milliseconds(5000));
}

} // namespace

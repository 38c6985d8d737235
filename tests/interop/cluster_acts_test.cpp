// What a worker of a cluster can do, and what its primary is told of it: the same, whether the
// worker is Node's or ours, and the primary Node's or ours.
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <unistd.h>

using namespace support;
using std::string;
using std::vector;

namespace {

struct act {
    string name;           ///< what acting_worker does
    vector<string> events; ///< in any order: of the last two either may be the first
    int workers = 1;       ///< who all do it
    vector<string> policies{"rr", "none"};

    /// Without the primary's knowledge.
    bool ends_by_itself() const
    {
        return std::any_of(events.begin(), events.end(),
                           [](const string& event) { return event.ends_with("not meant"); });
    }
};

std::ostream& operator<<(std::ostream& out, const act& given)
{
    return out << given.name;
}

const string stop = "message \"stop\"";
const string here = "listening on 127.0.0.1 that port";
const string there = "listening on PATH -1";
const string left = "exit 0 meant";

// Behaviours of which Node's own test/parallel/test-cluster-*.js tell, those that its user relies
// on.
const vector<act> acts{
    {"stays", {here, stop, left}},
    {"idles", {stop, left}},
    {"leaves", {here, left}},
    {"exits", {here, "exit 3 not meant"}},
    {"dies", {here, "exit SIGKILL not meant"}},
    {"hangs_up", {here, "exit 0 not meant"}},
    {"talks", {R"(message {"question":"你好 €"})", R"(message "an answer")", stop, left}},
    {"serves", {here, R"(message "served")", stop, left}},
    {"finds_it_taken", {R"(message "EADDRINUSE")", stop, left}},
    {"has_two",
     {"listening on 127.0.0.1 a port", "listening on 127.0.0.1 another port", stop, left}},
    {"has_any_port", {"listening on 127.0.0.1 a port", stop, left}, 2},
    {"listens_again", {here, here, stop, left}},
    {"listens_again_beside_another", {here, here, stop, left}, 2},
    {"has_a_path", {there, stop, left}},
    {"has_a_relative_path", {there, stop, left}},
    {.name = "has_a_path_for_all",
     .events = {there, R"(message {"for_all":true})", stop, left},
     .policies = {"rr"}}, // Node's primary forgets it when it shares the socket
    {"serves_on_a_path", {there, R"(message "served")", stop, left}},
    {"has_ipv6_only", {"listening on :: that port", here, stop, left}},
    {"finds_no_such_address", {R"(message "EADDRNOTAVAIL")", stop, left}},
    {"knows_itself", {R"(message {"id":1,"environment":false})", stop, left}},
    {"exits_at_once", {"exit 42 not meant"}},
    {"throws", {here, "exit 1 not meant"}},
    {"kills_itself", {here, left}},
    {"is_terminated", {here, R"(message "terminate")", "exit SIGTERM not meant"}},
    {"leaves_with_a_code", {here, "exit 5 meant"}},
    {"lets_its_client_finish", {here, stop, R"(message "served before it leaves")", left}},
    {"gives_its_sockets_away",
     {here, R"(message "a socket")", R"(message "a socket")", R"(message "served by the primary")",
      R"(message "served by the primary")", stop, left}},
};

// With Node 22's primary this is an assertion that fails, or a wait without end.
const vector<act> acts_of_our_primary{
    {"finds_its_own_port_taken", {here, R"(message "EADDRINUSE")", stop, left}},
};

const vector<act> acts_of_ours{
    // Node's worker closes its channel twice (ERR_IPC_DISCONNECTED), its primary dies of EPIPE.
    {"leaves_as_it_is_told", {here, stop, left}},
};

/// Who the primary is, who the worker, what it does.
using cast = std::tuple<bool, bool, act>;
class ClusterActs : public testing::TestWithParam<cast> {};

string name_of(const testing::TestParamInfo<cast>& test)
{
    const auto& [node_primary, node_worker, what] = test.param;
    return what.name + (node_worker ? "_NodesWorker" : "_OurWorker") +
           (node_primary ? "_NodesPrimary" : "_OurPrimary");
}

INSTANTIATE_TEST_SUITE_P(, ClusterActs,
                         testing::Combine(testing::Bool(), testing::Bool(),
                                          testing::ValuesIn(acts)),
                         name_of);

INSTANTIATE_TEST_SUITE_P(OfOurPrimary, ClusterActs,
                         testing::Combine(testing::Values(false), testing::Bool(),
                                          testing::ValuesIn(acts_of_our_primary)),
                         name_of);

INSTANTIATE_TEST_SUITE_P(OfOurs, ClusterActs,
                         testing::Combine(testing::Values(false), testing::Values(false),
                                          testing::ValuesIn(acts_of_ours)),
                         name_of);

TEST_P(ClusterActs, AreToldTheSameWayWhoeverPlays)
{
    const auto& [node_primary, node_worker, what] = GetParam();
    if (what.name == "has_ipv6_only" && !has_ipv6())
        GTEST_SKIP() << "no IPv6 here";
    const auto scripts = fixture("interop/node/cluster/");
    const auto path = testing::TempDir() + "cluster_acts." + std::to_string(::getpid());
    for (const auto& policy : what.policies) {
        // Its workers tell of a close first and close then: its primary may find the port taken.
        if (node_primary && node_worker && policy == "none" &&
            what.name == "listens_again_beside_another")
            continue;
        vector<string> command{test_program("acting_primary")};
        if (node_primary)
            command = {node(), scripts + "acting_primary.js"};
        command.push_back(what.name);
        if (node_worker && !node_primary)
            command.push_back(node());
        command.push_back(node_worker ? scripts + "acting_worker.js"
                                      : test_program("acting_worker"));
        std::optional<listener> other;
        if (what.name == "finds_it_taken")
            other.emplace();
        const auto port = other ? other->port() : unused_port();
        const auto result = run(
            command, {.environment = {"SERVER_PORT=" + std::to_string(port), "SERVER_PATH=" + path,
                                      "NODE_CLUSTER_SCHED_POLICY=" + policy,
                                      "WORKERS=" + std::to_string(what.workers)}});
        EXPECT_EQ(result.status, exited(0)) << result.err;

        auto said = lines(result.out);
        for (auto& line : said)
            if (const auto at = line.find(path); at != string::npos)
                line.replace(at, path.size(), "PATH");
        vector<string> expected{"all have gone"};
        for (int i = 0; i < what.workers; ++i) {
            expected.insert(expected.end(), what.events.begin(), what.events.end());
            expected.insert(expected.end(), {"online", "disconnect"});
        }
        // A Node 24 primary that hears of a worker's exit first may look at the channel no more.
        if (node_primary && what.ends_by_itself())
            for (auto* all : {&said, &expected}) {
                std::erase(*all, "disconnect");
                std::erase(*all, "all have gone");
            }
        std::sort(said.begin(), said.end());
        std::sort(expected.begin(), expected.end());
        EXPECT_EQ(said, expected) << policy << "\n" << result.out << result.err;
    }
}

} // namespace

// The primary of a cluster against workers made of a line of shell, which say by hand what a worker
// says.
#pragma once

#include "cluster/primary.hpp"

#include "pool_fixture.hpp"
#include "support/tcp.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <vector>

namespace cluster_test {

using namespace pool_test;
using asio::awaitable;
using std::string;

/// A line of shell that says `fields` to its primary.
inline string say(const string& fields)
{
    return R"(echo '{"cmd":"NODE_CLUSTER",)" + fields + R"(,"seq":0}' >&3; )";
}

inline const string online = say(R"("act":"online")");
inline const string says_listening =
    say(R"("act":"listening","index":0,"address":"127.0.0.1","port":1,"addressType":4)");
inline const string listens = online + says_listening;
inline const string hear = "read -r line <&3; ";

/// Of an answer to a query that it has just heard; see has_got().
inline const string tell_errno =
    R"(line=${line#*\"errno\":}; echo "\"got errno:${line%%,*}\"" >&3; )";

/// "text 3" for the user's handler, from the worker with the id 3.
inline string tell(const string& text)
{
    return "echo '\"" + text + " '$NODE_UNIQUE_ID'\"' >&3; ";
}

inline string query(const string& fields)
{
    return say(R"("act":"queryServer","index":0,)" + fields);
}

/// Asks for this port of 127.0.0.1, and has it.
inline string listens_on(int port)
{
    return online +
           query(R"("address":"127.0.0.1","port":)" + std::to_string(port) +
                 R"(,"addressType":4)") +
           hear + says_listening;
}

inline string close_server(int port)
{
    return say(R"("act":"close","key":"127.0.0.1:)" + std::to_string(port) + R"(:4:undefined:0")");
}

/// Of the connection that it has heard of last.
inline const string acknowledge_it = R"(echo '{"cmd":"NODE_HANDLE_ACK"}' >&3; )";
inline const string accept_it =
    R"(seq=${line##*\"seq\":}; seq=${seq%%[!0-9]*}; )"
    R"(echo '{"cmd":"NODE_CLUSTER","ack":'$seq',"accepted":true,"seq":9}' >&3; )";

/// Takes every connection, until it is told to leave.
inline const string serve = "while read -r line <&3; do case $line in *newconn*) " +
                            acknowledge_it + accept_it + tell("took") +
                            ";; *disconnect*) exit 0;; esac; done; exit 0";

class ClusterPrimary : public PoolTest {
protected:
    using change = std::function<void(workers::options&)>;

    ClusterPrimary() { make(cluster::scheduling::round_robin); }

    void make(cluster::scheduling how, const change& its_options = {})
    {
        auto options = options_for({});
        if (its_options)
            its_options(options);
        primary.emplace(context.get_executor(), options, how);
        primary->on_online([this](const auto& who) { happens("online", who); });
        primary->on_listening([this](const auto& who, const auto& where) {
            happens("listening on " + where.address + ":" + std::to_string(where.port), who);
        });
        primary->on_message([this](const auto& who, const auto& said_to_user) {
            happens(said_to_user.body.dump(), who);
        });
        primary->on_disconnect([this](const auto& who) { happens("disconnect", who); });
        primary->on_exit([this](const auto& who, const auto& status) {
            happens(ipc::to_string(status) + (who.exited_after_disconnect ? ", meant" : ""), who);
        });
        primary->on_refused([this](const auto& who, const auto&, auto error) {
            happens("refused " + error.message(), who);
            return true;
        });
    }

    void happens(const string& what, const cluster::worker_info& who)
    {
        events.push_back(std::to_string(who.id) + ": " + what);
        if (on_event)
            on_event(who, what);
    }

    bool has_happened(const string& what) const
    {
        return std::count(events.begin(), events.end(), what) != 0;
    }

    bool has_got(int id, const string& error) const
    {
        return has_happened(std::to_string(id) + ": \"got errno:" + error + "\"");
    }

    bool all_listen(int ids) const
    {
        for (int id = 1; id <= ids; ++id)
            if (!has_happened(std::to_string(id) + ": listening on 127.0.0.1:1"))
                return false;
        return true;
    }

    /// Meanwhile this process reads nothing, as if it were stopped itself.
    static void wait_until_stopped(pid_t pid)
    {
        siginfo_t info{};
        ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOWAIT), 0);
    }

    /// Once all listen; how many have been replaced.
    std::optional<std::size_t> reload()
    {
        std::optional<std::size_t> replaced;
        const auto when_all_listen = [&]() -> awaitable<void> {
            (void)co_await primary->listening();
            replaced = co_await primary->reload(support::a_while);
        };
        EXPECT_EQ(complete(when_all_listen()), "");
        return replaced;
    }

    string what_happened() const
    {
        string result = said;
        for (const auto& one : events)
            result += one + "\n";
        return result;
    }

    std::optional<cluster::primary> primary;
    std::vector<string> events;
    std::function<void(const cluster::worker_info&, const string&)> on_event;
};

} // namespace cluster_test

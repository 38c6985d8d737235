// The page's server: what a page gets, what it may ask for, and what is left when it ends.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <unistd.h>
#include <utility>

using namespace support;
using std::string;
using std::vector;

namespace {

class running_live : public process {
public:
    explicit running_live(vector<string> arguments = {}, start_options options = {})
        : process(command(std::move(arguments)), std::move(options))
    {
        const auto line = err_line("the page is at http://127.0.0.1:");
        const string before = "//127.0.0.1:";
        port =
            static_cast<std::uint16_t>(std::stoul(line.substr(line.find(before) + before.size())));
    }

    string host() const { return "127.0.0.1:" + std::to_string(port); }

    /// The whole answer to a request with these fields besides.
    string ask(const string& start, const string& fields, const string& body = "") const
    {
        auto page = connect(port);
        page.send(start + " HTTP/1.1\r\nConnection: close\r\n" + fields +
                  (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") +
                  "\r\n" + body);
        return page.read_to_end();
    }
    string get(const string& target) const
    {
        return ask("GET " + target, "Host: " + host() + "\r\n");
    }

    /// The status of the answer to an order of the page's.
    string order(const string& json) const
    {
        return ask("POST /control",
                   "Host: " + host() + "\r\nOrigin: http://" + host() +
                       "\r\nContent-Type: application/json\r\n",
                   json)
            .substr(9, 3);
    }

    /// The same, again and again as long as it is only too early for it.
    void insist(const string& json) const
    {
        string status;
        ASSERT_TRUE(eventually([&] {
            status = order(json);
            return status != "409" && status != "429";
        }));
        EXPECT_EQ(status, "204") << json;
    }

    exit_status stop()
    {
        signal(SIGINT);
        const auto status = wait_exit();
        wait_output_closed();
        return status;
    }

    std::uint16_t port = 0;

private:
    static vector<string> command(vector<string> arguments)
    {
        vector<string> all{demo("live"), "--port", "0"};
        all.insert(all.end(), arguments.begin(), arguments.end());
        return all;
    }
};

/// What the program under test reads as its standard input: of somebody else's making.
class input_of_a_pipe {
public:
    input_of_a_pipe() { EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0); }
    ~input_of_a_pipe()
    {
        is_passed();
        end();
    }
    input_of_a_pipe(const input_of_a_pipe&) = delete;
    input_of_a_pipe& operator=(const input_of_a_pipe&) = delete;

    /// To start it with.
    start_options options() const
    {
        start_options result;
        result.before_exec = [end = ends_[0]] { ::dup2(end, STDIN_FILENO); };
        return result;
    }
    void is_passed() { close(ends_[0]); } ///< it has been started

    void write(const string& text)
    {
        ASSERT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    void end() { close(ends_[1]); }

private:
    static void close(int& end)
    {
        if (end >= 0)
            ::close(std::exchange(end, -1));
    }
    int ends_[2] = {-1, -1};
};

/// A page that reads all that happens.
class page {
public:
    explicit page(const running_live& live, const string& last_id = "")
        : connection_(connect(live.port))
    {
        connection_.send("GET /events HTTP/1.1\r\nHost: " + live.host() + "\r\n" +
                         (last_id.empty() ? "" : "Last-Event-ID: " + last_id + "\r\n") + "\r\n");
    }

    /// Reads until `part` has come `times` times.
    void read_until(const string& part, std::size_t times = 1)
    {
        while (count(part) < times)
            text += connection_.read_until("\n\n");
    }

    void read_to_end() { text += connection_.read_to_end(); }

    std::size_t count(const string& part) const
    {
        std::size_t found = 0;
        for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1))
            ++found;
        return found;
    }

    /// Of each event of this name: what stands behind "field":
    vector<string> values(const string& event, const string& field) const
    {
        vector<string> result;
        std::istringstream all(text);
        for (string line; std::getline(all, line);) {
            const auto at = line.find("\"" + field + "\":");
            if (line.find("\"ev\":\"" + event + "\"") == line.npos || at == line.npos)
                continue;
            auto value = line.substr(at + field.size() + 3);
            value = value.substr(0, value.find_first_of(",}"));
            value.erase(std::remove(value.begin(), value.end(), '"'), value.end());
            result.push_back(value);
        }
        return result;
    }

    vector<pid_t> workers() const
    {
        vector<pid_t> result;
        for (const auto& pid : values("worker_up", "worker_pid"))
            result.push_back(std::stoi(pid));
        return result;
    }

    string text;

private:
    connection connection_;
};

bool none_runs(const vector<pid_t>& pids)
{
    return std::none_of(pids.begin(), pids.end(), runs);
}

string event(const string& rest, const string& role = "main", int seq = 0)
{
    return R"({"v":1,"seq":)" + std::to_string(seq) + R"(,"t_us":5,"pid":7,"role":")" + role +
           R"(","slot":null,)" + rest + "}\n";
}

const string some_events = event(R"("ev":"start","program":"http_cluster")") +
                           event(R"("ev":"strategy","how":"race","workers":2)", "main", 1) +
                           event(R"("ev":"line","text":"server is start")", "main", 2);

/// A file that goes with the test.
struct temporary_file {
    explicit temporary_file(const string& text = "")
        : path(testing::TempDir() + "live." + std::to_string(::getpid()) + ".jsonl")
    {
        std::ofstream(path) << text;
    }
    ~temporary_file() { std::remove(path.c_str()); }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    string content() const
    {
        std::ostringstream all;
        all << std::ifstream(path).rdbuf();
        return all.str();
    }
    string path;
};

TEST(Live, ThePageIsOneFileAndNobodyMayShowItInAnother)
{
    running_live live;
    const auto answer = live.get("/");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer.substr(0, 500);
    EXPECT_NE(answer.find("\r\nContent-Type: text/html; charset=utf-8\r\n"), string::npos);
    EXPECT_NE(answer.find("\r\nContent-Security-Policy: frame-ancestors 'none'\r\n"), string::npos);
    EXPECT_NE(answer.find("content=\"default-src 'none'; script-src 'sha256-"), string::npos);
    EXPECT_EQ(answer.find("unsafe"), string::npos);
    EXPECT_LT(answer.size(), 150'000u);
    EXPECT_EQ(live.stop(), exited(0));
}

TEST(Live, AnswersNobodyButThePage)
{
    running_live live;
    const string own = "Host: " + live.host() + "\r\n";
    const string json = "Content-Type: application/json\r\n";
    const string origin = "Origin: http://" + live.host() + "\r\n";
    const auto status = [&](const string& start, const string& fields, const string& body = "") {
        return live.ask(start, fields, body).substr(9, 3);
    };
    const string end = R"({"action":"end"})";
    EXPECT_EQ(status("GET /", "Host: evil.example\r\n"), "403");
    EXPECT_EQ(status("GET /events", "Host: evil.example:" + std::to_string(live.port) + "\r\n"),
              "403");
    EXPECT_EQ(status("GET /events", own + "Origin: http://evil.example\r\n"), "403");
    EXPECT_EQ(status("POST /control", own + json, end), "403");
    EXPECT_EQ(status("POST /control", own + json + "Origin: null\r\n", end), "403");
    EXPECT_EQ(status("POST /control", own + json + "Origin: http://localhost:8888\r\n", end),
              "403");
    EXPECT_EQ(status("POST /control", own + origin, end), "400");
    EXPECT_EQ(status("POST /control", own + origin + json, string(100'000, ' ')), "413");
    EXPECT_EQ(status("GET /control", own + origin), "405");
    EXPECT_EQ(status("POST /", own + origin, "x"), "405");
    EXPECT_EQ(status("GET /../../etc/passwd", own), "404");
    EXPECT_EQ(status("POST /control", own + origin + json, end), "409") << "and that is the page";
    EXPECT_EQ(live.stop(), exited(0));
}

TEST(Live, FortyRequestsAreFortyAnswersOfTheWorkersThatThePageHasSeen)
{
    running_live live;
    page seen(live);
    EXPECT_EQ(live.order(R"({"action":"start","demo":"http_cluster","workers":2})"), "204");
    seen.read_until("listening");
    live.insist(R"({"action":"load","count":40,"concurrency":5})");
    seen.read_until(R"("ev":"answer")", 40);
    const auto workers = seen.workers();
    ASSERT_EQ(workers.size(), 2u);
    for (const auto& pid : seen.values("answer", "by"))
        EXPECT_EQ(std::count(workers.begin(), workers.end(), std::stoi(pid)), 1) << pid;
    EXPECT_GT(seen.count("demos/http_cluster --workers 2\"") +
                  seen.count("demos/http_cluster' --workers 2\""),
              0u)
        << "by hand, quoted where the folder's name needs it";

    EXPECT_EQ(live.order(R"({"action":"end"})"), "204");
    seen.read_until("\"running\":false", 2); // the first was before the start
    EXPECT_TRUE(none_runs(workers));
    EXPECT_EQ(seen.values("accept", "conn").size(), 40u);
    EXPECT_EQ(live.order(R"({"action":"load"})"), "409");
    EXPECT_EQ(live.stop(), exited(0));
}

TEST(Live, AnotherExampleTakesThePlaceOfTheFirst)
{
    running_live live;
    page seen(live);
    EXPECT_EQ(live.order(R"({"action":"start","demo":"server_handoff","accept":"race"})"), "204");
    seen.read_until(R"("ev":"worker_up")", 4);
    live.insist(R"({"action":"start","demo":"socket_fanout","mode":"all","workers":3})");
    seen.read_until(R"("ev":"worker_up")", 7);
    auto workers = seen.workers();
    workers.resize(4);
    EXPECT_TRUE(none_runs(workers)) << "never two at a time";

    page late(live);
    late.read_until(R"("ev":"worker_up")", 3);
    EXPECT_EQ(late.values("start", "program"), vector<string>{"socket_fanout"})
        << "what was before is over";
    EXPECT_EQ(live.stop(), exited(0));
}

TEST(LiveFaults, AWorkerIsKilledStoppedAndContinuedByItsSlot)
{
    running_live live;
    page seen(live);
    EXPECT_EQ(live.order(R"({"action":"start","demo":"http_cluster","workers":2,"respawn":true})"),
              "204");
    seen.read_until(R"("ev":"worker_up")", 2);
    const auto workers = seen.workers();
    live.insist(R"({"action":"kill","slot":1})");
    seen.read_until(R"("ev":"worker_up")", 3);
    EXPECT_EQ(seen.values("worker_exit", "worker_pid"), vector<string>{std::to_string(workers[1])});
    EXPECT_EQ(seen.values("worker_exit", "signal"), vector<string>{"SIGKILL"});
    EXPECT_EQ(seen.values("worker_up", "worker").back(), "1");
    EXPECT_TRUE(runs(workers[0]));

    EXPECT_EQ(live.order(R"({"action":"stop","slot":0})"), "204");
    EXPECT_TRUE(eventually([&] { return is_stopped(workers[0]); }));
    EXPECT_EQ(live.order(R"({"action":"continue","slot":0})"), "204");
    EXPECT_TRUE(eventually([&] { return !is_stopped(workers[0]); }));
    EXPECT_EQ(live.order(R"({"action":"kill","slot":2})"), "400");
    EXPECT_EQ(live.stop(), exited(0));
    EXPECT_TRUE(none_runs(seen.workers()));
}

// Each page is told, whenever it comes: none is left with a worker that it cannot continue.
TEST(LiveFaults, WhoIsStoppedIsSaidAndForgottenWithItsEnd)
{
    running_live live;
    page seen(live);
    EXPECT_EQ(live.order(R"({"action":"start","demo":"http_cluster","workers":3,"respawn":true})"),
              "204");
    seen.read_until(R"("ev":"worker_up")", 3);
    const auto workers = seen.workers();
    const auto stop = [&](std::size_t slot) {
        const auto before = seen.count("\"stopped\":[");
        live.insist(R"({"action":"stop","slot":)" + std::to_string(slot) + "}");
        EXPECT_TRUE(eventually([&] { return is_stopped(workers[slot]); }));
        seen.read_until("\"stopped\":[", before + 1);
    };
    const auto last = [&] { // of what has come
        const auto at = seen.text.rfind("\"stopped\":[");
        return seen.text.substr(at, seen.text.find(']', at) + 1 - at);
    };
    stop(2);
    stop(0);
    EXPECT_EQ(last(), "\"stopped\":[0,2]");
    page late(live);
    late.read_until("\"running\":true");
    EXPECT_EQ(late.text.find("\"stopped\":[0,2]"), late.text.find("\"stopped\":["))
        << "before anything else: " << late.text;

    auto told = seen.count("\"stopped\":[");
    live.insist(R"({"action":"continue","slot":0})");
    seen.read_until("\"stopped\":[", ++told);
    EXPECT_EQ(last(), "\"stopped\":[2]");
    live.insist(R"({"action":"kill","slot":2})");
    seen.read_until("\"stopped\":[", ++told);
    EXPECT_EQ(last(), "\"stopped\":[]");

    stop(1);
    told = seen.count("\"stopped\":[");
    ASSERT_EQ(::kill(workers[1], SIGKILL), 0); // not by the page
    seen.read_until("\"stopped\":[", told + 1);
    EXPECT_EQ(last(), "\"stopped\":[]");
    seen.read_until(R"("ev":"worker_up")", 5);
    for (const auto pid : seen.workers())
        EXPECT_FALSE(is_stopped(pid)) << pid;
    EXPECT_EQ(live.stop(), exited(0));
    EXPECT_TRUE(none_runs(seen.workers()));
}

/// Parameter: the signal.
class LiveFaultsBySignal : public testing::TestWithParam<int> {};

TEST_P(LiveFaultsBySignal, LeaveNothingRunning)
{
    running_live live;
    vector<pid_t> all;
    {
        page seen(live);
        EXPECT_EQ(live.order(R"({"action":"start","demo":"http_cluster","delay":10000})"), "204");
        seen.read_until(R"("ev":"worker_up")", 4);
        live.insist(R"({"action":"load","count":8})");
        seen.read_until(R"("ev":"request")", 8);
        all = seen.workers();
    }
    for (const auto child : children(live.pid()))
        all.push_back(child);
    EXPECT_EQ(all.size(), 6u) << "four workers, their main, and the client";
    live.signal(GetParam());
    EXPECT_EQ(live.wait_exit(), GetParam() == SIGKILL ? killed_by(SIGKILL) : exited(0));
    EXPECT_TRUE(eventually([&] { return none_runs(all); }));
}
INSTANTIATE_TEST_SUITE_P(All, LiveFaultsBySignal,
                         testing::Values(SIGINT, SIGTERM, SIGHUP, SIGKILL));

TEST(LiveFaults, AClientThatIsStoppedDoesNotKeepTheServerFromEnding)
{
    running_live live;
    page seen(live);
    EXPECT_EQ(live.order(R"({"action":"start","demo":"http_cluster","delay":10000})"), "204");
    seen.read_until("listening");
    const auto demo = children(live.pid());
    live.insist(R"({"action":"load"})");
    seen.read_until(R"("ev":"connect")");
    const auto client = std::stoi(seen.values("connect", "pid").front());
    ASSERT_EQ(::kill(client, SIGSTOP), 0);
    EXPECT_TRUE(eventually([&] { return is_stopped(client); }));
    EXPECT_EQ(live.stop(), exited(0));
    EXPECT_TRUE(none_runs(demo));
    EXPECT_FALSE(runs(client));
}

TEST(LiveFaults, ADemoThatEndsByItselfIsSaidToHaveFailed)
{
    running_live live;
    page seen(live);
    EXPECT_EQ(live.order(R"({"action":"start","demo":"http_cluster","workers":1})"), "204");
    seen.read_until("listening");
    live.insist(R"({"action":"kill","slot":0})");
    seen.read_until(R"("failed":"http_cluster exited with code 1")");
    EXPECT_EQ(live.order(R"({"action":"start","demo":"http_cluster"})"), "204") << "once more";
    EXPECT_EQ(live.stop(), exited(0));
}

// At once: before it has a handler for the signal that ends it.
TEST(Live, ADemoThatIsEndedWhileItStartsHasNotFailed)
{
    running_live live;
    page seen(live);
    for (std::size_t i = 0; i < 10; ++i) {
        live.insist(R"({"action":"start","demo":"http_cluster"})");
        EXPECT_EQ(live.order(R"({"action":"end"})"), "204");
        seen.read_until(R"("running":false)", i + 2); // the first was before the start
    }
    EXPECT_EQ(seen.count(R"("failed":"")"), seen.count(R"("failed":)")) << seen.text;
    EXPECT_EQ(live.stop(), exited(0));
}

TEST(Live, AStreamResumesWhereItWasCut)
{
    running_live live;
    EXPECT_EQ(live.order(R"({"action":"start","demo":"http_cluster","workers":2})"), "204");
    page first(live);
    first.read_until("listening");
    live.insist(R"({"action":"load","count":5})");
    first.read_until(R"("ev":"answer")", 5);
    EXPECT_EQ(live.order(R"({"action":"end"})"), "204");
    first.read_until("\"running\":false");

    const auto ids = [](const page& of) {
        vector<string> all;
        std::istringstream text(of.text);
        for (string line; std::getline(text, line);)
            if (line.starts_with("id: "))
                all.push_back(line.substr(4));
        return all;
    };
    const auto all = ids(first);
    ASSERT_GT(all.size(), 20u);
    for (std::size_t i = 1; i < all.size(); ++i)
        EXPECT_EQ(std::stoull(all[i]), std::stoull(all[i - 1]) + 1);
    page second(live, all[9]);
    second.read_until("id: " + all.back());
    EXPECT_EQ(ids(second), vector<string>(all.begin() + 10, all.end()));
    EXPECT_EQ(live.stop(), exited(0));
    first.read_to_end();
    EXPECT_TRUE(first.text.ends_with("0\r\n\r\n")) << "in order";
}

TEST(Live, WhatSomebodyElseHasStartedIsShownAndNotTouched)
{
    input_of_a_pipe input;
    running_live live({}, input.options());
    input.is_passed();
    page seen(live);
    const string hostile = "<script>alert(1)</script>\nevent: state\r\n\r\ndata: {}\n";
    const auto all = some_events + hostile +
                     event(R"("ev":"line","text":"</script>\r\n\r\nevent: x")", "main", 3);
    input.write(all);
    seen.read_until("</script>");
    EXPECT_EQ(seen.text.find("alert"), string::npos);
    EXPECT_EQ(seen.text.find("\nevent: x"), string::npos);
    EXPECT_NE(seen.text.find(R"("demo":"http_cluster","mode":"","accept":"race","workers":2)"),
              string::npos);
    EXPECT_NE(seen.text.find(R"("running":true,"source":"stdin")"), string::npos);
    for (const string action : {"start", "load", "end"})
        EXPECT_EQ(live.order(R"({"action":")" + action + "\"}"), "409");
    EXPECT_EQ(live.order(R"({"action":"kill","slot":0})"), "409");
    input.end();
    seen.read_until("\"running\":false");
    live.err_line("a line is left out, it is no event");
    EXPECT_EQ(live.stop(), exited(0));
}

// One that begins does not end the others: whoever opens the page then sees all of them.
TEST(Live, SeveralHostsAreShownTogether)
{
    input_of_a_pipe input;
    running_live live({}, input.options());
    input.is_passed();
    page first(live);
    const auto start = [](const string& program, const string& host) {
        return event(R"("ev":"start","program":")" + program + "\"" + host);
    };
    const auto all = start("before", "") + start("one", R"(,"host":"a")") +
                     start("other", R"(,"host":"b")") + start("again", R"(,"host":"a")");
    input.write(all);
    first.read_until("again");
    page second(live);
    second.read_until("again");
    EXPECT_EQ(second.values("start", "program"),
              (vector<string>{"before", "one", "other", "again"}));
    const auto alone = start("alone", "");
    input.write(alone);
    first.read_until("alone");
    page third(live);
    third.read_until("alone");
    EXPECT_EQ(third.values("start", "program"), vector<string>{"alone"});
    input.end();
    EXPECT_EQ(live.stop(), exited(0));
}

TEST(Live, WhatWasRecordedIsShownAgain)
{
    const temporary_file file;
    {
        running_live live({"--record", file.path});
        page seen(live);
        EXPECT_EQ(live.order(R"({"action":"start","demo":"http_cluster","workers":2})"), "204");
        seen.read_until("listening");
        live.insist(R"({"action":"load","count":5})");
        seen.read_until(R"("ev":"answer")", 5);
        EXPECT_EQ(live.stop(), exited(0));
    }
    const auto recorded = lines(file.content());
    ASSERT_GT(recorded.size(), 20u);
    EXPECT_NE(recorded.back().find(R"("ev":"stop")"), string::npos) << "to the end";
    running_live again({"--replay", file.path});
    page seen(again);
    seen.read_until(recorded.back());
    vector<string> shown;
    for (const auto& line : lines(seen.text))
        if (line.starts_with("data: {\"v\":1"))
            shown.push_back(line.substr(6));
    EXPECT_EQ(shown, recorded);
    EXPECT_NE(seen.text.find(R"("running":false,"source":"replay")"), string::npos);
    EXPECT_EQ(again.order(R"({"action":"start"})"), "409");
    EXPECT_EQ(again.stop(), exited(0));
}

TEST(Live, AFullDiskEndsTheRecordingAndNothingElse)
{
    running_live live({"--record", "/dev/full"});
    page seen(live);
    EXPECT_EQ(live.order(R"({"action":"start","demo":"http_cluster","workers":2})"), "204");
    live.err_line("live: cannot write to /dev/full: No space left on device; what happens from now "
                  "on is not recorded");
    seen.read_until("listening");
    live.insist(R"({"action":"load","count":5})");
    seen.read_until(R"("ev":"answer")", 5);
    EXPECT_EQ(live.stop(), exited(1));
}

TEST(Live, ALongRecordingIsShownToItsFirstEvent)
{
    string text = some_events;
    for (int i = 3; i < 6'000; ++i)
        text += event(R"("ev":"line","text":"x")", "main", i);
    const temporary_file file(text);
    running_live live({"--replay", file.path});
    page seen(live);
    seen.read_until("\"seq\":5999,");
    EXPECT_EQ(seen.values("line", "seq").size(), 5'998u);
    EXPECT_EQ(seen.text.find("event: missing"), string::npos);
    EXPECT_EQ(live.stop(), exited(0));
}

TEST(Live, WhatCannotBeShownIsSaidInALine)
{
    const temporary_file file(some_events + "no event\n");
    const auto bad = run({demo("live"), "--port", "0", "--replay", file.path});
    EXPECT_EQ(bad.status, exited(3));
    EXPECT_NE(bad.err.find(file.path + " is no recording: line 4 is no event"), string::npos)
        << bad.err;
    const auto missing = run({demo("live"), "--port", "0", "--replay", "/nowhere/x"});
    EXPECT_EQ(missing.status, exited(3));
    EXPECT_NE(missing.err.find("cannot read /nowhere/x: No such file"), string::npos)
        << missing.err;
    const auto unwritable = run({demo("live"), "--port", "0", "--record", "/nowhere/x"});
    EXPECT_EQ(unwritable.status, exited(3));
    EXPECT_NE(unwritable.err.find("cannot write /nowhere/x: No such file"), string::npos)
        << unwritable.err;
    const listener taken;
    const auto busy = run({demo("live"), "--port", std::to_string(taken.port())});
    EXPECT_EQ(busy.status, exited(3));
    EXPECT_NE(busy.err.find("is already in use\n  who has it:"), string::npos) << busy.err;
    EXPECT_EQ(run({demo("live"), "--replay", "a", "--record", "b"}).status, exited(2));
}

TEST(Live, AMainThatNobodyHasForkedSaysWhoItsFlagIsFor)
{
    const auto alone = run({demo("http_cluster"), "--port", "0", "--parent-signals"});
    EXPECT_EQ(alone.status, exited(2));
    EXPECT_NE(alone.err.find("--parent-signals: no channel to a parent process"), string::npos)
        << alone.err;
}

} // namespace

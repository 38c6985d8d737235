// What the page's server takes from others, who may mean no good: lines, orders, requests.
#include "live/line_splitter.hpp"
#include "live/order.hpp"
#include "live/page_request.hpp"
#include "live/told_event.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

using std::string;
using std::vector;

namespace {

const string common = R"("v":1,"seq":0,"t_us":5,"pid":7,"role":"worker","slot":2,)";

TEST(ToldEvent, IsTakenAsItIs)
{
    const string line = "{" + common + R"("ev":"accept","conn":"127.0.0.1:4","fd":9,"wakeups":0})";
    const auto told = live::parse_event(line);
    EXPECT_EQ(told.json, line);
    EXPECT_EQ(told.name, "accept");
    EXPECT_EQ(told.role, "worker");
    EXPECT_EQ(told.host, "");
    EXPECT_EQ(live::parse_event("{" + common + R"("ev":"x","host":"a"})").host, "a");
}

TEST(ToldEvent, LeavesAsOneLineWhateverIsInIt)
{
    const auto told = live::parse_event("\r{" + common +
                                        "\r\"ev\":\"line\",\"text\":\"a\\n\\u2028</script>\"}\r");
    EXPECT_EQ(told.json.find('\r'), string::npos) << "it would end the line of a stream";
    EXPECT_EQ(told.json.find('\n'), string::npos);
    EXPECT_NE(told.json.find("</script>"), string::npos)
        << "it is data, and the page shows it as such";
}

TEST(ToldEvent, OfAnotherKindIsRefused)
{
    for (const string& line : {
             string(""),
             string("{"),
             string("[]"),
             string("7"),
             string("null"),
             "{" + common + "\"ev\":\"x\"} {}",
             "{" + common + "\"ev\":7}",
             "{" + common + "\"ev\":\"x\",\"host\":7}",
             "{" + common + "\"ev\":\"\"}",
             "{" + common + "\"ev\":\"x y\"}",
             "{" + common + "\"ev\":\"X\"}",
             "{" + common + "\"ev\":\"x\",\"nested\":{}}",
             "{" + common + "\"ev\":\"x\",\"nested\":[1]}",
             "{" + common + "\"ev\":\"x\",\"<b>\":1}",
             "{" + common + "\"ev\":\"start\"}",
             "{" + common + "\"ev\":\"x\",\"text\":\"" + string(live::longest_line, 'x') + "\"}",
             string(8000, '['),
             "{" + common + "\"ev\":\"line\",\"text\":\"\xff\"}",
             string(R"({"v":2,"seq":0,"t_us":5,"pid":7,"role":"main","slot":null,"ev":"x"})"),
             string(R"({"v":1,"seq":-1,"t_us":5,"pid":7,"role":"main","slot":null,"ev":"x"})"),
             string(R"({"v":1,"seq":0,"t_us":5.5,"pid":7,"role":"main","slot":null,"ev":"x"})"),
             string(R"({"v":1,"seq":0,"t_us":5,"pid":"7","role":"main","slot":null,"ev":"x"})"),
             string(R"({"v":1,"seq":0,"t_us":5,"pid":7,"role":"king","slot":null,"ev":"x"})"),
             string(R"({"v":1,"seq":0,"t_us":5,"pid":7,"role":"main","slot":"0","ev":"x"})"),
             string(R"({"v":1,"seq":0,"t_us":5,"pid":7,"role":"main","ev":"x"})"),
         })
        EXPECT_THROW(live::parse_event(line), std::invalid_argument) << line.substr(0, 200);
}

TEST(LineSplitter, GivesEachLineHoweverItComes)
{
    const string text = "one\n\ntwo\nthree";
    for (std::size_t size = 1; size <= text.size(); ++size) {
        vector<string> lines;
        const auto take = [&](std::string_view line) { lines.emplace_back(line); };
        live::line_splitter splitter(10);
        for (std::size_t at = 0; at < text.size(); at += size)
            splitter.feed(std::string_view(text).substr(at, size), take);
        EXPECT_EQ(lines, (vector<string>{"one", "", "two"}));
        splitter.end(take);
        EXPECT_EQ(lines.back(), "three");
    }
}

TEST(LineSplitter, ALineWithoutEndCostsNoMemoryAndIsSeenToBeTooLong)
{
    vector<string> lines;
    const auto take = [&](std::string_view line) { lines.emplace_back(line); };
    live::line_splitter splitter(10);
    for (int i = 0; i < 1000; ++i)
        splitter.feed(string(1000, 'x'), take);
    EXPECT_TRUE(lines.empty());
    splitter.feed("\nnext\n", take);
    EXPECT_EQ(lines, (vector<string>{string(11, 'x'), "next"}));
}

TEST(Order, ToStartHasTheDemosOwnDefaults)
{
    const auto start = std::get<live::start_demo>(live::parse_order(R"({"action":"start"})"));
    EXPECT_EQ(start.what->name, "socket_fanout");
    EXPECT_EQ(start.mode, "rotate");
    EXPECT_EQ(start.accept, "");
    EXPECT_EQ(start.workers, 4u);
    EXPECT_EQ(start.delay, std::chrono::milliseconds(100));
    EXPECT_FALSE(start.respawn);
}

TEST(Order, ToStartIsTakenAsItIs)
{
    const auto start = std::get<live::start_demo>(live::parse_order(
        R"({"action":"start","demo":"http_cluster","mode":"all","accept":"race","workers":8,"delay":7,"respawn":true})"));
    EXPECT_EQ(start.what->name, "http_cluster");
    EXPECT_EQ(start.mode, "") << "it has none";
    EXPECT_EQ(start.accept, "race");
    EXPECT_EQ(start.workers, 8u);
    EXPECT_EQ(start.delay, std::chrono::milliseconds(7));
    EXPECT_TRUE(start.respawn);
}

TEST(Order, EachActionIsKnown)
{
    const auto load = std::get<live::send_load>(
        live::parse_order(R"({"action":"load","count":500,"concurrency":256,"keep_alive":true})"));
    EXPECT_EQ(load.count, 500u);
    EXPECT_EQ(load.concurrency, 256u);
    EXPECT_TRUE(load.keep_alive);
    for (const auto& [action, signal] :
         {std::pair{"kill", "SIGKILL"}, {"stop", "SIGSTOP"}, {"continue", "SIGCONT"}}) {
        const auto order = live::parse_order(string(R"({"slot":3,"action":")") + action + "\"}");
        EXPECT_EQ(std::get<live::signal_worker>(order).signal, signal);
        EXPECT_EQ(std::get<live::signal_worker>(order).slot, 3u);
    }
    EXPECT_TRUE(std::holds_alternative<live::end_demo>(live::parse_order(R"({"action":"end"})")));
}

TEST(Order, BeyondALimitOrOfAnotherKindIsRefusedWithOneLine)
{
    for (const string text : {
             "",
             "kill",
             "[]",
             "{}",
             R"({"action":"reboot"})",
             R"({"action":7})",
             R"({"action":"start","demo":"/bin/sh"})",
             R"({"action":"start","demo":"../clients/net_client"})",
             R"({"action":"start","mode":"--child"})",
             R"({"action":"start","demo":"http_cluster","accept":"all"})",
             R"({"action":"start","workers":0})",
             R"({"action":"start","workers":9})",
             R"({"action":"start","workers":-1})",
             R"({"action":"start","workers":"4"})",
             R"({"action":"start","workers":2.5})",
             R"({"action":"start","delay":10001})",
             R"({"action":"start","respawn":"yes"})",
             R"({"action":"start","pid":1})",
             R"({"action":"load","count":0})",
             R"({"action":"load","count":501})",
             R"({"action":"load","concurrency":257})",
             R"({"action":"kill"})",
             R"({"action":"kill","slot":8})",
             R"({"action":"kill","slot":null})",
             R"({"action":"kill","pid":1})",
             R"({"action":"end","slot":1})",
         })
        try {
            live::parse_order(text);
            ADD_FAILURE() << text;
        } catch (const std::invalid_argument& error) {
            EXPECT_EQ(string(error.what()).find('\n'), string::npos);
        }
    EXPECT_THROW(live::parse_order(string(100'000, '[')), std::invalid_argument);
}

http::header_list headers(std::initializer_list<http::header> fields)
{
    http::header_list list;
    list.assign(fields.begin(), fields.end());
    return list;
}

TEST(PageRequest, ComesToTheNameOfThisMachineAndNoOther)
{
    for (const auto host : {"127.0.0.1:8889", "localhost:8889", "LocalHost:8889"})
        EXPECT_TRUE(live::is_own_host(headers({{"Host", host}}), 8889)) << host;
    for (const auto host : {"", "127.0.0.1", "localhost", "127.0.0.1:8888", "evil.example:8889",
                            "localhost.evil.example:8889", "localhost:88890", "127.0.0.2:8889"})
        EXPECT_FALSE(live::is_own_host(headers({{"Host", host}}), 8889)) << host;
    EXPECT_FALSE(live::is_own_host(headers({}), 8889));
    EXPECT_TRUE(live::is_own_host(headers({{"Host", "localhost"}}), 80));
}

TEST(PageRequest, ComesFromThePageItself)
{
    const http::header host{"Host", "localhost:8889"};
    EXPECT_TRUE(live::is_own_origin(headers({host, {"Origin", "http://localhost:8889"}}), false));
    EXPECT_TRUE(live::is_own_origin(headers({host}), true));
    EXPECT_FALSE(live::is_own_origin(headers({host}), false));
    for (const auto origin : {"", "null", "http://localhost:8888", "https://localhost:8889",
                              "http://evil.example", "http://127.0.0.1:8889"})
        for (const bool may_be_missing : {true, false})
            EXPECT_FALSE(live::is_own_origin(headers({host, {"Origin", origin}}), may_be_missing))
                << origin;
    EXPECT_FALSE(live::is_own_origin(
        headers({host, {"Origin", "http://localhost:8889"}, {"Origin", "http://evil.example"}}),
        false));
}

TEST(PageRequest, SaysThatItIsJson)
{
    for (const auto type : {"application/json", "Application/JSON; charset=utf-8"})
        EXPECT_TRUE(live::is_json(headers({{"Content-Type", type}}))) << type;
    for (const auto type :
         {"", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"})
        EXPECT_FALSE(live::is_json(headers({{"Content-Type", type}}))) << type;
    EXPECT_FALSE(live::is_json(headers({})));
}

} // namespace

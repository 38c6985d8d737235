// --json from inside: what a main makes of what a worker reports, who may be anybody.
#include "app/events.hpp"
#include "app/terminal.hpp"
#include "forked.hpp"
#include "observer.hpp"
#include "support/programs.hpp"
#include "unique_fd.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using std::string;
using std::vector;

namespace {

/// What is on its stdout and stderr when `body` has run in a main with --json.
struct said {
    vector<string> out;
    string err;
};
said by_main(const std::function<void()>& body)
{
    int out[2];
    int err[2];
    EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(err, O_CLOEXEC), 0);
    forked::child main([&] {
        ::dup2(out[1], STDOUT_FILENO);
        ::dup2(err[1], STDERR_FILENO);
        app::open_standard_streams(app::service_output);
        app::begin_events("main");
        body();
        app::end_output("main", 0, std::chrono::seconds(5));
    });
    ::close(out[1]);
    ::close(err[1]);
    const auto all = [](int from) {
        string text;
        char buffer[4096];
        for (ssize_t size = 0; (size = ::read(from, buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(size));
        ::close(from);
        return text;
    };
    said result{support::lines(all(out[0])), all(err[0])};
    EXPECT_EQ(main.wait(), 0);
    return result;
}

void report(const string& text)
{
    app::take_report(4711, ipc::value(ipc::json_text{text}));
}

const string good = R"({"seq":3,"t_us":99,"ev":"wakeup","empty":true})";

TEST(Events, OfAWorkerAreToldWithItsPidAndSlotWhoeverItSaysItIs)
{
    const auto main = by_main([] {
        observing->worker_up(2, 4711);
        report("[" + good +
               R"(,{"v":9,"pid":1,"role":"main","slot":0,"seq":4,"t_us":100,)"
               R"("ev":"request","conn":null,"method":"GET","target":"/\n\"<"}])");
    });
    ASSERT_EQ(main.out.size(), 3u);
    EXPECT_EQ(main.out[1], R"({"v":1,"seq":3,"t_us":99,"pid":4711,"role":"worker","slot":2,)"
                           R"("ev":"wakeup","empty":true})");
    EXPECT_EQ(main.out[2], R"({"v":1,"seq":4,"t_us":100,"pid":4711,"role":"worker","slot":2,)"
                           R"("ev":"request","conn":null,"method":"GET","target":"/\n\"<"})");
    EXPECT_EQ(main.err, "");
}

TEST(Events, ThatNoWorkerCanTellAreLeftOutAndThatIsSaid)
{
    const vector<string> bad{
        "null",
        "7",
        "\"text\"",
        "{}",
        "[7]",
        "[[]]",
        "[{}]",
        R"([{"seq":1,"t_us":1}])",
        R"([{"seq":1,"t_us":1,"ev":7}])",
        R"([{"seq":1,"t_us":1,"ev":"start","program":"x"}])",
        R"([{"seq":1,"t_us":1,"ev":"stop","code":0}])",
        R"([{"seq":1,"t_us":1,"ev":"worker_up","worker":1,"worker_pid":1}])",
        R"([{"seq":-1,"t_us":1,"ev":"wakeup","empty":true}])",
        R"([{"seq":1.5,"t_us":1,"ev":"wakeup","empty":true}])",
        R"([{"seq":18446744073709551615,"t_us":1,"ev":"wakeup","empty":true}])",
        R"([{"seq":1,"t_us":"1","ev":"wakeup","empty":true}])",
        R"([{"seq":1,"t_us":1,"ev":"wakeup","empty":false}])",
        R"([{"seq":1,"t_us":1,"ev":"wakeup"}])",
        R"([{"seq":1,"t_us":1,"ev":"accept","conn":7,"fd":5,"wakeups":0}])",
        R"([{"seq":1,"t_us":1,"ev":"accept","conn":null,"fd":-5,"wakeups":0}])",
        R"([{"seq":1,"t_us":1,"ev":"conn_closed","conn":null,"fd":5,"reason":"no idea"}])",
        R"([{"seq":1,"t_us":1,"ev":"recv_fd","kind":"pipe","fd":5,"bytes":1}])",
        R"([{"seq":1,"t_us":1,"ev":"dropped","count":0}])",
        R"([{"seq":1,"t_us":1,"ev":"response","conn":null,"status":99,"us":1}])",
        R"([{"seq":1,"t_us":1,"ev":"response","conn":null,"status":1000,"us":1}])",
        R"([{"seq":1,"t_us":1,"ev":"listening","address":"::","port":65536,"fd":5}])",
        R"([{"seq":1,"t_us":1,"ev":"shutdown","fd":5,"conn":")" + string(65, 'x') + R"("}])",
        R"([{"seq":1,"t_us":1,"ev":"request","conn":null,"method":"GET","target":")" +
            string(5000, 'x') + R"("}])",
        "[" + string(70'000, ' ') + "]",
    };
    for (const auto& text : bad) {
        const auto main = by_main([&] { report(text); });
        EXPECT_TRUE(main.out.empty()) << text << "\n" << main.out[0];
        EXPECT_NE(main.err.find("a report of process 4711 is left out: "), string::npos)
            << text << "\n"
            << main.err;
    }
}

TEST(Events, OfAWorkerComeInTheirOrderOrNotAtAll)
{
    const auto main = by_main([] {
        report("[" + good + "]");
        report("[" + good + "]");
    });
    EXPECT_EQ(main.out.size(), 1u);
    EXPECT_NE(main.err.find("not in its order"), string::npos);
}

// A main that has not read for long tells its workers to end.
TEST(Events, ThatWereDroppedBeforeTheEndAreToldOfThen)
{
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    unique_fd main(ends[0]);
    asio::io_context context;
    ipc::channel channel(context.get_executor(), unique_fd(ends[1]));
    app::reporter reports(context.get_executor(), channel);
    constexpr std::uint64_t all = 10'000;
    for (std::uint64_t i = 0; i < all; ++i) {
        observing->request(-1, "GET", "/" + string(200, 'x'));
        context.restart();
        context.poll();
    }
    bool has_ended = false;
    asio::co_spawn(context, reports.end(), [&](std::exception_ptr) { has_ended = true; });
    string text;
    std::array<char, 64 * 1024> buffer;
    for (ssize_t size = 1; size != 0;) {
        context.restart();
        context.poll();
        size = ::recv(main.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size > 0)
            text.append(buffer.data(), static_cast<std::size_t>(size));
        else
            ASSERT_TRUE(size == 0 || (errno == EAGAIN && !has_ended));
    }
    std::uint64_t told = 0;
    std::uint64_t dropped = 0;
    std::uint64_t next = 0;
    for (const auto& line : support::lines(text)) {
        const auto report = nlohmann::json::parse(line);
        for (const auto& event : report.at("msg")) {
            ++told;
            next = event.at("seq").get<std::uint64_t>() + 1;
            if (event.at("ev") == "dropped")
                dropped += event.at("count").get<std::uint64_t>();
        }
    }
    EXPECT_GT(dropped, 0u);
    EXPECT_EQ(told + dropped, next);
    EXPECT_GE(next, all) << "nothing is missing at the end, either";
    main = {};
    context.restart();
    context.poll();
    EXPECT_TRUE(has_ended) << "the main has read it all, and closed its end";
}

TEST(Events, WhoseTextIsNotUtf8AreStillJson)
{
    const auto main = by_main([] {
        observing->request(-1, "GET", "/\xff\xfe");
        observing->request(-1, "GET", "/" + string(300, 'x'));
        observing->request(-1, "GET", "/" + string(254, 'x') + "\xe5\xad\x90");
    });
    ASSERT_EQ(main.out.size(), 3u);
    EXPECT_NE(main.out[0].find("\"/\xef\xbf\xbd\xef\xbf\xbd\""), string::npos) << main.out[0];
    EXPECT_NE(main.out[1].find("\"/" + string(255, 'x') + "\""), string::npos) << main.out[1];
    EXPECT_NE(main.out[2].find("\"/" + string(254, 'x') + "\""), string::npos) << main.out[2];
}

TEST(Events, WhatIsPrintedIsOneOfThem)
{
    const auto main = by_main([] { app::print("connection"); });
    ASSERT_EQ(main.out.size(), 1u);
    EXPECT_NE(main.out[0].find(R"("ev":"line","text":"connection"})"), string::npos);
}

} // namespace

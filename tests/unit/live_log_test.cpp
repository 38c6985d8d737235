// What has happened, kept for late pages, and what one page gets of it.
#include "live/event_log.hpp"
#include "live/event_stream.hpp"
#include "unit/http_fixture.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>

#include <memory>

using namespace http_test;
using live::event_log;

namespace {

TEST(EventLog, AMessageIsWhatTheStandardSays)
{
    EXPECT_EQ(live::to_message(7, "", "{}"), "id: 7\ndata: {}\n\n");
    EXPECT_EQ(live::to_message(0, "state", "{}"), "event: state\ndata: {}\n\n");
}

TEST(EventLog, KeepsTheLastOnesAndTheirNumbers)
{
    asio::io_context context;
    event_log log(context.get_executor(), 3);
    const auto origin = log.next();
    for (int i = 0; i < 5; ++i)
        log.append("", std::to_string(i));
    EXPECT_EQ(log.next(), origin + 5);
    EXPECT_EQ(log.first(), origin + 2);
    EXPECT_EQ(log.message(log.first()), live::to_message(origin + 2, "", "2"));
    EXPECT_EQ(log.message(log.next() - 1), live::to_message(origin + 4, "", "4"));
}

TEST(EventLog, WhoComesBackGoesOnAndWhoIsNewBeginsWithWhatIsShownNow)
{
    asio::io_context context;
    event_log log(context.get_executor());
    const auto origin = log.next();
    log.append("", "old");
    log.begin_anew();
    log.append("", "new");
    EXPECT_EQ(log.after(origin), origin + 1);
    EXPECT_EQ(log.after(origin + 1), log.next());
    EXPECT_EQ(log.after(0), origin + 1);
    for (const std::uint64_t foreign :
         {std::uint64_t{3}, origin - 1, log.next(), ~std::uint64_t{0}})
        EXPECT_EQ(log.after(foreign), log.beginning()) << foreign << " is of another process";
}

TEST(EventLog, AnotherProcessHasOtherNumbersThatJavaScriptHasExactly)
{
    asio::io_context context;
    event_log one(context.get_executor());
    for (int i = 0; i < 100; ++i)
        one.append("", "");
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (event_log(context.get_executor()).next() < one.next())
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    EXPECT_LT(one.next(), std::uint64_t{1} << 53);
}

/// "data" of each message; "missing N" and the like for those with a name.
vector<string> messages(const string& received)
{
    vector<string> result;
    const auto last_line = [](const string& text) { return text.substr(text.rfind("data: ") + 6); };
    const string text = received.substr(received.find("\r\n\r\n") + 4);
    string body;
    for (std::size_t at = 0; at < text.size();) { // the chunks
        const auto end = text.find("\r\n", at);
        const auto size = std::stoul(text.substr(at, end - at), nullptr, 16);
        body += text.substr(end + 2, size);
        at = end + 2 + size + 2;
    }
    for (std::size_t at = 0, end = 0; (end = body.find("\n\n", at)) != body.npos; at = end + 2) {
        const auto message = body.substr(at, end - at);
        const auto name = message.find("event: ");
        if (name == message.npos)
            result.push_back(message.find("data: ") == message.npos ? message : last_line(message));
        else
            result.push_back(message.substr(name + 7, message.find('\n', name) - name - 7) + " " +
                             last_line(message));
    }
    return result;
}

class EventStream : public HttpServer {
protected:
    void serve(std::size_t kept = event_log::usual_capacity, std::chrono::milliseconds silence = 1h)
    {
        log = std::make_shared<event_log>(context.get_executor(), kept);
        origin = log->next();
        start([this, silence](const http::request& req, http::response res) {
            who.push_back(std::make_shared<live::subscriber>());
            who.back()->last_id = std::stoull(string(req.target.substr(1)));
            asio::co_spawn(context,
                           live::send_events(std::move(res), log, who.back(),
                                             live::to_message(0, "state", "now"), silence),
                           asio::detached);
        });
    }

    client subscribe(std::uint64_t last_id = 0)
    {
        client page = connect();
        page.send(get("/" + std::to_string(last_id)));
        settle();
        return page;
    }

    void append(int from, int to)
    {
        for (int i = from; i < to; ++i)
            log->append("", std::to_string(i));
        settle();
    }

    std::shared_ptr<event_log> log;
    std::uint64_t origin = 0;
    vector<std::shared_ptr<live::subscriber>> who;
};

TEST_F(EventStream, BeginsWithTheStateAndGoesOnWithWhatHappens)
{
    serve();
    append(0, 2);
    client page = subscribe();
    EXPECT_NE(page.received().find("\r\nContent-Type: text/event-stream\r\n"), string::npos);
    EXPECT_EQ(messages(page.received()), (vector<string>{"retry: 1000", "state now", "0", "1"}));
    append(2, 4);
    EXPECT_EQ(messages(page.received()),
              (vector<string>{"retry: 1000", "state now", "0", "1", "2", "3"}));
}

TEST_F(EventStream, ResumesWithoutGapOrRepeat)
{
    serve();
    append(0, 10);
    for (int had = 0; had < 10; ++had) {
        client page = subscribe(origin + static_cast<std::uint64_t>(had));
        vector<string> expected{"retry: 1000", "state now"};
        for (int i = had + 1; i < 10; ++i)
            expected.push_back(std::to_string(i));
        EXPECT_EQ(messages(page.received()), expected);
    }
}

TEST_F(EventStream, SaysHowMuchIsMissingBeyondTheLog)
{
    serve(4);
    append(0, 10);
    client page = subscribe(origin + 1);
    EXPECT_EQ(
        messages(page.received()),
        (vector<string>{"retry: 1000", "state now", "missing {\"count\":4}", "6", "7", "8", "9"}));
}

TEST_F(EventStream, APageThatDoesNotReadMissesSomeAndIsToldAndDelaysNobody)
{
    serve(100);
    client slow = subscribe();
    client quick = subscribe();
    const string data(1000, 'x');
    std::size_t seen = 0;
    for (int i = 0; i < 5'000; ++i) {
        log->append("", data);
        settle();
        seen = quick.received().size();
    }
    EXPECT_GT(seen, 5'000'000u);
    string text;
    for (std::size_t before = 1; before != text.size(); settle()) {
        before = text.size();
        text = slow.received();
    }
    const auto all = messages(text);
    std::size_t got = 0;
    std::size_t missing = 0;
    for (const auto& one : all) {
        got += one == data;
        if (one.starts_with("missing "))
            missing += std::stoul(one.substr(one.find(':') + 1));
    }
    EXPECT_EQ(got + missing, 5'000u) << "none twice, none unsaid";
    EXPECT_GT(missing, 0u);
    EXPECT_EQ(all.back(), data);
}

TEST_F(EventStream, SaysSomethingWhenNothingHappens)
{
    serve(10, 20ms);
    client page = subscribe();
    run_until([&] { return messages(page.received()).size() >= 4; });
    EXPECT_EQ(messages(page.received())[2], ":");
    EXPECT_EQ(messages(page.received())[3], ":");
    append(0, 1);
    EXPECT_EQ(messages(page.received()).back(), "0");
}

TEST_F(EventStream, EndsWithTheLogAfterAllOfIt)
{
    serve();
    client page = subscribe();
    log->append("", "last");
    log->end();
    settle();
    EXPECT_TRUE(page.received().ends_with("0\r\n\r\n"));
    EXPECT_NE(page.received().find("data: last"), string::npos);
}

TEST_F(EventStream, OnePageIsDroppedAndTheOthersStay)
{
    serve();
    client first = subscribe();
    client second = subscribe();
    who[0]->is_dropped = true;
    log->changed.notify();
    append(0, 1);
    EXPECT_TRUE(first.received().ends_with("0\r\n\r\n"));
    EXPECT_EQ(messages(second.received()).back(), "0");
}

TEST_F(EventStream, APageThatGoesLeavesNothingBehind)
{
    serve();
    {
        client page = subscribe();
    }
    run_until([&] { return server->connections() == 0; });
    std::weak_ptr<live::subscriber> gone = who[0];
    who.clear();
    append(0, 1);
    EXPECT_TRUE(gone.expired());
}

} // namespace

// What waits to be sent, and what the kernel has taken.
#include "http/output.hpp"

#include "unique_fd.hpp"

#include <gtest/gtest.h>

#include <string>
#include <sys/socket.h>

using http::output;
using std::string;

namespace {

class HttpOutput : public testing::Test {
protected:
    HttpOutput()
    {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        socket.reset(ends[0]);
        client.reset(ends[1]);
    }

    string received()
    {
        string text(1024 * 1024, 0);
        const auto size = ::recv(client.get(), text.data(), text.size(), MSG_DONTWAIT);
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }

    http::free_list<string> spare;
    output under_test{spare};
    unique_fd socket;
    unique_fd client;
};

TEST_F(HttpOutput, SendsNothingThatIsNotComplete)
{
    under_test.text() += "one";
    EXPECT_EQ(under_test.waiting(), 0u);
    EXPECT_EQ(under_test.send(socket.get()), output::result::sent);
    EXPECT_EQ(received(), "");
    under_test.text() += " two";
    under_test.complete();
    under_test.text() += " three";
    EXPECT_EQ(under_test.waiting(), 7u);
    EXPECT_EQ(under_test.send(socket.get()), output::result::sent);
    EXPECT_EQ(received(), "one two");
    under_test.complete();
    EXPECT_EQ(under_test.send(socket.get()), output::result::sent);
    EXPECT_EQ(received(), " three");
}

TEST_F(HttpOutput, DropsWhatIsNotCompleteOnly)
{
    under_test.text() += "one";
    under_test.complete();
    under_test.text() += "half";
    under_test.drop_incomplete();
    under_test.text() += ", another";
    under_test.complete();
    under_test.send(socket.get());
    EXPECT_EQ(received(), "one, another");
}

TEST_F(HttpOutput, GoesOnWhereTheClientStoppedReading)
{
    string all;
    for (int i = 0; all.size() < 4'000'000; ++i)
        all += std::to_string(i) + " ";
    under_test.text() = all;
    under_test.complete();
    EXPECT_EQ(under_test.send(socket.get()), output::result::blocked);
    EXPECT_GT(under_test.waiting(), 0u);
    EXPECT_LT(under_test.waiting(), all.size());
    under_test.text() += "the next";
    under_test.complete();
    string text;
    while (under_test.send(socket.get()) == output::result::blocked) {
        const auto more = received();
        ASSERT_FALSE(more.empty());
        text += more;
    }
    for (string more = received(); !more.empty(); more = received())
        text += more;
    EXPECT_EQ(text, all + "the next");
    EXPECT_EQ(under_test.waiting(), 0u);
}

TEST_F(HttpOutput, KeepsNoMoreThanTwiceWhatWaitsForAClientThatNeverCatchesUp)
{
    under_test.text() += string(1'000'000, 'x');
    under_test.complete();
    ASSERT_EQ(under_test.send(socket.get()), output::result::blocked);
    const auto waiting = under_test.waiting();
    string text;
    for (int i = 0; i < 100; ++i) {
        text += received();
        under_test.text() += string(1'000'000 + waiting - under_test.waiting(), 'x');
        under_test.complete();
        ASSERT_EQ(under_test.send(socket.get()), output::result::blocked);
        ASSERT_LE(under_test.text().size(), 2 * under_test.waiting());
    }
}

TEST_F(HttpOutput, SaysThatTheClientHasGone)
{
    client.reset();
    under_test.text() += "one";
    under_test.complete();
    EXPECT_EQ(under_test.send(socket.get()), output::result::broken);
}

TEST_F(HttpOutput, HoldsABufferOnlyWhileThereIsSomethingToSay)
{
    under_test.text() += string(1000, 'x');
    under_test.complete();
    under_test.send(socket.get());
    bool is_new = false;
    auto given_back = spare.take([&] { return is_new = true, string(); });
    EXPECT_FALSE(is_new);
    EXPECT_GE(given_back.capacity(), 1000u);
    EXPECT_EQ(given_back, "");
}

} // namespace

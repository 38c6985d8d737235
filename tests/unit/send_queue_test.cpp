// The order of what is sent, without a socket and without time.
#include "channel_fixture.hpp"

#include "ipc/send_queue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using ipc::send_queue;
using std::string;
using enum ipc::send_queue::verdict;

/// Writes all that may be written now, and says what it was.
string written(send_queue& queue)
{
    string result;
    while (auto* next = queue.front()) {
        result += next->rest();
        queue.wrote(next->rest().size());
    }
    return result;
}

ipc::handle a_server()
{
    return ipc::handle(ipc_test::tcp_server());
}

string code_of(const std::exception_ptr& error)
{
    try {
        if (error)
            std::rethrow_exception(error);
    } catch (const ipc::error& failure) {
        return failure.code();
    }
    return "";
}

TEST(SendQueue, AMessageIsSettledWhenItsLastByteIsWritten)
{
    send_queue queue(100);
    const auto sent = queue.push("12345");
    EXPECT_FALSE(queue.is_empty());
    queue.wrote(4);
    EXPECT_FALSE(sent->is_settled);
    EXPECT_EQ(queue.front()->rest(), "5");
    queue.wrote(1);
    EXPECT_TRUE(sent->is_settled);
    EXPECT_EQ(code_of(sent->error), "");
    EXPECT_TRUE(queue.is_empty());
}

TEST(SendQueue, EverythingWaitsBehindAHandleInDoubt)
{
    send_queue queue(100);
    queue.push("a");
    const auto first = queue.push("H", a_server());
    queue.push("b");
    const auto second = queue.push("I", a_server());
    const auto last = queue.push("c");
    EXPECT_EQ(written(queue), "aH");
    EXPECT_EQ(queue.in_doubt(), first.get());
    EXPECT_EQ(queue.acknowledge(), fits);
    EXPECT_TRUE(first->is_settled);
    EXPECT_TRUE(first->object) << "a server stays open on this side";
    EXPECT_EQ(written(queue), "bI");
    EXPECT_EQ(queue.in_doubt(), second.get());
    EXPECT_FALSE(last->is_settled);
    EXPECT_EQ(queue.acknowledge(), fits);
    EXPECT_EQ(written(queue), "c");
    EXPECT_TRUE(last->is_settled);
    EXPECT_TRUE(queue.is_empty());
}

TEST(SendQueue, AConnectionClosesHereWhenItHasArrived)
{
    send_queue queue(100);
    auto [accepted, client] = ipc_test::tcp_pair();
    const auto sent = queue.push("H", ipc::handle(std::move(accepted)));
    EXPECT_GE(sent->descriptor(), 0);
    written(queue);
    EXPECT_EQ(sent->descriptor(), -1) << "it rides on the first byte only";
    EXPECT_TRUE(sent->object);
    queue.acknowledge();
    EXPECT_FALSE(sent->object);
}

TEST(SendQueue, ARefusedHandleIsSentAgainThreeTimesAndThenGivenBack)
{
    send_queue queue(100);
    const auto sent = queue.push("H", a_server());
    queue.push("b");
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(written(queue), "H") << i;
        EXPECT_FALSE(sent->is_settled);
        EXPECT_EQ(queue.refuse(), fits);
    }
    EXPECT_TRUE(sent->is_settled);
    EXPECT_EQ(code_of(sent->error), "SentHandleNotReceivedWarning");
    EXPECT_TRUE(sent->object);
    EXPECT_EQ(written(queue), "b");
}

TEST(SendQueue, KnowsAnAnswerThatComesUnaskedOrTooEarly)
{
    send_queue queue(100);
    EXPECT_EQ(queue.acknowledge(), unexpected);
    EXPECT_EQ(queue.refuse(), unexpected);
    queue.push("HH", a_server());
    EXPECT_EQ(queue.acknowledge(), too_early);
    queue.wrote(1);
    EXPECT_EQ(queue.refuse(), too_early);
    queue.wrote(1);
    EXPECT_EQ(queue.acknowledge(), fits);
    EXPECT_EQ(queue.acknowledge(), unexpected);
}

TEST(SendQueue, SeveralHandlesMayBeInDoubtAndAreSettledInTheirOrder)
{
    send_queue queue(100, 3);
    std::vector<std::shared_ptr<ipc::transfer>> sent;
    for (const string line : {"1", "2", "3", "4"})
        sent.push_back(queue.push(line, a_server()));
    const auto message = queue.push("m");
    EXPECT_EQ(written(queue), "123") << "no more than the window";
    EXPECT_EQ(queue.acknowledge(), fits);
    EXPECT_TRUE(sent[0]->is_settled);
    EXPECT_FALSE(sent[1]->is_settled);
    EXPECT_EQ(written(queue), "4");

    EXPECT_EQ(queue.refuse(), fits); // the second: it goes behind the others
    EXPECT_EQ(queue.acknowledge(), fits);
    EXPECT_TRUE(sent[2]->is_settled);
    EXPECT_FALSE(sent[1]->is_settled);
    EXPECT_EQ(queue.acknowledge(), fits);
    EXPECT_TRUE(sent[3]->is_settled);
    EXPECT_EQ(queue.acknowledge(), too_early) << "the second has not been written again yet";
    EXPECT_EQ(written(queue), "2m") << "the message has waited for room in the window, no longer";
    EXPECT_TRUE(message->is_settled);
    EXPECT_EQ(queue.acknowledge(), fits);
    EXPECT_TRUE(sent[1]->is_settled);
}

TEST(SendQueue, AcknowledgementsOvertakeAndOtherAnswersDoNot)
{
    send_queue queue(100);
    queue.push("H", a_server());
    queue.push("b");
    EXPECT_TRUE(queue.push_answer("count", false));
    EXPECT_TRUE(queue.push_answer("ack", true));
    EXPECT_EQ(written(queue), "Hack");
    queue.acknowledge();
    EXPECT_EQ(written(queue), "bcount");
    EXPECT_TRUE(queue.is_empty());
}

TEST(SendQueue, IsBoundedInBytesAndInUnreadAnswers)
{
    send_queue queue(10);
    EXPECT_TRUE(queue.has_room_for(10));
    queue.push("12345678");
    EXPECT_TRUE(queue.has_room_for(2));
    EXPECT_FALSE(queue.has_room_for(3));
    EXPECT_FALSE(queue.push_answer("123", true));
    written(queue);
    EXPECT_TRUE(queue.has_room_for(10)) << "what is written waits no more";

    send_queue answers(1'000'000);
    std::size_t taken = 0;
    while (answers.push_answer("a", true))
        ++taken;
    EXPECT_EQ(taken, 4096U);
    written(answers);
    EXPECT_TRUE(answers.push_answer("a", true)) << "it has read them after all";
}

TEST(SendQueue, CloseSettlesAllOnceAndKeepsWhatHasArrivedArrived)
{
    send_queue queue(100);
    const auto before = queue.push("a");
    written(queue);
    const auto in_doubt = queue.push("H", a_server());
    const auto behind = queue.push("I", a_server());
    const auto message = queue.push("m");
    written(queue);
    queue.close();
    EXPECT_EQ(code_of(before->error), "");
    for (const auto& one : {in_doubt, behind, message}) {
        EXPECT_TRUE(one->is_settled);
        EXPECT_EQ(code_of(one->error), "ERR_IPC_CHANNEL_CLOSED");
        EXPECT_EQ(static_cast<bool>(one->object), one != message) << "to be given back";
    }
    EXPECT_TRUE(queue.is_empty());
    EXPECT_EQ(queue.in_doubt(), nullptr);
    EXPECT_TRUE(queue.has_room_for(100));
}

} // namespace

// The channel against a scripted peer: messages, good and bad, without a handle.

#include "channel_cases.hpp"
#include "channel_fixture.hpp"
#include "memory.hpp"

#include "ipc/json_text.hpp"

#include <array>

using namespace ipc_test;
using nlohmann::json;
using strings = std::vector<std::string>;

namespace {

/// What the peer reads while a text is sent that is larger than the socket's buffer.
class LargeText : public ChannelTest {
protected:
    /// False when the sending does not end; `line` is what has come.
    bool arrives(const std::string& text, std::string& line)
    {
        const auto sent = send(text);
        const bool done = run_until([&] {
            line += read();
            return sent->done;
        });
        line += read();
        return done;
    }
};

// ---- messages ----------------------------------------------------------------------------------

TEST_F(ChannelTest, SendsEachMessageAsOneLineOfJson)
{
    send("a\nb é");
    send(json{{"n", 1}});
    send(json(nullptr));
    EXPECT_EQ(read(), "\"a\\nb é\"\n{\"n\":1}\nnull\n");
}

TEST_F(ChannelTest, DeliversEveryJsonTypeInOrder)
{
    write("1\n\"s\"\nnull\ntrue\n[1,null]\n{\"a\":{}}\n1e+21\n");
    peer.reset();
    EXPECT_EQ(receive_until_end(),
              (strings{"1", "\"s\"", "null", "true", "[1,null]", "{\"a\":{}}", "1e+21"}));
}

TEST_F(ChannelTest, AcceptsCarriageReturnsBeforeTheNewline)
{
    write("1\r\n{\"a\":2}\r\n");
    peer.reset();
    EXPECT_EQ(receive_until_end(), (strings{"1", "{\"a\":2}"}));
}

TEST_F(ChannelTest, TakesFiveHundredLinesFromOneWrite)
{
    std::string all;
    strings expected;
    for (int i = 0; i < 500; ++i) {
        all += std::to_string(i) + "\n";
        expected.push_back(std::to_string(i));
    }
    write(all);
    peer.reset();
    EXPECT_EQ(receive_until_end(), expected);
}

TEST_F(ChannelTest, A14_TakesALineByteByByteAlsoInsideACharacter)
{
    for (const char byte : std::string("\"ß€😀\"\n")) {
        write(std::string(1, byte));
        run_ready();
    }
    EXPECT_EQ(*receive()->body.text(), "ß€😀");
}

TEST_F(LargeText, A14_FourHundredThousandSharpSComeBackWhereverTheReadsCutThem)
{
    std::string text;
    for (int i = 0; i < 400'000; ++i)
        text += "ß";
    std::string line;
    ASSERT_TRUE(arrives(text, line));
    EXPECT_TRUE(line == "\"" + text + "\"\n") << line.size() << " bytes";

    // Odd and even, in the midst of a character and not, one byte and more than one read takes.
    const std::array<std::size_t, 7> sizes{1, 2, 3, 4097, 65'535, 65'536, 100'001};
    std::size_t at = 0;
    for (std::size_t i = 0; at < line.size(); at += sizes[i++ % sizes.size()]) {
        write(line.substr(at, sizes[i % sizes.size()]));
        run_ready();
    }
    EXPECT_TRUE(*receive()->body.text() == text);
}

TEST_F(ChannelTest, DropsHalfALineAtTheEnd)
{
    write("1\n{\"half\":");
    peer.reset();
    EXPECT_EQ(receive_until_end(), strings{"1"});
    EXPECT_EQ(receive_error, "");
}

TEST_F(LargeText, CarriesAMegabyteInBothDirections)
{
    const std::string large(1'000'000, 'x');
    std::string got;
    ASSERT_TRUE(arrives(large, got));
    EXPECT_EQ(got, "\"" + large + "\"\n");

    write(got);
    EXPECT_EQ(*receive()->body.text(), large);
}

TEST_F(ChannelTest, RefusesToSendWhatLooksLikeTheProtocolsOwn)
{
    EXPECT_NE(send(json{{"cmd", "NODE_foo"}})->error, "");
    EXPECT_EQ(send(json{{"cmd", "NODE_"}})->error, "");
    EXPECT_EQ(send(json{{"cmd", "node_foo"}})->error, "");
    EXPECT_EQ(read(), "{\"cmd\":\"NODE_\"}\n{\"cmd\":\"node_foo\"}\n");
}

TEST_F(ChannelTest, RefusesToSendTextThatIsNotUtf8)
{
    EXPECT_NE(send("\xff")->error, "");
    EXPECT_EQ(read(), "");
}

TEST_F(ChannelTest, DeliversIgnoresOrRefusesEachLineAndGoesOn)
{
    for (const auto& one : channel_cases::all) {
        if (one.then == channel_cases::broken)
            continue;
        SCOPED_TRACE(one.name);
        write(one.line + "\n\"next\"\n");
        if (one.then == channel_cases::delivered) {
            EXPECT_EQ(receive()->body.dump(), ipc::check_json(one.line).text);
        }
        EXPECT_EQ(receive()->body.dump(), "\"next\"");
        const auto answer = read();
        if (one.then == channel_cases::answered)
            EXPECT_TRUE(answer.starts_with("{\"cmd\":\"NODE_SOCKET_")) << answer;
        else
            EXPECT_EQ(answer, one.then == channel_cases::refused ? nack : "");
    }
}

// ---- bad input ---------------------------------------------------------------------------------

class BrokenPeer : public ChannelTest,
                   public testing::WithParamInterface<channel_cases::channel_case> {};

TEST_P(BrokenPeer, A12_EndsTheChannelAfterTheMessagesBeforeTheBadLine)
{
    const auto before = open_descriptors();
    write("1\n" + GetParam().line + "\n2\n");
    EXPECT_EQ(receive()->body.dump(), "1");
    EXPECT_FALSE(receive());
    EXPECT_NE(receive_error, "");
    EXPECT_FALSE(channel->connected());
    EXPECT_FALSE(receive()) << "the error is reported once";
    EXPECT_EQ(receive_error, "");
    EXPECT_EQ(open_descriptors(), before - 1) << "our end of the channel is closed";
}

INSTANTIATE_TEST_SUITE_P(Lines, BrokenPeer,
                         testing::ValuesIn(channel_cases::all_that_are(channel_cases::broken)),
                         [](const auto& test) { return test.param.name; });

TEST_F(ChannelTest, A12_EndsTheChannelOnDeepNestingAndKeepsItsStack)
{
    for (const std::size_t depth : {std::size_t{1'500}, std::size_t{1'000'000}}) {
        open_channel({});
        write(std::string(depth, '[') + std::string(depth, ']') + "\n");
        EXPECT_FALSE(receive());
        EXPECT_NE(receive_error.find("nested"), std::string::npos) << receive_error;
    }
}

TEST_F(ChannelTest, A13_EndsTheChannelOnAnEndlessLine)
{
    const std::string piece(memory::mebibyte, 'x');
    memory::growth growth;
    // The channel closes when it has seen enough, and the rest meets a closed peer.
    EXPECT_THROW(
        for (int i = 0; i < 100; ++i) {
            write(piece);
            run_ready();
            growth.look();
        },
        std::system_error);
    EXPECT_FALSE(receive());
    EXPECT_NE(receive_error.find("16777216"), std::string::npos) << receive_error;
    if (memory::is_given_back) {
        EXPECT_LT(growth.most(), 32 * memory::mebibyte) << "twice the limit";
    }
}

TEST_F(ChannelTest, A13_TheLimitOfALineIsASetting)
{
    ipc::channel_options options;
    options.max_line = 1024;
    open_channel(options);
    const std::string longest(1022, 'x');
    write("\"" + longest + "\"\n\"" + longest + "x\"\n");
    EXPECT_EQ(*receive()->body.text(), longest);
    EXPECT_FALSE(receive());
    EXPECT_NE(receive_error.find("1024"), std::string::npos) << receive_error;
}

} // namespace

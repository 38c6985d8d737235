// The channel against a scripted peer: framing, pairing, acknowledgements, queueing, the end.

#include "channel_cases.hpp"
#include "channel_fixture.hpp"
#include "forked.hpp"
#include "memory.hpp"

#include "ipc/json_text.hpp"
#include "support/process.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <sys/resource.h>

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

// ---- receiving handles -------------------------------------------------------------------------

TEST_F(ChannelTest, DeliversAConnectionAndAcknowledgesItWithExactlyTheseBytes)
{
    auto [accepted, client] = tcp_pair();
    write(envelope("net.Socket", "{\"n\":1}"), {accepted.get()});
    accepted.reset();
    auto message = receive();
    EXPECT_EQ(message->body.dump(), "{\"n\":1}");
    ASSERT_TRUE(message->handle.is_connection());
    EXPECT_EQ(read(), ack);
    EXPECT_EQ(::write(client.get(), "x", 1), 1);
    char byte = 0;
    pollfd ready{message->handle.native_handle(), POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, 5000), 1);
    EXPECT_EQ(::read(message->handle.native_handle(), &byte, 1), 1);
    EXPECT_EQ(byte, 'x');
}

TEST_F(ChannelTest, AcknowledgesWithoutWaitingForReceive)
{
    const auto server = tcp_server();
    write(envelope("net.Server"), {server.get()});
    run_ready();
    EXPECT_EQ(read(), ack);
}

TEST_F(ChannelTest, AcknowledgesAHandleBeforeItsOwnAnswerToIt)
{
    const auto server = tcp_server();
    write(envelope("net.Server"), {server.get()});
    receive();
    send("answer");
    EXPECT_EQ(read(), std::string(ack) + "\"answer\"\n");
}

TEST_F(ChannelTest, ListensOnAServerThatWasOnlyBound)
{
    const auto server = tcp_server(false);
    write(envelope("net.Server"), {server.get()});
    const auto message = receive();
    EXPECT_TRUE(message->handle.is_server());
    int listening = 0;
    socklen_t length = sizeof listening;
    ::getsockopt(server.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length);
    EXPECT_EQ(listening, 1);
}

TEST_F(ChannelTest, A1_PairsDescriptorsWithTheirOwnMessages)
{
    const auto first = tcp_server();
    const auto second = tcp_server();
    write("\"A\"\n\"B\"\n");
    write(envelope("net.Server", "\"C\""), {first.get()});
    write("\"D\"\n");
    write(envelope("net.Server", "\"E\""), {second.get()});
    write("\"F\"\n");
    strings bodies;
    std::vector<std::uint16_t> ports;
    for (int i = 0; i < 6; ++i) {
        const auto message = receive();
        bodies.push_back(*message->body.text());
        if (message->handle)
            ports.push_back(port_of(message->handle.native_handle()));
    }
    EXPECT_EQ(bodies, (strings{"A", "B", "C", "D", "E", "F"}));
    EXPECT_EQ(ports, (std::vector{port_of(first.get()), port_of(second.get())}));
}

TEST_F(ChannelTest, TakesFiveHandlesInARow)
{
    const auto server = tcp_server();
    for (int i = 0; i < 5; ++i)
        write(envelope("net.Server", std::to_string(i)), {server.get()});
    run_ready();
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(receive()->handle.is_server());
    EXPECT_EQ(read(), std::string(ack) + ack + ack + ack + ack);
}

TEST_F(ChannelTest, TakesAnEnvelopeSplitAfterAnyByteWithPlainLinesAround)
{
    const auto server = tcp_server();
    const std::string line = envelope("net.Server", "\"€\"");
    for (std::size_t cut = 1; cut < line.size(); ++cut) {
        write("\"before\"\n");
        write(line.substr(0, cut), {server.get()});
        run_ready();
        write(line.substr(cut) + "\"after\"\n");
        EXPECT_EQ(receive()->body.dump(), "\"before\"");
        EXPECT_TRUE(receive()->handle.is_server()) << "cut after " << cut;
        EXPECT_EQ(receive()->body.dump(), "\"after\"");
        ASSERT_EQ(read(), ack);
    }
}

TEST_F(ChannelTest, A2_KeepsTheDescriptorUntilItsMegabyteLineIsComplete)
{
    const auto before = open_descriptors();
    const auto server = tcp_server();
    const std::string large(800'000, 'x');
    write("\"short\"\n");
    write(envelope("net.Server", "\"" + large + "\""), {server.get()});
    EXPECT_EQ(receive()->body.dump(), "\"short\"");
    const auto message = receive();
    EXPECT_EQ(*message->body.text(), large);
    EXPECT_TRUE(message->handle.is_server());
    EXPECT_EQ(open_descriptors(), before + 2);
}

TEST_F(ChannelTest, UnwrapsARetransmittedEnvelopeAndAcknowledgesItOnce)
{
    const auto [accepted, client] = tcp_pair();
    const std::string inner = envelope("net.Socket", "\"sock\"");
    write(envelope("net.Native", inner.substr(0, inner.size() - 1)), {accepted.get()});
    const auto message = receive();
    EXPECT_EQ(message->body.dump(), "\"sock\"");
    EXPECT_TRUE(message->handle.is_connection());
    EXPECT_EQ(read(), ack);
}

TEST_F(ChannelTest, A15_ClosesADescriptorThatCameWithAPlainMessage)
{
    const auto before = open_descriptors();
    const auto stray = tcp_server();
    const auto wanted = tcp_server();
    write("\"plain\"\n", {stray.get()});
    run_ready();
    write(envelope("net.Server"), {wanted.get()});
    EXPECT_FALSE(receive()->handle);
    const auto message = receive();
    EXPECT_EQ(port_of(message->handle.native_handle()), port_of(wanted.get()));
    EXPECT_EQ(channel->unclaimed_descriptors(), 1U);
    EXPECT_EQ(open_descriptors(), before + 3);
}

TEST_F(ChannelTest, A15_RefusesAnEnvelopeWithoutADescriptor)
{
    write(envelope("net.Socket"));
    write("\"next\"\n");
    EXPECT_EQ(receive()->body.dump(), "\"next\"");
    EXPECT_EQ(read(), nack);
}

TEST_F(ChannelTest, A6_KeepsOneDescriptorOfManyAndClosesTheRest)
{
    const auto before = open_descriptors();
    const auto server = tcp_server();
    for (int i = 0; i < 5; ++i)
        write(envelope("net.Server"), {server.get(), server.get(), server.get()});
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(receive()->handle.is_server());
    EXPECT_EQ(channel->unclaimed_descriptors(), 10U);
    EXPECT_EQ(open_descriptors(), before + 1);
}

TEST_F(ChannelTest, A6_APeerThatNeverEndsItsLineCannotFillTheDescriptorTable)
{
    const auto server = tcp_server();
    const auto before = open_descriptors();
    const std::vector<int> many(200, server.get());
    try {
        for (int i = 1; i <= 100; ++i) {
            write("{", many);
            run_ready();
            ASSERT_LE(open_descriptors(), before + 16) << "after " << i << " writes";
        }
    } catch (const std::system_error&) { // EPIPE: the channel may also have had enough
    }
    peer.reset();
    EXPECT_FALSE(receive());
    EXPECT_EQ(open_descriptors(), before - 2) << "the two ends of the channel";
}

TEST_F(ChannelTest, A7_RefusesAHandleItHasNoDescriptorForAndRecovers)
{
    const auto server = tcp_server();
    write(envelope("net.Server", "\"lost\""), {server.get()});
    rlimit old{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
    rlimit none = old;
    none.rlim_cur = 0;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    run_ready();
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
    EXPECT_EQ(read(), nack);
    write(envelope("net.Server", "\"again\""), {server.get()});
    EXPECT_EQ(receive()->body.dump(), "\"again\"");
}

TEST_F(ChannelTest, A16_RefusesADescriptorThatIsNotWhatItsEnvelopeSays)
{
    const auto before = open_descriptors();
    const auto server = tcp_server();
    const auto [accepted, client] = tcp_pair();
    const unique_fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const unique_fd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const unique_fd unbound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto pair = unix_pair();
    const std::vector<std::pair<std::string, int>> wrong{
        {"net.Socket", null.get()},       {"net.Sock", accepted.get()},
        {"net.Server", udp.get()},        {"net.Server", unbound.get()},
        {"net.Socket", server.get()},     {"net.Server", accepted.get()},
        {"net.Socket", pair.first.get()}, {"", accepted.get()},
        {"net.Native", null.get()}};
    for (const auto& [type, fd] : wrong) {
        write(envelope(type), {fd});
        run_ready();
        EXPECT_EQ(read(), nack) << type;
    }
    write(envelope("net.Native", "\"native\""), {server.get()});
    EXPECT_TRUE(receive()->handle.is_server()) << "a bare handle is what the kernel says it is";
    EXPECT_EQ(open_descriptors(), before + 8);
}

TEST_F(ChannelTest, ClosesAHandleThatBelongsToAnInternalMessage)
{
    const auto before = open_descriptors();
    const auto [accepted, client] = tcp_pair();
    write(envelope("net.Native", R"({"cmd":"NODE_CLUSTER","act":"newconn","seq":1})"),
          {accepted.get()});
    write("\"next\"\n");
    EXPECT_EQ(receive()->body.dump(), "\"next\"");
    EXPECT_EQ(read(), ack);
    EXPECT_EQ(open_descriptors(), before + 2);

    const auto bound = tcp_server(false); // as a primary sends it that does not accept for others
    write(envelope("net.Native", R"({"cmd":"NODE_CLUSTER","errno":0,"ack":1,"seq":0})"),
          {bound.get()});
    run_ready();
    EXPECT_EQ(read(), ack);
    int listening = 1;
    socklen_t length = sizeof listening;
    ::getsockopt(bound.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length);
    EXPECT_EQ(listening, 0) << "it is not ours to listen on";
}

// ---- sending handles ---------------------------------------------------------------------------

TEST_F(ChannelTest, B1_SendsAConnectionAndClosesItWhenItIsAcknowledged)
{
    const auto before = open_descriptors();
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto sent = send("socket", &handle);
    EXPECT_EQ(read(), envelope("net.Socket", "\"socket\""));
    ASSERT_EQ(received.size(), 1U);
    EXPECT_FALSE(sent->done) << "written is not acknowledged";
    EXPECT_EQ(open_descriptors(), before + 3) << "client, the peer's copy, and ours until the ACK";

    write(ack);
    ASSERT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_EQ(sent->error, "");
    EXPECT_FALSE(handle);
    EXPECT_EQ(open_descriptors(), before + 2);
    received.clear(); // the last copy
    char byte = 0;
    EXPECT_EQ(::read(client.get(), &byte, 1), 0) << "the client reads end of file";
}

TEST_F(ChannelTest, KeepsAServerOpenOnThisSide)
{
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server);
    EXPECT_EQ(read(), envelope("net.Server", "\"server\""));
    write(ack);
    ASSERT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_TRUE(server.is_server());
}

TEST_F(ChannelTest, B2_RefusesToSendAConnectionTwice)
{
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto first = send("first", &handle);
    EXPECT_EQ(send("second", &handle)->error, "ERR_INVALID_HANDLE_TYPE");
    EXPECT_EQ(read(), envelope("net.Socket", "\"first\""));
    write(ack);
    ASSERT_TRUE(run_until([&] { return first->done; }));
    EXPECT_EQ(first->error, "");
    EXPECT_EQ(send("third", &handle)->error, "ERR_INVALID_HANDLE_TYPE");
    EXPECT_EQ(read(), "");
}

TEST_F(ChannelTest, HoldsEverythingBehindAnUnacknowledgedHandleAndKeepsTheOrder)
{
    auto one = tcp_pair();
    auto two = tcp_pair();
    auto h1 = connection_handle(std::move(one.first));
    auto h2 = connection_handle(std::move(two.first));
    send("h1", &h1);
    send("p1");
    send("p2");
    send("h2", &h2);
    const auto last = send("p3");
    EXPECT_EQ(read(), envelope("net.Socket", "\"h1\""));

    write(ack);
    run_ready();
    EXPECT_EQ(read(), "\"p1\"\n\"p2\"\n" + envelope("net.Socket", "\"h2\""));
    EXPECT_FALSE(last->done);

    write(ack);
    run_ready();
    EXPECT_EQ(read(), "\"p3\"\n");
    EXPECT_TRUE(last->done);
    EXPECT_EQ(received.size(), 2U);
}

constexpr support::milliseconds two_seconds{2000};

TEST_F(ChannelTest, A17_AcknowledgesThePeersHandleWhileItsOwnWaits)
{
    auto ours = tcp_pair();
    auto handle = connection_handle(std::move(ours.first));
    send("ours", &handle);
    read();
    const auto theirs = tcp_server();
    write(envelope("net.Server"), {theirs.get()});
    run_ready();
    EXPECT_EQ(read(), ack);
}

TEST_F(ChannelTest, A17_TwoPeersSendingEachOtherTwoHundredHandlesAtOnceBothFinish)
{
    ipc::channel other(context.get_executor(), std::move(peer));
    const auto before = open_descriptors();
    std::size_t sent = 0;
    const auto send_all = [&](ipc::channel& from) -> asio::awaitable<void> {
        for (int i = 0; i < 200; ++i) {
            ipc::handle server(tcp_server());
            co_await from.send("server", server);
            ++sent;
        }
    };
    std::size_t got = 0;
    const auto receive_all = [&](ipc::channel& at) -> asio::awaitable<void> {
        for (int i = 0; i < 200; ++i)
            got += (co_await at.receive())->handle.is_server();
    };
    const auto rethrow = [](std::exception_ptr error) {
        if (error)
            std::rethrow_exception(error);
    };
    for (auto* end : {&*channel, &other}) {
        asio::co_spawn(context, send_all(*end), rethrow);
        asio::co_spawn(context, receive_all(*end), rethrow);
    }
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(run_until([&] { return sent == 400 && got == 400; })) << sent << " " << got;
    EXPECT_LT(std::chrono::steady_clock::now() - began, support::patient(two_seconds));
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ChannelTest, A17_TwoPeersSendingEachOtherTenMegabytesAtOnceBothFinish)
{
    ipc::channel other(context.get_executor(), std::move(peer));
    const std::string large(10'000'000, 'x');
    std::size_t finished = 0;
    const auto exchange = [&](ipc::channel& end) {
        asio::co_spawn(context, end.send(large),
                       [&](std::exception_ptr error) { finished += !error; });
        asio::co_spawn(context, end.receive(),
                       [&](std::exception_ptr error, std::optional<ipc::message> message) {
                           finished +=
                               !error && message && message->body.text()->size() == large.size();
                       });
    };
    exchange(*channel);
    exchange(other);
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(run_until([&] { return finished == 4; }));
    EXPECT_LT(std::chrono::steady_clock::now() - began, support::patient(two_seconds));
}

TEST_F(ChannelTest, RetransmitsUnwrappedThreeTimesAndThenGivesTheHandleBack)
{
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto number = handle.native_handle();
    const auto sent = send("socket", &handle);
    const auto behind = send("behind");
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(read(), envelope("net.Socket", "\"socket\"")) << "transmission " << i + 1;
        EXPECT_FALSE(sent->done);
        write(nack);
        run_ready();
    }
    EXPECT_TRUE(sent->done);
    EXPECT_EQ(sent->error, "SentHandleNotReceivedWarning");
    EXPECT_EQ(handle.native_handle(), number) << "still ours, whole";
    EXPECT_EQ(received.size(), 4U) << "a copy went with each transmission";
    EXPECT_EQ(read(), "\"behind\"\n");
    EXPECT_TRUE(behind->done);
}

TEST_F(ChannelTest, ASuccessfulRetransmissionIsASuccess)
{
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto sent = send("socket", &handle);
    write(std::string(nack) + nack);
    run_ready();
    write(ack);
    run_ready();
    EXPECT_TRUE(sent->done);
    EXPECT_EQ(sent->error, "");
}

TEST_F(ChannelTest, IgnoresAcknowledgementsNobodyWaitsFor)
{
    write(std::string(ack) + nack + ack + "\"still here\"\n");
    EXPECT_EQ(receive()->body.dump(), "\"still here\"");
}

TEST_F(ChannelTest, EndsTheChannelOnAnAcknowledgementBeforeTheWholeEnvelopeIsWritten)
{
    ipc::handle server(tcp_server());
    const auto sent = send(std::string(4'000'000, 'x'), &server);
    write(ack);
    run_ready();
    EXPECT_TRUE(sent->done);
    EXPECT_EQ(sent->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_TRUE(server) << "and the handle is still ours";
    EXPECT_FALSE(receive());
    EXPECT_NE(receive_error, "");
}

TEST_F(ChannelTest, A3_PartialWriteSendsTheDescriptorOnce)
{
    const int small = 4608;
    const auto [ours, theirs] = unix_pair();
    ASSERT_EQ(::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    channel.emplace(context.get_executor(), unique_fd(::dup(ours.get())));
    peer.reset(::dup(theirs.get()));
    ipc::handle server(tcp_server());
    const std::string large(200'000, 'x');
    const auto sent = send(large, &server);
    std::string got;
    ASSERT_TRUE(run_until([&] {
        got += read();
        return got.ends_with("\n");
    }));
    EXPECT_EQ(got, envelope("net.Server", "\"" + large + "\""));
    EXPECT_EQ(received.size(), 1U);
    write(ack);
    EXPECT_TRUE(run_until([&] { return sent->done; }));
}

TEST_F(ChannelTest, A2_TheDescriptorOfALargeMessageGoesOnceHoweverSlowlyItIsRead)
{
    ipc::handle server(tcp_server());
    const std::string large(800'000, 'x');
    const auto sent = send(large, &server);
    std::string got;
    std::array<char, 5'000> buffer; // what the peer reads at a time
    while (!got.ends_with("\n")) {
        const auto size = ipc::receive_bytes(peer.get(), buffer, received).size;
        ASSERT_GT(size, 0U) << "after " << got.size();
        got.append(buffer.data(), size);
        ASSERT_EQ(received.size(), 1U) << "with the first byte, after " << got.size();
        run_ready();
    }
    EXPECT_TRUE(got == envelope("net.Server", "\"" + large + "\"")) << got.size() << " bytes";
    EXPECT_EQ(received.size(), 1U);
    EXPECT_FALSE(sent->done);
    write(ack);
    EXPECT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_EQ(sent->error, "");
}

TEST_F(ChannelTest, ReportsAPeerThatNeverAcknowledges)
{
    int reports = 0;
    ipc::channel_options options;
    options.ack_timeout = std::chrono::milliseconds(20);
    options.on_ack_overdue = [&] { ++reports; };
    open_channel(options);
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server);
    ASSERT_TRUE(run_until([&] { return reports > 0; }));
    EXPECT_FALSE(sent->done) << "the peer may still take it: nobody else may have it yet";
    write(ack);
    ASSERT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_EQ(reports, 1);
    EXPECT_EQ(sent->error, "");
}

TEST_F(ChannelTest, A18_HoldsABoundedAmountForAPeerThatDoesNotRead)
{
    ipc::channel_options options;
    options.max_queue = 1'000'000;
    open_channel(options);
    std::vector<std::shared_ptr<outcome>> sent;
    for (int i = 0; i < 100; ++i)
        sent.push_back(send(std::to_string(i) + std::string(100'000, 'x')));
    std::size_t refused = 0;
    std::string expected;
    for (std::size_t i = 0; i < sent.size(); ++i) {
        if (sent[i]->error == "ERR_IPC_QUEUE_FULL")
            ++refused;
        else
            expected += "\"" + std::to_string(i) + std::string(100'000, 'x') + "\"\n";
    }
    EXPECT_GT(refused, 80U);

    std::string got;
    ASSERT_TRUE(run_until([&] {
        got += read();
        return std::all_of(sent.begin(), sent.end(), [](const auto& one) { return one->done; });
    }));
    got += read();
    EXPECT_TRUE(got == expected) << "whole and in order; " << got.size() << " bytes";
}

TEST_F(ChannelTest, A18_AHundredThousandMessagesToAStoppedPeerArriveInOrderWhenItGoesOn)
{
    constexpr std::size_t total = 100'000;
    std::size_t completed = 0, failed = 0;
    std::string expected;
    for (std::size_t i = 0; i < total; ++i) {
        expected += std::to_string(i) + "\n";
        asio::co_spawn(context, channel->send(json(i)), [&](std::exception_ptr error) {
            ++completed;
            failed += error != nullptr;
        });
    }
    run_ready();
    EXPECT_LT(completed, total) << "the rest waits for the peer";
    std::string got;
    ASSERT_TRUE(run_until([&] {
        got += read();
        return completed == total;
    }));
    got += read();
    EXPECT_EQ(failed, 0U);
    EXPECT_TRUE(got == expected) << got.size() << " of " << expected.size() << " bytes";
}

TEST_F(ChannelTest, A18_EndsTheChannelOfAPeerThatDoesNotReadItsAnswers)
{
    std::string questions; // each is an envelope without a descriptor, and is refused
    for (int i = 0; i < 20'000; ++i)
        questions += envelope("net.Socket");
    EXPECT_THROW(write(questions), std::system_error); // EPIPE
    receive();
    EXPECT_EQ(receive_error, "it does not read our answers");
    EXPECT_FALSE(channel->connected());
}

TEST_F(ChannelTest, APeerThatNeverStopsTalkingLeavesTimeForOthers)
{
    constexpr std::size_t messages = 100;
    for (std::size_t i = 0; i < messages; ++i) // each is a read of its own, for its descriptor
        write("{\"cmd\":\"NODE_nothing\"}\n", {peer.get()});
    while (channel->unclaimed_descriptors() == 0)
        ASSERT_GT(context.run_one_for(support::patient(support::a_while)), 0u);
    EXPECT_LT(channel->unclaimed_descriptors(), messages);
    run_ready();
    EXPECT_EQ(channel->unclaimed_descriptors(), messages);
}

TEST_F(ChannelTest, StopsReadingWhenNobodyReceivesAndGoesOnWhenSomebodyDoes)
{
    constexpr std::size_t total = 20'000;
    std::size_t written = 0;
    while (written < total) {
        const auto size = ipc::send_bytes(peer.get(), "1\n");
        if (size == 0)
            break;
        ASSERT_EQ(size, 2U);
        ++written;
        run_ready();
    }
    EXPECT_LT(written, total) << "a peer that talks faster than we listen must be made to wait";
    for (std::size_t i = 0; i < written; ++i)
        ASSERT_EQ(receive()->body.dump(), "1");
    write("\"after\"\n");
    EXPECT_EQ(receive()->body.dump(), "\"after\"");
}

TEST_F(ChannelTest, A18_WhatNobodyReceivesIsBoundedInBytesAsWellAsInNumber)
{
    constexpr std::size_t total = 200;
    const std::string text(memory::mebibyte, 'x');
    const std::string line = "\"" + text + "\"\n";
    std::size_t lines = 0;   // written
    std::size_t written = 0; // of the next one
    const auto write_what_is_taken = [&] {
        while (lines < total) {
            const auto size = ipc::send_bytes(peer.get(), std::string_view(line).substr(written));
            if (size == 0)
                return;
            written += size;
            if (written == line.size()) {
                written = 0;
                ++lines;
            }
            run_ready();
        }
    };
    memory::growth growth;
    write_what_is_taken();
    growth.look();
    EXPECT_LT(lines, 64U);
    if (memory::is_given_back) {
        EXPECT_LT(growth.most(), 64 * memory::mebibyte);
    }
    for (std::size_t i = 0; i < total; ++i) { // and nothing is lost by it
        write_what_is_taken();
        const auto message = receive();
        ASSERT_TRUE(message);
        ASSERT_TRUE(*message->body.text() == text);
    }
}

// ---- NODE_SOCKET_* -----------------------------------------------------------------------------

TEST_F(ChannelTest, CountsTheOpenSocketsOfAServerAndSaysWhenTheLastIsClosed)
{
    const std::string key = R"("key":"4:127.0.0.1:8888")";
    const auto count = [&](int n) {
        return R"({"cmd":"NODE_SOCKET_COUNT","count":)" + std::to_string(n) + "," + key + "}\n";
    };
    const std::string get = R"({"cmd":"NODE_SOCKET_GET_COUNT",)" + key + "}\n";
    const std::string notify = R"({"cmd":"NODE_SOCKET_NOTIFY_CLOSE",)" + key + "}\n";
    const std::string all_closed = R"({"cmd":"NODE_SOCKET_ALL_CLOSED",)" + key + "}\n";

    write(get + notify);
    run_ready();
    EXPECT_EQ(read(), count(0) + all_closed) << "a key never seen has no socket open";

    std::vector<ipc::connection> connections;
    for (int i = 0; i < 2; ++i) {
        const auto [accepted, client] = tcp_pair();
        write(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":"s",)" + key + "}\n",
              {accepted.get()});
        connections.push_back(std::move(receive()->handle).connection(context.get_executor()));
    }
    EXPECT_EQ(read(), std::string(ack) + ack);
    write(get + notify);
    run_ready();
    EXPECT_EQ(read(), count(2));
    connections.pop_back();
    write(get);
    run_ready();
    EXPECT_EQ(read(), count(1));
    connections.pop_back();
    run_ready();
    EXPECT_EQ(read(), all_closed);
    write(notify);
    run_ready();
    EXPECT_EQ(read(), all_closed) << "at once when none is open";
}

// ---- the end -----------------------------------------------------------------------------------

TEST_F(ChannelTest, EndsForBothSidesWhenThePeerCloses)
{
    ipc::handle server(tcp_server());
    const auto in_doubt = send("server", &server);
    const auto held = send("behind");
    peer.reset();
    ASSERT_TRUE(run_until([&] { return in_doubt->done && held->done; }));
    EXPECT_EQ(in_doubt->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_EQ(held->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_TRUE(server) << "what was not acknowledged is still ours";
    EXPECT_FALSE(channel->connected());
    EXPECT_FALSE(receive());
    EXPECT_EQ(send("late")->error, "ERR_IPC_CHANNEL_CLOSED");
}

TEST_F(ChannelTest, TakesAHalfCloseForTheEnd)
{
    write("\"last\"\n");
    ASSERT_EQ(::shutdown(peer.get(), SHUT_WR), 0);
    EXPECT_EQ(receive_until_end(), strings{"\"last\""});
    EXPECT_FALSE(channel->connected());
}

TEST_F(ChannelTest, A19_DeliversThePeersLastWordsWhenItsCloseComesAsAReset)
{
    send("never read by the peer");
    write("\"last\"\n");
    peer.reset();
    EXPECT_EQ(receive_until_end(), strings{"\"last\""});
    EXPECT_EQ(receive_error, "");
}

TEST_F(ChannelTest, ReadsTheAcknowledgementOfAPeerThatClosedBeforeTheNextWrite)
{
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto sent = send("socket", &handle);
    read();
    write(ack);
    peer.reset();
    const auto late = send("late"); // meets the closed socket before anything was read
    ASSERT_TRUE(run_until([&] { return sent->done && late->done; }));
    EXPECT_EQ(sent->error, "") << "the handle had arrived";
    EXPECT_EQ(late->error, "ERR_IPC_CHANNEL_CLOSED");
}

TEST_F(ChannelTest, DeliversAFiveMegabyteMessageThatIsFollowedByTheEnd)
{
    const std::string large(5'000'000, 'x');
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            co_await channel->send(large);
            channel->close();
        },
        [](std::exception_ptr error) { EXPECT_FALSE(error); });
    std::string got;
    ASSERT_TRUE(run_until([&] {
        got += read();
        return peer_saw_end;
    }));
    EXPECT_EQ(got.size(), large.size() + 3);
}

TEST_F(ChannelTest, CloseGivesBackEverythingAndLeavesNoDescriptor)
{
    const auto before = open_descriptors();
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server);
    write(R"({"cmd":"NODE_HANDLE","type":"net.Server")", {server.native_handle() < 0 ? 0 : 0});
    channel->close();
    ASSERT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_TRUE(server);
    server.close();
    EXPECT_EQ(open_descriptors(), before - 1) << "only our end of the channel is gone";
}

TEST_F(ChannelTest, MayBeDestroyedWhileACoroutineReceives)
{
    bool ended = false;
    asio::co_spawn(context, channel->receive(),
                   [&](std::exception_ptr error, std::optional<ipc::message> message) {
                       ended = !error && !message;
                   });
    run_ready();
    channel.reset();
    EXPECT_TRUE(run_until([&] { return ended; }));
}

// Handles sent = acknowledged + refused for good + given back; messages sent = delivered + failed.
// Each fate is decided by the number in the message, and each is counted on both sides.
TEST_F(ChannelTest, EverySendCompletesOnceAndTheAccountsBalance)
{
    ipc::channel_options options;
    options.max_queue = 40'000; // some are refused at once
    open_channel(options);
    const auto before = open_descriptors();

    struct sent_handle {
        std::shared_ptr<outcome> result;
        std::unique_ptr<ipc::handle> object;
        unique_fd client; // of a connection
    };
    std::vector<sent_handle> handles;
    std::vector<std::shared_ptr<outcome>> messages;
    const auto send_some = [&] {
        for (int i = 0; i < 120; ++i) {
            const auto number = static_cast<int>(handles.size());
            sent_handle one;
            if (number % 7 == 0) {
                one.object = std::make_unique<ipc::handle>(); // empty
            } else if (number % 2 == 0) {
                one.object = std::make_unique<ipc::handle>(tcp_server());
            } else {
                auto pair = tcp_pair();
                one.object = std::make_unique<ipc::handle>(std::move(pair.first));
                one.client = std::move(pair.second);
            }
            one.result = send(json(number), one.object.get());
            handles.push_back(std::move(one));
            for (int j = 0; j < 4; ++j)
                messages.push_back(send(std::string(50, 'x')));
            messages.push_back(send(json{{"cmd", "NODE_forbidden"}}));
        }
    };

    std::size_t acknowledged = 0, refused = 0, delivered = 0;
    std::map<int, int> transmissions;
    // The peer answers each handle as its number says, until so many are settled.
    const auto answer_until = [&](std::size_t settled) {
        bool reached = false;
        return run_until([&] {
            std::istringstream lines(read());
            received.clear();
            for (std::string line; std::getline(lines, line);) {
                const auto parsed = json::parse(line);
                if (!parsed.is_object()) {
                    ++delivered;
                    continue;
                }
                if (acknowledged + refused == settled) {
                    reached = true; // and this one gets no answer
                    continue;
                }
                const int number = parsed.at("msg");
                const int times = ++transmissions[number];
                const int refusals =
                    std::array{0, 4, 2, 0, 3}[static_cast<std::size_t>(number % 5)];
                if (times <= refusals) {
                    write(nack);
                    refused += times == 4;
                } else {
                    write(ack);
                    ++acknowledged;
                }
            }
            return reached;
        });
    };

    send_some();
    ASSERT_TRUE(answer_until(40));
    write(ack); // the one that answer_until() left
    ++acknowledged;
    send_some();
    ASSERT_TRUE(answer_until(90));
    peer.reset();
    const auto completed = [](const auto& result) { return result->completions > 0; };
    ASSERT_TRUE(run_until([&] {
        return std::all_of(messages.begin(), messages.end(), completed) &&
               std::all_of(handles.begin(), handles.end(),
                           [&](const auto& one) { return completed(one.result); });
    }));
    run_ready(); // would complete some a second time

    std::map<std::string, std::size_t> of_handles, of_messages;
    for (const auto& one : messages) {
        EXPECT_EQ(one->completions, 1);
        ++of_messages[one->error];
    }
    std::size_t ends = 0;
    for (const auto& one : handles) {
        EXPECT_EQ(one.result->completions, 1);
        const auto& error = one.result->error;
        ++of_handles[error];
        if (one.client) {
            char byte = 0;
            const bool end = ::recv(one.client.get(), &byte, 1, MSG_DONTWAIT) == 0;
            EXPECT_EQ(end, error.empty()) << error;
            EXPECT_EQ(one.object->is_connection(), !error.empty()) << error;
            ends += end;
        } else {
            EXPECT_EQ(one.object->is_server(), error != "ERR_INVALID_HANDLE_TYPE") << error;
        }
    }
    EXPECT_GT(ends, 0U);

    EXPECT_EQ(handles.size(), 240U);
    EXPECT_EQ(of_handles[""], acknowledged);
    EXPECT_EQ(of_handles["SentHandleNotReceivedWarning"], refused);
    EXPECT_EQ(of_handles["ERR_INVALID_HANDLE_TYPE"], 35U);
    const auto given_back = of_handles["ERR_IPC_CHANNEL_CLOSED"];
    const auto not_taken = of_handles["ERR_IPC_QUEUE_FULL"];
    EXPECT_EQ(acknowledged + refused + given_back + not_taken + 35, handles.size());
    EXPECT_EQ(messages.size(), 1200U);
    EXPECT_EQ(of_messages[""], delivered);
    const auto failed = messages.size() - delivered;
    EXPECT_EQ(of_messages["ERR_IPC_CHANNEL_CLOSED"] + of_messages["ERR_IPC_QUEUE_FULL"] + 240,
              failed);
    for (const auto& fates : {of_handles, of_messages})
        for (const auto& [fate, count] : fates)
            EXPECT_GT(count, 0U) << fate << ": the test tests nothing";

    handles.clear();
    received.clear();
    EXPECT_EQ(open_descriptors(), before - 2) << "the two ends of the channel";
}

TEST_F(ChannelTest, A8_OneHandleIsOnTheWayHoweverManyWaitAndNoneIsLost)
{
    std::vector<std::shared_ptr<outcome>> sent;
    std::vector<ipc::handle> handles;
    handles.reserve(500);
    for (int i = 0; i < 500; ++i) {
        handles.emplace_back(tcp_server());
        sent.push_back(send("server", &handles.back()));
    }
    EXPECT_EQ(read(), envelope("net.Server", "\"server\"")) << "one at a time";
    for (std::size_t i = 0; i < sent.size(); ++i) {
        write(ack);
        run_ready();
        received.clear();
        if (i + 1 < sent.size()) {
            ASSERT_EQ(read(), envelope("net.Server", "\"server\""));
        }
    }
    EXPECT_TRUE(std::all_of(sent.begin(), sent.end(),
                            [](const auto& one) { return one->done && one->error.empty(); }));
}

// What one channel sends does not meet the limit; others of the same user may have used it up.
TEST_F(ChannelTest, A8_TooManyDescriptorsOnTheWayMeansWaitAndNothingIsLost)
{
    const auto body = [&] {
        context.notify_fork(asio::execution_context::fork_child);
        forked::become_nobody(64);
        auto [from, to] = unix_pair();
        const auto something = tcp_server();
        std::size_t on_the_way = 0;
        std::error_code refused;
        while (!refused && on_the_way < 200) {
            try {
                ASSERT_EQ(ipc::send_bytes(from.get(), "x", something.get()), 1U);
                ++on_the_way;
            } catch (const std::system_error& error) {
                refused = error.code();
            }
        }
        ASSERT_EQ(refused.value(), ETOOMANYREFS) << refused.message() << " after " << on_the_way;

        auto [accepted, client] = tcp_pair();
        auto handle = connection_handle(std::move(accepted));
        const auto sent = send("socket", &handle);
        const auto behind = send("behind");
        context.restart();
        const auto tries = context.run_for(std::chrono::milliseconds(200));
        EXPECT_GE(tries, 2U) << "it asks again by itself";
        EXPECT_LE(tries, 25U) << "and not all the time";
        EXPECT_EQ(read(), "");
        EXPECT_FALSE(sent->done || behind->done);

        to.reset(); // all of them have arrived, so to speak
        std::string got;
        ASSERT_TRUE(run_until([&] { return (got += read()).ends_with("\n"); }));
        EXPECT_EQ(got, envelope("net.Socket", "\"socket\""));
        EXPECT_EQ(received.size(), 1U);
        write(ack);
        ASSERT_TRUE(run_until([&] { return sent->done && behind->done; }));
        EXPECT_EQ(sent->error + behind->error, "");
        EXPECT_EQ(read(), "\"behind\"\n");
    };
    context.notify_fork(asio::execution_context::fork_prepare);
    forked::child sender(body);
    context.notify_fork(asio::execution_context::fork_parent);
    EXPECT_EQ(sender.wait(), 0);
}

} // namespace

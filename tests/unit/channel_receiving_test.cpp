// The channel against a scripted peer: the handles it sends, and how many are still open.

#include "channel_fixture.hpp"

#include <sys/resource.h>

using namespace ipc_test;
using strings = std::vector<std::string>;

namespace {

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

} // namespace

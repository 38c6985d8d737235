// What a channel promises about time limits, an orderly end, handles that nobody wants, and a want
// of resources at our end.
#include "channel_fixture.hpp"
#include "failing_calls.hpp"

#include "log.hpp"

#include <asio/experimental/awaitable_operators.hpp>
#include <asio/steady_timer.hpp>

#include <sys/resource.h>

using namespace ipc_test;
using namespace asio::experimental::awaitable_operators;
using nlohmann::json;
using std::chrono::milliseconds;
using strings = std::vector<std::string>;

namespace {

class ChannelContract : public ChannelTest {
protected:
    ChannelContract()
    {
        lines.clear();
        log_line = [](const std::string& line) { lines.push_back(line); };
    }
    ~ChannelContract() override { log_line = before_; }

    static std::size_t lines_with(const std::string& text)
    {
        return static_cast<std::size_t>(
            std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
                return line.find(text) != std::string::npos;
            }));
    }

    asio::awaitable<void> after(milliseconds time)
    {
        asio::steady_timer timer(context, time);
        co_await timer.async_wait(asio::use_awaitable);
    }

    template<class Coroutine>
    void spawn(Coroutine coroutine)
    {
        asio::co_spawn(context, std::move(coroutine), [](std::exception_ptr error) {
            try {
                if (error)
                    std::rethrow_exception(error);
            } catch (const std::exception& failure) {
                ADD_FAILURE() << failure.what();
            }
        });
    }

    static inline std::vector<std::string> lines;

private:
    void (*before_)(const std::string&) = log_line;
};

// ---- time limits -------------------------------------------------------------------------------

TEST_F(ChannelContract, ATimeLimitOnASendLosesNoHandle)
{
    auto [accepted, client] = tcp_pair();
    auto handle = connection_handle(std::move(accepted));
    const auto before = open_descriptors();
    bool over = false, limit_passed = false;
    spawn([&]() -> asio::awaitable<void> {
        const auto limit = [&]() -> asio::awaitable<void> {
            co_await after(milliseconds(1));
            limit_passed = true;
        };
        co_await (channel->send("socket", handle) || limit());
        over = true;
    });
    ASSERT_TRUE(run_until([&] { return limit_passed; }));
    run_ready();
    EXPECT_FALSE(over) << "it may be the peer's by now";
    EXPECT_EQ(read(), envelope("net.Socket", "\"socket\""));
    received.clear();
    EXPECT_EQ(open_descriptors(), before) << "and the channel has it";

    for (int i = 0; i < 4; ++i) { // the peer does not want it
        write(nack);
        run_ready();
        read();
        received.clear();
    }
    ASSERT_TRUE(run_until([&] { return over; }));
    EXPECT_TRUE(handle.is_connection()) << "and we have it again";
}

TEST_F(ChannelContract, ATimeLimitOnAReceiveTakesNoMessageWithIt)
{
    bool over = false;
    spawn([&]() -> asio::awaitable<void> {
        const auto result = co_await (channel->receive() || after(milliseconds(1)));
        EXPECT_EQ(result.index(), 1U);
        over = true;
    });
    ASSERT_TRUE(run_until([&] { return over; }));
    write("\"next\"\n");
    EXPECT_EQ(receive()->body.dump(), "\"next\"");
}

TEST_F(ChannelContract, AHandleCanBeGivenAwayWithTheSend)
{
    auto [accepted, client] = tcp_pair();
    const auto before = open_descriptors();
    int arrived = 0, refused = 0;
    const auto send_one = [&](unique_fd fd) {
        ipc::handle object(std::move(fd));
        asio::co_spawn(context, channel->send("socket", std::move(object)),
                       [&](std::exception_ptr error) { ++(error ? refused : arrived); });
        EXPECT_FALSE(object);
        run_ready();
    };
    send_one(std::move(accepted));
    read();
    received.clear();
    write(ack);
    ASSERT_TRUE(run_until([&] { return arrived == 1; }));
    EXPECT_EQ(open_descriptors(), before - 1);
    char byte = 0;
    EXPECT_EQ(::recv(client.get(), &byte, 1, MSG_DONTWAIT), 0) << "the last copy is closed";

    auto second = tcp_pair();
    send_one(std::move(second.first));
    channel->close();
    ASSERT_TRUE(run_until([&] { return refused == 1; }));
    peer.reset(); // and with it the copy on its way
    EXPECT_EQ(::recv(second.second.get(), &byte, 1, MSG_DONTWAIT), 0) << "closed here";
}

TEST_F(ChannelContract, AnObjectThatOwnsADescriptorCanBeSentAsItIs)
{
    asio::ip::tcp::acceptor server(context, {asio::ip::address_v4::loopback(), 0});
    bool sent = false;
    spawn([&]() -> asio::awaitable<void> {
        co_await channel->send("server", std::move(server));
        sent = true;
    });
    run_ready();
    EXPECT_FALSE(server.is_open());
    EXPECT_EQ(read(), envelope("net.Server", "\"server\""));
    write(ack);
    EXPECT_TRUE(run_until([&] { return sent; }));
}

// ---- the orderly end ---------------------------------------------------------------------------

TEST_F(ChannelContract, DisconnectDeliversWhatWasSentAndThenCloses)
{
    const std::string large(1'000'000, 'x');
    ipc::handle server(tcp_server());
    const auto first = send(large);
    const auto handle = send("server", &server);
    const auto last = send("last");
    bool over = false;
    spawn([&]() -> asio::awaitable<void> {
        co_await channel->disconnect();
        over = true;
    });
    run_ready();
    EXPECT_FALSE(channel->connected());
    EXPECT_EQ(send("late")->error, "ERR_IPC_CHANNEL_CLOSED");
    std::string got;
    bool acknowledged = false;
    ASSERT_TRUE(run_until([&] {
        if (peer)
            got += read();
        if (!acknowledged && got.ends_with(envelope("net.Server", "\"server\""))) {
            acknowledged = true;
            write(ack);
        }
        if (peer_saw_end)
            peer = {};
        return over;
    }));
    EXPECT_TRUE(got == "\"" + large + "\"\n" + envelope("net.Server", "\"server\"") + "\"last\"\n")
        << got.size();
    for (const auto& one : {first, handle, last})
        EXPECT_EQ(one->error, "");
    EXPECT_TRUE(server) << "arrived, and still listening here too";
    EXPECT_FALSE(receive());
}

TEST_F(ChannelContract, DisconnectAcknowledgesWhatThePeerHasSentBeforeItCloses)
{
    const auto server = tcp_server();
    for (int i = 0; i < 20; ++i)
        write(envelope("net.Server", std::to_string(i)), {server.get()});
    bool over = false;
    spawn([&]() -> asio::awaitable<void> {
        co_await channel->disconnect();
        over = true;
    });
    std::string expected;
    for (int i = 0; i < 20; ++i)
        expected += ack;
    run_ready();
    EXPECT_EQ(read(), expected);
    EXPECT_TRUE(peer_saw_end);
    peer = {};
    run_ready();
    EXPECT_TRUE(over);
    for (int i = 0; i < 20; ++i)
        EXPECT_TRUE(receive()->handle.is_server()) << i;
    EXPECT_FALSE(receive());
}

// Whoever disconnects often exits at once, and a Node parent may look at the channel no more then.
TEST_F(ChannelContract, DisconnectWaitsUntilThePeerHasReadTheEndAndReadsNothingMore)
{
    const auto server = tcp_server();
    const auto asked = begin(channel->disconnect());
    EXPECT_FALSE(asked->done);
    write(envelope("net.Server"), {server.get()});
    run_ready();
    EXPECT_EQ(read(), "") << "it could not be acknowledged any more";
    EXPECT_TRUE(peer_saw_end);
    EXPECT_FALSE(asked->done) << "what the peer has not closed it may still have to read";
    peer = {};
    run_ready();
    EXPECT_TRUE(asked->done);
    EXPECT_FALSE(receive());
}

TEST_F(ChannelContract, DisconnectWaitsASecondForAPeerThatDoesNotLook)
{
    const auto begun = std::chrono::steady_clock::now();
    const auto asked = begin(channel->disconnect());
    EXPECT_TRUE(run_until([&] { return asked->done; }));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(1000));
}

TEST_F(ChannelContract, DisconnectIsOverAtOnceWhenThePeerHasEndedOrAllIsOverAnyway)
{
    peer = {};
    int over = 0;
    const auto disconnect = [&]() -> asio::awaitable<void> {
        co_await channel->disconnect();
        ++over;
    };
    spawn(disconnect());
    run_ready();
    EXPECT_EQ(over, 1);
    spawn(disconnect());
    run_ready();
    EXPECT_EQ(over, 2);
}

TEST_F(ChannelContract, DisconnectWaitsNoLongerThanItsCallerDoes)
{
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server); // and nobody acknowledges it
    bool over = false;
    spawn([&]() -> asio::awaitable<void> {
        co_await (channel->disconnect() || after(milliseconds(1)));
        channel->close();
        over = true;
    });
    ASSERT_TRUE(run_until([&] { return over && sent->done; }));
    EXPECT_EQ(sent->error, "ERR_IPC_CHANNEL_CLOSED");
    EXPECT_TRUE(server);
}

// ---- an acknowledgement behind messages that nobody receives -----------------------------------

TEST_F(ChannelContract, FindsItsAcknowledgementBehindMessagesThatNobodyReceives)
{
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server);
    std::string many;
    for (int i = 0; i < 10'000; ++i)
        many += "1\n";
    write(many + ack);
    EXPECT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_EQ(sent->error, "");
}

TEST_F(ChannelContract, ReadsOnForTheAcknowledgementOfAHandleThatIsSentWhenReadingHasStopped)
{
    std::size_t written = 0;
    while (const auto size = ipc::send_bytes(peer.get(), "1\n")) {
        written += size;
        run_ready();
    }
    ASSERT_GT(written, 2U * 4096U) << "reading has stopped, and the socket is full";
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server);
    EXPECT_EQ(read(), envelope("net.Server", "\"server\""));
    write(ack);
    EXPECT_TRUE(run_until([&] { return sent->done; }));
}

TEST_F(ChannelContract, NobodyIsOverdueWhileItIsWeWhoDoNotRead)
{
    int reports = 0;
    ipc::channel_options options;
    options.ack_timeout = milliseconds(500);
    options.on_ack_overdue = [&] { ++reports; };
    open_channel(options);
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server);
    // The acknowledgement lies behind more than is ever kept for somebody to receive.
    std::size_t messages = 20'000;
    std::string many;
    for (std::size_t i = 0; i < messages; ++i)
        many += "1\n";
    write(many);
    run_ready();
    context.restart();
    context.run_for(milliseconds(1000));
    EXPECT_EQ(reports, 0);
    EXPECT_FALSE(sent->done);
    write(ack); // it is there when we read on, however long it takes to receive the rest
    while (messages > 0 && receive())
        --messages;
    EXPECT_TRUE(run_until([&] { return sent->done; }));
    EXPECT_EQ(reports, 0);
}

TEST_F(ChannelContract, APeerThatLeavesItsSocketFullIsOverdue)
{
    int reports = 0;
    ipc::channel_options options;
    options.ack_timeout = milliseconds(20);
    options.on_ack_overdue = [&] { ++reports; };
    open_channel(options);
    const auto before = send(std::string(4'000'000, 'x'));
    ipc::handle server(tcp_server());
    const auto sent = send("server", &server); // its envelope cannot even be written
    EXPECT_TRUE(run_until([&] { return reports == 1; }));
    EXPECT_FALSE(before->done || sent->done);
}

// ---- what nobody wants -------------------------------------------------------------------------

TEST_F(ChannelContract, AChannelThatTakesNoHandlesRefusesThemAndSaysSoOnce)
{
    ipc::channel_options options;
    options.takes_handles = false;
    options.peer = 4711;
    open_channel(options);
    const auto before = open_descriptors();
    const auto server = tcp_server();
    const auto [accepted, client] = tcp_pair();
    for (int i = 0; i < 3; ++i) {
        write(envelope("net.Server"), {server.get()});
        write(envelope("net.Socket"), {accepted.get()});
    }
    write("\"next\"\n");
    EXPECT_EQ(receive()->body.dump(), "\"next\"") << "and no message that belongs to a handle";
    std::string expected;
    for (int i = 0; i < 6; ++i)
        expected += nack;
    EXPECT_EQ(read(), expected);
    EXPECT_EQ(open_descriptors(), before + 3);
    EXPECT_EQ(lines_with("process 4711 sends a \"net.Server\", and nobody here takes any: refused"),
              1U);
    EXPECT_EQ(lines.size(), 1U);
}

TEST_F(ChannelContract, AUdpSocketIsRefusedByItsNameAndItsMessageArrives)
{
    const auto before = open_descriptors();
    const unique_fd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    for (const bool takes_handles : {true, false}) {
        lines.clear();
        ipc::channel_options options;
        options.takes_handles = takes_handles;
        open_channel(options);
        write(R"({"cmd":"NODE_HANDLE","type":"dgram.Socket","msg":"m","dgramType":"udp4"})"
              "\n",
              {udp.get()});
        const auto message = receive();
        EXPECT_EQ(message->body.dump(), "\"m\"");
        EXPECT_FALSE(message->handle);
        EXPECT_EQ(read(), nack);
        EXPECT_EQ(lines_with("UDP socket"), 1U);
    }
    EXPECT_EQ(open_descriptors(), before + 1);
}

// ---- leases ------------------------------------------------------------------------------------

TEST_F(ChannelContract, ALeaseEndsAfterItsSocketHasClosed)
{
    int number = -1;
    std::vector<bool> closed_first;
    const line_observer observing_lines([&](bool outgoing, std::string_view line) {
        if (outgoing && line.find("ALL_CLOSED") != std::string_view::npos)
            closed_first.push_back(::fcntl(number, F_GETFD) == -1);
    });
    open_channel({});
    using end_of_it = std::function<void(ipc::handle)>;
    const auto connect = [&](ipc::handle given) {
        return std::move(given).connection(context.get_executor());
    };
    const std::vector<end_of_it> ends{
        [](ipc::handle given) { auto gone = std::move(given); },
        [](ipc::handle given) { given.close(); },
        [](ipc::handle given) { given = ipc::handle(); },
        [&](ipc::handle given) { auto gone = connect(std::move(given)); },
        [&](ipc::handle given) {
            auto one = connect(std::move(given));
            one = ipc::connection(asio::ip::tcp::socket(context));
        },
    };
    for (const auto& end : ends) {
        const auto [accepted, client] = tcp_pair();
        write(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":"s","key":"k"})"
              "\n",
              {accepted.get()});
        auto given = std::move(receive()->handle);
        write(R"({"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":"k"})"
              "\n");
        run_ready();
        number = given.native_handle();
        end(std::move(given));
        run_ready();
    }
    EXPECT_EQ(closed_first, std::vector<bool>(ends.size(), true));
}

// ---- want of resources at our end --------------------------------------------------------------

TEST_F(ChannelContract, WantOfKernelMemoryIsAPauseAndNotThePeersFault)
{
    for (const int error : {ENOMEM, ENOBUFS}) {
        open_channel({});
        write("1\n");
        failing_calls::recvmsg_fails(error, 3);
        EXPECT_EQ(receive()->body.dump(), "1");
        EXPECT_EQ(failing_calls::recvmsg_failures_left(), 0);

        failing_calls::sendmsg_fails(error, 3);
        const auto sent = send("2");
        EXPECT_TRUE(run_until([&] { return sent->done; }));
        EXPECT_EQ(sent->error, "");
        EXPECT_EQ(read(), "\"2\"\n");
    }
    EXPECT_EQ(lines.size(), 0U);
}

TEST_F(ChannelContract, WantOfMemoryForALineEndsThatChannelAndNotTheProcess)
{
    {
        const std::string piece = '"' + std::string(100'000, 'x');
        const failing_calls::no_allocation_above limit(1'000'000);
        try {
            for (int i = 0; i < 30; ++i) {
                for (std::size_t done = 0; done < piece.size();) {
                    done += ipc::send_bytes(peer.get(), std::string_view(piece).substr(done));
                    run_ready();
                }
            }
        } catch (const std::system_error&) { // EPIPE
        }
    }
    EXPECT_FALSE(receive());
    EXPECT_EQ(receive_error, "no memory for what it sends");
    EXPECT_FALSE(channel->connected());
}

} // namespace

// Node's internal messages, which cluster is made of: one listener sees them and sends them, nobody
// else.
#include "channel_fixture.hpp"

#include "ipc/internal_messages.hpp"

using namespace ipc_test;
using nlohmann::json;

namespace {

class InternalMessages : public ChannelTest {
protected:
    InternalMessages()
    {
        internal.emplace(*channel, [this](ipc::internal_message said) {
            taken.push_back(said.body.dump());
            descriptors.push_back(std::move(said.descriptor));
        });
    }

    std::optional<ipc::internal_messages> internal;
    std::vector<std::string> taken;
    std::vector<unique_fd> descriptors;
};

constexpr auto online = R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})";

TEST_F(InternalMessages, ReachTheirListenerAndNotReceive)
{
    write("1\n" + std::string(online) + "\n2\n{\"cmd\":\"NODE_DEBUG_ENABLED\"}\n");
    peer.reset();
    EXPECT_EQ(receive_until_end(), (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(taken, (std::vector<std::string>{online, R"({"cmd":"NODE_DEBUG_ENABLED"})"}));
}

TEST_F(InternalMessages, BringTheirDescriptorWhateverItIsAndAcknowledgeItFirst)
{
    internal.emplace(*channel, [this](ipc::internal_message said) {
        descriptors.push_back(std::move(said.descriptor));
        internal->send(json{{"cmd", "NODE_CLUSTER"}, {"ack", 1}});
    });
    const unique_fd bound = tcp_server(false);
    write(envelope("net.Native", online), {bound.get()});
    EXPECT_TRUE(run_until([&] { return descriptors.size() == 1; }));
    EXPECT_TRUE(descriptors.at(0));
    EXPECT_EQ(port_of(descriptors[0].get()), port_of(bound.get()));
    EXPECT_EQ(read(), ack + std::string("{\"ack\":1,\"cmd\":\"NODE_CLUSTER\"}\n"));
}

TEST_F(InternalMessages, CannotBeSentWithoutIt)
{
    EXPECT_NE(send(json::parse(online))->error, "");
    internal->send(ipc::value(ipc::json_text{online}));
    run_ready();
    EXPECT_EQ(read(), std::string(online) + "\n");
}

TEST_F(InternalMessages, OfAConnectionOurCopyStays)
{
    auto [accepted, client] = tcp_pair();
    const int number = accepted.get();
    ipc::handle object(std::move(accepted));
    bool done = false;
    asio::co_spawn(context, internal->send(ipc::value(ipc::json_text{online}), object),
                   [&](std::exception_ptr error) {
                       EXPECT_FALSE(error);
                       done = true;
                   });
    run_ready();
    EXPECT_EQ(read(), envelope("net.Native", online));
    EXPECT_EQ(received.size(), 1u);
    EXPECT_FALSE(object);
    write(ack);
    EXPECT_TRUE(run_until([&] { return done; }));
    EXPECT_EQ(object.native_handle(), number);
}

TEST_F(InternalMessages, WaitBehindAHandleInDoubtLikeAllOthers)
{
    auto [accepted, client] = tcp_pair();
    auto object = connection_handle(std::move(accepted));
    const auto sent = send("socket", &object);
    internal->send(ipc::value(ipc::json_text{online}));
    run_ready();
    EXPECT_EQ(read(), envelope("net.Socket", "\"socket\""));
    write(ack);
    EXPECT_TRUE(run_until([&] { return sent->done; }));
    run_ready();
    EXPECT_EQ(read(), std::string(online) + "\n");
}

TEST_F(InternalMessages, AfterTheEndNobodyIsCalledAndNothingIsSent)
{
    internal.reset();
    const auto before = open_descriptors();
    const unique_fd bound = tcp_server(false);
    write(envelope("net.Native", online), {bound.get()});
    write("1\n");
    EXPECT_EQ(receive()->body.dump(), "1");
    EXPECT_TRUE(taken.empty());
    EXPECT_EQ(open_descriptors(), before + 1) << "what came was closed";
    internal.emplace(*channel, [](ipc::internal_message) {});
    channel->close();
    internal->send(json{{"cmd", "NODE_CLUSTER"}});
}

TEST_F(InternalMessages, AListenerThatThrowsEndsTheChannelAndNothingElse)
{
    internal.emplace(*channel, [](ipc::internal_message) { throw std::runtime_error("nonsense"); });
    write(std::string(online) + "\n");
    EXPECT_EQ(receive(), std::nullopt);
    EXPECT_EQ(receive_error, "nonsense");
}

} // namespace

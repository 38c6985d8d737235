// One sendmsg, one recvmsg: what the kernel promises about bytes and descriptors, and that we ask
// for it.

#include "channel_fixture.hpp"

#include <sys/resource.h>

using namespace ipc_test;

namespace {

class DescriptorMessage : public testing::Test {
protected:
    DescriptorMessage() { std::tie(left, right) = unix_pair(); }

    ipc::received receive(std::size_t size = 65536)
    {
        buffer.resize(size);
        const auto got = ipc::receive_bytes(right.get(), buffer, descriptors);
        text = std::string(buffer.data(), got.size);
        return got;
    }

    unique_fd left, right;
    std::vector<char> buffer;
    std::string text;
    std::vector<unique_fd> descriptors;
};

TEST_F(DescriptorMessage, CarriesADescriptorThatReadsFromTheSamePipe)
{
    int pipe_ends[2];
    ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
    unique_fd reading(pipe_ends[0]), writing(pipe_ends[1]);
    ASSERT_EQ(::write(writing.get(), "x", 1), 1);

    ASSERT_EQ(ipc::send_bytes(left.get(), "hello", reading.get()), 5U);
    receive();
    EXPECT_EQ(text, "hello");
    ASSERT_EQ(descriptors.size(), 1U);
    EXPECT_NE(descriptors[0].get(), reading.get()) << "another number for the same pipe";
    char byte = 0;
    EXPECT_EQ(::read(descriptors[0].get(), &byte, 1), 1);
    EXPECT_EQ(byte, 'x');
}

TEST_F(DescriptorMessage, A1_NeverMixesTheDescriptorsOfTwoMessagesInOneRead)
{
    const auto fd = unix_pair().first;
    ipc::send_bytes(left.get(), "AAA");
    ipc::send_bytes(left.get(), "BBB", fd.get());
    ipc::send_bytes(left.get(), "CCC");
    ipc::send_bytes(left.get(), "DDD", fd.get());
    ipc::send_bytes(left.get(), "EEE");

    std::vector<std::pair<std::string, std::size_t>> reads;
    for (int i = 0; i < 3; ++i) {
        descriptors.clear();
        receive();
        reads.emplace_back(text, descriptors.size());
    }
    const std::vector<std::pair<std::string, std::size_t>> expected{
        {"AAABBB", 1}, {"CCCDDD", 1}, {"EEE", 0}};
    EXPECT_EQ(reads, expected);
}

TEST_F(DescriptorMessage, A4_RefusesADescriptorWithNoByteToTravelOn)
{
    const auto fd = unix_pair().first;
    EXPECT_THROW(ipc::send_bytes(left.get(), "", fd.get()), std::invalid_argument);
    EXPECT_TRUE(receive().would_block);
}

TEST_F(DescriptorMessage, A9_ReportsTooManyAndClosedDescriptorsAndStaysUsable)
{
    const auto fd = unix_pair().first;
    const std::vector<int> too_many(ipc::max_descriptors + 1, fd.get());
    EXPECT_THROW(ipc::send_bytes(left.get(), "x", too_many), std::system_error);
    EXPECT_THROW(ipc::send_bytes(left.get(), "x", 12345), std::system_error);
    EXPECT_EQ(ipc::send_bytes(left.get(), "y", fd.get()), 1U);
    receive();
    EXPECT_EQ(text, "y");
    EXPECT_EQ(descriptors.size(), 1U);
}

TEST_F(DescriptorMessage, A6_TakesAsManyDescriptorsAsTheKernelCanSendAndOwnsEachAtOnce)
{
    const auto fd = unix_pair().first;
    const auto before = open_descriptors();
    const std::vector<int> many(ipc::max_descriptors, fd.get());
    ipc::send_bytes(left.get(), "x", many);
    const auto got = receive();
    EXPECT_FALSE(got.truncated);
    EXPECT_EQ(descriptors.size(), ipc::max_descriptors);
    descriptors.clear();
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(DescriptorMessage, A7_SaysWhenTheDescriptorTableIsFull)
{
    const auto fd = unix_pair().first;
    ipc::send_bytes(left.get(), "x", fd.get());
    rlimit old{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
    rlimit none = old;
    none.rlim_cur = 0;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto got = receive();
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
    EXPECT_TRUE(got.truncated);
    EXPECT_EQ(text, "x");
    EXPECT_TRUE(descriptors.empty());
}

TEST_F(DescriptorMessage, A11_ReceivesDescriptorsCloseOnExec)
{
    const auto fd = unix_pair().first;
    ipc::send_bytes(left.get(), "x", fd.get());
    receive();
    ASSERT_EQ(descriptors.size(), 1U);
    EXPECT_EQ(::fcntl(descriptors[0].get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(DescriptorMessage, D1_ReportsAClosedPeerAsAnErrorAndNotAsSigpipe)
{
    right.reset();
    try {
        ipc::send_bytes(left.get(), "x");
        FAIL() << "wrote to a closed peer";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::broken_pipe);
    }
}

TEST_F(DescriptorMessage, A19_TakesAResetForTheEnd)
{
    ipc::send_bytes(right.get(), "unread by left");
    left.reset(); // closing with unread input resets
    EXPECT_TRUE(receive().end);
}

TEST_F(DescriptorMessage, KeepsTheDescriptorWithTheFirstByteOfAPartialWrite)
{
    const auto fd = unix_pair().first;
    const std::string large(4'000'000, 'x');
    const auto sent = ipc::send_bytes(left.get(), large, fd.get());
    ASSERT_GT(sent, 0U);
    ASSERT_LT(sent, large.size());
    EXPECT_EQ(ipc::send_bytes(left.get(), large, fd.get()), 0U) << "would block: nothing goes";
    std::size_t total = 0;
    while (!receive().would_block)
        total += text.size();
    EXPECT_EQ(total, sent);
    EXPECT_EQ(descriptors.size(), 1U);
}

} // namespace

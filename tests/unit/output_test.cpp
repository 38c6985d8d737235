// Output that waits for nobody, from inside: what waits, what is dropped, what is said of it.
#include "app/output.hpp"
#include "support/process.hpp"
#include "support/pseudo_terminal.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <future>
#include <memory>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace support;
using app::output;
using std::string;

namespace {

constexpr std::size_t capacity = 1024 * 1024;

/// What a program may have as stdout, small, and the reader's end of it.
struct stream {
    int written = -1;
    int read = -1;

    static stream pipe()
    {
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        EXPECT_EQ(::fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
        return {ends[1], ends[0]};
    }
    static stream socket()
    {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        return {ends[1], ends[0]};
    }

    /// Until it ends with this, and so that the end of a line that comes later is not waited for.
    string read_until(const string& end) const
    {
        string text;
        std::array<char, 64 * 1024> buffer;
        while (!text.ends_with(end)) {
            const auto size = ::read(read, buffer.data(), buffer.size());
            if (size <= 0)
                break;
            text.append(buffer.data(), static_cast<std::size_t>(size));
        }
        return text;
    }
};

/// Its thread lives as long as the process, and so must it.
output& output_to(int fd, std::size_t limit = capacity)
{
    return *new output(fd, limit);
}

string line(std::size_t i)
{
    char text[17];
    std::snprintf(text, sizeof text, "%15zu\n", i);
    return text;
}

class EveryStream : public testing::TestWithParam<stream (*)()> {};
INSTANTIATE_TEST_SUITE_P(, EveryStream, testing::Values(&stream::pipe, &stream::socket),
                         [](const auto& test) { return test.index == 0 ? "Pipe" : "Socket"; });

TEST_P(EveryStream, WithoutAReaderTakesOneMebibyteAndCountsTheRest)
{
    const auto to = GetParam()();
    auto& out = output_to(to.written);
    out.on_dropped(
        [&](std::size_t lines) { out.write("and " + std::to_string(lines) + " dropped\n"); });
    constexpr std::size_t all = 200'000; // of 16 bytes
    for (std::size_t i = 0; i < all; ++i)
        out.write(line(i));
    out.wait_until_written(milliseconds(20), std::chrono::hours(1)); // nobody makes room
    EXPECT_FALSE(out.is_written());
    const auto unwritten = out.unwritten_lines();
    EXPECT_LE(unwritten, all);

    const auto text = to.read_until("dropped\n");
    string wanted;
    std::size_t kept = 0;
    while (wanted.size() < text.size() && text.compare(wanted.size(), 16, line(kept)) == 0)
        wanted += line(kept++);
    EXPECT_EQ(text, wanted + "and " + std::to_string(all - kept) + " dropped\n");
    EXPECT_GE(kept * 16, capacity);
    out.wait_until_written(a_while, a_while);
    EXPECT_TRUE(out.is_written());
    EXPECT_EQ(out.unwritten_lines(), 0u);

    out.write("again\n");
    EXPECT_EQ(to.read_until("again\n"), "again\n");
}

TEST_P(EveryStream, IsNotWrittenBeforeItIsSaidWhatWasDropped)
{
    const auto to = GetParam()();
    auto& out = output_to(to.written);
    std::promise<void> is_asked;
    std::promise<void> may_say;
    out.on_dropped([&](std::size_t) {
        is_asked.set_value();
        may_say.get_future().wait();
        out.write("some dropped\n");
    });
    for (std::size_t i = 0; i < 200'000; ++i)
        out.write(line(i));
    std::thread reader([&] { to.read_until("dropped\n"); });
    is_asked.get_future().wait();
    EXPECT_FALSE(out.is_written()) << "the program would end before it is said";
    may_say.set_value();
    out.wait_until_written(a_while, a_while);
    EXPECT_TRUE(out.is_written());
    reader.join();
}

TEST_P(EveryStream, StaysAsItIsForOthersWhoHaveIt)
{
    const auto to = GetParam()();
    auto& out = output_to(to.written);
    for (std::size_t i = 0; i < 100'000; ++i)
        out.write(line(i));
    EXPECT_EQ(::fcntl(to.written, F_GETFL) & O_NONBLOCK, 0);
}

TEST_P(EveryStream, ThatSomebodyHasMadeNonBlockingLosesNothing)
{
    const auto to = GetParam()();
    ::fcntl(to.written, F_SETFL, O_NONBLOCK);
    auto& out = output_to(to.written);
    string all;
    for (std::size_t i = 0; i < 50'000; ++i) {
        all += line(i);
        out.write(line(i));
    }
    EXPECT_EQ(to.read_until(line(49'999)), all);
}

TEST_P(EveryStream, WhoseReaderHasGoneIsForgottenInSilence)
{
    ::signal(SIGPIPE, [](int) {});
    const auto to = GetParam()();
    auto& out = output_to(to.written);
    std::atomic<bool> said = false;
    out.on_dropped([&](std::size_t) { said = true; });
    for (std::size_t i = 0; i < 200'000; ++i)
        out.write(line(i));
    ::close(to.read);
    out.wait_until_written(a_while, a_while);
    EXPECT_TRUE(out.is_written());
    EXPECT_TRUE(out.is_gone());
    EXPECT_EQ(out.error(), 0);
    EXPECT_EQ(out.unwritten_lines(), 0u);
    out.write("for nobody\n");
    EXPECT_TRUE(out.is_written());
    EXPECT_FALSE(said);
}

TEST(Output, WritesWholeLinesOfAtMostPipeBufBytesAtOnce)
{
    int ends[2]; // keeps the borders of what is written
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    auto& out = output_to(ends[1]);
    string sent;
    for (std::size_t i = 0; i < 2'000; ++i)
        sent += std::to_string(i) + '\n';
    sent += string(10'000, 'x') + '\n'; // no room for it in one piece: by itself
    sent += "last\n";
    out.write(sent);
    string received;
    std::array<char, 64 * 1024> buffer;
    while (received.size() < sent.size()) {
        const auto size = ::read(ends[0], buffer.data(), buffer.size());
        ASSERT_GT(size, 0);
        const string piece(buffer.data(), static_cast<std::size_t>(size));
        EXPECT_TRUE(piece.ends_with('\n'));
        EXPECT_TRUE(piece.size() <= 4096 || piece == string(10'000, 'x') + '\n') << piece.size();
        received += piece;
    }
    EXPECT_EQ(received, sent);
}

TEST(Output, OfAFullDiskIsLostAndTellsWhy)
{
    auto& out = output_to(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    out.write("one\ntwo\n");
    out.wait_until_written(a_while, a_while);
    EXPECT_EQ(out.error(), ENOSPC);
    EXPECT_FALSE(out.is_gone());
}

TEST(Output, OnAStoppedTerminalWaitsUntilItGoesOn)
{
    pseudo_terminal terminal;
    terminal.stop_output();
    auto& out = output_to(terminal.slave());
    out.write("stopped\n");
    out.wait_until_written(milliseconds(20), std::chrono::hours(1));
    EXPECT_EQ(out.unwritten_lines(), 1u);
    EXPECT_EQ(terminal.text(), "");
    terminal.go_on();
    EXPECT_EQ(terminal.read_until("\n"), "stopped\n");
}

TEST(Output, IsWaitedForWhileItsThreadIsSlowAndTheReaderIsNot)
{
    const auto to = stream::pipe();
    auto& out = output_to(to.written, 10);
    out.on_dropped([&](std::size_t) {
        std::this_thread::sleep_for(milliseconds(50)); // as if others had the processor
        out.write("late\n");
    });
    out.write("longer than the room\n");
    out.wait_until_written(milliseconds(1), a_while);
    EXPECT_TRUE(out.is_written());
    EXPECT_EQ(to.read_until("\n"), "late\n");
}

TEST(Output, ThatIsLongerThanAllTheRoomIsDroppedAndSaid)
{
    const auto to = stream::pipe();
    auto& out = output_to(to.written, 10);
    out.on_dropped([&](std::size_t lines) { out.write(std::to_string(lines) + " gone\n"); });
    out.write("much too long\nfor ten bytes\n");
    EXPECT_EQ(to.read_until("gone\n"), "2 gone\n");
}

TEST(Output, TellsWhenAllIsWritten)
{
    const auto to = stream::pipe();
    auto& out = output_to(to.written, output::no_limit);
    std::atomic<int> told = 0;
    out.on_written([&] { ++told; });
    const string much(3 * capacity, 'x'); // a filter drops nothing
    out.write(much + '\n');
    EXPECT_EQ(told, 0);
    EXPECT_EQ(to.read_until("\n").size(), much.size() + 1);
    EXPECT_TRUE(eventually([&] { return told == 1; }));
    EXPECT_TRUE(out.is_written());
}

} // namespace

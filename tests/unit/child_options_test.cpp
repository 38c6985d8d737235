// Starting children with options: what they have of ours, where they start, and what their standard
// streams are.
#include "channel_fixture.hpp"

#include "ipc/child_process.hpp"
#include "support/proc_fs.hpp"
#include "unit/forked.hpp"
#include "unit/wait_for_end.hpp"

#include <array>
#include <fcntl.h>
#include <set>

using ipc::standard_stream;
using std::string;
using strings = std::vector<string>;

namespace {

constexpr auto ignore = standard_stream::ignore();
constexpr auto piped = standard_stream::pipe();

/// All that the other end of a pipe says before it ends.
string read_to_end(const unique_fd& pipe)
{
    string result;
    std::array<char, 4096> buffer;
    for (;;) {
        const auto size =
            posix::retry([&] { return ::read(pipe.get(), buffer.data(), buffer.size()); });
        if (size < 0)
            throw posix::last_error("read");
        if (size == 0)
            return result;
        result.append(buffer.data(), static_cast<std::size_t>(size));
    }
}

ipc::child_process start(asio::io_context& context, strings command, ipc::child_options options)
{
    return ipc::child_process::start(context.get_executor(), std::move(command), {},
                                     std::move(options));
}

/// What a command says on its standard output.
string output_of(strings command, ipc::child_options options)
{
    asio::io_context context;
    options.stdio[1] = piped;
    auto child = start(context, std::move(command), std::move(options));
    auto said = read_to_end(child.stdio[1]);
    EXPECT_TRUE(wait_for_end(context, child).clean());
    return said;
}

TEST(ChildOptions, TheEnvironmentIsAddedToOursOrAllThereIs)
{
    ::setenv("OURS", "ours", 1);
    ::setenv("REPLACED", "ours", 1);
    ipc::child_options options;
    options.environment = {"REPLACED=theirs", "ADDED=added", "EMPTY="};
    const auto has = [](const string& all, const string& variable) {
        return ('\n' + all).find('\n' + variable + '\n') != string::npos;
    };
    const auto added = output_of({"env"}, options);
    for (const auto* variable :
         {"OURS=ours", "REPLACED=theirs", "ADDED=added", "EMPTY=", "NODE_CHANNEL_FD=3"})
        EXPECT_TRUE(has(added, variable)) << variable << " in " << added;
    EXPECT_FALSE(has(added, "REPLACED=ours"));

    options.inherits_environment = false;
    EXPECT_EQ(output_of({"env"}, options), "NODE_CHANNEL_FD=3\n"
                                           "NODE_CHANNEL_SERIALIZATION_MODE=json\n"
                                           "REPLACED=theirs\nADDED=added\nEMPTY=\n");
    ::unsetenv("OURS");
    ::unsetenv("REPLACED");
}

TEST(ChildOptions, TheFolderIsWhereItStartsAndWhereARelativeProgramIs)
{
    ipc::child_options options;
    options.working_directory = "/usr/bin";
    EXPECT_EQ(output_of({"/bin/pwd"}, options), "/usr/bin\n");
    EXPECT_EQ(output_of({"./env", "printf", "found"}, options), "found");
}

TEST(ChildOptions, AFolderThatIsNotThereIsNamedAndNothingIsLeft)
{
    asio::io_context context;
    {
        auto child = start(context, {"/bin/true"}, {}); // Asio opens what it waits with
        wait_for_end(context, child);
    }
    const auto before = ipc_test::open_descriptors();
    ipc::child_options options;
    options.stdio = {piped, piped, piped};
    options.working_directory = "/no/such/folder";
    try {
        start(context, {"/bin/true"}, options);
        ADD_FAILURE() << "it has been started";
    } catch (const ipc::not_executable& error) {
        ADD_FAILURE() << "the program is there: " << error.what();
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
        EXPECT_NE(string(error.what()).find("/no/such/folder"), string::npos) << error.what();
    }
    options.working_directory.clear();
    EXPECT_THROW(start(context, {"/no/such/program"}, options), ipc::not_executable);
    EXPECT_EQ(ipc_test::open_descriptors(), before);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no process either";
}

TEST(ChildOptions, PipesAreTheChildsStreamsAndOursAtTheOtherEnd)
{
    asio::io_context context;
    ipc::child_options options;
    options.stdio = {piped, piped, piped};
    auto child =
        start(context, {"/bin/sh", "-c", "cat; echo bad >&2; readlink /proc/$$/fd/0"}, options);
    ASSERT_EQ(::write(child.stdio[0].get(), "good\n", 5), 5);
    child.stdio[0].reset(); // the end of its input
    const auto out = read_to_end(child.stdio[1]);
    EXPECT_TRUE(out.starts_with("good\npipe:[")) << out;
    EXPECT_EQ(read_to_end(child.stdio[2]), "bad\n");
    EXPECT_TRUE(wait_for_end(context, child).clean());

    auto moved = std::move(child);
    EXPECT_TRUE(moved.stdio[1] && !child.stdio[1]);
    for (const auto& end : moved.stdio)
        EXPECT_TRUE(!end || ::fcntl(end.get(), F_GETFD) & FD_CLOEXEC);
}

// Nobody else is to hold an end, or the other would never read the end of the stream.
TEST(ChildOptions, NeitherThisChildNorTheNextHasAnythingElse)
{
    asio::io_context context;
    ipc::child_options options;
    options.stdio = {piped, piped, ignore};
    auto first = start(context, {"cat"}, options);
    auto second = start(context, {"cat"}, options);
    const std::set<int> numbers{0, 1, 2, 3};
    EXPECT_EQ(support::descriptor_numbers(second.pid(), numbers), numbers);
    first.stdio[0].reset();
    EXPECT_EQ(read_to_end(first.stdio[1]), "") << "the second child has a copy";
    EXPECT_TRUE(wait_for_end(context, first).clean());
    second.stdio[0].reset();
    EXPECT_TRUE(wait_for_end(context, second).clean());
}

TEST(ChildOptions, WhatIsIgnoredIsTheNullDevice)
{
    ipc::child_options options;
    options.stdio = {ignore, piped, ignore};
    EXPECT_EQ(output_of({"/bin/sh", "-c", "readlink /proc/$$/fd/0 /proc/$$/fd/2"}, options),
              "/dev/null\n/dev/null\n");
    EXPECT_EQ(output_of({"/bin/sh", "-c", "echo there is room >&2"}, options), "");
}

// What a stream is to be may stand at a number that the child needs for another one: each order,
// and where the parent's own streams are closed.
TEST(ChildOptions, DescriptorsOfOursComeWhereTheyAreWantedAndStayOurs)
{
    forked::child alone([] {
        std::vector<unique_fd> low; // so that nothing of Asio's, nor of ours, is among them
        while (low.empty() || low.back().get() < 10)
            low.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        asio::io_context context;
        {
            auto child = start(context, {"/bin/true"}, {});
            wait_for_end(context, child);
        }
        char folder[] = "/tmp/child_options-XXXXXX";
        ASSERT_NE(::mkdtemp(folder), nullptr);
        const auto path = [&](int number) { return folder + string("/") + std::to_string(number); };
        unique_fd saved_error(::fcntl(2, F_DUPFD_CLOEXEC, 100));
        const auto arrange = [&] { // 0 to 3 are files of these names
            for (int number = 0; number < 4; ++number) {
                unique_fd file(::open(path(number).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
                unique_fd high(::fcntl(file.get(), F_DUPFD_CLOEXEC, 100));
                if (file.get() == number)
                    (void)file.release();
                ::dup3(high.get(), number, O_CLOEXEC);
            }
        };
        int wrong = 0;
        std::array<int, 3> order{0, 1, 2};
        const auto links = [&](const char* of) {
            std::array<char, 256> text{};
            const auto size = ::readlink(of, text.data(), text.size());
            return string(text.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
        };
        for (order[0] = 0; order[0] < 4; ++order[0])
            for (order[1] = 0; order[1] < 4; ++order[1])
                for (order[2] = 0; order[2] < 4; ++order[2]) {
                    arrange();
                    ipc::child_options options;
                    for (std::size_t i = 0; i < 3; ++i)
                        options.stdio[i] = standard_stream::descriptor(order[i]);
                    auto child = start(context, {"sleep", "60"}, options);
                    for (std::size_t i = 0; i < 3; ++i) {
                        const auto of =
                            "/proc/" + std::to_string(child.pid()) + "/fd/" + std::to_string(i);
                        wrong += links(of.c_str()) != path(order[i]);
                        wrong += links(("/proc/self/fd/" + std::to_string(order[i])).c_str()) !=
                                 path(order[i]);
                    }
                    child.kill(SIGKILL);
                    wait_for_end(context, child);
                }
        for (int number = 0; number < 4; ++number)
            ::close(number);
        ipc::child_options options; // all four places are free, and the pipes will get them
        options.stdio = {piped, piped, piped};
        auto child = start(context, {"/bin/sh", "-c", "cat; echo bad >&2"}, options);
        wrong += ::write(child.stdio[0].get(), "good", 4) != 4;
        child.stdio[0].reset();
        wrong += read_to_end(child.stdio[1]) != "good";
        wrong += read_to_end(child.stdio[2]) != "bad\n";
        wrong += !wait_for_end(context, child).clean();
        for (auto& end : child.stdio)
            end.reset();
        for (int number = 0; number < 4; ++number) {
            ::dup2(saved_error.get(), number);
            ::unlink(path(number).c_str());
        }
        ::rmdir(folder);
        EXPECT_EQ(wrong, 0);
    });
    EXPECT_EQ(alone.wait(), 0);
}

TEST(ChildOptions, WhatTheChildWouldHaveOnlyTheBeginningOfIsRefused)
{
    asio::io_context context;
    const string cut("a\0b", 3);
    EXPECT_THROW(start(context, {"/bin/true", cut}, {}), std::invalid_argument);
    ipc::child_options options;
    options.environment = {"NAME=" + cut};
    EXPECT_THROW(start(context, {"/bin/true"}, options), std::invalid_argument);
    options.environment.clear();
    options.working_directory = cut;
    EXPECT_THROW(start(context, {"/bin/true"}, options), std::invalid_argument);
    EXPECT_THROW(standard_stream::descriptor(-1), std::invalid_argument);
}

TEST(ChildOptions, ADescriptorThatIsNotOpenIsRefusedByTheKernel)
{
    asio::io_context context;
    ipc::child_options options;
    options.stdio[1] = standard_stream::descriptor(999);
    EXPECT_THROW(start(context, {"/bin/true"}, options), std::system_error);
}

} // namespace

// The commands in our messages: what is printed can be typed, by that user, in that folder.
#include "support/programs.hpp"
#include "support/tcp.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

using namespace support;
using std::string;
using std::vector;
namespace fs = std::filesystem;

namespace {

/// Somewhere else: a tree whose folder has a name of the worst kind, links to it, and PATH.
class Typed : public testing::Test {
protected:
    Typed()
    {
        fs::create_directories(home_ / "it's a tree");
        fs::create_directories(home_ / "bin");
        fs::create_directories(home_ / "one/two");
        fs::create_directory_symlink(built_, tree_ / "build");
        fs::create_symlink(demo("socket_fanout"), home_ / "bin/fan");
        fs::create_symlink(demo("socket_fanout"), home_ / "bin/socket_fanout");
        fs::create_symlink(demo("socket_fanout"), home_ / "one/both");
        fs::create_symlink(client("net_client"), home_ / "one/net_client");
    }
    ~Typed() override { fs::remove_all(home_); }

    start_options as(const string& typed, const fs::path& folder, const string& path = "") const
    {
        start_options options;
        options.typed_as = typed;
        options.folder = folder;
        options.environment = {"PATH=" + (path.empty() ? path : path + ":") + "/usr/bin:/bin"};
        return options;
    }

    /// As one word for a shell, quoted where it must be.
    static string in_shell(const fs::path& path)
    {
        const bool plain = path.string().find_first_of(" '") == string::npos;
        return plain ? path.string() : quoted(path);
    }

    /// Types `command` where `options` say, and returns what happened.
    outcome type(const string& command, start_options options) const
    {
        options.typed_as.clear();
        const string path = "export PATH=" + quoted(options.environment.at(0).substr(5)) + "; ";
        return run({"/bin/sh", "-c", path + command}, options);
    }

    const fs::path built_ = fs::path(demo("socket_fanout")).parent_path().parent_path();
    const fs::path home_ = testing::TempDir() + "home." + std::to_string(::getpid());
    const fs::path tree_ = home_ / "it's a tree";
};

TEST_F(Typed, TheReadyLineNamesAClientThatRunsWhereverTheDemoWasStarted)
{
    const auto programs = built_ / "demos", clients = built_ / "clients";
    const string built_client = in_shell(clients / "net_client");
    const struct {
        const char* what;
        start_options started;
        string hint;
    } cases[] = {
        {"as README says", as("build/demos/socket_fanout", tree_), "build/clients/net_client"},
        {"beside it", as("./socket_fanout", programs), "../clients/net_client"},
        {"from below", as("../demos/socket_fanout", clients), "../clients/net_client"},
        {"from the root", as(tree_ / "build/demos/socket_fanout", "/"),
         in_shell(tree_ / "build/clients/net_client")},
        {"by PATH", as("socket_fanout", home_, programs.string()), built_client},
        {"by PATH that has the clients too",
         as("socket_fanout", home_, programs.string() + ":" + clients.string()), "net_client"},
        {"by a link of its name", as("bin/socket_fanout", home_), built_client},
        {"by a link of another name", as("../bin/fan", home_ / "one"), built_client},
        {"by a link in PATH", as("fan", home_, home_ / "bin"), built_client},
        {"by a link beside one of the client", as("one/both", home_), "one/net_client"},
        {"with a name that leads nowhere", as("-fan", home_), built_client},
    };
    for (const auto& [what, started, hint] : cases) {
        running_demo main({demo("socket_fanout"), "--port", "0", "--delay", "0"}, started);
        EXPECT_EQ(main.hint, hint + " --port " + std::to_string(main.port)) << what;
        const auto typed = type(main.hint, started);
        EXPECT_EQ(typed.status, exited(0)) << what << ": " << main.hint << "\n" << typed.err;
        EXPECT_EQ(lines(typed.out).size(), 5u) << what;
        EXPECT_EQ(main.stop(), exited(0));
    }
}

TEST_F(Typed, WhatElseADemoSaysRunsToo)
{
    const listener other;
    const auto port = std::to_string(other.port());
    const auto free = std::to_string(other.port() + 1);
    for (const auto& started : {as("fan", home_, home_ / "bin"), as("./fan", home_ / "bin"),
                                as(tree_ / "build/demos/socket_fanout", home_)}) {
        const auto in_use = run({demo("socket_fanout"), "--port", port}, started);
        EXPECT_EQ(in_use.status, exited(3));
        const string before = "another port: ", between = " --port " + free + "   and   ";
        const auto begin = in_use.err.find(before) + before.size();
        const auto end = in_use.err.find(between);
        ASSERT_NE(end, string::npos) << in_use.err;
        EXPECT_EQ(type(in_use.err.substr(begin, end - begin) + " --version", started).status,
                  exited(0))
            << in_use.err;

        const auto mistaken = run({demo("socket_fanout"), "--mistake"}, started);
        const string all_flags = "all flags: ";
        const auto at = mistaken.err.find(all_flags);
        ASSERT_NE(at, string::npos) << mistaken.err;
        EXPECT_EQ(type(mistaken.err.substr(at + all_flags.size()), started).status, exited(0))
            << mistaken.err;
    }
}

TEST_F(Typed, AWorkerStartedByHandNamesTheMainThatRuns)
{
    fs::create_symlink(demo("socket_fanout_child"), home_ / "bin/worker");
    for (const auto& started :
         {as("build/demos/socket_fanout_child", tree_), as("worker", home_, home_ / "bin"),
          as("socket_fanout_child", home_, built_ / "demos")}) {
        const auto refused = run({demo("socket_fanout_child")}, started);
        EXPECT_EQ(refused.status, exited(2));
        const string before = "this program is a worker: ", after = " starts it";
        const auto begin = refused.err.find(before) + before.size();
        const auto end = refused.err.find(after);
        ASSERT_NE(end, string::npos) << refused.err;
        const auto typed = type(refused.err.substr(begin, end - begin) + " --version", started);
        EXPECT_EQ(typed.status, exited(0)) << refused.err;
        EXPECT_EQ(typed.out.find("socket_fanout "), 0u) << typed.out;
    }
}

TEST_F(Typed, AClientThatFindsNobodyNamesADemoThatRuns)
{
    fs::create_symlink(client("net_client"), home_ / "bin/ask");
    for (const auto& started : {as("ask", home_, home_ / "bin"), as("../bin/ask", home_ / "one"),
                                as("build/clients/net_client", tree_)}) {
        const auto port = std::to_string(unused_port());
        const auto refused = run({client("net_client"), "--port", port}, started);
        EXPECT_EQ(refused.status, exited(3));
        const string before = "in another terminal: ";
        const auto begin = refused.err.find(before) + before.size();
        const auto command = refused.err.substr(begin, refused.err.find('\n', begin) - begin);
        const auto typed = type(command + " --version", started);
        EXPECT_EQ(typed.status, exited(0)) << refused.err << typed.err;
    }
}

} // namespace

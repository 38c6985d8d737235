#include "support/programs.hpp"

#include "support/proc_fs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

namespace support {

namespace {

std::vector<std::string> demo_command(const std::string& name,
                                      const std::vector<std::string>& arguments)
{
    std::vector<std::string> command{demo(name), "--port", "0"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
}

using descriptor_counts_by_kind = std::map<std::string, std::size_t>;

constexpr auto pidfd = "anon_inode:[pidfd]";

/// All but sockets and pidfds, whose number depends on what goes on.
descriptor_counts_by_kind own_kinds(pid_t pid)
{
    auto kinds = descriptor_kinds(pid);
    kinds.erase("socket");
    kinds.erase(pidfd);
    return kinds;
}

std::size_t pidfds(pid_t pid)
{
    const auto kinds = descriptor_kinds(pid);
    const auto found = kinds.find(pidfd);
    return found == kinds.end() ? 0 : found->second;
}

std::smatch match(const std::string& text, const std::regex& pattern)
{
    std::smatch found;
    if (!std::regex_match(text, found, pattern))
        throw std::runtime_error("unexpected: \"" + text + "\"");
    return found;
}

// Where the build has it, unless the environment says otherwise: a copy for a user who may not go
// there (./run test_as_nobody), another Node (./run test nodes).
std::string place(const char* variable, const char* of_the_build)
{
    const char* elsewhere = std::getenv(variable);
    return elsewhere ? elsewhere : of_the_build;
}

} // namespace

std::string demo(const std::string& name)
{
    return place("PROGRAMS", PROGRAMS) + "/demos/" + name;
}

std::string client(const std::string& name)
{
    return place("PROGRAMS", PROGRAMS) + "/clients/" + name;
}

std::string test_program(const std::string& name)
{
    return place("PROGRAMS", PROGRAMS) + "/tests/" + name;
}

std::string node()
{
    return place("NODE_PROGRAM", NODE_PROGRAM);
}

std::string fixture(const std::string& path)
{
    return place("TESTS_FOLDER", TESTS_FOLDER) + "/" + path;
}

namespace {

/// A folder with a link "build" in it.
struct folder_above_build {
    folder_above_build() : path(testing::TempDir() + "above_build." + std::to_string(::getpid()))
    {
        std::filesystem::create_directories(path);
        std::filesystem::create_directory_symlink(place("PROGRAMS", PROGRAMS), path + "/build");
    }
    ~folder_above_build() { std::filesystem::remove_all(path); }
    const std::string path;
};

} // namespace

start_options typed_as(const std::string& path)
{
    static const folder_above_build above_build;
    start_options options;
    options.typed_as = path;
    options.folder = above_build.path;
    return options;
}

ready_line parse_ready_line(const std::string& line)
{
    static const std::regex pattern(
        R"(listening on (\S+):(\d+), (?:workers((?: (?:\d+|-))+)|no workers yet[^;]*); try: (\S.*))");
    const auto found = match(line, pattern);
    ready_line result;
    result.address = found[1];
    result.port = static_cast<std::uint16_t>(std::stoi(found[2]));
    std::istringstream pids(found[3]);
    for (std::string pid; pids >> pid;)
        result.workers.push_back(pid == "-" ? 0 : std::stoi(pid));
    result.hint = found[4];
    return result;
}

running_demo::running_demo(const std::string& name, std::vector<std::string> arguments,
                           start_options options)
    : running_demo(demo_command(name, arguments), std::move(options))
{
}

namespace {

start_options with_limit(start_options options)
{
    if (const char* limit = std::getenv("DESCRIPTOR_LIMIT"); limit && !options.descriptor_limit)
        options.descriptor_limit = std::stoul(limit);
    return options;
}

} // namespace

running_demo::running_demo(std::vector<std::string> command, start_options options)
    : process(std::move(command), with_limit(std::move(options))),
      ready_line(parse_ready_line(err_line("listening on "))),
      kinds_at_start_(own_kinds(pid()))
{
}

exit_status running_demo::stop()
{
    signal(SIGTERM);
    const auto status = wait_exit();
    wait_output_closed();
    return status;
}

bool is_at_rest(pid_t worker)
{
    // Whoever sleeps has opened what it needs: an epoll, an eventfd and a timerfd if it is an Asio
    // program, and with them, if it accepts, an epoll for that.
    if (!sleeps(worker))
        return false;
    const auto open = descriptors(worker);
    return std::count_if(open.begin(), open.end(), [](const auto& entry) {
               return entry.second.starts_with("anon_inode:");
           }) >= 3;
}

void running_demo::wait_until_at_rest() const
{
    if (!eventually([&] { return std::all_of(workers.begin(), workers.end(), is_at_rest); }))
        throw std::runtime_error("the workers have not come to rest");
}

std::vector<std::size_t> descriptor_counts(const running_demo& main)
{
    std::vector<std::size_t> counts{descriptors(main.pid()).size()};
    for (const auto worker : main.workers)
        counts.push_back(descriptors(worker).size());
    return counts;
}

namespace {

std::string in_words(const descriptor_counts_by_kind& kinds)
{
    std::string result;
    for (const auto& [kind, count] : kinds)
        result += (result.empty() ? "" : ", ") + std::to_string(count) + " " + kind;
    return result.empty() ? "nothing" : result;
}

/// What a worker may have beside sockets: what Asio waits with, and if it accepts, a second epoll.
/// Node opens what it likes.
bool is_usual(pid_t worker, const descriptor_counts_by_kind& kinds)
{
    const auto command = command_line(worker);
    if (command.starts_with(node()))
        return true;
    const auto is = [&](const char* name) { return command.find(name) != std::string::npos; };
    const std::size_t epolls = is("cluster_child") || is("server_handoff_child") ? 2 : 1;
    return std::all_of(kinds.begin(), kinds.end(), [&](const auto& entry) {
        const auto& [kind, count] = entry;
        return kind == "anon_inode:[eventpoll]" ? count <= epolls
                                                : count == 1 && (kind == "anon_inode:[eventfd]" ||
                                                                 kind == "anon_inode:[timerfd]");
    });
}

std::size_t sockets_beside(const std::string& listener, pid_t pid)
{
    const auto all = descriptors(pid);
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& open) {
        return open.second.starts_with("socket:") && open.second != listener;
    }));
}

/// Who holds a connection, in words; empty when nobody does.
std::string who_holds_one(pid_t main, std::uint16_t port)
{
    if (const auto held = open_connections(port); held > 0)
        return std::to_string(held) + " connections are still held";
    std::string listener;
    try {
        listener = listening_socket(port);
    } catch (const std::runtime_error&) { // nobody holds it: the last worker is gone
    }
    const auto workers = children(main);
    const auto check = [&](pid_t pid, std::size_t channels) -> std::string {
        const auto sockets = sockets_beside(listener, pid);
        return sockets == channels ? std::string()
                                   : std::to_string(pid) + " has " + std::to_string(sockets) +
                                         " sockets instead of " + std::to_string(channels);
    };
    std::string problem = check(main, workers.size());
    for (auto worker = workers.begin(); problem.empty() && worker != workers.end(); ++worker)
        problem = check(*worker, 1);
    return problem;
}

/// What is left of connections and workers, in words; empty when nothing is.
std::string unsettled(pid_t main, std::uint16_t port, const descriptor_counts_by_kind& at_start)
{
    const auto workers = children(main);
    const auto check = [&](pid_t pid) -> std::string {
        const auto who = std::to_string(pid);
        if (is_zombie(pid))
            return who + " is a zombie";
        if (const auto ghosts = epoll_ghosts(pid); ghosts > 0)
            return who + " watches " + std::to_string(ghosts) + " closed descriptors";
        return {};
    };
    std::string problem = who_holds_one(main, port);
    if (problem.empty())
        problem = check(main);
    if (problem.empty() && own_kinds(main) != at_start)
        problem = "main had " + in_words(at_start) + " and has " + in_words(own_kinds(main));
    if (const auto watched = pidfds(main); problem.empty() && watched != workers.size())
        problem = "main has " + std::to_string(watched) + " pidfds for " +
                  std::to_string(workers.size()) + " workers";
    for (auto worker = workers.begin(); problem.empty() && worker != workers.end(); ++worker) {
        problem = check(*worker);
        if (const auto kinds = own_kinds(*worker); problem.empty() && !is_usual(*worker, kinds))
            problem = "worker " + std::to_string(*worker) + " has " + in_words(kinds);
    }
    return problem;
}

} // namespace

bool no_connection_is_held(pid_t main, std::uint16_t port)
{
    return who_holds_one(main, port).empty();
}

void running_demo::wait_until_no_connection_is_held() const
{
    if (!eventually([this] { return no_connection_is_held(pid(), port); }))
        throw std::runtime_error(who_holds_one(pid(), port));
}

exit_status running_demo::stop_and_settle_accounts()
{
    EXPECT_TRUE(eventually([this] { return unsettled(pid(), port, kinds_at_start_).empty(); }))
        << unsettled(pid(), port, kinds_at_start_);
    const auto status = stop();
    static const std::regex books("([0-9]+) accepted = ([0-9]+) handed over \\+ ([0-9]+) closed");
    std::smatch figures;
    if (std::regex_search(err(), figures, books)) {
        EXPECT_EQ(std::stoul(figures[1]), std::stoul(figures[2]) + std::stoul(figures[3]));
    }
    return status;
}

reply parse_reply(const std::string& line)
{
    static const std::regex pattern("(.*) 子进程：([0-9]+)");
    const auto found = match(line, pattern);
    return {found[1], static_cast<pid_t>(std::stol(found[2]))};
}

pid_t parse_http_reply(const std::string& body)
{
    static const std::regex pattern("Request handled by worker-([0-9]+)");
    return static_cast<pid_t>(std::stol(match(body, pattern)[1]));
}

connection open_client(const std::string& demo_name, std::uint16_t port)
{
    auto client = connect(port);
    if (demo_name.ends_with("cluster"))
        client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    return client;
}

pid_t who_answered(const std::string& answer)
{
    const auto body = answer.find("\r\n\r\n");
    return body == std::string::npos ? parse_reply(answer).pid
                                     : parse_http_reply(answer.substr(body + 4));
}

std::map<pid_t, std::size_t> warnings(const std::string& err, const std::string& part)
{
    std::map<pid_t, std::size_t> result;
    for (const auto& line : lines(err))
        if (line.starts_with("[") && line.find(part) != std::string::npos)
            ++result[static_cast<pid_t>(std::stol(line.substr(1)))];
    return result;
}

std::vector<std::string> lines(const std::string& text)
{
    std::vector<std::string> result;
    std::istringstream rest(text);
    for (std::string line; std::getline(rest, line);)
        result.push_back(line);
    return result;
}

std::string quoted(const std::string& word)
{
    std::string result = "'";
    for (const char c : word)
        result += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return result + "'";
}

std::string join(const std::vector<std::string>& words, const std::string& between)
{
    std::string result;
    for (const auto& word : words)
        result += (result.empty() ? "" : between) + word;
    return result;
}

} // namespace support

// A load of many clients while workers are killed, stopped and made to write garbage, all the time:
// how many get their answer, how many a closed connection, and does one wait for ever?
//
//     build/tests/chaos --seconds 20            our three examples
//     build/tests/chaos --seconds 20 --node     and the same in Node, for comparison
//     build/tests/chaos --seconds 60 --relentless
//                                               each worker is killed as soon as it has answered
//                                               once
//
// Exit code 1 when a client of ours has hung, was served twice or refused, or the books do not
// balance. The figures of Node are only shown.
#include "support/proc_fs.hpp"
#include "support/programs.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <netinet/in.h>
#include <numeric>
#include <poll.h>
#include <regex>
#include <set>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

using namespace support;
using std::string;
using std::vector;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr int clients = 32;
constexpr milliseconds between_blows{300};
// So many that each is struck once in 2.4 s: who dies within a second, time and again, is in a
// crash loop and given up, as it should be (D8).
constexpr auto worker_count = "8";
constexpr milliseconds until_stopped_is_killed{1000}; // by us, if nobody else has done it
constexpr milliseconds ack_timeout{500};              // of ours
constexpr milliseconds hung_after{3000};
// A client may meet a stopped worker, and after that another one.
static_assert(hung_after >= 2 * std::max(ack_timeout, until_stopped_is_killed) + milliseconds(500));
constexpr milliseconds pause_when_refused{10};

// ---- the load ----------------------------------------------------------------------------------

struct scenario {
    string title;
    vector<string> command; // without --port
    bool http = false;
    bool ours = true;
    bool one_reply = true; // a client must not get two
    bool books = false;    // its main counts connections and prints the sum
    bool reloads = false;  // its main replaces all workers when it gets SIGUSR2
};

/// Workers that have given an answer, for those who wait for one.
class answerers {
public:
    void add(pid_t pid)
    {
        const std::lock_guard lock(mutex_);
        pids_.insert(pid);
        somebody_.notify_one();
    }

    /// All who are new since the last call; none when `time` has passed in vain.
    std::set<pid_t> take(milliseconds time)
    {
        std::unique_lock lock(mutex_);
        somebody_.wait_for(lock, time, [&] { return !pids_.empty(); });
        return std::exchange(pids_, {});
    }

private:
    std::mutex mutex_;
    std::condition_variable somebody_;
    std::set<pid_t> pids_;
};

struct figures {
    std::atomic<std::size_t> requests{0}, answered{0}, closed{0}, refused{0}, hung{0}, twice{0};
    std::atomic<long> longest_ms{0};
    answerers by;
};

enum class ending { answered, closed, refused, hung, twice };

struct socket_owner {
    int fd = -1;
    ~socket_owner() { ::close(fd); }
};

ending judge(const scenario& what, const string& reply, answerers& by)
{
    static const string net_mark = " 子进程：";
    static const string http_mark = "Request handled by worker-";
    const auto& mark = what.http ? http_mark : net_mark;
    const auto at = reply.find(mark);
    if (at == string::npos || at + mark.size() == reply.size())
        return ending::closed; // nothing, or not all of it
    by.add(std::atoi(reply.c_str() + at + mark.size()));
    return what.one_reply && reply.find(mark, at + 1) != string::npos ? ending::twice
                                                                      : ending::answered;
}

ending ask_once(const scenario& what, std::uint16_t port, answerers& by)
{
    const socket_owner socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return errno == ECONNREFUSED ? ending::refused : ending::closed;
    // The plain examples answer unasked; a byte that nobody reads shows that it harms no answer.
    const std::string_view request =
        what.http   ? "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        : what.ours ? "?"
                    : "";
    if (!request.empty())
        (void)::send(socket.fd, request.data(), request.size(), MSG_NOSIGNAL);

    string reply;
    const auto deadline = clock_type::now() + patient(hung_after);
    for (;;) {
        const auto left =
            std::chrono::duration_cast<milliseconds>(deadline - clock_type::now()).count();
        pollfd readable{socket.fd, POLLIN, 0};
        if (left <= 0 || ::poll(&readable, 1, static_cast<int>(left)) == 0)
            return ending::hung;
        char buffer[4096];
        const auto size = ::recv(socket.fd, buffer, sizeof buffer, 0);
        if (size <= 0)
            return judge(what, reply, by);
        reply.append(buffer, static_cast<std::size_t>(size));
    }
}

void be_a_client(const scenario& what, std::uint16_t port, figures& count,
                 const std::atomic<bool>& over)
{
    while (!over) {
        const auto began = clock_type::now();
        const auto end = ask_once(what, port, count.by);
        const long took =
            std::chrono::duration_cast<milliseconds>(clock_type::now() - began).count();
        ++count.requests;
        switch (end) {
        case ending::answered:
            ++count.answered;
            break;
        case ending::closed:
            ++count.closed;
            break;
        case ending::refused:
            ++count.refused;
            std::this_thread::sleep_for(pause_when_refused);
            break;
        case ending::hung:
            ++count.hung;
            break;
        case ending::twice:
            ++count.twice;
            break;
        }
        for (auto longest = count.longest_ms.load();
             end != ending::hung && took > longest &&
             !count.longest_ms.compare_exchange_weak(longest, took);) {
        }
    }
}

// ---- the blows ---------------------------------------------------------------------------------

bool writes_garbage(pid_t worker)
{
    return command_line(worker).find("garbage_child.js") != string::npos;
}

/// Strikes one worker after the other, the one that has been there longest first.
class fate {
public:
    void strike(pid_t main, bool reloads)
    {
        const auto workers = children(main);
        std::erase_if(seen_, [&](pid_t pid) {
            return std::find(workers.begin(), workers.end(), pid) == workers.end();
        });
        for (const auto pid : workers)
            if (std::find(seen_.begin(), seen_.end(), pid) == seen_.end())
                seen_.push_back(pid);

        const auto now = clock_type::now();
        for (auto stopped = stopped_.begin(); stopped != stopped_.end();) {
            if (now < stopped->second) {
                ++stopped;
                continue;
            }
            if (std::find(workers.begin(), workers.end(), stopped->first) != workers.end())
                ::kill(stopped->first, SIGKILL);
            stopped = stopped_.erase(stopped);
        }

        const auto turn = blows_++ % (reloads ? 4 : 3);
        if (turn == 3) {
            counts[3] += ::kill(main, SIGUSR2) == 0;
            return;
        }
        for (const auto pid : seen_) {
            if (stopped_.contains(pid) || !runs(pid) || (turn == 2) != writes_garbage(pid))
                continue;
            ::kill(pid, turn == 0 ? SIGKILL : turn == 1 ? SIGSTOP : SIGUSR2);
            ++counts[turn];
            if (turn == 1)
                stopped_[pid] = now + until_stopped_is_killed;
            // The next blow is for somebody else.
            const auto place = std::find(seen_.begin(), seen_.end(), pid);
            std::rotate(place, place + 1, seen_.end());
            return;
        }
    }

    /// Kills at once each worker that has answered; as long as nobody has, there is none to kill.
    void strike_who_has_answered(pid_t main, answerers& by)
    {
        const auto answered = by.take(between_blows);
        for (const auto pid : children(main))
            if (answered.contains(pid) && ::kill(pid, SIGKILL) == 0)
                ++counts[0];
    }

    /// Nobody stays stopped.
    void end(pid_t main)
    {
        for (const auto pid : children(main))
            if (stopped_.contains(pid))
                ::kill(pid, SIGKILL);
    }

    std::array<int, 4> counts{}; // killed, stopped, garbage, reloads

private:
    std::size_t blows_ = 0;
    vector<pid_t> seen_; // in order of appearance
    std::map<pid_t, clock_type::time_point> stopped_;
};

// ---- one run -----------------------------------------------------------------------------------

/// Of main and of our own kind of workers; a Node worker opens and closes what it likes.
vector<std::size_t> sorted_descriptor_counts(pid_t main)
{
    vector<std::size_t> counts{descriptors(main).size()};
    for (const auto worker : children(main))
        counts.push_back(writes_garbage(worker) ? 0 : descriptors(worker).size());
    std::sort(counts.begin() + 1, counts.end());
    return counts;
}

/// Workers that a main leaves behind become children of ours (see support::process).
void finish_off_orphans(pid_t main)
{
    for (const auto pid : children(::getpid()))
        if (pid != main)
            ::kill(pid, SIGKILL);
}

string to_text(const vector<std::size_t>& counts)
{
    string text;
    for (const auto count : counts)
        text += (text.empty() ? "" : "+") + std::to_string(count);
    return text;
}

string sum(const vector<std::size_t>& counts)
{
    return std::to_string(std::accumulate(counts.begin(), counts.end(), std::size_t{0}));
}

std::unique_ptr<running_demo> start(const scenario& what, std::uint16_t port)
{
    auto command = what.command;
    command.insert(command.end(), {"--port", std::to_string(port)});
    return std::make_unique<running_demo>(command);
}

/// True when all is as it must be.
bool run(const scenario& what, std::chrono::seconds time, bool relentless)
{
    auto main = start(what, 0);
    const auto port = main->port;
    if (what.ours && !eventually([&] { // some have been replaced already, perhaps
            const auto workers = children(main->pid());
            return std::to_string(workers.size()) == worker_count &&
                   descriptor_kinds(main->pid())["anon_inode:[pidfd]"] == workers.size() &&
                   std::all_of(workers.begin(), workers.end(), [](pid_t worker) {
                       return writes_garbage(worker) || is_at_rest(worker);
                   });
        }))
        throw std::runtime_error("the workers have not come to rest");
    const auto before = sorted_descriptor_counts(main->pid());

    figures count;
    std::atomic<bool> over{false};
    vector<std::thread> load;
    for (int i = 0; i < clients; ++i)
        load.emplace_back([&] { be_a_client(what, port, count, over); });
    fate blows;
    int main_died = 0;
    for (const auto end = clock_type::now() + time; clock_type::now() < end;) {
        if (!relentless)
            std::this_thread::sleep_for(between_blows);
        if (!main->has_ended())
            relentless ? blows.strike_who_has_answered(main->pid(), count.by)
                       : blows.strike(main->pid(), what.reloads);
        else { // Node's does, of a malformed line
            ++main_died;
            if (what.ours)
                break;
            finish_off_orphans(main->pid());
            main.reset();
            main = start(what, port);
        }
    }
    blows.end(main->pid());
    over = true;
    for (auto& client : load)
        client.join();

    vector<string> wrong;
    const auto expect = [&](bool good, const string& otherwise) {
        if (!good)
            wrong.push_back(otherwise);
    };
    auto after = before;
    if (what.ours && !main_died) {
        const bool are_as_before = eventually([&] {
            (void)main->has_ended(); // reads what it says
            return (after = sorted_descriptor_counts(main->pid())) == before;
        });
        expect(are_as_before, "descriptors were " + to_text(before) + " and are " + to_text(after));
        const auto status = main->stop();
        // One whose successor is struck is given up, with a word and this code.
        const bool gave_up = main->err().find("reload given up") != string::npos;
        expect(status == exited(0) || (gave_up && status == exited(1)), "its exit code is not 0");
    }
    expect(main_died == 0, "main has ended");
    expect(count.hung == 0, "clients hung");
    expect(count.twice == 0, "clients were served twice");
    expect(count.refused == 0, "connections were refused");
    expect(count.requests ==
               count.answered + count.closed + count.refused + count.hung + count.twice,
           "requests do not add up");
    expect(blows.counts[0] > 0 &&
               (relentless || (blows.counts[1] > 0 && (time.count() < 5 || blows.counts[2] > 0) &&
                               what.reloads == (blows.counts[3] > 0))),
           "not every kind of blow was struck");
    expect(!what.ours || main->err().find("; given up") == string::npos,
           "a place was given up, though its workers served");
    string books = "-";
    if (what.books) {
        std::smatch figure;
        const std::regex pattern("([0-9]+) accepted = ([0-9]+) handed over \\+ ([0-9]+) closed");
        const string said = main->err();
        if (std::regex_search(said, figure, pattern)) {
            books = string(figure[1]) + " = " + string(figure[2]) + " + " + string(figure[3]);
            expect(std::stoul(figure[1]) == std::stoul(figure[2]) + std::stoul(figure[3]),
                   "main's books do not balance");
            expect(std::stoul(figure[1]) == count.requests - count.refused,
                   "main has accepted other than the clients have opened");
        } // else none has come back, and none was closed
    }

    std::printf("%-28s %8zu %8zu %6zu %7zu %5zu %5zu %7ld ms  %2d %2d %2d %2d  %4d  %-11s %s\n",
                what.title.c_str(), count.requests.load(), count.answered.load(),
                count.closed.load(), count.refused.load(), count.hung.load(), count.twice.load(),
                count.longest_ms.load(), blows.counts[0], blows.counts[1], blows.counts[2],
                blows.counts[3], main_died,
                what.ours ? (sum(before) + " " + sum(after)).c_str() : "-", books.c_str());
    std::fflush(stdout);
    if (!what.ours) {
        if (!main->has_ended())
            main->signal(SIGKILL);
        (void)main->wait_exit();
        finish_off_orphans(main->pid());
        return true;
    }
    for (const auto& fault : wrong)
        std::printf("  WRONG: %s\n", fault.c_str());
    if (!wrong.empty())
        std::printf(
            "  its last words: %s\n",
            main->err()
                .substr(main->err().size() - std::min<std::size_t>(main->err().size(), 2000))
                .c_str());
    return wrong.empty();
}

// ---- what there is to run ----------------------------------------------------------------------

scenario ours(const string& name, const string& mode = "")
{
    const auto own = quoted(demo(name + "_child")) + " --delay 5";
    const auto garbage = quoted(node()) + " " + quoted(fixture("faults/garbage_child.js")) + " " +
                         quoted(fixture("interop/node/" + name + "/child.js"));
    scenario result{.title = name + (mode.empty() ? "" : " --mode " + mode),
                    .command = {demo(name), "--respawn", "--ack-timeout",
                                std::to_string(ack_timeout.count()), "--workers", worker_count},
                    .http = name.ends_with("cluster"),
                    .one_reply = mode != "all",
                    .books = (name == "socket_fanout" && mode.empty()) || name == "cluster",
                    .reloads = name == "cluster"};
    if (!mode.empty())
        result.command.insert(result.command.end(), {"--mode", mode});
    for (const auto& child : {own, own, own, garbage})
        result.command.insert(result.command.end(), {"--child", child});
    return result;
}

scenario in_node(const string& name, const string& script = "main")
{
    scenario result{.title = "Node: " + name + "/" + script + ".js",
                    .command = {node(), fixture("interop/node/" + name + "/" + script + ".js"),
                                "--delay", "5", "--quiet", "--workers", worker_count},
                    .http = name.ends_with("cluster"),
                    .ours = false};
    // Whoever gave its only listener away cannot replace a worker, and is started again when all
    // are gone: Node has no way to keep a listening socket without accepting from it.
    if (name == "socket_fanout" || script == "cluster_main")
        result.command.push_back("--respawn");
    if (script == "main") {
        const auto own = fixture("interop/node/" + name + "/child.js");
        for (const auto& child : {own, own, own, fixture("faults/garbage_child.js")})
            result.command.insert(result.command.end(), {"--child", child});
        ::setenv("SERVES_AS", own.c_str(), 1);
    }
    return result;
}

} // namespace

int main(int argc, char** argv)
{
    ::setenv("DELAY", "5", 1); // of the children in JavaScript
    std::chrono::seconds time{20};
    string only;
    bool with_node = false;
    bool relentless = false;
    for (int i = 1; i < argc; ++i) {
        const string flag = argv[i];
        if (flag == "--node")
            with_node = true;
        else if (flag == "--relentless")
            relentless = true;
        else if (flag == "--seconds" && i + 1 < argc)
            time = std::chrono::seconds(std::stol(argv[++i]));
        else if (flag == "--demo" && i + 1 < argc)
            only = argv[++i];
        else {
            std::fprintf(stderr,
                         "usage: chaos [--seconds N] [--demo NAME] [--node] [--relentless]\n");
            return 2;
        }
    }

    std::printf("%d clients; ", clients);
    if (relentless)
        std::printf("each worker is killed as soon as it has answered\n\n");
    else
        std::printf("every %ld ms a worker is killed, stopped, or made to write garbage; of the "
                    "cluster also all are replaced\n\n",
                    static_cast<long>(between_blows.count()));
    std::printf("%-28s %8s %8s %6s %7s %5s %5s %10s  %-11s %5s  %-11s %s\n", "", "requests",
                "answered", "closed", "refused", "hung", "twice", "longest", "k  s  g  r", "mains",
                "descriptors", "accepted = to workers + closed");
    bool good = true;
    for (const auto& what : {ours("socket_fanout"), ours("socket_fanout", "all"),
                             ours("server_handoff"), ours("http_cluster"), ours("cluster")})
        if (only.empty() || what.title == only)
            good = run(what, time, relentless) && good;
    if (with_node)
        for (const auto& [name, script] : {std::pair{"socket_fanout", "main"},
                                           {"server_handoff", "main"},
                                           {"http_cluster", "main"},
                                           {"http_cluster", "cluster_main"}})
            run(in_node(name, script), time, relentless);
    return good ? 0 : 1;
}

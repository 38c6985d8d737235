#include "support/proc_fs.hpp"

#include "support/process.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <sys/syscall.h>
#include <system_error>
#include <time.h>

namespace support {

namespace fs = std::filesystem;

namespace {

std::string folder(pid_t pid)
{
    return "/proc/" + std::to_string(pid) + "/";
}

std::string read(const std::string& path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// R, S, Z, ...; 0 when there is no such process. It follows the name, which may contain anything.
char state(pid_t pid)
{
    const auto text = read(folder(pid) + "stat");
    const auto name_end = text.rfind(')');
    return name_end == std::string::npos || name_end + 2 >= text.size() ? '\0' : text[name_end + 2];
}

/// The value of "name: value" in a text of such lines.
std::string field(const std::string& text, const std::string& name)
{
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(name + ":")) {
            const auto value = line.find_first_not_of(" \t", name.size() + 1);
            return value == std::string::npos ? "" : line.substr(value);
        }
    return {};
}

/// A line of /proc/net/tcp.
struct tcp_socket {
    std::string state; ///< "0A": listening
    std::size_t unread;
    std::string inode;
};

/// All whose own port is this one.
std::vector<tcp_socket> sockets_of(std::uint16_t port)
{
    std::vector<tcp_socket> result;
    for (const auto* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::istringstream rows(read(table));
        std::string row;
        std::getline(rows, row); // the heading
        while (std::getline(rows, row)) {
            std::istringstream columns(row);
            std::string number, local, remote, state, queues, timer, retransmits, uid, timeout,
                inode;
            columns >> number >> local >> remote >> state >> queues >> timer >> retransmits >>
                uid >> timeout >> inode;
            if (std::stoul(local.substr(local.rfind(':') + 1), nullptr, 16) == port)
                result.push_back(
                    {state, std::stoul(queues.substr(queues.find(':') + 1), nullptr, 16), inode});
        }
    }
    return result;
}

/// What an epoll is told to watch.
struct registration {
    int descriptor;
    std::size_t inode;
};

std::vector<registration> registrations(pid_t pid)
{
    std::vector<registration> result;
    for (const auto& [fd, what] : descriptors(pid)) {
        if (what != "anon_inode:[eventpoll]")
            continue;
        // "tfd:  7 events: 19 data: 5581... pos:0 ino:1a2b sdev:8"
        std::istringstream lines(read(folder(pid) + "fdinfo/" + std::to_string(fd)));
        for (std::string line; std::getline(lines, line);)
            if (const auto at = line.find("ino:");
                at != std::string::npos && line.starts_with("tfd:"))
                result.push_back(
                    {std::stoi(line.substr(4)), std::stoul(line.substr(at + 4), nullptr, 16)});
    }
    return result;
}

} // namespace

bool runs(pid_t pid)
{
    const char now = state(pid);
    return now != '\0' && now != 'Z' && now != 'X';
}

bool is_zombie(pid_t pid)
{
    return state(pid) == 'Z';
}

bool is_stopped(pid_t pid)
{
    return state(pid) == 'T';
}

bool sleeps(pid_t pid)
{
    return state(pid) == 'S';
}

bool waits_in_write(pid_t pid, int fd)
{
    std::error_code gone;
    for (const auto& thread : fs::directory_iterator(folder(pid) + "task", gone)) {
        std::ifstream file(thread.path() / "syscall"); // "1 0x2 0x7f...": number, arguments
        long call = -1, argument = -1;
        if (file >> call >> std::hex >> argument && call == SYS_write && argument == fd)
            return true;
    }
    return false;
}

std::chrono::nanoseconds cpu_time(pid_t pid)
{
    clockid_t clock{};
    timespec used{};
    if (const int error = ::clock_getcpuclockid(pid, &clock))
        throw std::system_error(error, std::generic_category(), "clock_getcpuclockid");
    if (::clock_gettime(clock, &used) != 0)
        throw std::system_error(errno, std::generic_category(), "clock_gettime");
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

std::vector<pid_t> children(pid_t pid)
{
    std::vector<pid_t> result;
    std::error_code gone;
    for (const auto& task : fs::directory_iterator(folder(pid) + "task", gone)) {
        std::istringstream list(read(task.path() / "children"));
        for (pid_t child = 0; list >> child;)
            result.push_back(child);
    }
    std::sort(result.begin(), result.end());
    return result;
}

std::set<pid_t> threads(pid_t pid)
{
    std::set<pid_t> result;
    std::error_code gone;
    for (const auto& task : fs::directory_iterator(folder(pid) + "task", gone))
        result.insert(std::stoi(task.path().filename()));
    return result;
}

std::string command_line(pid_t pid)
{
    auto text = read(folder(pid) + "cmdline");
    std::replace(text.begin(), text.end(), '\0', ' ');
    return text;
}

std::map<int, std::string> descriptors(pid_t pid)
{
    std::map<int, std::string> result;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder(pid) + "fd", error)) {
        const auto target = fs::read_symlink(entry.path(), error);
        if (!error) // else it was closed meanwhile
            result[std::stoi(entry.path().filename())] = target;
    }
    return result;
}

std::set<int> descriptor_numbers(pid_t pid, const std::set<int>& awaited)
{
    std::set<int> numbers;
    (void)eventually([&] {
        numbers.clear();
        for (const auto& [number, what] : descriptors(pid))
            numbers.insert(number);
        return numbers == awaited;
    });
    return numbers;
}

std::map<std::string, std::size_t> descriptor_kinds(pid_t pid)
{
    std::map<std::string, std::size_t> result;
    for (const auto& [fd, what] : descriptors(pid))
        if (fd > 2)
            ++result[what.starts_with("socket:") ? "socket"
                     : what.starts_with("pipe:") ? "pipe"
                                                 : what];
    return result;
}

std::string status_field(pid_t pid, const std::string& name)
{
    return field(read(folder(pid) + "status"), name);
}

bool is_close_on_exec(pid_t pid, int fd)
{
    const auto flags = field(read(folder(pid) + "fdinfo/" + std::to_string(fd)), "flags");
    return !flags.empty() && (std::stoul(flags, nullptr, 8) & 02000000) != 0;
}

std::string listening_socket(std::uint16_t port)
{
    for (const auto& socket : sockets_of(port))
        if (socket.state == "0A")
            return "socket:[" + socket.inode + "]";
    throw std::runtime_error("nobody listens on port " + std::to_string(port));
}

std::size_t unread_bytes(std::uint16_t port)
{
    std::size_t sum = 0;
    for (const auto& socket : sockets_of(port))
        sum += socket.unread;
    return sum;
}

std::size_t unaccepted_connections(std::uint16_t port)
{
    std::size_t sum = 0;
    for (const auto& socket : sockets_of(port))
        if (socket.state == "0A")
            sum += socket.unread;
    return sum;
}

std::vector<std::string> connections(std::uint16_t port)
{
    std::vector<std::string> result;
    for (const auto& socket : sockets_of(port))
        if (socket.state != "0A" && socket.inode != "0") // 0: nobody's, in TIME_WAIT for example
            result.push_back("socket:[" + socket.inode + "]");
    return result;
}

std::size_t open_connections(std::uint16_t port)
{
    return connections(port).size();
}

bool holds(pid_t pid, const std::string& socket)
{
    const auto all = descriptors(pid);
    return std::any_of(all.begin(), all.end(),
                       [&](const auto& entry) { return entry.second == socket; });
}

bool epoll_watches(pid_t pid, const std::string& socket)
{
    const auto all = registrations(pid);
    return std::any_of(all.begin(), all.end(), [&](const auto& watched) {
        return "socket:[" + std::to_string(watched.inode) + "]" == socket;
    });
}

std::size_t epoll_ghosts(pid_t pid)
{
    const auto open = descriptors(pid);
    const auto all = registrations(pid);
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& watched) {
        const auto found = open.find(watched.descriptor);
        return found == open.end() ||
               (found->second.starts_with("socket:") &&
                found->second != "socket:[" + std::to_string(watched.inode) + "]");
    }));
}

} // namespace support

// A load of one connection per request: connects, with "http" sends a request, reads until the
// server ends the connection, and starts anew: CONCURRENCY of them at once, until COUNT have been
// started or SECONDS have passed.
//
//     bench_load tcp|http PORT COUNT SECONDS CONCURRENCY
//
// Prints one JSON object: how long it took, the 50th and 99th percentile of the time a connection
// lasted, how many ended without an answer, and how many each process answered.

#include "bench/raw_cluster.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

constexpr std::string_view request =
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

struct connection {
    int fd = -1;
    clock_type::time_point began;
    std::string answer;
};

// "http server2 子进程：28219", "28219", and in an HTTP answer, chunked or not, "worker-28219".
std::string pid_in(const std::string& answer)
{
    const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
    constexpr std::string_view name = "worker-";
    if (const auto found = answer.rfind(name); found != answer.npos) {
        const auto begin = answer.begin() + static_cast<std::ptrdiff_t>(found + name.size());
        return {begin, std::find_if_not(begin, answer.end(), is_digit)};
    }
    return {std::find_if_not(answer.rbegin(), answer.rend(), is_digit).base(), answer.end()};
}

double milliseconds(clock_type::duration time)
{
    return std::chrono::duration<double, std::milli>(time).count();
}

class load {
public:
    load(bool http, std::uint16_t port, std::size_t count, double seconds, std::size_t concurrency)
        : http_(http),
          epoll_(bench::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
          left_(count),
          began_(clock_type::now()),
          limit_(std::chrono::duration_cast<clock_type::duration>(
              std::chrono::duration<double>(seconds))),
          connections_(std::min(count, concurrency))
    {
        address_.sin_family = AF_INET;
        address_.sin_port = htons(port);
        address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }

    void run()
    {
        for (auto& connection : connections_)
            start(connection);
        while (open_ > 0) {
            epoll_event events[64];
            const int count = ::epoll_wait(epoll_, events, 64, -1);
            if (count < 0 && errno != EINTR) // stopped and continued (signal(7))
                bench::fail("epoll_wait");
            for (int i = 0; i < count; ++i)
                read(*static_cast<connection*>(events[i].data.ptr));
        }
        time_ = clock_type::now() - began_;
    }

    void print()
    {
        std::sort(latencies_.begin(), latencies_.end());
        const auto percentile = [this](std::size_t p) {
            return latencies_.empty() ? 0 : latencies_[latencies_.size() * p / 100];
        };
        std::printf("{\"answers\":%zu,\"errors\":%zu,\"seconds\":%.6f,\"p50_ms\":%.3f,"
                    "\"p99_ms\":%.3f,\"by_pid\":{",
                    latencies_.size(), errors_, milliseconds(time_) / 1000, percentile(50),
                    percentile(99));
        const char* separator = "";
        for (const auto& [pid, count] : by_pid_) {
            std::printf("%s\"%s\":%zu", separator, pid.c_str(), count);
            separator = ",";
        }
        std::printf("}}\n");
    }

private:
    void start(connection& connection)
    {
        connection.began = clock_type::now();
        if (left_ == 0 || connection.began - began_ > limit_)
            return;
        --left_;
        ++open_;
        connection.answer.clear();
        // On the loopback address connecting and sending a few bytes do not wait for the server.
        connection.fd = bench::check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        bench::check(
            ::connect(connection.fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_),
            "connect");
        if (http_)
            ::send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = &connection;
        bench::check(::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event), "epoll_ctl");
    }

    void read(connection& connection)
    {
        char buffer[4096];
        ssize_t size = 0;
        while ((size = ::recv(connection.fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
            connection.answer.append(buffer, static_cast<std::size_t>(size));
        if (size < 0 && errno == EAGAIN)
            return;
        ::close(connection.fd);
        --open_;
        if (size < 0 || connection.answer.empty()) {
            ++errors_;
        } else {
            latencies_.push_back(milliseconds(clock_type::now() - connection.began));
            ++by_pid_[pid_in(connection.answer)];
        }
        start(connection);
    }

    bool http_;
    sockaddr_in address_{};
    int epoll_;
    std::size_t left_;
    clock_type::time_point began_;
    clock_type::duration limit_;
    std::size_t open_ = 0;
    std::vector<connection> connections_;
    std::vector<double> latencies_;
    std::size_t errors_ = 0;
    std::map<std::string, std::size_t> by_pid_;
    clock_type::duration time_{};
};

} // namespace

int main(int argc, char** argv)
{
    if (argc != 6)
        return 2;
    load load(std::string_view(argv[1]) == "http", static_cast<std::uint16_t>(std::atoi(argv[2])),
              static_cast<std::size_t>(std::atoi(argv[3])), std::atof(argv[4]),
              static_cast<std::size_t>(std::atoi(argv[5])));
    load.run();
    load.print();
}

// The programs of the suite, where they are and what they say.
#pragma once

#include "support/process.hpp"
#include "support/tcp.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace support {

std::string demo(const std::string& name);   ///< build/demos/NAME
std::string client(const std::string& name); ///< build/clients/NAME
std::string test_program(const std::string& name);

/// For start_options: typed as "build/demos/NAME" or so in a folder where that leads to it.
start_options typed_as(const std::string& path);
std::string node();
std::string fixture(const std::string& path); ///< "interop/net_client.js", in the tests' folder

/// "listening on 127.0.0.1:40123, workers 1 2 3 4; try: build/clients/net_client --port 40123"
struct ready_line {
    std::string address; ///< "127.0.0.1", "[::1]"
    std::uint16_t port = 0;
    std::vector<pid_t> workers; ///< in slot order; 0 for one that is missing ("-")
    std::string hint;           ///< after "try: "
};
ready_line parse_ready_line(const std::string& line);

/// A main: one of the demos, or a Node script that behaves like one. `arguments` follow "--port 0".
/// Where the test says nothing else, it and its workers may have $DESCRIPTOR_LIMIT descriptors.
class running_demo : public process, public ready_line {
public:
    explicit running_demo(const std::string& name, std::vector<std::string> arguments = {},
                          start_options options = {});

    /// Any command that ends up printing a ready line.
    explicit running_demo(std::vector<std::string> command, start_options options = {});

    /// SIGTERM, then the end; returns when its output is closed, so no worker is left either.
    exit_status stop();

    /// The same at the end of a fault test, when all clients are gone: fails the test if anything
    /// does not add up. Nobody holds a connection any more; main has a channel for each worker,
    /// each worker has one, and but for the listener they have no other socket; no zombie; no epoll
    /// that watches what is closed; main has a pidfd for each worker, and apart from that what it
    /// had at the start; a worker of ours has what Asio waits with, and nothing else; and where
    /// main keeps books, they balance.
    exit_status stop_and_settle_accounts();

    /// Until every worker waits for something to do: "ready" means that it has been started and
    /// holds what it needs, but its program may not have come so far as to open all that it always
    /// has open.
    void wait_until_at_rest() const;

    /// Until no_connection_is_held().
    void wait_until_no_connection_is_held() const;

private:
    std::map<std::string, std::size_t> kinds_at_start_; ///< main's, but for sockets and pidfds
};

/// The same of one worker.
bool is_at_rest(pid_t worker);

/// Main has a channel for each worker, each worker has one, and but for the listener they have no
/// other socket. open_connections() tells less: the kernel does not list a connection that has
/// ended at both sides, be it held or not.
bool no_connection_is_held(pid_t main, std::uint16_t port);

/// How many descriptors the main and each of its first workers have open, in slot order.
std::vector<std::size_t> descriptor_counts(const running_demo& main);

/// "http server2 子进程：28219": the slot, "2" here, is the digits at the end of the message.
struct reply {
    std::string message;
    pid_t pid = 0;
};
reply parse_reply(const std::string& line);

/// "Request handled by worker-28219"
pid_t parse_http_reply(const std::string& body);

/// A new client of that demo, which has said what one has to say for an answer: nothing, or
/// "GET / HTTP/1.1".
connection open_client(const std::string& demo_name, std::uint16_t port);

/// Who gave this answer, the whole of what a client has read.
pid_t who_answered(const std::string& answer);

/// How often each process has written a line that contains `part`, by the "[PID]" in front of it.
std::map<pid_t, std::size_t> warnings(const std::string& err, const std::string& part);

/// Without their newlines. A last line without one counts too.
std::vector<std::string> lines(const std::string& text);

/// One word for --child, whatever is in it: a folder may be called "it's mine".
std::string quoted(const std::string& word);

std::string join(const std::vector<std::string>& words, const std::string& between);

} // namespace support

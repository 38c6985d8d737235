// Command lines: the flags of demos, their children and the clients, in one place.
#pragma once

#include "http/options.hpp"
#include "net/accepting.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace app {

/// The process exit codes; part of the contract with users and scripts.
enum exit_code : int {
    ok = 0,          ///< did what was asked; a demo stopped by a signal did
    failed = 1,      ///< ran, but a request failed or a worker could not be kept
    bad_usage = 2,   ///< the command line
    cannot_start = 3 ///< cannot listen, connect or start a worker
};

/// What a demo is called and which of the optional flags it has.
struct demo_description {
    std::string name;   ///< "socket_fanout"
    std::string about;  ///< one sentence for --help
    std::string client; ///< "net_client"
    std::chrono::milliseconds delay{100};
    std::vector<std::string> modes{};    ///< the first is the default; empty: no --mode
    bool workers_accept = false;         ///< has --accept
    bool http = false;                   ///< has the flags of http::server_options
    bool service = true;                 ///< listens and has workers, and the flags for that
    std::vector<std::string> policies{}; ///< as modes; the workers listen, and are told where
};

struct demo_options {
    std::string program;            ///< as typed, "build/demos/socket_fanout"
    std::string host = "127.0.0.1"; ///< "::1" without brackets
    std::uint16_t port = 8888;      ///< 0: the kernel picks
    std::size_t workers = 4;
    std::chrono::milliseconds delay{100};
    std::string mode;
    std::string policy;
    std::vector<std::vector<std::string>> children; ///< commands to run as workers, never empty
    bool own_children = true;                       ///< no --child was given: it is our own
    std::size_t in_flight = 0; ///< handles to a worker that it has not acknowledged yet
    bool respawn = false;
    std::string accept; ///< how our own children share a listening socket
    bool trace = false;
    bool json = false;           ///< events on stdout
    std::string name;            ///< of this host, for them
    bool parent_signals = false; ///< our parent says whom to signal (orders.hpp)
    bool quiet = false;
    std::chrono::milliseconds ack_timeout{5000};
    std::chrono::milliseconds listen_timeout{5000}; ///< of a reload, for each new worker
};

struct child_options {
    std::string host;          ///< where a worker of a cluster listens; empty: everywhere
    std::uint16_t port = 8888; ///< unless --port or PORT in the environment say otherwise
    int unique_id = 0;         ///< NODE_UNIQUE_ID; 0: whoever started us is no cluster
    std::chrono::milliseconds delay{100};
    net::accepting accept = net::accepting::step_back;
    bool reports = false;       ///< the parent wants to know what happens here
    bool ends_with_all = false; ///< the parent hangs up on all its children at once: our main does
    http::server_options http;  ///< its delay is 0 unless --delay says otherwise
};

struct client_options {
    std::string program;
    std::string host = "localhost"; ///< a name or an address, "::1" without brackets
    std::uint16_t port = 8888;
    std::string target = "/"; ///< of http_client: path and query
    std::size_t count = 5;
    std::size_t concurrency = 5; ///< at once; by default all of them, at most 64
    std::chrono::milliseconds timeout{5000};
    bool keep_alive = false;
    bool tally = false;
    bool json = false; ///< events on stdout
    bool quiet = false;
};

struct live_options {
    std::string program;
    std::uint16_t port = 8889; ///< 0: the kernel picks
    std::string record;        ///< a file to write events to; empty: none
    std::string replay;        ///< a file to show; empty: none
};

/// Thrown when the process is to end now: --help, --version and mistakes have printed what there is
/// to say.
struct exit_now {
    int code;
};

/// These four throw exit_now. A child ignores positional arguments: a Node parent may start it as
/// fork('some.js', {execPath: 'build/demos/http_cluster_child', execArgv: []}). One with a
/// `unique_id` (not 0) is a worker of a cluster, and knows --host and --port.
demo_options parse_demo(int argc, char** argv, const demo_description& description);
child_options parse_child(int argc, char** argv, int unique_id);
client_options parse_client(int argc, char** argv, const std::string& name, bool http);
live_options parse_live(int argc, char** argv);

} // namespace app

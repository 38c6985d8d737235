#include "app/options.hpp"

#include "app/help.hpp"
#include "app/terminal.hpp"
#include "app/typed.hpp"
#include "app/url.hpp"
#include "app/words.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <asio/version.hpp>
#include <cctype>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

namespace app {

using std::chrono::milliseconds;

namespace {

// Between these. Without a description of its own: the flag's says it, and the error names the
// limits.
template<class T>
CLI::Validator between(T low, T high)
{
    return CLI::Range(low, high).description("");
}

const CLI::Validator some_time = between(0, 24 * 3600 * 1000);

void add_milliseconds(CLI::App& command, const std::string& flag, milliseconds& value,
                      const std::string& about)
{
    command
        .add_option_function<long>(
            flag, [&value](long given) { value = milliseconds(given); }, about)
        ->check(some_time)
        ->type_name("MS")
        ->default_str(std::to_string(value.count()));
}

// "-w,--workers N=4", "--mode M:{rotate,all,fork}=rotate", "--child COMMAND ...", "--respawn"
std::string flags_of(const CLI::Option& option)
{
    std::string text = option.get_name(false, true);
    if (option.get_items_expected_max() == 0 || option.get_positional())
        return text; // takes no value, or is one
    text += " " + option.get_type_name();
    if (!option.get_default_str().empty())
        text += "=" + option.get_default_str();
    if (option.get_items_expected_max() > 1)
        text += " ...";
    return text;
}

std::string help(const CLI::App& command)
{
    std::string usage = command.get_name() + " [OPTIONS]";
    std::vector<help_option> options;
    for (const auto* option : command.get_options()) {
        options.push_back({flags_of(*option), option->get_description()});
        if (option->get_positional())
            usage += " [" + option->get_name(true) + "]";
    }
    return command.get_description() + "\nUsage: " + usage + "\n\nOptions:\n" +
           help_options(options, columns(STDOUT_FILENO));
}

// Without a description of its own, as above.
const CLI::Validator a_host(as_host, "");

void add_common(CLI::App& command)
{
    command.set_help_flag("-h,--help", "print this and exit");
    command.set_version_flag(
        "--version",
        [name = command.get_name()] {
            return name + " " PROJECT_VERSION " (asio " + std::to_string(ASIO_VERSION / 100000) +
                   "." + std::to_string(ASIO_VERSION / 100 % 1000) + "." +
                   std::to_string(ASIO_VERSION % 100) +
                   ", nlohmann_json " NLOHMANN_VERSION ", llhttp " LLHTTP_VERSION
                   ", CLI11 " CLI11_VERSION ")";
        },
        "print the versions, the libraries' too, and exit");
    command.formatter_fn(
        [](const CLI::App* app, const std::string&, CLI::AppFormatMode) { return help(*app); });
}

// One of these words; the first is the default.
void add_choice(CLI::App& command, const std::string& flag, std::string& chosen,
                const std::vector<std::string>& words, const std::string& letter,
                const std::string& about)
{
    chosen = words.front();
    command.add_option(flag, chosen, about)
        ->check(CLI::IsMember(words))
        ->type_name(letter)
        ->capture_default_str();
}

void add_json(CLI::App& command, bool& json)
{
    command.add_flag("--json", json,
                     "what happens, instead of the lines on stdout: one JSON object a line");
}

// How our own children share the listening socket; the first is the default.
const std::vector<std::pair<std::string, net::accepting>> ways_to_accept{
    {"step_back", net::accepting::step_back},
    {"race", net::accepting::race},
    {"exclusive", net::accepting::exclusive}};

void add_accept(CLI::App& command, std::string& accept)
{
    std::vector<std::string> names;
    names.reserve(ways_to_accept.size());
    for (const auto& [name, how] : ways_to_accept)
        names.push_back(name);
    add_choice(command, "--accept", accept, names, "M",
               "how our own children share the socket: who has had one steps back from the "
               "next; all race; or one alone is woken, in turn, for whom a client waits "
               "if it is stopped just then");
}

net::accepting accepting_named(const std::string& given)
{
    for (const auto& [name, how] : ways_to_accept)
        if (name == given)
            return how;
    throw std::logic_error("--accept " + given);
}

void add_service(CLI::App& command, const demo_description& description, demo_options& options,
                 std::vector<std::string>& children, std::string& accept)
{
    command.add_option("--host", options.host, "address to listen on")
        ->transform(a_host)
        ->capture_default_str();
    command.add_option("-p,--port", options.port, "port to listen on; 0: the kernel picks")
        ->check(between(0, 65535))
        ->type_name("N")
        ->capture_default_str();
    command.add_option("-w,--workers", options.workers, "how many children, 1 to 64")
        ->check(between(1, 64))
        ->type_name("N")
        ->capture_default_str();
    add_milliseconds(command, "--delay", options.delay, "before answering (our own children)");
    if (!description.modes.empty()) {
        add_choice(command, "--mode", options.mode, description.modes, "M",
                   "how a connection reaches a child");
        command
            .add_option("--in-flight", options.in_flight,
                        "how many connections may be on their way to a worker that it has not "
                        "acknowledged yet; default: 1 with --child, as in Node, else 32")
            ->check(between(1, 1024))
            ->type_name("N");
    }
    if (description.workers_accept)
        add_accept(command, accept);
    if (!description.policies.empty())
        add_choice(command, "--policy", options.policy, description.policies, "P",
                   "which child gets a connection");
    command
        .add_option("--child", children,
                    "a program to run as worker instead of ours, 'node child.js' say; repeatable: "
                    "worker i runs the i-th, in turn")
        ->allow_extra_args(false)
        ->type_name("COMMAND");
    add_milliseconds(command, "--ack-timeout", options.ack_timeout,
                     "for a worker to acknowledge a handle, or it is killed; 0: for ever");
    if (!description.policies.empty())
        add_milliseconds(command, "--listen-timeout", options.listen_timeout,
                         "for a new worker to listen, when SIGUSR2 replaces all; else the old "
                         "ones stay");
    command.add_flag("--respawn", options.respawn, "replace a worker that ends");
}

// As of a host name (gethostname(2)); and an event has room for it.
constexpr std::size_t longest_name = 255;

// It stands in a header, before a '/'.
const CLI::Validator a_name(
    [](std::string& text) -> std::string {
        const auto is_allowed = [](unsigned char c) {
            return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
        };
        if (!text.empty() && text.size() <= longest_name &&
            std::all_of(text.begin(), text.end(), is_allowed))
            return "";
        return "'" + text.substr(0, longest_name) +
               "' is no name for a host: letters, digits, '-', '.' and '_' are allowed, " +
               std::to_string(longest_name) + " of them at most";
    },
    "");

void add_http(CLI::App& command, http::server_options& http)
{
    add_milliseconds(command, "--headers-timeout", http.headers_timeout,
                     "for a request's header to be complete");
    add_milliseconds(command, "--request-timeout", http.request_timeout,
                     "for a whole request, body included");
    add_milliseconds(command, "--keep-alive-timeout", http.keep_alive_timeout,
                     "for the next request on a kept connection");
    command.add_option("--max-header-size", http.max_header_size, "bytes of header, else 431")
        ->check(between(64, 16 * 1024 * 1024))
        ->type_name("BYTES")
        ->capture_default_str();
    command
        .add_option("--max-requests-per-socket", http.max_requests_per_socket,
                    "then the connection is closed; 0: no limit")
        ->check(between(0, 1'000'000'000))
        ->type_name("N")
        ->capture_default_str();
    command
        .add_option(
            "--name", http.name,
            "of this host: each answer has the field Served-By: NAME/PID, each event of --json "
            "the field host")
        ->check(a_name)
        ->type_name("NAME");
}

void parse(CLI::App& command, int argc, char** argv)
{
    try {
        command.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) { // --help, --version
            std::ostringstream text;
            command.exit(error, text, text);
            auto lines = text.str();
            lines.pop_back(); // the newline, which print() adds
            print(lines);
            throw exit_now{ok};
        }
        note(command.get_name() + ": " + error.what() + "\n  all flags: " + typed_self(argv[0]) +
             " --help");
        throw exit_now{bad_usage};
    }
}

} // namespace

demo_options parse_demo(int argc, char** argv, const demo_description& description)
{
    const std::string path = "build/demos/" + description.name;
    const auto modes =
        description.modes.empty() ? std::string() : " --mode " + description.modes.back();
    CLI::App command(
        path + "\n  " + path +
            (description.service ? " --port 0 --workers 2" + modes : std::string(" --trace")) +
            "\n\n" + description.about,
        description.name);
    add_common(command);

    demo_options options;
    options.program = argv[0];
    options.delay = description.delay;
    std::vector<std::string> children;
    auto& accept = options.accept;
    if (description.service)
        add_service(command, description, options, children, accept);
    add_json(command, options.json);
    command.add_flag("--trace", options.trace, "show what crosses the channels, on stderr");
    if (description.service) {
        command.add_flag("--parent-signals", options.parent_signals,
                         "whoever has started this with fork() says over the channel which worker "
                         "to kill, stop or continue");
        command.add_flag("-q,--quiet", options.quiet, "only the ready line and errors");
    }
    http::server_options http;
    if (description.http)
        add_http(command, http);
    parse(command, argc, argv);
    options.name = http.name;

    for (const auto& child : children) {
        std::string mistake;
        try {
            options.children.push_back(split_words(child));
            if (options.children.back().empty() || options.children.back().front().empty())
                mistake = "--child needs a command";
        } catch (const std::invalid_argument& error) {
            mistake = "--child " + child + ": " + error.what();
        }
        if (!mistake.empty()) {
            note(description.name + ": " + mistake + "\n  for example: --child 'node child.js'");
            throw exit_now{bad_usage};
        }
    }
    options.own_children = options.children.empty();
    if (options.in_flight == 0)
        options.in_flight = options.own_children ? 32 : 1;
    if (options.own_children) {
        std::vector<std::string> own{own_executable() + "_child", "--delay",
                                     std::to_string(options.delay.count())};
        if (description.workers_accept) {
            if (options.workers == 1)
                accept = "race"; // it has nobody to step back for
            own.insert(own.end(), {"--accept", accept});
        }
        if (options.json)
            own.emplace_back("--report");
        if (description.policies.empty())
            own.emplace_back("--ends-with-all");
        else
            own.insert(own.end(), {"--host", options.host, "--port", std::to_string(options.port)});
        if (description.http && !http.name.empty())
            own.insert(own.end(), {"--name", http.name});
        if (description.http)
            for (const auto& [flag, value] :
                 {std::pair<const char*, std::size_t>{"--headers-timeout",
                                                      http.headers_timeout.count()},
                  {"--request-timeout", http.request_timeout.count()},
                  {"--keep-alive-timeout", http.keep_alive_timeout.count()},
                  {"--max-header-size", http.max_header_size},
                  {"--max-requests-per-socket", http.max_requests_per_socket}}) {
                own.emplace_back(flag);
                own.push_back(std::to_string(value));
            }
        options.children.push_back(std::move(own));
    }
    return options;
}

child_options parse_child(int argc, char** argv, int unique_id)
{
    CLI::App command("started by its main, which leaves it a channel", argv[0]);
    command.allow_extras();
    child_options options;
    add_milliseconds(command, "--delay", options.delay, "before answering");
    options.unique_id = unique_id;
    if (unique_id != 0) {
        command.add_option("--host", options.host, "address to listen on")->transform(a_host);
        command.add_option("--port", options.port, "port to listen on")
            ->envname("PORT")
            ->check(between(0, 65535));
    }
    command.add_flag("--ends-with-all", options.ends_with_all,
                     "when the parent hangs up, it does so on all who share the server");
    command.add_flag("--report", options.reports,
                     "tell the parent what happens here, over the channel");
    std::string accept;
    add_accept(command, accept);
    add_http(command, options.http);
    parse(command, argc, argv);
    options.accept = accepting_named(accept);
    options.http.health_check = "/healthz";
    if (command.count("--delay") > 0) // else a web server answers at once
        options.http.delay = options.delay;
    return options;
}

client_options parse_client(int argc, char** argv, const std::string& name, bool http)
{
    const std::string path = "build/clients/" + name;
    CLI::App command(path + "\n  " + path + " --port 8889 --count 100 --tally\n\n" +
                         (http ? "Sends HTTP requests and prints who answered."
                               : "Opens connections and prints what each one says."),
                     name);
    add_common(command);

    client_options options;
    options.program = argv[0];
    const auto* host =
        command.add_option("--host", options.host, "whom to ask; every address it has is tried")
            ->transform(a_host)
            ->capture_default_str();
    const auto* port = command.add_option("-p,--port", options.port, "port to connect to")
                           ->check(between(1, 65535))
                           ->type_name("N")
                           ->capture_default_str();
    std::string url;
    if (http)
        command.add_option("URL", url, "http://HOST:PORT/PATH, instead of these two");
    command
        .add_option("-n,--count", options.count,
                    http ? "how many requests" : "how many connections")
        ->check(between(std::size_t{1}, std::size_t{100'000'000}))
        ->type_name("N")
        ->capture_default_str();
    auto* concurrency = command
                            .add_option("-c,--concurrency", options.concurrency,
                                        "how many at once [all, at most 64]")
                            ->check(between(1, 1024))
                            ->type_name("N");
    add_milliseconds(command, "--timeout", options.timeout,
                     "for a connection, and then for its answer; 0: no limit");
    if (http)
        command.add_flag("--keep-alive", options.keep_alive, "reuse connections");
    add_json(command, options.json);
    command.add_flag("--tally", options.tally, "a bar for each PID instead of the lines");
    command.add_flag("-q,--quiet", options.quiet, "no answers, only errors and the exit code");
    command.parse_complete_callback([&] {
        if (options.tally && options.quiet)
            throw CLI::ValidationError("--quiet", "it leaves nothing for --tally to show");
        if (options.json && (options.tally || options.quiet))
            throw CLI::ValidationError("--json", "it shows everything: leave out --tally and "
                                                 "--quiet");
        if (!http || command.count("URL") == 0)
            return;
        if (host->count() > 0 || port->count() > 0)
            throw CLI::ValidationError(
                "URL", "it names host and port itself: leave out --host and --port");
        try {
            auto parts = parse_url(url);
            options.host = std::move(parts.host);
            options.port = parts.port;
            options.target = std::move(parts.target);
        } catch (const std::invalid_argument& wrong) {
            throw CLI::ValidationError("URL", wrong.what());
        }
    });
    parse(command, argc, argv);

    if (concurrency->count() == 0)
        options.concurrency = std::min<std::size_t>(options.count, 64);
    return options;
}

live_options parse_live(int argc, char** argv)
{
    CLI::App command("build/demos/live\n  build/demos/socket_fanout --json | build/demos/live\n\n"
                     "Shows on a page what the examples do: starts them, or watches one that "
                     "somebody else has started.",
                     "live");
    add_common(command);
    live_options options;
    options.program = argv[0];
    command
        .add_option("-p,--port", options.port,
                    "port of the page, on 127.0.0.1; 0: the kernel picks")
        ->check(between(0, 65535))
        ->type_name("N")
        ->capture_default_str();
    auto* replay =
        command.add_option("--replay", options.replay, "show this recording")->type_name("FILE");
    command.add_option("--record", options.record, "write each event to this file")
        ->type_name("FILE")
        ->excludes(replay);
    parse(command, argc, argv);
    return options;
}

} // namespace app

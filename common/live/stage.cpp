#include "live/stage.hpp"

#include "app/terminal.hpp"
#include "app/typed.hpp"
#include "live/line_splitter.hpp"
#include "log.hpp"
#include "posix.hpp"

#include <nlohmann/json.hpp>

#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <stdexcept>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace live {

using asio::awaitable;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t most_loads = 4; // at once

// From SIGTERM to SIGKILL. A demo ends within 3 s, whatever its workers do, and a client at once;
// one that does not is stuck, or stopped.
constexpr auto patience_with_a_demo = 10s;
constexpr auto patience_with_a_client = 1s;

// For what it has written before its end.
constexpr auto time_for_last_lines = 1s;

std::vector<std::string> flags_of(const start_demo& what)
{
    std::vector<std::string> flags;
    const auto add = [&](const char* flag, const std::string& value) {
        flags.insert(flags.end(), {flag, value});
    };
    if (!what.mode.empty() && what.mode != what.what->modes.front())
        add("--mode", what.mode);
    if (!what.accept.empty() && what.accept != what.what->accept.front())
        add("--accept", what.accept);
    if (what.workers != 4)
        add("--workers", std::to_string(what.workers));
    if (what.delay != what.what->delay)
        add("--delay", std::to_string(what.delay.count()));
    if (what.respawn)
        flags.emplace_back("--respawn");
    return flags;
}

std::string typed(std::string command, const std::vector<std::string>& flags)
{
    for (const auto& flag : flags)
        command += " " + flag;
    return command;
}

std::string name_of(source from)
{
    return from == source::own ? "own" : from == source::replay ? "replay" : "stdin";
}

} // namespace

struct stage::process {
    explicit process(ipc::child_process started) : child(std::move(started)) {}
    ipc::child_process child;
    std::shared_ptr<pipe> out; // what it says
    bool is_read = false;      // to the end
};

stage::stage(asio::any_io_executor executor, std::string program, source from,
             std::shared_ptr<event_log> log)
    : executor_(std::move(executor)),
      program_(std::move(program)),
      source_(from),
      log_(std::move(log)),
      changed_(executor_)
{
    is_running_ = from == source::standard_input;
    say_state();
    log_->begin_anew(); // that is told to each page in any case
}

// ---- orders

void stage::carry_out(const order& what)
{
    if (source_ != source::own)
        throw refused{409, source_ == source::replay
                               ? "this is a recording: nobody is there who could do that"
                               : "somebody else has started this demo: only he can do that"};
    if (is_closed_)
        throw refused{409, "the page's server is ending"};
    if (const auto* given = std::get_if<start_demo>(&what))
        return start(*given);
    if (!demo_)
        throw refused{409, "no demo is running: start one first"};
    if (is_ending_)
        throw refused{429, "the demo is ending: try again in a moment"};
    if (const auto* given = std::get_if<send_load>(&what))
        send(*given);
    else if (const auto* wanted = std::get_if<signal_worker>(&what))
        signal(*wanted);
    else
        stop_demo();
}

void stage::start(const start_demo& what)
{
    if (is_ending_)
        throw refused{429, "the demo is ending: try again in a moment"};
    if (!demo_)
        return launch(what);
    next_ = what;
    stop_demo();
}

void stage::launch(const start_demo& what)
{
    const auto flags = flags_of(what);
    std::vector<std::string> command{app::path_of_sibling("demos", what.what->name)};
    command.insert(command.end(), flags.begin(), flags.end());
    command.insert(command.end(), {"--port", "0", "--json", "--parent-signals"});
    demo_ = run(std::move(command), true);
    port_.reset();
    name_ = what.what->name;
    mode_ = what.mode;
    accept_ = what.accept;
    workers_ = what.workers;
    delay_ = what.delay.count();
    respawn_ = what.respawn;
    stopped_.clear();
    command_ = typed(app::typed_sibling(program_, "demos", name_), flags);
    client_ = app::typed_sibling(program_, "clients", what.what->client);
    failure_.clear();
    is_running_ = true;
    log_->begin_anew();
    say_state();
    asio::co_spawn(executor_, follow_demo(shared_from_this(), demo_), asio::detached);
}

void stage::send(const send_load& what)
{
    if (!port_)
        throw refused{409, "the demo does not listen yet: try again in a moment"};
    if (clients_.size() >= most_loads)
        throw refused{429, "enough clients are asking: wait until some have their answers"};
    const auto found = std::find_if(examples().begin(), examples().end(),
                                    [&](const auto& one) { return one.name == name_; });
    std::vector<std::string> command{app::path_of_sibling("clients", found->client),
                                     "--json",
                                     "--host",
                                     "127.0.0.1",
                                     "--port",
                                     std::to_string(*port_),
                                     "--count",
                                     std::to_string(what.count),
                                     "--concurrency",
                                     std::to_string(what.concurrency)};
    if (what.keep_alive && found->client == "http_client")
        command.emplace_back("--keep-alive");
    clients_.push_back(run(std::move(command), false)); // it tells what fails as events, too
    asio::co_spawn(executor_, follow_client(shared_from_this(), clients_.back()), asio::detached);
}

void stage::signal(const signal_worker& what)
{
    if (what.slot >= workers_)
        throw refused{400, "there is no such worker: slot must be a number from 0 to " +
                               std::to_string(workers_ - 1)};
    if (mode_ == "fork")
        throw refused{409, "in this mode a worker lives as long as its connection"};
    if (!post(what.signal, what.slot))
        throw refused{409, "the demo does not listen to us any more"};
    if (what.signal == "SIGSTOP" ? stopped_.insert(what.slot).second
                                 : stopped_.erase(what.slot) > 0)
        say_state();
}

bool stage::post(const std::string& signal, std::size_t slot)
{
    try {
        demo_->child.channel.post(nlohmann::json{{"signal", signal}, {"slot", slot}});
        return true;
    } catch (const ipc::error&) {
        return false;
    }
}

// Another worker has its place, or nobody. Our order may have met that one: then it is continued.
void stage::forget_stopped(std::size_t slot)
{
    if (stopped_.erase(slot) == 0)
        return;
    post("SIGCONT", slot);
    say_state();
}

void stage::stop_demo()
{
    is_ending_ = true;
    terminate(demo_, patience_with_a_demo);
    stop_clients();
}

void stage::stop_clients()
{
    for (const auto& client : clients_)
        terminate(client, patience_with_a_client);
}

void stage::terminate(const std::shared_ptr<process>& one, std::chrono::seconds patience)
{
    one->child.kill(SIGTERM);
    auto timer = std::make_shared<asio::steady_timer>(executor_, patience);
    timer->async_wait([timer, stuck = std::weak_ptr(one)](std::error_code) {
        if (const auto still_there = stuck.lock())
            still_there->child.kill(SIGKILL);
    });
}

awaitable<void> stage::end()
{
    const auto self = shared_from_this();
    is_closed_ = true;
    next_.reset();
    if (demo_ && !is_ending_)
        stop_demo();
    else
        stop_clients();
    co_await changed_.wait_until([&] { return !demo_ && clients_.empty(); });
}

// ---- processes

std::shared_ptr<stage::process> stage::run(std::vector<std::string> command, bool says_errors)
{
    using ipc::standard_stream;
    ipc::child_options options;
    options.stdio = {standard_stream::ignore(), standard_stream::pipe(),
                     says_errors ? standard_stream::inherit() : standard_stream::ignore()};
    ipc::channel_options channel;
    channel.takes_handles = false;
    auto started = std::make_shared<process>(ipc::child_process::start(
        executor_, std::move(command), std::move(channel), std::move(options)));
    started->out = std::make_shared<pipe>(executor_);
    posix::assign(*started->out, started->child.stdio[1]);
    return started;
}

awaitable<void> stage::read_lines(std::shared_ptr<stage> self, std::shared_ptr<pipe> from)
{
    line_splitter splitter(longest_line);
    const std::function<void(std::string_view)> take = [&](std::string_view line) {
        self->take_line(line);
    };
    std::vector<char> buffer(64 * 1024);
    for (std::error_code error; !error;) {
        const auto size = co_await from->async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        splitter.feed({buffer.data(), size}, take);
        self->write_out();
    }
    splitter.end(take);
}

awaitable<void> stage::follow_demo(std::shared_ptr<stage> self, std::shared_ptr<process> demo)
{
    const auto executor = self->executor_;
    asio::co_spawn(executor, read_lines(self, demo->out), [self, demo](std::exception_ptr) {
        demo->is_read = true;
        self->changed_.notify();
    });
    const auto status = co_await demo->child.exited();
    // Nobody but the demo and its workers has the other end. If one of them is stuck, so be it.
    asio::steady_timer last_lines(executor, time_for_last_lines);
    last_lines.async_wait([demo](std::error_code cancelled) {
        if (!cancelled)
            demo->out->close();
    });
    co_await self->changed_.wait_until([&] { return demo->is_read; });
    last_lines.cancel();

    demo->child.channel.close();
    self->demo_.reset();
    self->port_.reset();
    self->stopped_.clear();
    self->is_running_ = false;
    // What was asked to end has not failed, be it that it had no handler for SIGTERM yet.
    const bool was_asked = std::exchange(self->is_ending_, false);
    if (!was_asked || (!status.clean() && status.signal != SIGTERM))
        self->failure_ = self->name_ + " " + ipc::to_string(status);
    self->say_state();
    self->changed_.notify();
    if (self->next_ && !self->is_closed_) {
        const auto next = *std::exchange(self->next_, {});
        try {
            self->launch(next);
        } catch (const std::exception& error) {
            self->failure_ = error.what();
            self->say_state();
        }
    }
}

awaitable<void> stage::follow_client(std::shared_ptr<stage> self, std::shared_ptr<process> client)
{
    co_await read_lines(self, client->out);
    co_await client->child.exited();
    client->child.channel.close();
    std::erase(self->clients_, client);
    self->changed_.notify();
}

// ---- what is told

void stage::follow_input()
{
    auto input = std::make_shared<pipe>(executor_);
    auto copy = posix::duplicate(STDIN_FILENO);
    posix::assign(*input, copy);
    asio::co_spawn(executor_, read_lines(shared_from_this(), std::move(input)),
                   [self = shared_from_this()](std::exception_ptr) {
                       self->is_running_ = false;
                       self->say_state();
                   });
}

void stage::replay(const std::string& text)
{
    line_splitter splitter(longest_line);
    std::size_t number = 0;
    const std::function<void(std::string_view)> take_one = [&](std::string_view line) {
        ++number;
        try {
            take(parse_event(line));
        } catch (const std::invalid_argument& error) {
            throw std::runtime_error("line " + std::to_string(number) +
                                     " is no event: " + error.what());
        }
    };
    splitter.feed(text, take_one);
    splitter.end(take_one);
    if (number == 0)
        throw std::runtime_error("it is empty");
    is_running_ = false;
    say_state();
}

void stage::take_line(std::string_view line)
{
    try {
        take(parse_event(line));
    } catch (const std::invalid_argument& error) {
        if (may_warn_())
            log_warning(std::string("a line is left out, it is no event: ") + error.what());
    }
}

void stage::take(const told_event& told)
{
    const bool is_main = told.role == "main";
    if (is_main && told.name == "start" && told.host.empty()) // one of several is not all there is
        log_->begin_anew();
    log_->append("", told.json);
    write_down(told.json);
    if (!is_main)
        return;
    if (told.name == "listening") {
        port_ = told.count;
        say_state();
    } else if (demo_ && told.count && (told.name == "worker_up" || told.name == "worker_exit")) {
        forget_stopped(static_cast<std::size_t>(*told.count));
    } else if (source_ != source::own && (told.name == "start" || told.name == "strategy")) {
        if (told.name == "start") {
            name_ = told.program;
            mode_ = accept_ = "";
            is_running_ = true;
        } else {
            (name_ == "socket_fanout" ? mode_ : accept_) = told.how;
            workers_ = static_cast<std::size_t>(told.count.value_or(0));
        }
        say_state();
    }
}

std::string stage::port_flag() const
{
    return port_ && *port_ != 8888 ? " --port " + std::to_string(*port_) : "";
}

void stage::say_state()
{
    nlohmann::ordered_json state{{"demo", name_},          {"mode", mode_},
                                 {"accept", accept_},      {"workers", workers_},
                                 {"delay", delay_},        {"respawn", respawn_},
                                 {"running", is_running_}, {"source", name_of(source_)},
                                 {"command", command_},    {"client", ""},
                                 {"stopped", stopped_},    {"failed", failure_}};
    if (is_running_ && !client_.empty())
        state["client"] = client_ + port_flag();
    const auto text = state.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    state_ = to_message(0, "state", text);
    log_->append("state", text);
}

// ---- recording

void stage::record(const std::string& file)
{
    record_name_ = file;
    record_.emplace(file, std::ios::binary | std::ios::trunc);
    if (!*record_)
        throw std::system_error(errno, std::generic_category(), file);
}

void stage::write_down(const std::string& line)
{
    if (record_)
        *record_ << line << '\n';
}

void stage::write_out()
{
    if (!record_ || record_->flush())
        return;
    const auto why = std::error_code(errno, std::generic_category()).message();
    record_.reset();
    has_failed_ = true;
    app::note("live: cannot write to " + record_name_ + ": " + why +
              "; what happens from now on is not recorded");
}

} // namespace live

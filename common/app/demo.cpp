#include "app/demo.hpp"

#include "app/conversations.hpp"
#include "app/environment.hpp"
#include "app/events.hpp"
#include "app/orders.hpp"
#include "app/orphans.hpp"
#include "app/printable.hpp"
#include "app/signals.hpp"
#include "app/terminal.hpp"
#include "app/trace.hpp"
#include "app/typed.hpp"
#include "event.hpp"
#include "ipc/parent.hpp"
#include "net/epoll_instance.hpp"
#include "net/error.hpp"
#include "once_a_second.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>
#include <optional>
#include <system_error>
#include <unistd.h>

namespace app {

using asio::awaitable;

namespace {

// For whoever reads our output to take what is left.
constexpr std::chrono::milliseconds main_patience{500};

/// A failure with its whole message for the user.
struct user_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class demo_process : public demo {
public:
    demo_process(const demo_description& description, demo_options options)
        : description_(description),
          options_(std::move(options)),
          stop_signals_(context_, [this](int signal) { stop(signal); }),
          orphans_(context_),
          stop_(context_.get_executor())
    {
        if (options_.parent_signals)
            parent_.emplace(parent());
    }

    int run(const std::function<awaitable<void>(demo&)>& story)
    {
        std::exception_ptr failure;
        bool finished = false;
        asio::co_spawn(context_, story(*this), [&](std::exception_ptr error) {
            failure = error;
            finished = true;
        });
        try {
            while (!finished &&
                   (ready_ || !stopping_)) { // stopped while still starting: that is all
                context_.run_one();
                if (cannot_listen_ && !ready_)
                    throw user_error(*cannot_listen_);
            }
        } catch (...) { // a server that can no longer accept
            failure = std::current_exception();
        }
        if (!failure) {
            // What spawn() has begun may end, as in a child; the signals keep being heard
            // meanwhile.
            const auto deadline = std::chrono::steady_clock::now() + drain_limit;
            while (open_conversations() > 0 && context_.run_one_until(deadline) > 0) {
            }
            return has_failed_ ? failed : ok;
        }
        try {
            std::rethrow_exception(failure);
        } catch (const ipc::not_executable& error) {
            note(description_.name + ": " + why_no_worker(error));
        } catch (const std::exception& error) {
            note(description_.name + ": " + error.what());
        }
        return ready_ ? failed : cannot_start;
    }

    asio::any_io_executor executor() const override
    {
        return const_cast<asio::io_context&>(context_).get_executor();
    }

    const demo_options& options() const override { return options_; }

    net::server listen() override
    {
        try {
            return net::listen(executor(), options_.host, options_.port);
        } catch (const std::system_error& error) {
            throw user_error(why_not_listening(error));
        }
    }

    bool cannot_listen(const std::error_code& error) override
    {
        if (!cannot_listen_)
            cannot_listen_ = why_not_listening(std::system_error(error));
        return ready_;
    }

    void on_signal(int number, std::function<void()> handler) override
    {
        auto& signals =
            *signals_.emplace_back(std::make_unique<asio::signal_set>(context_, number));
        wait_for(signals, std::move(handler));
    }

    workers::options worker_options() override
    {
        workers::options result;
        result.count = options_.workers;
        result.commands = options_.children;
        result.ack_timeout = options_.ack_timeout;
        result.in_flight = options_.in_flight;
        result.respawn = options_.respawn;
        if (options_.json && options_.own_children)
            result.on_report = take_report;
        if (!description_.policies.empty())
            result.environment.push_back("PORT=" + std::to_string(options_.port));
        result.log = [this](const std::string& what) {
            note(description_.name + ": " + with_colour(what));
        };
        return result;
    }

    void ready(const asio::ip::tcp::endpoint& address, const std::vector<pid_t>& pids) override
    {
        ready(net::to_string(address), client_command(address.port()), pids);
    }

    void ready(const std::string& address, int port, const std::vector<pid_t>& pids) override
    {
        if (port < 0) { // a path, which a worker has thought of
            const auto path = printable_line(address);
            return ready(path, "curl --unix-socket " + shell_word(path) + " http://localhost/",
                         pids);
        }
        ready(asio::ip::tcp::endpoint(asio::ip::make_address(address),
                                      static_cast<std::uint16_t>(port)),
              pids);
    }

    void say(const std::string& what) override { note(description_.name + ": " + what); }

    void fail(const std::string& what) override
    {
        has_failed_ = true;
        say(what);
    }

    void ready(const std::string& where, const std::string& command, const std::vector<pid_t>& pids)
    {
        ready_ = true;
        remember_slots(pids);
        std::string line = "listening on " + where;
        line += pids.empty() ? ", no workers yet: each connection gets its own" : ", workers";
        for (const auto pid : pids)
            line += ' ' + (pid == 0 ? "-" : with_colour(pid, std::to_string(pid)));
        note(line + "; try: " + command);
    }

    awaitable<void> until_stopped(workers::pool& work) override
    {
        work.on_last_gone([this] {
            lost_ = true;
            stop_.notify();
        });
        work_ = &work;
        if (parent_)
            asio::co_spawn(context_,
                           obey(*parent_,
                                [this](std::size_t slot, int number) {
                                    if (work_)
                                        work_->signal(slot, number);
                                }),
                           asio::detached);
        co_await stop_.wait_until([this] { return stopping_ || lost_; });
        work_ = nullptr;
        if (lost_)
            throw user_error("no worker is left: ending" +
                             (options_.respawn ? ""
                                               : "\n  replace workers that end: " +
                                                     typed_self(options_.program) + " --respawn"));
        std::size_t alive = 0;
        for (const auto pid : work.pids())
            alive += pid != 0;
        say_stopping(alive);
    }

    void print_tally(const workers::tally& counted) const override
    {
        if (counted.accepted != counted.handed_over + counted.closed)
            throw std::logic_error("connections do not add up: " + what_became_of(counted));
        if (options_.quiet)
            return;
        std::vector<tally_row> rows;
        for (const auto& [pid, count] : counted.acknowledged) {
            const auto known = slots_.find(pid);
            rows.push_back({.name = std::to_string(pid),
                            .count = count,
                            .slot = known != slots_.end() ? known->second : rows.size()});
        }
        if (!rows.empty())
            note(tally(rows, stream::err));
        if (counted.closed != 0 || counted.came_back != 0)
            note(what_became_of(counted));
    }

private:
    void wait_for(asio::signal_set& signals, std::function<void()> handler)
    {
        signals.async_wait(
            [this, &signals, handler = std::move(handler)](std::error_code error, int) {
                if (error || stopping_)
                    return;
                handler();
                wait_for(signals, handler);
            });
    }

    void remember_slots(const std::vector<pid_t>& pids)
    {
        for (std::size_t slot = 0; slot < pids.size(); ++slot)
            if (pids[slot] != 0) // it is there
                slots_[pids[slot]] = slot;
    }

    std::string with_colour(pid_t pid, const std::string& text) const
    {
        const auto known = slots_.find(pid);
        return known == slots_.end() ? text : in_colour_of(known->second, text, stream::err);
    }

    /// A sentence about a worker: "worker 7751 was killed by SIGKILL".
    std::string with_colour(const std::string& sentence)
    {
        if (work_) // it may be new
            remember_slots(work_->pids());
        static const std::string word = "worker ";
        const auto begin = sentence.find(word);
        if (begin == std::string::npos)
            return sentence;
        const auto end = sentence.find_first_not_of("0123456789", begin + word.size());
        const auto name = sentence.substr(begin, end == sentence.npos ? end : end - begin);
        const auto pid = std::strtol(name.c_str() + word.size(), nullptr, 10);
        return sentence.substr(0, begin) + with_colour(static_cast<pid_t>(pid), name) +
               sentence.substr(begin + name.size());
    }

    void stop(int signal)
    {
        if (signal == SIGHUP)
            expect_hang_up();
        stopping_ = true;
        stop_.notify();
    }

    void say_stopping(std::size_t alive) const
    {
        if (!options_.quiet)
            note("stopping: " + std::to_string(alive) + (alive == 1 ? " worker" : " workers") +
                 " (again to force)");
    }

    ipc::channel parent()
    {
        ipc::channel_options options;
        options.takes_handles = false;
        try {
            return ipc::connect_to_parent(context_.get_executor(), std::move(options));
        } catch (const ipc::error& error) {
            note(description_.name + ": --parent-signals: " + error.what() +
                 "\n  it is for a program that starts this one with fork(), as build/demos/live "
                 "does");
            throw exit_now{bad_usage};
        }
    }

    static std::string what_became_of(const workers::tally& counted)
    {
        return std::to_string(counted.accepted) +
               " accepted = " + std::to_string(counted.handed_over) + " handed over + " +
               std::to_string(counted.closed) + " closed without an answer; " +
               std::to_string(counted.came_back) + " times one came back from a dead worker";
    }

    std::string client_command(std::uint16_t port) const
    {
        std::string command = typed_sibling(options_.program, "clients", description_.client);
        if (options_.host != "127.0.0.1" && options_.host != "::1" && options_.host != "::" &&
            options_.host != "0.0.0.0" && options_.host != "localhost")
            command += " --host " + shell_word(options_.host);
        if (port != 8888)
            command += " --port " + std::to_string(port);
        return command;
    }

    std::string why_no_worker(const ipc::not_executable& error) const
    {
        if (options_.own_children)
            return std::string(error.what()) +
                   "\n  it is built with this program: cmake --build build";
        return std::string("--child: ") + error.what() +
               "\n  a program and its arguments: --child 'node child.js'";
    }

    std::string why_not_listening(const std::system_error& failure) const
    {
        const auto& error = failure.code();
        const auto port = std::to_string(options_.port);
        const auto other =
            static_cast<std::uint16_t>(options_.port < 65535 ? options_.port + 1 : 8888);
        const auto elsewhere = typed_self(options_.program) + " --port " + std::to_string(other) +
                               "   and   " + client_command(other);
        if (net::means(error, std::errc::address_in_use))
            return "port " + port +
                   " is already in use\n  who has it:   ss -ltnp 'sport = :" + port +
                   "'\n  another port: " + elsewhere;
        if (net::means(error, std::errc::permission_denied))
            return "port " + port + " is not for ordinary users (below 1024)\n  another port: " +
                   typed_self(options_.program) + " --port 8888   and   " + client_command(8888);
        const auto what = "cannot listen on " + options_.host + " port " + port + ": ";
        if (net::means_refused_here(error))
            return what + failure.what(); // another address would not help
        return what + error.message() +
               "\n  an address of this machine: " + typed_self(options_.program) +
               " --host 127.0.0.1";
    }

    std::map<pid_t, std::size_t> slots_; // of all workers there have been
    workers::pool* work_ = nullptr;      // while we wait for the end

    asio::io_context context_{1};
    demo_description description_;
    demo_options options_;
    stop_signals stop_signals_;
    orphans orphans_;
    event stop_; // wakes until_stopped
    std::optional<ipc::channel> parent_;
    std::vector<std::unique_ptr<asio::signal_set>> signals_;
    std::optional<std::string> cannot_listen_;
    bool has_failed_ = false; // and goes on all the same
    bool ready_ = false;
    bool stopping_ = false;
    bool lost_ = false;
};

} // namespace

static void tell_the_beginning(const demo_description& description, const demo_options& options)
{
    tell("start", {{"program", description.name}});
    if (!description.service)
        return;
    const auto& how = !options.mode.empty()     ? options.mode
                      : !options.policy.empty() ? options.policy
                                                : options.accept;
    tell("strategy", {{"how", how}, {"workers", static_cast<std::int64_t>(options.workers)}});
}

int run_demo(int argc, char** argv, const demo_description& description,
             std::function<awaitable<void>(demo&)> story)
{
    int code = cannot_start;
    try {
        prepare_environment(service_output);
        auto options = parse_demo(argc, argv, description);
        check_waiting();
        if (options.json)
            begin_events("main", options.name);
        if (options.trace)
            begin_trace();
        tell_the_beginning(description, options);
        code = demo_process(description, std::move(options)).run(story);
    } catch (const exit_now& now) {
        code = now.code;
    } catch (const std::exception& error) { // no descriptor left to wait with, say
        note(description.name + ": " + error.what());
    }
    tell("stop", {{"code", code}});
    return end_output(description.name, code, main_patience);
}

} // namespace app

#include "app/client.hpp"

#include "app/environment.hpp"
#include "app/events.hpp"
#include "app/printable.hpp"
#include "app/signals.hpp"
#include "app/terminal.hpp"
#include "app/typed.hpp"
#include "app/url.hpp"
#include "event.hpp"
#include "net/connect.hpp"
#include "net/error.hpp"

#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <exception>
#include <unistd.h>
#include <utility>

namespace app {

namespace {

// Who gave an answer: the PID at its end. Of an answer that is none of ours, its first line.
std::string who_answered(std::string_view answer)
{
    constexpr std::size_t longest_pid = 10;
    constexpr std::size_t longest_line = 160; // bytes; a tally shows 40 columns of it
    answer = answer.substr(0, answer.find_last_not_of(" \t\r\n") + 1);
    const auto digits = answer.size() - (answer.find_last_not_of("0123456789") + 1);
    if (digits > 0 && digits <= longest_pid)
        return std::string(answer.substr(answer.size() - digits));
    if (answer.empty())
        return "(nothing)";
    return printable(answer.substr(0, std::min(answer.find_first_of("\r\n"), longest_line)));
}

class client_process : public client {
public:
    client_process(std::string name, std::string demo, client_options options)
        : name_(std::move(name)),
          demo_(std::move(demo)),
          options_(std::move(options)),
          written_(context_.get_executor())
    {
        for (auto* stream : {&standard_output(), &standard_error()})
            stream->on_written([this] { asio::post(context_, [this] { written_.notify(); }); });
    }

    ~client_process() override
    {
        for (auto* stream : {&standard_output(), &standard_error()})
            stream->on_written(nullptr);
    }
    client_process(const client_process&) = delete;
    client_process& operator=(const client_process&) = delete;

    int run(const std::function<asio::awaitable<void>(client&)>& lane)
    {
        try {
            addresses_ = net::resolve(options_.host, options_.port);
        } catch (const std::system_error& error) {
            if (net::means_refused_here(error.code()))
                throw;
            note(name_ + ": cannot find '" + options_.host + "': " + error.code().message() +
                 "\n  this machine: " + typed_self(options_.program) + " --host 127.0.0.1");
            return cannot_start;
        }
        if (const auto& first = addresses_.front().address();
            first.is_v6() && first.to_v6().is_link_local() && first.to_v6().scope_id() == 0) {
            note(name_ + ": the address " + options_.host +
                 " is one for each interface: say which, as in --host " + options_.host +
                 "%eth0\n  their names: ip link");
            return cannot_start;
        }
        int interrupted = 0;
        const stop_signals stop_signals(context_, [&](int signal) {
            interrupted = 128 + signal;
            context_.stop();
        });
        std::size_t running = options_.concurrency;
        std::exception_ptr failure;
        for (std::size_t i = 0; i < options_.concurrency; ++i)
            asio::co_spawn(context_, lane(*this), [&](std::exception_ptr error) {
                if (error && !failure)
                    failure = error;
                if (error || --running == 0)
                    context_.stop();
            });
        context_.run();

        if (options_.tally && !counts_.empty())
            print(tally(rows(), stream::out));
        if (!failure && !interrupted) { // else end_output waits a moment
            context_.restart();
            asio::co_spawn(context_, printed(), [&](std::exception_ptr error) {
                failure = error;
                context_.stop();
            });
            context_.run();
        }
        if (failure)
            std::rethrow_exception(failure);
        if (interrupted)
            return interrupted;
        return failures_ == 0 ? ok : app::failed;
    }

    const client_options& options() const override { return options_; }

    bool take_turn() override
    {
        if (turns_ == options_.count)
            return false;
        ++turns_;
        return true;
    }

    asio::awaitable<void> printed() override
    {
        co_await written_.wait_until(
            [] { return standard_output().is_written() && standard_error().is_written(); });
        if (standard_output().is_gone())
            throw exit_now{failures_ == 0 ? ok : app::failed};
        if (standard_output().error() != 0)
            throw exit_now{app::failed}; // end_output says why
    }

    asio::awaitable<asio::ip::tcp::socket> connect() override
    {
        try {
            auto socket =
                co_await net::connect(context_.get_executor(), addresses_, options_.timeout);
            connected_ = true;
            co_return socket;
        } catch (const std::system_error& error) {
            const bool refused = net::means(error.code(), std::errc::connection_refused);
            const auto why = net::means(error.code(), std::errc::timed_out)
                                 ? no_answer_within(options_.timeout)
                             : net::means_refused_here(error.code()) ? error.what()
                                                                     : describe(error.code());
            const auto text =
                "cannot connect to " + to_string(options_.host, options_.port) + ": " + why;
            if (connected_ || net::means(error.code(), std::errc::connection_reset))
                throw std::runtime_error(text);  // somebody listens there
            if (!std::exchange(given_up_, true)) // the first of several at once
                note(name_ + ": " +
                     (refused ? nobody_listens(why) : text + with_ipv4(error.code())));
            throw exit_now{cannot_start};
        }
    }

    void answered(const std::string& who, const std::string& text) override
    {
        if (options_.quiet)
            return;
        const auto name = who_answered(who);
        if (options_.json)
            return tell("answer", {{"by", name}, {"text", text}});
        auto slot = digits_before(who, who.find(" 子进程"));
        if (slot.size() > 3) // no slot of ours
            slot.clear();
        if (options_.tally) {
            if (counts_.size() == max_names && !counts_.contains(name)) {
                ++others_;
                return;
            }
            auto& counted = counts_[name];
            ++counted.answers;
            counted.slot = slot;
        } else {
            const bool is_seen = ::isatty(STDOUT_FILENO);
            const auto by = is_seen ? printable(who) : who;
            auto shown = is_seen ? printable(text) : text;
            if (const auto at = shown.find(by); at != shown.npos)
                shown.replace(
                    at, by.size(),
                    in_colour_of(slot.empty() ? order_of(name) : to_number(slot), by, stream::out));
            print(shown);
        }
    }

    void failed(const std::string& why) override
    {
        ++failures_;
        tell("failed", {{"why", why}});
        note(name_ + ": " + printable(why));
    }

private:
    // A stranger may say anything: more names than these are counted together.
    static constexpr std::size_t max_names = 256;

    struct count {
        std::size_t answers = 0;
        std::string slot; // where the answers name it
    };
    struct numbers_in_order {
        bool operator()(const std::string& a, const std::string& b) const
        {
            return a.size() != b.size() ? a.size() < b.size() : a < b;
        }
    };

    /// "2" of "http socket2 子进程：7751", before the blank; "" where there is none.
    static std::string digits_before(const std::string& text, std::size_t end)
    {
        if (end == std::string::npos)
            return "";
        auto begin = end;
        while (begin > 0 && std::isdigit(static_cast<unsigned char>(text[begin - 1])))
            --begin;
        return text.substr(begin, end - begin);
    }

    static std::size_t to_number(const std::string& digits)
    {
        return std::strtoul(digits.c_str(), nullptr, 10);
    }

    /// Where the answers name no slot: each PID's place in the order in which they have answered.
    std::size_t order_of(const std::string& pid)
    {
        if (order_.size() == max_names && !order_.contains(pid))
            return max_names;
        return order_.try_emplace(pid, order_.size()).first->second;
    }

    /// In the order of the PIDs, which is that of the slots as long as no worker was replaced.
    std::vector<tally_row> rows() const
    {
        std::vector<tally_row> result;
        for (const auto& [pid, counted] : counts_)
            result.push_back(
                {.name = pid,
                 .count = counted.answers,
                 .slot = counted.slot.empty() ? result.size() : to_number(counted.slot)});
        if (others_ > 0)
            result.push_back({.name = "others", .count = others_, .slot = result.size()});
        return result;
    }

    // Most containers have no IPv6. (Where the address is IPv4, the same error is about the ports.)
    std::string with_ipv4(const std::error_code& error) const
    {
        const bool no_ipv6 = net::means(error, std::errc::address_not_available) ||
                             net::means(error, std::errc::address_family_not_supported) ||
                             net::means(error, std::errc::network_unreachable);
        if (!no_ipv6 || addresses_.back().address().is_v4())
            return "";
        return "\n  with IPv4: " + typed_self(options_.program) + " --host 127.0.0.1" + port_word();
    }

    std::string port_word() const
    {
        return options_.port == 8888 ? "" : " --port " + std::to_string(options_.port);
    }

    std::string nobody_listens(const std::string& why) const
    {
        std::error_code is_a_name;
        const auto address = asio::ip::make_address(options_.host, is_a_name);
        const bool is_special = !is_a_name && address != asio::ip::address_v4::loopback();
        return "nothing is listening on " + to_string(options_.host, options_.port) + " (" + why +
               ")\n  start a demo in another terminal: " +
               typed_sibling(options_.program, "demos", demo_) +
               (is_special ? " --host " + options_.host : "") + port_word();
    }

    asio::io_context context_{1};
    std::string name_;
    std::string demo_;
    client_options options_;
    std::vector<asio::ip::tcp::endpoint> addresses_;
    std::size_t turns_ = 0;
    std::size_t failures_ = 0;
    bool connected_ = false;
    bool given_up_ = false;
    std::map<std::string, count, numbers_in_order> counts_;
    std::size_t others_ = 0; // beyond max_names
    std::map<std::string, std::size_t> order_;
    event written_; // all that was printed; the threads that write say so
};

} // namespace

int run_client(int argc, char** argv, const std::string& name, const std::string& demo,
               std::function<asio::awaitable<void>(client&)> lane)
{
    int code = cannot_start;
    try {
        prepare_environment(filter_output);
        auto options = parse_client(argc, argv, name, name == "http_client");
        check_waiting();
        if (options.json)
            begin_events("client");
        tell("start", {{"program", name}});
        code = client_process(name, demo, std::move(options)).run(lane);
    } catch (const exit_now& now) {
        code = now.code;
    } catch (const std::exception& error) { // no descriptor left to wait with, say
        note(name + ": " + error.what());
    }
    tell("stop", {{"code", code}});
    return end_output(name, code, std::chrono::seconds(1));
}

std::string describe(const std::error_code& error)
{
    if (net::means(error, std::errc::connection_refused))
        return "connection refused";
    if (error == asio::error::eof)
        return "end of file";
    std::string text = error.message();
    if (!text.empty())
        text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return text;
}

std::string no_answer_within(std::chrono::milliseconds timeout)
{
    return "no answer within " + std::to_string(timeout.count()) + " ms";
}

} // namespace app

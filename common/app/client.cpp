#include "app/client.hpp"

#include "app/environment.hpp"
#include "app/signals.hpp"
#include "app/terminal.hpp"
#include "net/connect.hpp"
#include "net/error.hpp"

#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>

#include <cctype>
#include <exception>
#include <unistd.h>
#include <utility>

namespace app {

namespace {

class client_process : public client {
public:
    client_process(std::string name, std::string demo, client_options options)
        : name_(std::move(name)), demo_(std::move(demo)), options_(std::move(options))
    {
    }

    int run(const std::function<asio::awaitable<void>(client&)>& lane)
    {
        try {
            addresses_ = net::resolve(options_.host, options_.port);
        } catch (const std::system_error& error) {
            if (net::means_refused_here(error.code()))
                throw;
            note(name_ + ": cannot find '" + options_.host + "': " + error.code().message() +
                 "\n  this machine: " + options_.program + " --host 127.0.0.1");
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
            print(tally({counts_.begin(), counts_.end()}));
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
            const auto text = "cannot connect to " + options_.host + ":" +
                              std::to_string(options_.port) + ": " + why;
            if (connected_ || net::means(error.code(), std::errc::connection_reset))
                throw std::runtime_error(text);  // somebody listens there
            if (!std::exchange(given_up_, true)) // the first of several at once
                note(name_ + ": " + (refused ? nobody_listens(why) : text));
            throw exit_now{cannot_start};
        }
    }

    void answered(const std::string& who, const std::string& text) override
    {
        if (!options_.tally)
            return print(text);
        auto digits = who.size();
        while (digits > 0 && std::isdigit(static_cast<unsigned char>(who[digits - 1])))
            --digits;
        ++counts_[digits == who.size() ? who : who.substr(digits)];
    }

    void failed(const std::string& why) override
    {
        ++failures_;
        note(name_ + ": " + why);
    }

private:
    std::string nobody_listens(const std::string& why) const
    {
        return "nothing is listening on " + options_.host + ":" + std::to_string(options_.port) +
               " (" + why + ")\n  start a demo in another terminal: " +
               sibling(options_.program, "demos", demo_) +
               (options_.port == 8888 ? "" : " --port " + std::to_string(options_.port));
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
    std::map<std::string, std::size_t> counts_;
};

} // namespace

int run_client(int argc, char** argv, const std::string& name, const std::string& demo,
               std::function<asio::awaitable<void>(client&)> lane)
{
    try {
        prepare_environment();
        auto options = parse_client(argc, argv, name, name == "http_client");
        check_waiting();
        return client_process(name, demo, std::move(options)).run(lane);
    } catch (const exit_now& now) {
        return now.code;
    } catch (const std::exception& error) { // no descriptor left to wait with, say
        note(name + ": " + error.what());
        return cannot_start;
    }
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

#include "live/program.hpp"

#include "app/environment.hpp"
#include "app/signals.hpp"
#include "app/terminal.hpp"
#include "app/typed.hpp"
#include "net/error.hpp"
#include "posix.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace live {

namespace {

// A recording of a few minutes; as events in memory it takes about as much.
constexpr std::size_t longest_recording = 64 * 1024 * 1024;

/// A failure with its whole message for the user.
struct user_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::string read_all(int fd)
{
    std::string text;
    char buffer[64 * 1024];
    for (;;) {
        const auto size = posix::retry([&] { return ::read(fd, buffer, sizeof buffer); });
        if (size < 0)
            throw posix::last_error("read");
        if (size == 0)
            return text;
        text.append(buffer, static_cast<std::size_t>(size));
        if (text.size() > longest_recording)
            throw std::runtime_error("it is longer than 64 MiB");
    }
}

class live_process final : public program {
public:
    explicit live_process(app::live_options options)
        : options_(std::move(options)),
          stop_signals_(context_,
                        [this](int signal) {
                            if (signal == SIGHUP)
                                app::expect_hang_up();
                            is_stopped_ = true;
                            stop_.notify();
                        }),
          stop_(context_.get_executor())
    {
    }

    int run(const std::function<asio::awaitable<void>(program&)>& story)
    {
        std::exception_ptr failure;
        asio::co_spawn(context_, story(*this), [&](std::exception_ptr error) {
            failure = error;
            context_.stop();
        });
        context_.run();
        if (!failure)
            return stage_ && stage_->has_failed() ? app::failed : app::ok;
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            app::note(std::string("live: ") + error.what());
        }
        return is_ready_ ? app::failed : app::cannot_start;
    }

    asio::any_io_executor executor() const override
    {
        return const_cast<asio::io_context&>(context_).get_executor();
    }

    net::server listen() override
    {
        try {
            return net::listen(executor(), "127.0.0.1", options_.port);
        } catch (const std::system_error& error) {
            const auto port = std::to_string(options_.port);
            if (net::means(error.code(), std::errc::address_in_use))
                throw user_error("port " + port + " is already in use\n  who has it:   ss -ltnp " +
                                 "'sport = :" + port + "'\n  another port: " +
                                 app::typed_self(options_.program) + " --port 0");
            if (net::means(error.code(), std::errc::permission_denied))
                throw user_error("port " + port +
                                 " is not for ordinary users (below 1024)\n  another port: " +
                                 app::typed_self(options_.program) + " --port 8889");
            throw user_error("cannot listen on 127.0.0.1 port " + port + ": " + error.what());
        }
    }

    std::shared_ptr<stage> open_stage() override
    {
        struct stat input {};
        const bool is_there = ::fstat(STDIN_FILENO, &input) == 0;
        if (!options_.replay.empty()) {
            const unique_fd file(::open(options_.replay.c_str(), O_RDONLY | O_CLOEXEC));
            if (!file)
                throw user_error("cannot read " + options_.replay + ": " +
                                 std::error_code(errno, std::generic_category()).message());
            replay(file.get(), options_.replay);
        } else if (is_there && S_ISREG(input.st_mode)) {
            replay(STDIN_FILENO, "standard input");
        } else if (is_there && S_ISFIFO(input.st_mode)) {
            shows_ = ", and shows what comes through standard input";
            make_stage(source::standard_input, 4 * event_log::usual_capacity); // of several hosts
            stage_->follow_input();
        } else {
            make_stage(source::own, event_log::usual_capacity);
        }
        return stage_;
    }

    std::shared_ptr<event_log> log() const override { return log_; }

    void ready(const net::server& server) override
    {
        is_ready_ = true;
        app::note("the page is at http://" + net::to_string(server.address()) + "/" + shows_ +
                  "; Ctrl-C ends it");
    }

    asio::awaitable<void> until_stopped() override
    {
        co_await stop_.wait_until([this] { return is_stopped_; });
    }

private:
    void make_stage(source from, std::size_t kept)
    {
        log_ = std::make_shared<event_log>(executor(), kept);
        stage_ = std::make_shared<stage>(executor(), options_.program, from, log_);
        if (options_.record.empty())
            return;
        try {
            stage_->record(options_.record);
        } catch (const std::system_error& error) {
            throw user_error("cannot write " + options_.record + ": " + error.code().message());
        }
    }

    // All of it is kept, however long: nothing of a recording is missing.
    void replay(int fd, const std::string& name)
    {
        shows_ = ", and shows " + name;
        try {
            const auto text = read_all(fd);
            std::size_t lines = 0;
            for (const char c : text)
                lines += c == '\n';
            make_stage(source::replay, 2 * lines + 16); // and what is said of it
            stage_->replay(text);
        } catch (const user_error&) {
            throw;
        } catch (const std::exception& error) {
            throw user_error(name + " is no recording: " + error.what() +
                             "\n  to make one: build/demos/live --record FILE");
        }
    }

    asio::io_context context_{1};
    app::live_options options_;
    app::stop_signals stop_signals_;
    event stop_;
    std::shared_ptr<event_log> log_;
    std::shared_ptr<stage> stage_;
    std::string shows_; // beside what is chosen there
    bool is_stopped_ = false;
    bool is_ready_ = false;
};

} // namespace

int run(int argc, char** argv, std::function<asio::awaitable<void>(program&)> story)
{
    int code = app::cannot_start;
    try {
        app::prepare_environment(app::service_output);
        auto options = app::parse_live(argc, argv);
        app::check_waiting();
        code = live_process(std::move(options)).run(story);
    } catch (const app::exit_now& now) {
        code = now.code;
    } catch (const std::exception& error) { // no descriptor left to wait with, say
        app::note(std::string("live: ") + error.what());
    }
    return app::end_output("live", code, std::chrono::milliseconds(500));
}

} // namespace live

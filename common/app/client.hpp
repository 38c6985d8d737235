// Around a client: its command line, how many at once, what it prints, its exit code.
#pragma once

#include "app/options.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <system_error>
#include <vector>

namespace app {

class client {
public:
    virtual ~client() = default;

    virtual const client_options& options() const = 0;

    /// Takes one of the --count turns; false when none is left.
    virtual bool take_turn() = 0;

    /// A client is a filter: this waits until all that was printed has been taken by its readers;
    /// signals are heard meanwhile, and answers arrive. When the reader of stdout has gone, or the
    /// disk is full, that ends the client.
    virtual asio::awaitable<void> printed() = 0;

    /// A new connection, to whichever of the host's addresses answers, within --timeout. Throws
    /// std::runtime_error, with a text for failed(); when nothing has ever answered, that ends the
    /// client instead (exit code 3).
    virtual asio::awaitable<asio::ip::tcp::socket> connect() = 0;

    /// An answer: `text` is printed on stdout, or, with --tally, the PID in `who` is counted (the
    /// digits at its end). On a terminal, `text` is as printable() has it, and `who` has its
    /// worker's colour in it.
    virtual void answered(const std::string& who, const std::string& text) = 0;

    /// A turn that got no answer: one line on stderr, and exit code 1 in the end.
    virtual void failed(const std::string& why) = 0;
};

/// Runs --concurrency copies of `lane` at once; each takes turns until none is left. Returns the
/// exit code. `demo` is the program to name when nothing listens.
int run_client(int argc, char** argv, const std::string& name, const std::string& demo,
               std::function<asio::awaitable<void>(client&)> lane);

/// What went wrong with a connection, in words: "connection reset by peer".
std::string describe(const std::error_code& error);

/// What to say when --timeout has passed: "no answer within 5000 ms".
std::string no_answer_within(std::chrono::milliseconds timeout);

} // namespace app

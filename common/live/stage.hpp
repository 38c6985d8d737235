// stage: what the page shows, and what runs for it: a demo, and the clients that ask it.
//
//     empty ---start---> running ---end, or by itself---> ending ---all have gone---> empty
//                          |                                ^
//                          +---start (another one)----------+ and then that one is started
//
// The demo is our child, and its main signals its workers for us (app/orders.hpp). What a demo that
// somebody else has started tells comes through standard input, and a recorded one from a file:
// these can be watched, and not be told anything.
#pragma once

#include "event.hpp"
#include "ipc/child_process.hpp"
#include "live/event_log.hpp"
#include "live/order.hpp"
#include "live/told_event.hpp"
#include "once_a_second.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace live {

enum class source {
    own,            ///< we start them
    standard_input, ///< somebody else has
    replay,         ///< it was, once
};

/// An order that cannot be carried out: the status to answer with, and one line that says why.
struct refused {
    unsigned status;
    std::string why;
};

class stage : public std::enable_shared_from_this<stage> {
public:
    /// `program`: argv[0], to name the others as the user would type them.
    stage(asio::any_io_executor executor, std::string program, source from,
          std::shared_ptr<event_log> log);

    /// Writes each event to this file from now on. Throws std::system_error when it cannot be
    /// written.
    void record(const std::string& file);

    /// Throws `refused`, and std::system_error where a program cannot be started.
    void carry_out(const order& what);

    /// Reads standard input to its end, beside the others.
    void follow_input();

    /// All of a recording. Throws std::runtime_error, with the number of the line, for one that is
    /// no event.
    void replay(const std::string& text);

    /// Ends what runs. Completes when all of it has gone: no process is left.
    asio::awaitable<void> end();

    /// The message `state`: what is shown, and how it was started.
    const std::string& state() const noexcept { return state_; }

    /// Could not be written as it should: the exit code is to say so.
    bool has_failed() const noexcept { return has_failed_; }

private:
    struct process; // a child, and the lines it writes
    using pipe = asio::posix::stream_descriptor;

    void start(const start_demo& what);
    void launch(const start_demo& what);
    void send(const send_load& what);
    void signal(const signal_worker& what);
    bool post(const std::string& signal, std::size_t slot); // false: nobody is there
    void forget_stopped(std::size_t slot);
    void stop_demo();
    void stop_clients();
    void terminate(const std::shared_ptr<process>& one, std::chrono::seconds patience);
    std::shared_ptr<process> run(std::vector<std::string> command, bool says_errors);
    static asio::awaitable<void> read_lines(std::shared_ptr<stage> self,
                                            std::shared_ptr<pipe> from);
    static asio::awaitable<void> follow_demo(std::shared_ptr<stage> self,
                                             std::shared_ptr<process> demo);
    static asio::awaitable<void> follow_client(std::shared_ptr<stage> self,
                                               std::shared_ptr<process> client);
    void take_line(std::string_view line);
    void take(const told_event& told);
    void write_down(const std::string& line);
    void write_out();
    void say_state();
    std::string port_flag() const;

    const asio::any_io_executor executor_;
    const std::string program_;
    const source source_;
    const std::shared_ptr<event_log> log_;
    event changed_; // who runs

    std::shared_ptr<process> demo_;
    std::vector<std::shared_ptr<process>> clients_;
    bool is_ending_ = false;           // the demo has been told
    std::optional<start_demo> next_;   // to be started when it has gone
    bool is_closed_ = false;           // end()
    std::optional<std::int64_t> port_; // where the demo listens

    // What the page shows of it.
    std::string name_, mode_, accept_, command_, client_, failure_;
    std::size_t workers_ = 0;
    std::int64_t delay_ = 0;
    bool respawn_ = false;
    std::set<std::size_t> stopped_; // slots; by us: a `kill -STOP` of somebody else nobody tells
    bool is_running_ = false;
    std::string state_;

    std::optional<std::ofstream> record_;
    std::string record_name_;
    bool has_failed_ = false;
    once_a_second may_warn_;
};

} // namespace live

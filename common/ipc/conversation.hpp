// What the two ends of one channel owe each other: the protocol's moves, on queues that know their
// own rules (send_queue, receive_queue, socket_counts) and lines that wire_format understands.
#pragma once

#include "event.hpp"
#include "ipc/ack_deadline.hpp"
#include "ipc/channel.hpp"
#include "ipc/internal_messages.hpp"
#include "ipc/json_lines.hpp"
#include "ipc/receive_queue.hpp"
#include "ipc/send_queue.hpp"
#include "ipc/socket_counts.hpp"
#include "ipc/socket_questions.hpp"
#include "ipc/wire_format.hpp"
#include "once_a_second.hpp"

#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace ipc {

/// Behind a channel, which says what each of the public functions promises. Kept alive by the
/// channel object and by the operations that wait for the socket.
///
///              disconnect()             all is sent, acknowledged and read
///     open ------------------> ending ------------------------------------+
///       |                         |                                       v
///       +-------------------------+------------------------------------> closed
///                                 |                                       ^
///       close(), end of file, or the peer has broken the protocol --------+
///                                 |                                       |
///       writing fails (EPIPE) ----+--> its last words are read -----------+
class conversation : public std::enable_shared_from_this<conversation> {
public:
    conversation(const asio::any_io_executor& executor, unique_fd socket, channel_options options);

    /// To be called once, when a shared_ptr owns it.
    void start() { wait_for_input(); }

    asio::awaitable<void> send(value body, handle* object);
    void post(value body, handle* object);
    std::size_t queued_bytes() const noexcept { return outgoing_.bytes(); }
    asio::awaitable<void> drained();
    asio::awaitable<std::size_t> open_sockets(std::string key);
    asio::awaitable<void> sockets_closed(std::string key);
    asio::awaitable<void> send_internal(value body, handle& object);
    void send_internal(const value& body);
    void on_internal_message(internal_messages::handler take);
    asio::awaitable<std::optional<message>> receive();
    asio::awaitable<void> disconnect();
    asio::awaitable<void> disconnected();
    void close() noexcept;
    bool report(const value& what);
    void end() noexcept;
    void allow_half_open() noexcept { allows_half_open_ = true; }

    bool connected() const noexcept { return open_ && !ending_ && !has_ended_ && !peer_has_ended_; }
    std::size_t unclaimed_descriptors() const noexcept { return unclaimed_; }

private:
    std::string line_of(const value& body, const handle* object) const;
    std::shared_ptr<transfer> enqueue(std::string line, handle* object, bool stays);
    bool hears() const noexcept { return open_ && !peer_has_ended_; } // may an answer still come?
    asio::awaitable<bool> has_got_some(const std::string& key);
    asio::awaitable<void> send_line(std::string line, handle* object, bool stays);
    void write();
    void write_when_possible();
    void end_after_last_words();
    void answer(std::string line, bool urgent);
    void watch_acknowledgements();

    void wait_for_resources();
    void tell_whose_time_it_is();

    void wait_for_input();
    void read_on_if_there_is_room();
    void read_some();
    void read_a_turn();
    void close_unclaimed(std::size_t claimed);

    void on_line(std::string_view line);
    void on(wire::user_message& said, std::size_t size);
    void on(wire::envelope& said, std::size_t size);
    void on(wire::acknowledgement& said, std::size_t size);
    void on(wire::refusal& said, std::size_t size);
    void on(wire::count& asked, std::size_t size);
    void on(wire::notify& asked, std::size_t size);
    void on(wire::counted& said, std::size_t size);
    void on(wire::all_closed& said, std::size_t size);
    void on(wire::report& said, std::size_t size);
    void on(wire::internal_message& said, std::size_t size);
    void take_internal(value body, unique_fd descriptor);
    void judge(send_queue::verdict verdict, const std::string& what);
    void deliver(message incoming, std::size_t size);
    std::shared_ptr<const void> lease(const std::string& key);
    void on_socket_closed(const std::string& key) noexcept;

    void end_if_all_is_done();
    void leave();
    void break_off(std::string_view why) noexcept;

    void tell_of_written(std::string_view lines, int descriptor);
    void warn(const std::string& what);

    channel_options options_;
    asio::posix::stream_descriptor socket_;
    bool open_ = true;
    bool ending_ = false;              // disconnect() has been called
    bool has_read_to_the_end_ = false; // and then all that the peer had sent
    bool leaving_ = false;             // and nothing is read any more
    bool peer_is_gone_ = false;        // writing failed; only its last words are left to be read
    bool has_ended_ = false;           // end() has been called
    bool allows_half_open_ = false;    // and then:
    bool peer_has_ended_ = false;      // it reads reports, and says nothing more
    std::exception_ptr broken_;        // for receive()
    event changed_;                    // a message has come, or the end

    send_queue outgoing_;
    bool writing_waits_ = false; // for room in the socket
    bool drain_awaited_ = false;
    bool has_lost_some_ = false; // something was still to be sent at the end
    event drained_;              // nothing of the user's waits to be sent, or the end
    ack_deadline deadline_;
    const transfer* watched_ = nullptr; // the handle whose deadline it is

    json_lines lines_;
    std::vector<unique_fd> unpaired_; // each waits for its line
    std::size_t unclaimed_ = 0;       // how many no line has claimed
    receive_queue received_;
    std::shared_ptr<const internal_messages::handler> take_internal_; // null: nobody asks for them
    bool is_reading_ = false;
    unsigned answers_of_this_turn_ = 0;
    bool reading_waits_ = false; // for a receive(), or for resources
    socket_counts counts_;
    socket_questions counting_;
    socket_questions closing_;
    std::unordered_set<std::string> has_got_; // the peer, a socket under these keys
    event answered_; // one of these questions or, with an ACK, a doubt about the last; or the end

    asio::steady_timer resources_;
    bool resources_wanted_ = false; // to write, or to read
    bool has_said_that_it_takes_none_ = false;
    once_a_second may_warn_;
    asio::steady_timer patience_;              // for a peer that is to read our end
    const std::exception_ptr no_memory_error_; // made beforehand: close() cannot throw
};

} // namespace ipc

// A standard stream of a program that must not wait for whoever reads it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>

namespace app {

/// Takes lines at once and writes them as the reader takes them, be it a pipe, a socket, a file or
/// a terminal that is stopped with Ctrl-S: a thread of its own does the waiting. Other ways leave a
/// case out. O_NONBLOCK belongs to the open file description, and so to everybody who has inherited
/// it, the user's shell too (open(2)). poll(2) says that a pipe has room, and before the write
/// another process has filled it. Opening /proc/self/fd/1 again does not work for sockets, nor for
/// another user's pipe.
///
///                    there is room for it: it waits
///                   +--+
///                   |  v         no room: counted
///     (start) ---> flowing -------------------------> dropping --+ every line: counted
///                    ^                                  |   ^    |
///                    |  all that waited is written:     |   +----+
///                    +----------------------------------+
///                       on_dropped says how many
///
///     in either, a write fails:
///       EPIPE       -> gone: nobody reads any more; what comes is forgotten in silence
///       any other   -> the same state: those lines are lost, error() tells why, the next may do
///       better
///
/// All members may be called by any thread. It must live until the process ends: nothing can end a
/// thread that waits in write(2), but the end of the process.
class output {
public:
    static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

    /// For descriptor `fd`, which stays the caller's and stays as it is. Up to `capacity` bytes
    /// wait. The thread begins with the first line; where there can be none, write() waits itself.
    output(int fd, std::size_t capacity);
    output(const output&) = delete;
    output& operator=(const output&) = delete;

    /// Called after lines have been dropped, once all that waited is written, by the thread that
    /// writes.
    void on_dropped(std::function<void(std::size_t lines)> handler);

    /// Called when nothing waits any more, by the thread that writes, which holds up everybody else
    /// meanwhile; it must not call back. An empty function: no more of that.
    void on_written(std::function<void()> handler);

    /// Whole lines, each with its newline. They reach the reader in one piece with others of their
    /// kind, at most PIPE_BUF bytes at once: several processes do not mix within a line (pipe(7)).
    /// False: they are dropped, all of them.
    bool write(std::string_view lines);

    /// Nothing waits. Also when the reader has gone.
    bool is_written() const;

    /// Returns when nothing waits, or the reader has left no room for `patience`, or `limit` is
    /// over. Where there is room it is not the reader who is slow: the thread has had no processor
    /// yet, on a busy machine.
    void wait_until_written(std::chrono::milliseconds patience, std::chrono::milliseconds limit);

    /// What will be lost if the process ends now: what waits, and what has been dropped unsaid.
    std::size_t unwritten_lines() const;

    /// Nobody reads any more (EPIPE).
    bool is_gone() const;

    /// Why the last of the lost lines could not be written, an errno: ENOSPC, EIO; else 0.
    int error() const;

private:
    using lock = std::unique_lock<std::mutex>;
    bool nothing_waits() const;
    void begin();
    void run();
    void write_waiting(lock& held);
    void write_one_piece(lock& held);
    std::string_view rest() const;

    const int fd_;
    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::condition_variable something_waits_;
    std::condition_variable something_written_;
    std::function<void(std::size_t)> on_dropped_;
    std::function<void()> on_written_;
    std::string waiting_;
    std::string being_written_; // taken from waiting_ by the thread, which alone changes it
    std::size_t written_ = 0;   // bytes of it
    std::size_t dropped_ = 0;   // lines; not 0: dropping
    bool is_saying_so_ = false; // on_dropped: it may write a line that is not here yet
    std::size_t pieces_ = 0;    // how often the reader has taken something
    bool begun_ = false;
    bool has_thread_ = false;
    bool gone_ = false;
    int error_ = 0;
};

} // namespace app

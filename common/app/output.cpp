#include "app/output.hpp"

#include "signals_blocked.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <poll.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace app {

namespace {

using clock = std::chrono::steady_clock;

std::size_t count_lines(std::string_view text)
{
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

/// A write would not wait for the reader, or would fail.
bool has_room(int fd)
{
    pollfd state{fd, POLLOUT, 0};
    return ::poll(&state, 1, 0) > 0;
}

/// As many whole lines as a pipe takes in one piece, at least one.
std::string_view one_piece(std::string_view lines)
{
    if (lines.size() <= PIPE_BUF)
        return lines;
    auto last = lines.rfind('\n', PIPE_BUF - 1);
    if (last == lines.npos) // a line that is longer
        last = lines.find('\n');
    return lines.substr(0, last == lines.npos ? last : last + 1);
}

} // namespace

output::output(int fd, std::size_t capacity) : fd_(fd), capacity_(capacity) {}

void output::on_dropped(std::function<void(std::size_t)> handler)
{
    const lock held(mutex_);
    on_dropped_ = std::move(handler);
}

void output::on_written(std::function<void()> handler)
{
    const lock held(mutex_);
    on_written_ = std::move(handler);
}

bool output::write(std::string_view lines)
{
    lock held(mutex_);
    if (gone_)
        return true; // forgotten
    const bool is_dropped =
        dropped_ > 0 || lines.size() > capacity_ - (waiting_.size() + rest().size());
    if (is_dropped)
        dropped_ += count_lines(lines);
    else
        waiting_ += lines;
    begin();
    if (has_thread_)
        something_waits_.notify_one();
    else
        write_waiting(held);
    return !is_dropped;
}

bool output::is_written() const
{
    const lock held(mutex_);
    return nothing_waits();
}

void output::wait_until_written(std::chrono::milliseconds patience, std::chrono::milliseconds limit)
{
    lock held(mutex_);
    const auto deadline = clock::now() + limit;
    while (!nothing_waits()) {
        const auto before = pieces_;
        const auto until = std::min(clock::now() + patience, deadline);
        const bool goes_on = something_written_.wait_until(
            held, until, [&] { return nothing_waits() || pieces_ != before; });
        if (!goes_on && (clock::now() >= deadline || !has_room(fd_)))
            return;
    }
}

std::size_t output::unwritten_lines() const
{
    const lock held(mutex_);
    return dropped_ + count_lines(waiting_) + count_lines(rest());
}

bool output::is_gone() const
{
    const lock held(mutex_);
    return gone_;
}

int output::error() const
{
    const lock held(mutex_);
    return error_;
}

bool output::nothing_waits() const
{
    return waiting_.empty() && rest().empty() && dropped_ == 0 && !is_saying_so_;
}

std::string_view output::rest() const
{
    return std::string_view(being_written_).substr(written_);
}

void output::begin()
{
    if (std::exchange(begun_, true))
        return;
    // Signals are for the thread that has the event loop. But SIGTTOU: where it is blocked, a
    // program in the background would write to a terminal that the user has set to stop it (stty
    // tostop).
    const signals_blocked in_the_thread(SIGTTOU);
    try {
        std::thread([this] { run(); }).detach();
        has_thread_ = true;
    } catch (const std::system_error&) { // no more processes allowed (EAGAIN): as without us
    }
}

void output::run()
{
    lock held(mutex_);
    for (;;) {
        something_waits_.wait(held, [this] { return !waiting_.empty() || dropped_ > 0; });
        write_waiting(held);
    }
}

void output::write_waiting(lock& held)
{
    while (!waiting_.empty()) {
        being_written_.swap(waiting_);
        while (!rest().empty())
            write_one_piece(held);
        being_written_.clear();
        written_ = 0;
    }
    const auto dropped = std::exchange(dropped_, 0);
    if (dropped > 0 && !gone_ && on_dropped_) {
        is_saying_so_ = true;
        held.unlock();
        on_dropped_(dropped);
        held.lock();
        is_saying_so_ = false;
    }
    if (nothing_waits()) {
        something_written_.notify_all();
        if (on_written_)
            on_written_();
    }
}

void output::write_one_piece(lock& held)
{
    const auto piece = one_piece(rest());
    held.unlock();
    const auto size = ::write(fd_, piece.data(), piece.size());
    const int error = size < 0 ? errno : 0;
    if (error == EAGAIN) { // somebody else has made it non-blocking
        pollfd room{fd_, POLLOUT, 0};
        ::poll(&room, 1, -1);
    }
    held.lock();
    if (size >= 0) {
        written_ += static_cast<std::size_t>(size);
    } else if (error == EPIPE || error == ECONNRESET) { // the latter of a socket
        gone_ = true;
        waiting_.clear();
        written_ = being_written_.size();
    } else if (error != EINTR && error != EAGAIN) {
        error_ = error;
        written_ += piece.size();
    }
    ++pieces_;
    something_written_.notify_all();
}

} // namespace app

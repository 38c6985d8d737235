// observer: what happens in this process while it serves, told to whoever wants to know.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>
#include <sys/types.h>

/// Each fact is told once, by the part that knows it, at the place where it happens. Which process
/// tells it, and when, is the listener's business; so is what is made of it, text or JSON.
///
/// A descriptor is named by the number that it has in this process, and is still open when the
/// observer is called: it may be asked who is at its other end. It stays the teller's. None of
/// these functions may throw.
class observer {
public:
    // ---- a listening socket ---------------------------------------------------------------------

    /// listen(2) has been called.
    virtual void listening(int /*server*/) noexcept {}

    /// This process was woken for a connection, and another one has accepted it before.
    virtual void woken_in_vain() noexcept {}

    /// accept(2) has returned a connection. `wakeups`: how often this process has been woken in
    /// vain since it accepted from this socket before.
    virtual void accepted(int /*connection*/, std::size_t /*wakeups*/) noexcept {}

    // ---- a connection ---------------------------------------------------------------------------

    /// As a client: the kernel at the other end has taken it, be it that no process has accepted it
    /// yet.
    virtual void connected(int /*connection*/) noexcept {}

    /// Our side of the stream ends now (shutdown(2)), for all who hold the connection.
    virtual void shut_down(int /*connection*/) noexcept {}

    /// This process closes its copy; others have theirs. Of a connection or a server.
    virtual void closing_copy(int /*fd*/) noexcept {}

    /// This process is done with a connection that was its own, and closes it. `why` is one of
    ///
    ///     ended      in order: we have ended our side, the client has ended its own
    ///     client     the client has ended it while nothing was under way
    ///     timeout    one of our limits is over
    ///     broken     it could not be read or written: a reset, or another process had ended it
    ///     stopped    the service ends
    ///     no_worker  nobody could take it
    ///     spent      the worker that had it died, and had read from it or written to it
    virtual void closing(int /*connection*/, std::string_view /*why*/) noexcept {}

    // ---- a channel ------------------------------------------------------------------------------

    /// A message with this descriptor has been written to the channel, as one line of so many
    /// bytes, or its first part has: the descriptor rides on the first byte. `when`: just before,
    /// for the receiver may be quicker than whoever tells this.
    virtual void sent(std::chrono::steady_clock::time_point /*when*/, pid_t /*to*/,
                      bool /*is_server*/, int /*fd*/, std::size_t /*bytes*/) noexcept
    {
    }

    /// One has been read and acknowledged.
    virtual void received(bool /*is_server*/, int /*fd*/, std::size_t /*bytes*/) noexcept {}

    /// One line has been written or read, without its end; `fd`: what came or went with it, or -1.
    /// This one may close the channel.
    virtual void line_crossed(bool /*outgoing*/, pid_t /*peer*/, std::string_view /*line*/,
                              int /*fd*/) noexcept
    {
    }

    // ---- HTTP -----------------------------------------------------------------------------------

    /// A whole request is there, or, as a client, is sent now.
    virtual void request(int /*connection*/, std::string_view /*method*/,
                         std::string_view /*target*/) noexcept
    {
    }

    /// It is answered, so long after that.
    virtual void response(int /*connection*/, unsigned /*status*/,
                          std::chrono::steady_clock::duration /*after*/) noexcept
    {
    }

    // ---- the workers of a pool ------------------------------------------------------------------

    virtual void worker_up(std::size_t /*slot*/, pid_t /*worker*/) noexcept {}

    /// It has been reaped. One of the last two is 0.
    virtual void worker_exit(std::size_t /*slot*/, pid_t /*worker*/, int /*code*/,
                             int /*signal*/) noexcept
    {
    }

    /// Another one is to take this place, after a pause.
    virtual void respawn(std::size_t /*slot*/, std::chrono::milliseconds /*after*/) noexcept {}

protected:
    observer() = default;
    ~observer() = default;
    observer(const observer&) = default;
    observer& operator=(const observer&) = default;
};

/// Who listens; null: nobody, and then a fact costs one look at this pointer. Belongs to the thread
/// that serves.
inline observer* observing = nullptr;

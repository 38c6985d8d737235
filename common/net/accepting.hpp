// accepting: how the processes that share a listening socket come to their connections. A file of
// its own because the command line names it too. Notes: chapter 08.
#pragma once

namespace net {

enum class accepting {
    /// Nobody else accepts from this socket. What waits in its queue is taken several at a time.
    alone,

    /// All who share it are woken for a connection, and the first to accept has it (what Node and
    /// nginx do). A quick process takes a whole burst before the others are awake.
    race,

    /// The same; but who slept before it accepted one leaves the next few to its siblings, which
    /// are
    /// just being woken: it steps back for some tens of microseconds, and takes what is still there
    /// then. So they take turns. Where that does not help, under load or without siblings, it soon
    /// stops (net/stepping_back.hpp).
    step_back,

    /// The kernel wakes one of those that sleep (EPOLLEXCLUSIVE in epoll_ctl(2)); who has slept
    /// then stands at the end of the line. So they take turns, exactly as long as all of them
    /// sleep in between, and nobody is woken for nothing. The price: a process that is stopped or
    /// killed after it was woken, before it accepts, leaves that client waiting until another
    /// connection comes. A race unless the process sleeps in epoll_instance::run_until(): a nested
    /// epoll instance does not know who sleeps.
    exclusive,
};

} // namespace net

// What a pool of workers is told.
#pragma once

#include "ipc/channel.hpp"
#include "workers/restart_policy.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace workers {

struct options {
    std::size_t count = 4;

    /// What to run: worker i runs the i-th command, in turn when there are fewer commands than
    /// workers.
    std::vector<std::vector<std::string>> commands;

    /// "NAME=value": for the workers, beside what they have of our environment.
    std::vector<std::string> environment;

    /// How long a worker may take to acknowledge a handle before it is killed; with respawn also
    /// how long it may be stopped (SIGSTOP). Zero: for ever.
    std::chrono::milliseconds ack_timeout{5000};

    /// How many handles may be on their way to a worker at a time (channel_options::in_flight). Of
    /// the descriptors that are free when it starts, half are shared by all workers for this, and
    /// no more: one at least for each.
    std::size_t in_flight = 1;

    /// How long the others wait for a worker that is slow to take what it needs (pool::each).
    std::chrono::milliseconds greeting_time{5000};

    /// Whoever has not got it within ack_timeout is killed.
    bool greeting_is_acknowledged = true;

    /// Replace a worker that ended, as restart_policy says: at once, but a crash loop is slowed
    /// down and then broken.
    bool respawn = false;
    restart_options restart;

    /// When we stop: how long connections on their way to a worker may take to arrive.
    std::chrono::milliseconds time_to_arrive{500};

    /// How long a worker may take to finish after its channel has ended, whoever ended it. Ours
    /// need up to 2 s for the clients they have. Then SIGTERM and, after the second time, SIGKILL.
    std::chrono::milliseconds grace{2250};
    std::chrono::milliseconds grace_after_term{500};

    /// Takes what the workers report (channel_options::on_report). With it they can do so to their
    /// end: when we stop, we end our side of the channels first, and close them after the grace.
    std::function<void(pid_t worker, const ipc::value& said)> on_report;

    /// Each sentence about a worker's end, for the user.
    std::function<void(const std::string&)> log;

    /// The channel's part of these options, for a child that is in no pool.
    ipc::channel_options channel() const;
};

} // namespace workers

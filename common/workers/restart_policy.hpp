// When is a worker that has ended replaced, and when is its place given up? Pure: no process, no
// clock, no timer.
#pragma once

#include <chrono>
#include <optional>
#include <random>

namespace workers {

struct restart_options {
    /// Only a life that was shorter can be a failure.
    std::chrono::milliseconds min_uptime{1000};

    /// After so many failures in a row the place is given up.
    int max_failures = 8;

    /// The pause before a replacement: twice as long after each failure but the first, and up to a
    /// tenth longer than that, so that places which failed together do not start together.
    std::chrono::milliseconds min_delay{100};
    std::chrono::milliseconds max_delay{5000};
};

/// What is known of a worker's life when it is over.
struct life {
    std::chrono::nanoseconds uptime{};
    bool served = false; ///< it has acknowledged a connection or a server
    bool faulty = false; ///< it was killed for what it did or did not do on its channel
    int exit_code = 0;   ///< when no signal ended it
    int signal = 0;      ///< that ended it, or 0
};

/// The account of one place.
///
/// A failure is a life shorter than min_uptime that never served, or whose end was its own fault:
/// an exit code other than 0, a crash signal (SIGSEGV, SIGABRT, ...), a fault on the channel. A
/// worker that has served may retire (exit 0) or be killed from outside (SIGKILL, SIGTERM, SIGINT,
/// SIGHUP) at any rate. A life that is no failure ends the row of failures.
///
///                     +-------- no failure: after min_delay --------+
///                     v                                             |
///     start ---> a worker runs ---- it ends ----> failure? ---------+
///                     ^                             | yes
///                     |                             v
///                     +--- after a longer delay -- max_failures in a row? -- yes --> given up
class restart_policy {
public:
    explicit restart_policy(restart_options options = {}, unsigned seed = std::random_device{}());

    // [decisions]
    /// How long to wait before the next start; nullopt: give the place up.
    std::optional<std::chrono::milliseconds> after(const life& ended);

    /// The same when the program could not even be started, which is a failure.
    std::optional<std::chrono::milliseconds> after_failed_start();

    /// In a row, up to now.
    int failures() const noexcept { return failures_; }
    // [/decisions]

private:
    std::optional<std::chrono::milliseconds> next_delay();

    restart_options options_;
    std::mt19937 random_;
    int failures_ = 0;
};

/// Is this life a failure, as defined above?
bool is_failure(const life& ended, const restart_options& options) noexcept;

} // namespace workers

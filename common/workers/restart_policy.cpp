#include "workers/restart_policy.hpp"

#include <algorithm>
#include <csignal>

namespace workers {

using std::chrono::milliseconds;

namespace {

/// Does it end a process on behalf of somebody else: the user, the system, a supervisor?
bool comes_from_outside(int signal) noexcept
{
    return signal == SIGKILL || signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
}

} // namespace

bool is_failure(const life& ended, const restart_options& options) noexcept
{
    if (ended.uptime >= options.min_uptime)
        return false;
    const bool own_fault = ended.faulty || ended.exit_code != 0 ||
                           (ended.signal != 0 && !comes_from_outside(ended.signal));
    return !ended.served || own_fault;
}

restart_policy::restart_policy(restart_options options, unsigned seed)
    : options_(options), random_(seed)
{
}

std::optional<milliseconds> restart_policy::after(const life& ended)
{
    failures_ = is_failure(ended, options_) ? failures_ + 1 : 0;
    return next_delay();
}

std::optional<milliseconds> restart_policy::after_failed_start()
{
    ++failures_;
    return next_delay();
}

std::optional<milliseconds> restart_policy::next_delay()
{
    if (failures_ >= options_.max_failures)
        return std::nullopt;
    // Doubled step by step, up to the limit and not beyond: no shift that could overflow.
    auto delay = std::min(options_.min_delay, options_.max_delay);
    for (int i = 1; i < failures_ && delay < options_.max_delay; ++i)
        delay = std::min(delay * 2, options_.max_delay);
    std::uniform_int_distribution<milliseconds::rep> jitter(0, delay.count() / 10);
    return std::min(delay + milliseconds(jitter(random_)), options_.max_delay);
}

} // namespace workers

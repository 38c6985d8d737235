#include "net/epoll_instance.hpp"

#include "posix.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <system_error>
#include <utility>

namespace net {

using namespace std::chrono_literals;

namespace {

// A shorter wait is a moment between two events of a busy process.
constexpr auto shortest_sleep = 20us;

// So often we look again, before the handlers of Asio have their turn; and so many of those run
// before we look.
constexpr int max_looks = 8;
constexpr int max_handlers = 64;

// When the kernel can watch no more, for want of memory or by a limit.
constexpr auto pause_without_resources = 100ms;

timespec timespec_of(std::chrono::nanoseconds time)
{
    return {.tv_sec = static_cast<time_t>(time / 1s),
            .tv_nsec = static_cast<long>((time % 1s) / 1ns)};
}

} // namespace

asio::execution_context::id epoll_instance::id;

epoll_instance& epoll_instance::of(const asio::any_io_executor& executor)
{
    return asio::use_service<epoll_instance>(asio::query(executor, asio::execution::context));
}

// Asio's own instance is opened first: so its number is lower, and it outlives us.
epoll_instance::epoll_instance(asio::execution_context& context)
    : asio::execution_context::service(context),
      executor_(static_cast<asio::io_context&>(context).get_executor())
{
    take_place(asio_);
    in_asio_.emplace(executor_);
    rest_timer_.emplace(executor_);
    epoll_.reset(posix::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
    in_asio_->assign(epoll_.get());
}

epoll_instance::~epoll_instance() = default;

// From now on nothing is told, but sockets may still be removed: by objects that lived in
// coroutines.
void epoll_instance::shutdown()
{
    rest_timer_.reset();
    if (in_asio_ && in_asio_->is_open())
        (void)in_asio_->release();
    in_asio_.reset();
}

// ---- who is told of what -----------------------------------------------------------------------

void epoll_instance::take_place(watcher& who)
{
    if (first_free_ == places_.size())
        places_.push_back({.next_free = first_free_ + 1});
    who.place_ = first_free_;
    auto& taken = places_[who.place_];
    first_free_ = taken.next_free;
    taken.who = &who;
}

void epoll_instance::give_up_place(watcher& who) noexcept
{
    auto& left = places_[who.place_];
    left.who = nullptr;
    ++left.generation;
    left.next_free = std::exchange(first_free_, who.place_);
}

void epoll_instance::control(int operation, int socket, const watcher& who, std::uint32_t events)
{
    epoll_event event{};
    event.events = events;
    event.data.u64 = std::uint64_t{places_[who.place_].generation} << 32 | who.place_;
    posix::check(::epoll_ctl(epoll_.get(), operation, socket, &event), "epoll_ctl");
}

void epoll_instance::add(int socket, watcher& who, std::uint32_t events)
{
    take_place(who);
    try {
        control(EPOLL_CTL_ADD, socket, who, events);
    } catch (...) {
        give_up_place(who);
        throw;
    }
    ++watchers_;
    wait_in_asio();
}

void epoll_instance::modify(int socket, watcher& who, std::uint32_t events)
{
    control(EPOLL_CTL_MOD, socket, who, events);
}

void epoll_instance::remove(int socket, watcher& who) noexcept
{
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
    forget(who);
}

void epoll_instance::forget(watcher& who) noexcept
{
    give_up_place(who);
    resting_.erase(std::remove_if(resting_.begin(), resting_.end(),
                                  [&](const resting& one) { return one.who == &who; }),
                   resting_.end());
    if (--watchers_ == 0 && waiting_ && in_asio_) {
        std::error_code ignored; // it is open
        in_asio_->cancel(ignored);
    }
}

// ---- those that rest ---------------------------------------------------------------------------

void epoll_instance::rest(int socket, watcher& who, std::uint32_t events,
                          std::chrono::microseconds pause)
{
    if (!can_rest_)
        return;
    resting_.push_back({clock::now() + pause, socket, &who, events});
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
    if (asio_sleeps_)
        set_rest_timer();
}

std::optional<epoll_instance::clock::time_point> epoll_instance::next_waking() const
{
    const auto first =
        std::min_element(resting_.begin(), resting_.end(),
                         [](const resting& a, const resting& b) { return a.until < b.until; });
    return first == resting_.end() ? std::nullopt : std::optional(first->until);
}

// True when somebody was told, and so may have given Asio something to do.
bool epoll_instance::wake_the_rested()
{
    if (resting_.empty())
        return false;
    bool told = false;
    const auto now = clock::now();
    for (auto one = resting_.begin(); one != resting_.end();) {
        if (one->until > now && can_rest_) {
            ++one;
            continue;
        }
        try {
            control(EPOLL_CTL_ADD, one->socket, *one->who, one->events);
        } catch (const std::system_error&) { // somebody else has taken our place in the kernel
            one->until = now + pause_without_resources;
            ++one;
            continue;
        }
        auto& who = *one->who;
        resting_.erase(one);
        who.on_rested(); // others may rest now, or no more
        told = true;
        one = resting_.begin();
    }
    return told;
}

void epoll_instance::set_rest_timer()
{
    const auto next = next_waking();
    if (!next || !rest_timer_)
        return;
    rest_timer_->expires_at(*next);
    rest_timer_->async_wait([this](std::error_code cancelled) {
        if (cancelled || !asio_sleeps_)
            return;
        wake_the_rested();
        set_rest_timer();
    });
}

// ---- looking and telling -----------------------------------------------------------------------

// Fetches what there is; without `longest`, waits for ever.
void epoll_instance::look(std::optional<clock::duration> longest)
{
    if (next_ < end_)
        return; // somebody threw: the others come first
    const auto events = reported_.data();
    const auto size = static_cast<int>(reported_.size());
    int count = 0;
    if (longest && *longest > 0ns) {
        const auto time = timespec_of(*longest);
        count = ::epoll_pwait2(epoll_.get(), events, size, &time, nullptr);
        if (count < 0 && errno != EINTR) { // ENOSYS: before Linux 5.11, or a sandbox
            can_rest_ = false;
            wake_the_rested();
            count = 0;
        }
    } else {
        count = ::epoll_wait(epoll_.get(), events, size, longest ? 0 : -1);
        if (count < 0 && errno != EINTR)
            throw posix::last_error("epoll_wait");
    }
    next_ = 0;
    end_ = static_cast<std::size_t>(std::max(count, 0));
}

void epoll_instance::tell()
{
    while (next_ < end_) {
        const auto& event = reported_[next_++];
        const auto& told = places_[static_cast<std::uint32_t>(event.data.u64)];
        if (told.who && told.generation == event.data.u64 >> 32)
            told.who->on_events(event.events);
    }
}

// ---- Asio sleeps -------------------------------------------------------------------------------

void epoll_instance::wait_in_asio()
{
    if (!asio_sleeps_ || watchers_ == 0 || !in_asio_ || std::exchange(waiting_, true))
        return;
    in_asio_->async_wait(asio::posix::stream_descriptor::wait_read, [this](std::error_code) {
        waiting_ = false; // or cancelled; and perhaps there are watchers again since
        if (asio_sleeps_)
            turn_in_asio();
    });
}

// Under load the next events are there when these are served. To take them at once saves the way
// through the executor, which is two system calls; but its other handlers must have their turn.
void epoll_instance::turn_in_asio()
{
    struct wait_again {
        epoll_instance& self;
        ~wait_again() { self.wait_in_asio(); }
    } whatever_is_thrown{*this};

    for (int i = 0; i < max_looks && watchers_ > 0; ++i) {
        slept_ = i == 0 && found_nothing_;
        look(0ns);
        found_nothing_ = end_ == 0;
        if (found_nothing_)
            break;
        tell();
    }
}

// ---- we sleep ----------------------------------------------------------------------------------

// Whether a descriptor is an epoll instance that has ours among its own can be asked: to add it
// again is EEXIST (epoll_ctl(2)). Every other one says EINVAL or EBADF, or takes it, and gives it
// back. Asio's was opened before ours, so its number is lower, as long as nobody closes one in
// between: then it is not found.
int epoll_instance::find_asios() const
{
    for (int candidate = 0; candidate < epoll_.get(); ++candidate) {
        epoll_event nothing{};
        if (::epoll_ctl(candidate, EPOLL_CTL_ADD, epoll_.get(), &nothing) == 0)
            ::epoll_ctl(candidate, EPOLL_CTL_DEL, epoll_.get(), nullptr);
        else if (errno == EEXIST)
            return candidate;
    }
    return -1;
}

// Without a timerfd of its own Asio counts on its own sleep to end in time, and would not wake us.
bool epoll_instance::has_clock(int asios) const
{
    for (int candidate = 0; candidate < epoll_.get(); ++candidate) {
        itimerspec unused{};
        epoll_event nothing{};
        if (::timerfd_gettime(candidate, &unused) != 0)
            continue;
        if (::epoll_ctl(asios, EPOLL_CTL_ADD, candidate, &nothing) == 0)
            ::epoll_ctl(asios, EPOLL_CTL_DEL, candidate, nullptr);
        else if (errno == EEXIST)
            return true;
    }
    return false;
}

void epoll_instance::run_until(asio::io_context& context, const std::function<bool()>& done)
{
    while (!done() && !asio::has_service<epoll_instance>(context))
        if (context.run_one() == 0)
            return;
    if (!done())
        of(context.get_executor()).sleep_until(context, done);
}

void epoll_instance::sleep_until(asio::io_context& context, const std::function<bool()>& done)
{
    const int asios = in_asio_ && in_asio_->is_open() ? find_asios() : -1;
    if (asios < 0 || !has_clock(asios)) {
        while (!done() && context.run_one() > 0) {
        }
        return;
    }

    struct asio_sleeps_again {
        epoll_instance& self;
        int asios;
        ~asio_sleeps_again()
        {
            ::epoll_ctl(self.epoll_.get(), EPOLL_CTL_DEL, asios, nullptr);
            self.in_asio_->assign(self.epoll_.get());
            self.asio_sleeps_ = true;
            self.wait_in_asio();
            self.set_rest_timer();
        }
    };
    (void)in_asio_->release();
    asio_sleeps_ = false;
    const asio_sleeps_again whatever_is_thrown{*this, asios};
    control(EPOLL_CTL_ADD, asios, asio_, EPOLLIN);

    clock::duration asleep{}; // since there was something to tell
    for (;;) {
        int handlers = 0;
        while (handlers < max_handlers && context.poll_one() > 0)
            ++handlers;
        if (done())
            return;
        if (context.stopped()) { // nobody waits there
            if (watchers_ == 0)
                return;
            context.restart();
        }
        if (wake_the_rested())
            continue;
        const auto before = clock::now();
        if (handlers == max_handlers)
            look(0ns);
        else if (const auto next = next_waking())
            look(std::max<clock::duration>(*next - before, 0ns));
        else
            look(std::nullopt);
        asleep += clock::now() - before;
        slept_ = asleep > shortest_sleep;
        if (end_ > 0)
            asleep = 0ns;
        tell();
    }
}

} // namespace net

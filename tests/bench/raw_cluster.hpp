// What the measuring programs share: a listener on the loopback address, forked workers, the ready
// line. Raw system calls on purpose: these programs are what everything else is compared with.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace bench {

/// Prints the name of the call and the error that errno holds, and ends the process.
[[noreturn]] void fail(const char* call);

/// Returns `result`, unless it is -1.
int check(int result, const char* call);

/// A listening socket on 127.0.0.1. Port 0: a free one. `share_port` sets SO_REUSEPORT, with which
/// several sockets may listen on one port.
int listen_on_loopback(std::uint16_t port, bool share_port, bool blocking);
std::uint16_t port_of(int listener);

/// Forks `count` workers; number i runs work(i), which does not return. SIGKILL takes them when
/// their parent ends. Until then SIGTERM is blocked in all of them.
std::vector<pid_t> fork_workers(std::size_t count, const std::function<void(std::size_t)>& work);

/// "listening on 127.0.0.1:40123, workers 17 18", as the demos print it.
void say_ready(std::uint16_t port, const std::vector<pid_t>& workers);

void wait_for_sigterm();

} // namespace bench

// Has anybody read from or written to this connection yet?
#pragma once

namespace workers {

/// True when a holder of any copy of this TCP connection has consumed a byte of the client's or
/// sent one: the kernel counts per connection, so the copy we kept tells what a dead worker did
/// with its own (TCP_INFO in tcp(7); SIOCINQ, SIOCOUTQ). A connection that was touched must not be
/// given to a second worker, which would see half a request or answer twice. When the kernel cannot
/// say: true.
bool was_touched(int connection) noexcept;

} // namespace workers

// What a program does before anything else, so that it matters little who has started it, and
// where.
#pragma once

#include <cstddef>

namespace app {

/// Call it first in main.
///
///     signals   none is blocked, and none ignored, whatever we have inherited; but SIGHUP stays
///               ignored, for nohup(1) wants it so, and SIGPIPE and SIGXFSZ become so, for they
///               kill where the error of write(2) says the same
///     streams   /dev/null is opened in the place of whichever of 0, 1 and 2 is closed
///     output    nothing that is printed waits for its reader: up to `output_capacity` bytes do
void prepare_environment(std::size_t output_capacity);

/// Call it before the first io_context: can we wait here? There may be no descriptor left for it,
/// or a sandbox refuses a call whose refusal Asio takes for success: then it would wait for ever,
/// or never pause. Throws std::system_error, which names the call.
void check_waiting();

} // namespace app

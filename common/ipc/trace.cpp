#include "ipc/trace.hpp"

#include "log.hpp"

#include <string>
#include <unistd.h>

namespace ipc {

void print_trace(const trace_event& event)
{
    // Cut, because a line may be megabytes long; one write, so that processes do not mix their
    // lines.
    std::string text = std::to_string(::getpid()) + (event.outgoing ? " -> " : " <- ") +
                       std::to_string(event.peer) + "  " + std::string(event.line.substr(0, 200));
    if (event.line.size() > 200)
        text += "... (" + std::to_string(event.line.size()) + " bytes)";
    if (event.descriptor >= 0)
        text += "  + descriptor " + std::to_string(event.descriptor);
    log_line(text);
}

} // namespace ipc

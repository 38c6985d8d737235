#include "ipc/trace.hpp"

#include "log.hpp"

#include <algorithm>
#include <string>
#include <unistd.h>

namespace ipc {

void print_trace(const trace_event& event)
{
    // Cut, because a line may be megabytes long, and before the first byte of a character; one
    // write, so that processes do not mix their lines.
    std::size_t size = std::min<std::size_t>(event.line.size(), 200);
    while (size > 196 && size < event.line.size() && (event.line[size] & 0xc0) == 0x80)
        --size;
    std::string text = std::to_string(::getpid()) + (event.outgoing ? " -> " : " <- ") +
                       std::to_string(event.peer) + "  " + std::string(event.line.substr(0, size));
    if (size < event.line.size())
        text += "... (" + std::to_string(event.line.size()) + " bytes)";
    if (event.descriptor >= 0)
        text += "  + descriptor " + std::to_string(event.descriptor);
    log_line(text);
}

} // namespace ipc

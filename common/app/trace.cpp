#include "app/trace.hpp"

#include "app/printable.hpp"
#include "log.hpp"
#include "observer.hpp"

#include <exception>
#include <string>
#include <unistd.h>

namespace app {
namespace {

bool tracing = false;

class tracer final : public observer {
    void line_crossed(bool outgoing, pid_t peer, std::string_view line,
                      int descriptor) noexcept override
    {
        trace_line(outgoing, peer, line, descriptor);
    }
};

} // namespace

void begin_trace()
{
    static tracer alone;
    tracing = true;
    if (!observing)
        observing = &alone;
}

void trace_line(bool outgoing, pid_t peer, std::string_view line, int descriptor) noexcept
{
    if (!tracing)
        return;
    try {
        // A line may be megabytes long. One write, so that processes do not mix their lines.
        const auto shown = head_of(line, 200);
        std::string text = std::to_string(::getpid()) + (outgoing ? " -> " : " <- ") +
                           std::to_string(peer) + "  " + std::string(shown);
        if (shown.size() < line.size())
            text += "... (" + std::to_string(line.size()) + " bytes)";
        if (descriptor >= 0)
            text += "  + descriptor " + std::to_string(descriptor);
        log_line(text);
    } catch (const std::exception&) { // no memory for it: the line crosses all the same
    }
}

} // namespace app

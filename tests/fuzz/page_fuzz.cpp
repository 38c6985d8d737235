// What the server of the page reads: a line that some demo is said to have told, and an order that
// is said to be the page's. Each is taken, or refused in one line; what is taken is within bounds.
#include "live/order.hpp"
#include "live/told_event.hpp"

#include "fuzz/fuzz.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace {

bool is_one_line(std::string_view text)
{
    return std::none_of(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; });
}

void expect_bounded(const live::order& given)
{
    if (const auto* start = std::get_if<live::start_demo>(&given)) {
        fuzz::claim(start->workers >= 1 && start->workers <= live::most_workers, "workers");
        fuzz::claim(start->delay >= start->delay.zero() && start->delay <= live::longest_delay,
                    "delay");
        for (const auto& [value, known] : {std::pair{start->mode, start->what->modes},
                                           std::pair{start->accept, start->what->accept}})
            fuzz::claim(value.empty() ? known.empty()
                                      : std::count(known.begin(), known.end(), value) > 0,
                        "what it starts it knows");
    }
    if (const auto* load = std::get_if<live::send_load>(&given)) {
        fuzz::claim(load->count >= 1 && load->count <= live::most_requests, "requests");
        fuzz::claim(load->concurrency >= 1 && load->concurrency <= live::most_at_once, "at once");
    }
    if (const auto* signal = std::get_if<live::signal_worker>(&given))
        fuzz::claim(signal->slot < live::most_workers, "a place");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        const auto told = live::parse_event(text);
        fuzz::claim(is_one_line(told.json) && nlohmann::json::accept(told.json),
                    "one line of JSON");
        fuzz::claim(live::parse_event(told.json).json == told.json, "and the same, read again");
    } catch (const std::invalid_argument& refused) {
        fuzz::claim(is_one_line(refused.what()), "one line of why");
    }
    try {
        expect_bounded(live::parse_order(text));
    } catch (const std::invalid_argument& refused) {
        fuzz::claim(is_one_line(refused.what()), "one line of why");
    }
    return 0;
}

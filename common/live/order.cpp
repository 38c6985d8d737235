#include "live/order.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <initializer_list>
#include <stdexcept>

namespace live {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

std::string listed(const std::vector<std::string>& words)
{
    std::string text;
    for (const auto& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

// The members of an order, each taken once: what nobody has taken is a mistake.
class members {
public:
    explicit members(json object) : rest_(std::move(object)) {}

    std::string text(const char* name, const std::string& otherwise)
    {
        const auto value = take(name);
        if (value.is_null())
            return otherwise;
        if (!value.is_string())
            throw std::invalid_argument(std::string(name) + " must be a text");
        return value.get<std::string>();
    }

    std::size_t number(const char* name, std::size_t low, std::size_t high, std::size_t otherwise)
    {
        const auto value = take(name);
        if (value.is_null())
            return otherwise;
        if (!value.is_number_unsigned() || value.get<std::size_t>() < low ||
            value.get<std::size_t>() > high)
            throw std::invalid_argument(std::string(name) + " must be a number from " +
                                        std::to_string(low) + " to " + std::to_string(high));
        return value.get<std::size_t>();
    }

    bool flag(const char* name)
    {
        const auto value = take(name);
        if (!value.is_null() && !value.is_boolean())
            throw std::invalid_argument(std::string(name) + " must be true or false");
        return value.is_boolean() && value.get<bool>();
    }

    /// One of these, the first if it is left out. Of an example without a choice nothing is taken.
    std::string choice(const char* name, const std::vector<std::string>& words)
    {
        auto chosen = text(name, "");
        if (words.empty())
            return "";
        if (chosen.empty())
            return words.front();
        if (std::find(words.begin(), words.end(), chosen) == words.end())
            throw std::invalid_argument(std::string(name) + " must be one of " + listed(words));
        return chosen;
    }

    void expect_no_more() const
    {
        if (!rest_.empty())
            throw std::invalid_argument("this action has fewer members than were given");
    }

private:
    json take(const char* name)
    {
        const auto found = rest_.find(name);
        if (found == rest_.end())
            return nullptr;
        json value = std::move(*found);
        rest_.erase(found);
        return value;
    }

    json rest_;
};

start_demo parse_start(members& given)
{
    const auto name = given.text("demo", examples().front().name);
    const auto found = std::find_if(examples().begin(), examples().end(),
                                    [&](const auto& one) { return one.name == name; });
    if (found == examples().end())
        throw std::invalid_argument("there is no such demo to show");
    start_demo start{};
    start.what = &*found;
    start.mode = given.choice("mode", found->modes);
    start.accept = given.choice("accept", found->accept);
    start.workers = given.number("workers", 1, most_workers, 4);
    start.delay =
        milliseconds(given.number("delay", 0, static_cast<std::size_t>(longest_delay.count()),
                                  static_cast<std::size_t>(found->delay.count())));
    start.respawn = given.flag("respawn");
    return start;
}

send_load parse_load(members& given)
{
    send_load load{};
    load.count = given.number("count", 1, most_requests, 5);
    load.concurrency =
        given.number("concurrency", 1, most_at_once, std::min<std::size_t>(load.count, 64));
    load.keep_alive = given.flag("keep_alive");
    return load;
}

signal_worker parse_signal(const std::string& name, members& given)
{
    constexpr std::size_t none = most_workers;
    const auto slot = given.number("slot", 0, most_workers - 1, none);
    if (slot == none)
        throw std::invalid_argument("which worker? slot must be a number");
    return {name, slot};
}

} // namespace

const std::vector<example>& examples()
{
    static const std::vector<example> all{
        {.name = "socket_fanout",
         .client = "net_client",
         .delay = milliseconds(100),
         .modes = {"rotate", "all", "fork"}},
        {.name = "server_handoff",
         .client = "net_client",
         .delay = milliseconds(100),
         .accept = {"step_back", "race", "exclusive"}},
        {.name = "http_cluster",
         .client = "http_client",
         .delay = milliseconds(0),
         .accept = {"step_back", "race", "exclusive"}},
    };
    return all;
}

order parse_order(std::string_view text)
{
    auto object = text.size() <= longest_order ? json::parse(text, nullptr, false) : json();
    if (!object.is_object())
        throw std::invalid_argument("an order is a JSON object with an action");
    members given(std::move(object));
    const auto action = given.text("action", "");
    order result = end_demo{};
    if (action == "start")
        result = parse_start(given);
    else if (action == "load")
        result = parse_load(given);
    else if (action == "kill")
        result = parse_signal("SIGKILL", given);
    else if (action == "stop")
        result = parse_signal("SIGSTOP", given);
    else if (action == "continue")
        result = parse_signal("SIGCONT", given);
    else if (action != "end")
        throw std::invalid_argument("action must be one of start, load, kill, stop, continue, end");
    given.expect_no_more();
    return result;
}

} // namespace live

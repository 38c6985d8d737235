#include "live/told_event.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <stdexcept>

namespace live {

using json = nlohmann::ordered_json; // fields stay in their order

namespace {

constexpr std::size_t most_fields = 32;

bool is_number(const json& value)
{
    return value.is_number_unsigned() && value.get<std::uint64_t>() < (std::uint64_t{1} << 53);
}

bool is_name(const std::string& text)
{
    return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || c == '_';
    });
}

const json& field(const json& object, const char* name)
{
    const auto found = object.find(name);
    if (found == object.end())
        throw std::invalid_argument("it has no " + std::string(name));
    return *found;
}

std::string text_of(const json& object, const char* name)
{
    const auto& value = field(object, name);
    if (!value.is_string())
        throw std::invalid_argument(std::string(name) + " is no text");
    return value.get<std::string>();
}

std::optional<std::int64_t> number_of(const json& object, const char* name)
{
    const auto found = object.find(name);
    if (found == object.end() || !is_number(*found))
        return {};
    return found->get<std::int64_t>();
}

// The fields that every event has (tests/events/schema.json), and of the others that they are
// plain.
void check(const json& object)
{
    if (!object.is_object() || object.size() > most_fields)
        throw std::invalid_argument("it is no object of a few fields");
    if (field(object, "v") != 1)
        throw std::invalid_argument("it is of another version than 1");
    for (const auto* name : {"seq", "t_us", "pid"})
        if (!is_number(field(object, name)))
            throw std::invalid_argument(std::string(name) + " is no number");
    if (const auto& slot = field(object, "slot"); !slot.is_null() && !is_number(slot))
        throw std::invalid_argument("slot is no number");
    for (const auto& [name, value] : object.items())
        if (!is_name(name) || value.is_structured())
            throw std::invalid_argument("it has a field that no event has");
}

} // namespace

told_event parse_event(std::string_view line)
{
    if (line.size() > longest_line)
        throw std::invalid_argument("it is too long");
    const auto object = json::parse(line, nullptr, false); // so short a line cannot be too deep
    if (object.is_discarded())
        throw std::invalid_argument("it is no JSON");
    check(object);
    told_event told;
    told.role = text_of(object, "role");
    told.name = text_of(object, "ev");
    if (object.contains("host"))
        told.host = text_of(object, "host");
    if (told.role != "main" && told.role != "worker" && told.role != "client")
        throw std::invalid_argument("nobody of ours has such a role");
    if (!is_name(told.name))
        throw std::invalid_argument("no event has such a name");
    if (told.name == "start")
        told.program = text_of(object, "program");
    if (told.name == "strategy") {
        told.how = text_of(object, "how");
        told.count = number_of(object, "workers");
    }
    if (told.name == "listening")
        told.count = number_of(object, "port");
    if (told.name == "worker_up" || told.name == "worker_exit")
        told.count = number_of(object, "worker");
    told.json = object.dump();
    return told;
}

} // namespace live

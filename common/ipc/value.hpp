// One JSON value: what a message says.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace ipc {

/// JSON text that has been checked and made canonical: see json_text.hpp.
struct json_text {
    std::string text;
};

/// Holds a JSON value behind a pointer, so that a demo that sends text need not compile the JSON
/// library. Cheap to copy, never changed.
///
/// A value that came over a channel is kept as the text that came: its keys stay in their order,
/// its numbers keep their digits, and to pass it on costs no parsing. Belongs, with its copies, to
/// one thread.
class value {
public:
    /// A JSON string. The text must be UTF-8: send() throws otherwise.
    value(const char* text);
    value(std::string_view text);
    value(const std::string& text);
    value(std::nullptr_t) = delete; // nor a literal 0: json(0), json(nullptr)

    /// Any JSON value; include <nlohmann/json.hpp> to make one. nlohmann::json sorts its keys;
    /// those of an ordered_json keep their order.
    value(nlohmann::json json);
    template<std::same_as<nlohmann::ordered_json> Json>
    value(const Json& json) : value(json_text{json.dump()})
    {
    }

    explicit value(json_text text);

    /// The value as the JSON library has it: parsed when it is first asked for, keys sorted. One
    /// line of a peer's can cost 130 MB here (a million values, in objects); as text it cannot.
    const nlohmann::json& json() const;

    /// The string when the value is a JSON string, else a null pointer.
    const std::string* text() const;

    /// The value as JSON text on one line: a string in quotes, an object in braces. Throws
    /// std::invalid_argument for a string of ours that is not UTF-8.
    const std::string& dump() const;

    /// For printing: a JSON string's characters, for any other value its JSON text.
    std::string to_string() const;

private:
    struct content;
    std::shared_ptr<content> content_;
};

} // namespace ipc

// One JSON value: what a message says.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace ipc {

/// Holds a JSON value behind a pointer, so that a demo that sends text need not compile the JSON
/// library. Cheap to copy, never changed.
class value {
public:
    /// A JSON string. The text must be UTF-8: send() throws otherwise.
    value(const char* text);
    value(std::string_view text);
    value(const std::string& text);

    /// Any JSON value; include <nlohmann/json.hpp> to make one.
    value(nlohmann::json json);

    const nlohmann::json& json() const noexcept { return *json_; }

    /// The string when the value is a JSON string, else a null pointer.
    const std::string* text() const noexcept;

    /// The value as JSON text on one line: a string in quotes, an object in braces.
    std::string dump() const;

    /// For printing: a JSON string's characters, for any other value its JSON text.
    std::string to_string() const;

private:
    std::shared_ptr<const nlohmann::json> json_;
};

} // namespace ipc

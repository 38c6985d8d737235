#include "ipc/value.hpp"

#include "ipc/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

namespace ipc {

// Either of the two is there from the beginning; the other is made when somebody asks for it.
struct value::content {
    std::optional<nlohmann::json> json;
    std::string text;
};

namespace {

// Most of what is sent: then it need not go through the library's serializer, which asks for memory
// three times.
bool needs_no_escape(std::string_view text)
{
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

} // namespace

value::value(const char* text) : value(nlohmann::json(text)) {}
value::value(std::string_view text) : value(nlohmann::json(text)) {}
value::value(const std::string& text) : value(nlohmann::json(text)) {}

value::value(nlohmann::json json) : content_(std::make_shared<content>())
{
    content_->json.emplace(std::move(json));
}

value::value(json_text text) : content_(std::make_shared<content>())
{
    content_->text = std::move(text.text);
}

const nlohmann::json& value::json() const
{
    if (content_->json)
        return *content_->json;
    if (const auto plain = plain_string(content_->text))
        return content_->json.emplace(*plain);
    return content_->json.emplace(nlohmann::json::parse(content_->text));
}

const std::string* value::text() const
{
    if (!content_->json && !content_->text.starts_with('"'))
        return nullptr;
    return json().get_ptr<const std::string*>();
}

const std::string& value::dump() const
{
    if (content_->text.empty()) {
        try {
            const auto* string = text();
            content_->text =
                string && needs_no_escape(*string) ? '"' + *string + '"' : content_->json->dump();
        } catch (const nlohmann::json::type_error&) {
            throw std::invalid_argument("the message is not valid UTF-8");
        }
    }
    return content_->text;
}

std::string value::to_string() const
{
    const auto* string = text();
    return string ? *string : dump();
}

} // namespace ipc

#include "ipc/value.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <stdexcept>
#include <utility>

namespace ipc {

// Either of the two is there from the beginning; the other is made when somebody asks for it.
struct value::content {
    std::optional<nlohmann::json> json;
    std::string text;
};

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
    if (!content_->json)
        content_->json.emplace(nlohmann::json::parse(content_->text));
    return *content_->json;
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
            content_->text = content_->json->dump();
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

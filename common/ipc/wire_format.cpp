#include "ipc/wire_format.hpp"

#include "ipc/error.hpp"
#include "ipc/json_text.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <stdexcept>
#include <system_error>

namespace ipc::wire {

namespace {

/// Is this `cmd` of an object, as JSON, one of the protocol's own?
bool is_internal(std::string_view cmd)
{
    constexpr std::string_view prefix = "\"NODE_";
    return cmd.starts_with(prefix) && cmd.size() > prefix.size() + 1; // the closing quote
}

/// A member's text; empty when it is anything else.
std::string text_of(std::string_view json)
{
    if (!json.starts_with('"'))
        return {};
    if (const auto plain = plain_string(json))
        return std::string(*plain);
    return nlohmann::json::parse(json).get<std::string>();
}

std::string key_of(const protocol_members& members)
{
    return members.key.size() <= max_key ? text_of(members.key) : std::string();
}

line decode_envelope(protocol_members members)
{
    for (int wrappings = 0;; ++wrappings) {
        const auto inner = members_of(members.msg);
        if (inner.cmd != "\"NODE_HANDLE\"")
            return envelope{
                text_of(members.type),
                value(json_text{std::string(members.msg.empty() ? "null" : members.msg)}),
                key_of(members), is_internal(inner.cmd)};
        if (wrappings == max_wrappings)
            throw protocol_error("an envelope in more than " + std::to_string(max_wrappings) +
                                 " others");
        members = inner;
    }
}

const std::string& body_of(const value& body)
{
    const auto& text = body.dump();
    if (is_internal(members_of(text).cmd))
        throw std::invalid_argument("a message with a \"cmd\" that begins with NODE_ would be "
                                    "taken for one of the channel's own");
    return text;
}

std::string in_json(const std::string& text)
{
    return nlohmann::json(text).dump();
}

/// A key of our user's.
std::string key_in_json(const std::string& key)
{
    std::string result;
    try {
        result = in_json(key);
    } catch (const nlohmann::json::type_error&) {
        throw std::invalid_argument("a key that is not UTF-8");
    }
    if (key.empty() || result.size() > max_key)
        throw std::invalid_argument("a key that is empty or longer than " +
                                    std::to_string(max_key) + " bytes of JSON");
    return result;
}

std::string envelope_of(const std::string& text, std::string_view type, const std::string& key = {})
{
    std::string result = R"({"cmd":"NODE_HANDLE","type":")";
    result.reserve(result.size() + type.size() + text.size() + 12);
    ((result += type) += R"(","msg":)") += text;
    if (!key.empty())
        (result += R"(,"key":)") += key_in_json(key);
    (result += '}') += '\n';
    return result;
}

/// A number of sockets; nothing when it is anything else.
std::optional<std::size_t> number_of(std::string_view json)
{
    std::size_t result = 0;
    const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), result);
    if (error != std::errc() || end != json.data() + json.size())
        return std::nullopt;
    return result;
}

} // namespace

line decode(std::string_view text)
{
    // One comes for each handle, and all senders write it alike: to parse it would cost a third of
    // what sending a handle costs this process in memory requests.
    if (text == acknowledgement_line.substr(0, acknowledgement_line.size() - 1))
        return acknowledgement{};
    if (text.starts_with('\2')) // and it wants it before ours, too
        throw protocol_error("Bun's mark (a byte 2) before an internal message: Bun's cluster is "
                             "not understood here");
    auto checked = check_json(text);
    const auto members = members_of(checked.text);
    if (!is_internal(members.cmd))
        return user_message{value(std::move(checked))};
    if (members.cmd == "\"NODE_HANDLE\"")
        return decode_envelope(members);
    if (members.cmd == "\"NODE_HANDLE_ACK\"")
        return acknowledgement{};
    if (members.cmd == "\"NODE_HANDLE_NACK\"")
        return refusal{};
    if (members.cmd == "\"NODE_REPORT\"" && !members.msg.empty())
        return report{value(json_text{std::string(members.msg)})};
    auto key = key_of(members);
    if (members.cmd == "\"NODE_SOCKET_GET_COUNT\"" && !key.empty())
        return count{std::move(key)};
    if (members.cmd == "\"NODE_SOCKET_NOTIFY_CLOSE\"" && !key.empty())
        return notify{std::move(key)};
    if (members.cmd == "\"NODE_SOCKET_COUNT\"" && !key.empty())
        return counted{std::move(key), number_of(members.count)};
    if (members.cmd == "\"NODE_SOCKET_ALL_CLOSED\"" && !key.empty())
        return all_closed{std::move(key)};
    return internal_message{value(std::move(checked))};
}

std::string encode(const value& body)
{
    return body_of(body) + '\n';
}

std::string encode(const value& body, std::string_view type, const std::string& key)
{
    return envelope_of(body_of(body), type, key);
}

std::string encode_internal(const value& body)
{
    return body.dump() + '\n';
}

std::string encode_internal(const value& body, std::string_view type)
{
    return envelope_of(body.dump(), type);
}

std::string encode_get_count(const std::string& key)
{
    return R"({"cmd":"NODE_SOCKET_GET_COUNT","key":)" + key_in_json(key) + "}\n";
}

std::string encode_notify_close(const std::string& key)
{
    return R"({"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":)" + key_in_json(key) + "}\n";
}

std::string encode_report(const value& body)
{
    return R"({"cmd":"NODE_REPORT","msg":)" + body.dump() + "}\n";
}

std::string encode_count(const std::string& key, std::size_t open)
{
    return R"({"cmd":"NODE_SOCKET_COUNT","count":)" + std::to_string(open) + R"(,"key":)" +
           in_json(key) + "}\n";
}

std::string encode_all_closed(const std::string& key)
{
    return R"({"cmd":"NODE_SOCKET_ALL_CLOSED","key":)" + in_json(key) + "}\n";
}

} // namespace ipc::wire

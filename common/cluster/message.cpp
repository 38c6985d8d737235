#include "cluster/message.hpp"

#include "ipc/error.hpp"
#include "ipc/json_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

namespace cluster {

using json = nlohmann::json;
using ordered_json = nlohmann::ordered_json;

namespace {

[[noreturn]] void refuse(const std::string& field, const json& body)
{
    throw ipc::protocol_error(
        "a cluster message whose " + field +
        " cannot be: " + ipc::quote(body.dump(-1, ' ', false, json::error_handler_t::replace)));
}

/// A member, or null: `backlog` may be false, `fd` absent, `address` null.
const json& at(const json& body, const char* field)
{
    static const json none;
    const auto found = body.find(field);
    return found == body.end() ? none : *found;
}

template<class Number>
std::optional<Number> number(const json& body, const char* field,
                             Number low = std::numeric_limits<Number>::min(),
                             Number high = std::numeric_limits<Number>::max())
{
    const auto& found = at(body, field);
    if (!found.is_number_integer())
        return std::nullopt;
    const bool fits = found.is_number_unsigned() ? std::in_range<Number>(found.get<std::uint64_t>())
                                                 : std::in_range<Number>(found.get<std::int64_t>());
    if (!fits || found.get<Number>() < low || found.get<Number>() > high)
        refuse(field, body);
    return found.get<Number>();
}

std::string text(const json& body, const char* field)
{
    const auto& found = at(body, field);
    return found.is_string() ? found.get<std::string>() : std::string();
}

bool flag(const json& body, const char* field)
{
    const auto& found = at(body, field);
    return found.is_boolean() && found.get<bool>();
}

/// Whatever number a program has given to listen(): the kernel takes what it can of it.
int backlog(const json& body)
{
    const auto& found = at(body, "backlog");
    if (!found.is_number())
        return 0;
    constexpr double most = std::numeric_limits<int>::max();
    return static_cast<int>(std::clamp(found.get<double>(), 0.0, most));
}

query read_query(const json& body)
{
    query result;
    if (const auto& address = at(body, "address"); address.is_string()) {
        result.address = address.get<std::string>();
    }
    result.port = number<int>(body, "port", -1, 65535).value_or(0);
    if (const auto& type = at(body, "addressType"); type.is_string())
        result.address_type = type.get<std::string>();
    else
        result.address_type = type.is_number_integer() ? type.dump() : "null";
    result.fd = number<int>(body, "fd");
    if (result.fd && *result.fd < 0) // what Node says of a UDP socket that has none
        result.fd.reset();
    result.ipv6_only = (number<unsigned>(body, "flags").value_or(0) & 1U) != 0; // UV_TCP_IPV6ONLY
    result.backlog = backlog(body);
    result.index = number<std::uint32_t>(body, "index").value_or(0);
    result.readable_all = flag(body, "readableAll");
    result.writable_all = flag(body, "writableAll");
    result.data = at(body, "data").dump();
    return result;
}

ordered_json begin(const char* act = nullptr)
{
    ordered_json result{{"cmd", "NODE_CLUSTER"}};
    if (act)
        result["act"] = act;
    return result;
}

ipc::value end(ordered_json body, std::uint64_t seq)
{
    body["seq"] = seq;
    return body;
}

// Numbers where Node has numbers.
ordered_json type_of(const query& server)
{
    if (server.address_type == "null")
        return nullptr;
    if (server.is_udp())
        return server.address_type;
    return std::stoi(server.address_type);
}

ipc::value about(const char* act, std::uint64_t seq, const query& server)
{
    auto body = begin(act);
    body["index"] = server.index;
    body["data"] = ordered_json::parse(server.data);
    body["address"] = server.address ? ordered_json(*server.address) : ordered_json();
    body["port"] = server.fd ? ordered_json() : ordered_json(server.port);
    body["addressType"] = type_of(server);
    if (server.fd)
        body["fd"] = *server.fd;
    body["flags"] = server.ipv6_only ? 1 : 0;
    body["backlog"] = server.backlog;
    if (server.readable_all)
        body["readableAll"] = true;
    if (server.writable_all)
        body["writableAll"] = true;
    return end(std::move(body), seq);
}

} // namespace

std::string query::key() const
{
    return address.value_or("null") + ':' + (fd ? "null" : std::to_string(port)) + ':' +
           address_type + ':' + (fd ? std::to_string(*fd) : "undefined") + ':' +
           std::to_string(index);
}

std::optional<message> read(const ipc::value& said)
{
    if (said.dump().size() > max_message)
        throw ipc::protocol_error("a cluster message of " + std::to_string(said.dump().size()) +
                                  " bytes");
    const auto& body = said.json();
    if (!body.is_object() || text(body, "cmd") != "NODE_CLUSTER")
        return std::nullopt;
    message result;
    result.seq = number<std::uint64_t>(body, "seq");
    result.ack = number<std::uint64_t>(body, "ack");
    result.act = text(body, "act");
    result.key = text(body, "key");
    result.accepted = flag(body, "accepted");
    result.error = -number<int>(body, "errno", -4095, 0).value_or(0); // as in the kernel: MAX_ERRNO
    result.ended = number<std::uint64_t>(body, "ended").value_or(0);
    result.wants_ended = flag(body, "wantsEnded");
    if (result.act == "queryServer" || result.act == "listening")
        result.server = read_query(body);
    if (const auto& name = at(body, "sockname"); name.is_object())
        result.name = {text(name, "address"), text(name, "family"),
                       number<int>(name, "port", 0, 65535).value_or(0)};
    return result;
}

ipc::value online(std::uint64_t seq)
{
    return end(begin("online"), seq);
}

ipc::value query_server(std::uint64_t seq, const query& server)
{
    return about("queryServer", seq, server);
}

ipc::value listening(std::uint64_t seq, const query& server)
{
    return about("listening", seq, server);
}

ipc::value close(std::uint64_t seq, const std::string& key)
{
    auto body = begin("close");
    body["key"] = key;
    return end(std::move(body), seq);
}

ipc::value exited_after_disconnect(std::uint64_t seq)
{
    return end(begin("exitedAfterDisconnect"), seq);
}

ipc::value accepted(std::uint64_t seq, std::uint64_t ack, bool is_accepted)
{
    auto body = begin();
    body["ack"] = ack;
    body["accepted"] = is_accepted;
    return end(std::move(body), seq);
}

ipc::value ended(std::uint64_t seq, std::uint64_t connections)
{
    auto body = begin("ended");
    body["ended"] = connections;
    return end(std::move(body), seq);
}

ipc::value answer(std::uint64_t seq, std::uint64_t ack, const server_answer& answer)
{
    auto body = begin();
    body["errno"] =
        answer.error != 0 || answer.is_shared ? ordered_json(-answer.error) : ordered_json();
    body["key"] = answer.key;
    body["ack"] = ack;
    body["data"] = ordered_json::parse(answer.data);
    if (answer.name)
        body["sockname"] = {{"address", answer.name->address},
                            {"family", answer.name->family},
                            {"port", answer.name->port}};
    if (answer.wants_ended)
        body["wantsEnded"] = true;
    return end(std::move(body), seq);
}

ipc::value acknowledge(std::uint64_t seq, std::uint64_t ack)
{
    auto body = begin();
    body["ack"] = ack;
    return end(std::move(body), seq);
}

ipc::value new_connection(std::uint64_t seq, const std::string& key)
{
    auto body = begin("newconn");
    body["key"] = key;
    return end(std::move(body), seq);
}

ipc::value disconnect(std::uint64_t seq)
{
    return end(begin("disconnect"), seq);
}

} // namespace cluster

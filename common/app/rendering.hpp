// rendering: the facts that an observer is told (observer.hpp), as events with names and fields.
// Part of events.cpp, which says where they go.
#pragma once

#include "app/printable.hpp"
#include "app/trace.hpp"
#include "net/listen.hpp"
#include "observer.hpp"

#include <nlohmann/json.hpp>

#include <asio/ip/tcp.hpp>

#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/types.h>

namespace app {

using asio::ip::tcp;
using json = nlohmann::ordered_json; // keys stay in their order
using name_call = int (*)(int, sockaddr*, socklen_t*);

// Of what somebody else has chosen: a target, a text. More of it helps nobody to see what happens.
inline constexpr std::size_t longest_text = 256; // bytes

using clock = std::chrono::steady_clock; // CLOCK_MONOTONIC

inline std::int64_t in_us(clock::duration time)
{
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

inline std::int64_t now_in_us()
{
    return in_us(clock::now().time_since_epoch());
}

// Whatever was sent: bytes that are not UTF-8 become U+FFFD.
inline std::string to_line(const json& object)
{
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

inline std::string shortened(std::string_view text)
{
    return std::string(head_of(text, longest_text));
}

// "127.0.0.1:40123", the same for both ends of a connection: an IPv4 client of a server on "::" is
// one of "::ffff:127.0.0.1" for the kernel. Null when it has no IP address, or no longer.
inline json address_of(int fd, name_call call)
{
    tcp::endpoint endpoint;
    auto length = static_cast<socklen_t>(endpoint.capacity());
    if (call(fd, endpoint.data(), &length) != 0)
        return nullptr;
    const auto family = endpoint.data()->sa_family;
    if (family != AF_INET && family != AF_INET6)
        return nullptr;
    endpoint.resize(length);
    if (const auto address = endpoint.address(); address.is_v6() && address.to_v6().is_v4_mapped())
        endpoint.address(asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()));
    return net::to_string(endpoint);
}

// ---- the living workers ------------------------------------------------------------------------

struct worker {
    std::optional<std::size_t> slot; // of a child in no pool: none
    std::uint64_t next = 0;          // the least number of its next event
};

inline std::map<pid_t, worker>& workers()
{
    static std::map<pid_t, worker> by_pid;
    return by_pid;
}

inline json slot_of(pid_t pid)
{
    const auto found = workers().find(pid);
    return found == workers().end() || !found->second.slot ? json(nullptr)
                                                           : json(*found->second.slot);
}

// ---- facts -------------------------------------------------------------------------------------

/// Gives each fact its name and its fields.
class rendering : public observer {
public:
    /// `naming`: how to ask for the client's address of a connection.
    explicit rendering(name_call naming) : naming_(naming) {}

protected:
    ~rendering() = default;

    virtual void put(std::string_view name, json fields, std::int64_t t_us) = 0;

private:
    using string = std::string;

    // A process that has no memory to say what it does goes on doing it.
    template<class Make>
    void tell(const char* name, Make fields, clock::time_point when = clock::now()) noexcept
    {
        try {
            put(name, fields(), in_us(when.time_since_epoch()));
        } catch (const std::exception&) {
        }
    }

    void line_crossed(bool outgoing, pid_t peer, std::string_view line, int fd) noexcept override
    {
        trace_line(outgoing, peer, line, fd);
    }

    void listening(int server) noexcept override
    {
        tell("listening", [&] {
            json fields{{"address", nullptr}, {"port", nullptr}, {"fd", server}};
            if (const auto where = address_of(server, ::getsockname); !where.is_null()) {
                const auto text = where.get<string>();
                const auto colon = text.rfind(':');
                fields["address"] = text.substr(0, colon);
                fields["port"] = std::stoi(text.substr(colon + 1));
            }
            return fields;
        });
    }

    void woken_in_vain() noexcept override
    {
        tell("wakeup", [] { return json{{"empty", true}}; });
    }

    void accepted(int connection, std::size_t wakeups) noexcept override
    {
        tell("accept", [&] {
            return json{{"conn", meet(connection)}, {"fd", connection}, {"wakeups", wakeups}};
        });
    }

    void connected(int connection) noexcept override
    {
        tell("connect", [&] { return json{{"conn", meet(connection)}, {"fd", connection}}; });
    }

    void shut_down(int connection) noexcept override
    {
        tell("shutdown", [&] { return json{{"conn", known(connection)}, {"fd", connection}}; });
    }

    void closing_copy(int fd) noexcept override
    {
        tell("close_copy", [&] {
            json fields = json::object();
            if (connections_.contains(fd))
                fields["conn"] = known(fd);
            fields["fd"] = fd;
            return fields;
        });
        connections_.erase(fd);
    }

    void closing(int connection, std::string_view why) noexcept override
    {
        tell("conn_closed", [&] {
            return json{{"conn", known(connection)}, {"fd", connection}, {"reason", why}};
        });
        connections_.erase(connection);
    }

    void sent(clock::time_point when, pid_t to, bool is_server, int fd,
              std::size_t bytes) noexcept override
    {
        tell(
            "send_fd",
            [&] {
                auto fields = crossing(is_server, fd);
                fields["to"] = slot_of(to);
                fields["to_pid"] = to;
                fields["bytes"] = bytes;
                return fields;
            },
            when);
    }

    void received(bool is_server, int fd, std::size_t bytes) noexcept override
    {
        tell("recv_fd", [&] {
            auto fields = crossing(is_server, fd);
            fields["bytes"] = bytes;
            return fields;
        });
    }

    void request(int connection, std::string_view method, std::string_view target) noexcept override
    {
        tell("request", [&] {
            return json{{"conn", known(connection)},
                        {"method", shortened(method)},
                        {"target", shortened(target)}};
        });
    }

    void response(int connection, unsigned status, clock::duration after) noexcept override
    {
        tell("response", [&] {
            return json{{"conn", known(connection)}, {"status", status}, {"us", in_us(after)}};
        });
    }

    void worker_up(std::size_t slot, pid_t worker) noexcept override
    {
        tell("worker_up", [&] {
            workers()[worker].slot = slot;
            return json{{"worker", slot}, {"worker_pid", worker}};
        });
    }

    void worker_exit(std::size_t slot, pid_t worker, int code, int signal) noexcept override
    {
        tell("worker_exit", [&] {
            json fields{
                {"worker", slot}, {"worker_pid", worker}, {"code", nullptr}, {"signal", nullptr}};
            const char* name = ::sigabbrev_np(signal);
            if (signal == 0)
                fields["code"] = code;
            else
                fields["signal"] = name ? "SIG" + string(name) : std::to_string(signal);
            return fields;
        });
        workers().erase(worker);
    }

    void respawn(std::size_t slot, std::chrono::milliseconds after) noexcept override
    {
        tell("respawn", [&] { return json{{"worker", slot}, {"after_ms", after.count()}}; });
    }

    json crossing(bool is_server, int fd)
    {
        json fields{{"kind", is_server ? "server" : "connection"}};
        if (!is_server)
            fields["conn"] = meet(fd);
        fields["fd"] = fd;
        return fields;
    }

    /// A number that may have been another's before. Who has gone is who it was.
    json meet(int connection)
    {
        const auto address = address_of(connection, naming_);
        if (!address.is_null() || !connections_.contains(connection))
            connections_[connection] = address;
        return connections_[connection];
    }

    json known(int connection) const
    {
        const auto found = connections_.find(connection);
        return found == connections_.end() ? json(nullptr) : found->second;
    }

    const name_call naming_;
    std::map<int, json> connections_; // by descriptor: whose they are
};

} // namespace app

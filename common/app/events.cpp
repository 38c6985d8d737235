#include "app/events.hpp"

#include "app/terminal.hpp"
#include "log.hpp"
#include "net/listen.hpp"
#include "observer.hpp"
#include "once_a_second.hpp"

#include <nlohmann/json.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace app {

using asio::ip::tcp;
using json = nlohmann::ordered_json; // keys stay in their order
using name_call = int (*)(int, sockaddr*, socklen_t*);

namespace {

constexpr int version = 1;

// Of what somebody else has chosen: a target, a text. More of it helps nobody to see what happens.
constexpr std::size_t longest_text = 256; // bytes

// A report is sent when it has grown so long, at the latest at the end of the turn.
constexpr std::size_t long_report = 16 * 1024; // bytes
constexpr std::size_t longest_report = 64 * 1024;

using clock = std::chrono::steady_clock; // CLOCK_MONOTONIC

std::int64_t in_us(clock::duration time)
{
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

std::int64_t now_in_us()
{
    return in_us(clock::now().time_since_epoch());
}

// Whatever was sent: bytes that are not UTF-8 become U+FFFD.
std::string to_line(const json& object)
{
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string shortened(std::string_view text)
{
    std::size_t size = std::min(text.size(), longest_text);
    while (size > 0 && size < text.size() && (text[size] & 0xc0) == 0x80)
        --size; // not within a character
    return std::string(text.substr(0, size));
}

// "127.0.0.1:40123", the same for both ends of a connection: an IPv4 client of a server on "::" is
// one of "::ffff:127.0.0.1" for the kernel. Null when it has no IP address, or no longer.
json address_of(int fd, name_call call)
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

std::map<pid_t, worker>& workers()
{
    static std::map<pid_t, worker> by_pid;
    return by_pid;
}

json slot_of(pid_t pid)
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

// ---- on stdout ---------------------------------------------------------------------------------

class printer final : public rendering {
public:
    explicit printer(std::string role)
        : rendering(role == "client" ? ::getsockname : ::getpeername), role_(std::move(role))
    {
    }

    void put(std::string_view name, json fields, std::int64_t t_us) override
    {
        const std::lock_guard alone(mutex_);
        put(name, fields, seq_++, t_us, pid_, role_, nullptr);
    }

    void put(std::string_view name, const json& fields, std::uint64_t seq, std::int64_t t_us,
             pid_t pid, const std::string& role, const json& slot)
    {
        json line{{"v", version}, {"seq", seq},   {"t_us", t_us}, {"pid", pid},
                  {"role", role}, {"slot", slot}, {"ev", name}};
        line.update(fields);
        const std::lock_guard alone(mutex_);
        if (!standard_output().write(to_line(line) + '\n'))
            lost_ += 1 + (name == "dropped" ? fields["count"].get<std::size_t>() : 0);
    }

    void tell_of_lost_ones()
    {
        const std::lock_guard alone(mutex_);
        if (const auto lost = std::exchange(lost_, 0); lost > 0)
            put("dropped", {{"count", lost}}, now_in_us());
    }

private:
    const std::string role_;
    const pid_t pid_ = ::getpid();

    // The thread that writes stdout tells what it has dropped. Recursive, for where there can be no
    // such thread it does so from within write().
    std::recursive_mutex mutex_;
    std::uint64_t seq_ = 0;
    std::size_t lost_ = 0; // events, and those that a lost `dropped` was about
};

printer* on_stdout = nullptr; // as stdout, to the end of the process

} // namespace

void begin_events(const std::string& role)
{
    on_stdout = new printer(role);
    observing = on_stdout;
    print_instead = [](const std::string& text) { tell("line", {{"text", text}}); };
    standard_output().on_dropped([](std::size_t) { on_stdout->tell_of_lost_ones(); });
}

void tell(std::string_view name, std::initializer_list<event_field> fields)
{
    if (!on_stdout)
        return;
    json object = json::object();
    for (const auto& field : fields)
        if (const auto* text = std::get_if<std::string>(&field.value))
            object[std::string(field.name)] = shortened(*text);
        else
            object[std::string(field.name)] = std::get<std::int64_t>(field.value);
    on_stdout->put(name, std::move(object), now_in_us());
}

// ---- reports -----------------------------------------------------------------------------------

namespace {

bool is_number(const nlohmann::json& value)
{
    return value.is_number_unsigned() && value.get<std::uint64_t>() < (std::uint64_t{1} << 53);
}

bool is_text(const nlohmann::json& value)
{
    return value.is_string() &&
           value.get_ref<const std::string&>().size() <= 3 * longest_text; // U+FFFD is three bytes
}

bool is_text_or_null(const nlohmann::json& value)
{
    return value.is_null() || is_text(value);
}

// As tests/events/schema.json has them.
bool is_connection(const nlohmann::json& value)
{
    constexpr std::size_t longest = 64; // bytes of an address and a port
    return value.is_null() ||
           (value.is_string() && value.get_ref<const std::string&>().size() <= longest);
}

bool is_port_or_null(const nlohmann::json& value)
{
    return value.is_null() || (is_number(value) && value.get<std::uint64_t>() <= 65535);
}

bool is_status(const nlohmann::json& value)
{
    return is_number(value) && value.get<std::uint64_t>() >= 100 &&
           value.get<std::uint64_t>() <= 999;
}

bool is_positive(const nlohmann::json& value)
{
    return is_number(value) && value.get<std::uint64_t>() > 0;
}

bool is_true(const nlohmann::json& value)
{
    return value.is_boolean() && value.get<bool>();
}

bool is_kind(const nlohmann::json& value)
{
    return value == "server" || value == "connection";
}

bool is_reason(const nlohmann::json& value)
{
    return value == "ended" || value == "client" || value == "timeout" || value == "broken" ||
           value == "stopped" || value == "no_worker" || value == "spent";
}

struct field {
    const char* name;
    bool (*fits)(const nlohmann::json&);
    bool may_be_missing = false;
};

// What a worker may tell.
const std::map<std::string, std::vector<field>> workers_events{
    {"listening", {{"address", is_text_or_null}, {"port", is_port_or_null}, {"fd", is_number}}},
    {"wakeup", {{"empty", is_true}}},
    {"accept", {{"conn", is_connection}, {"fd", is_number}, {"wakeups", is_number}}},
    {"recv_fd",
     {{"kind", is_kind}, {"conn", is_connection, true}, {"fd", is_number}, {"bytes", is_number}}},
    {"close_copy", {{"conn", is_connection, true}, {"fd", is_number}}},
    {"shutdown", {{"conn", is_connection}, {"fd", is_number}}},
    {"request", {{"conn", is_connection}, {"method", is_text}, {"target", is_text}}},
    {"response", {{"conn", is_connection}, {"status", is_status}, {"us", is_number}}},
    {"conn_closed", {{"conn", is_connection}, {"fd", is_number}, {"reason", is_reason}}},
    {"dropped", {{"count", is_positive}}},
};

// Throws nlohmann's exceptions, or std::invalid_argument, for what it is not.
void print_reported(pid_t pid, const nlohmann::json& told)
{
    const auto& name = told.at("ev").get_ref<const std::string&>();
    const auto known = workers_events.find(name);
    if (known == workers_events.end() || !is_number(told.at("seq")) || !is_number(told.at("t_us")))
        throw std::invalid_argument("not an event");
    const auto seq = told.at("seq").get<std::uint64_t>();
    auto& who = workers()[pid];
    if (seq < who.next)
        throw std::invalid_argument("not in its order");
    json fields = json::object();
    for (const auto& field : known->second) {
        const auto found = told.find(field.name);
        if (found == told.end() && field.may_be_missing)
            continue;
        if (found == told.end() || !field.fits(*found))
            throw std::invalid_argument("not its fields");
        fields[field.name] = *found;
    }
    who.next = seq + 1;
    on_stdout->put(name, fields, seq, told.at("t_us").get<std::int64_t>(), pid, "worker",
                   slot_of(pid));
}

} // namespace

void take_report(pid_t worker, const ipc::value& said) noexcept
{
    static once_a_second may_warn;
    try {
        if (said.dump().size() > longest_report)
            throw std::invalid_argument("too long");
        const auto& told = said.json();
        if (!told.is_array())
            throw std::invalid_argument("not an array");
        for (const auto& one : told)
            print_reported(worker, one);
    } catch (const std::exception& error) {
        try {
            if (may_warn())
                log_warning("a report of process " + std::to_string(worker) +
                            " is left out: " + error.what());
        } catch (const std::exception&) { // no memory for that either
        }
    }
}

class reporter::facts final : public rendering {
public:
    facts(asio::any_io_executor executor, ipc::channel& parent)
        : rendering(::getpeername), executor_(std::move(executor)), parent_(parent)
    {
    }

    void put(std::string_view name, json fields, std::int64_t t_us) override
    {
        json event{{"seq", seq_++}, {"t_us", t_us}, {"ev", name}};
        event.update(fields);
        if (waiting_ == 0)
            asio::post(executor_, [this, alive = std::weak_ptr(alive_)] {
                if (!alive.expired())
                    flush();
            });
        report_ += (report_.empty() ? '[' : ',') + to_line(event);
        ++waiting_;
        if (report_.size() >= long_report)
            flush();
    }

    void flush()
    {
        if (waiting_ == 0 && dropped_ == 0)
            return;
        const auto events = std::exchange(waiting_, 0);
        auto report = std::exchange(report_, {});
        if (dropped_ > 0) { // first, for it happened before
            told_of_dropped_["count"] = dropped_;
            if (report.empty())
                report = '[' + to_line(told_of_dropped_);
            else
                report.replace(0, 1, '[' + to_line(told_of_dropped_) + ',');
        }
        report += ']';
        if (parent_.report(ipc::value(ipc::json_text{std::move(report)}))) {
            dropped_ = 0;
        } else {
            dropped_ += events + (dropped_ > 0 ? 1 : 0); // what was to tell of them, too
            told_of_dropped_ = {{"seq", seq_++}, {"t_us", now_in_us()}, {"ev", "dropped"}};
        }
    }

    asio::awaitable<void> end()
    {
        co_await parent_.drained(); // so that there is room
        flush();
        co_await parent_.disconnect();
    }

private:
    const asio::any_io_executor executor_;
    ipc::channel& parent_;
    std::uint64_t seq_ = 0;
    std::string report_; // an array without its end
    std::size_t waiting_ = 0;
    std::size_t dropped_ = 0;
    json told_of_dropped_;                                   // it has the number behind theirs
    std::shared_ptr<void> alive_ = std::make_shared<char>(); // for the last flush that was posted
};

reporter::reporter(asio::any_io_executor executor, ipc::channel& parent)
    : facts_(std::make_unique<facts>(std::move(executor), parent))
{
    observing = facts_.get();
}

reporter::~reporter()
{
    observing = nullptr;
}

asio::awaitable<void> reporter::end()
{
    co_await facts_->end();
}

} // namespace app

#include "app/events.hpp"

#include "app/rendering.hpp"
#include "app/terminal.hpp"
#include "log.hpp"
#include "observer.hpp"
#include "once_a_second.hpp"

#include <nlohmann/json.hpp>

#include <asio/post.hpp>

#include <map>
#include <mutex>
#include <unistd.h>
#include <vector>

namespace app {

namespace {

constexpr int version = 1;

// A report is sent when it has grown so long, at the latest at the end of the turn.
constexpr std::size_t long_report = 16 * 1024; // bytes
constexpr std::size_t longest_report = 64 * 1024;

// ---- on stdout ---------------------------------------------------------------------------------

class printer final : public rendering {
public:
    printer(std::string role, std::string host)
        : rendering(role == "client" ? ::getsockname : ::getpeername),
          role_(std::move(role)),
          host_(std::move(host))
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
        if (!host_.empty())
            line["host"] = host_;
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
    const std::string host_;
    const pid_t pid_ = ::getpid();

    // The thread that writes stdout tells what it has dropped. Recursive, for where there can be no
    // such thread it does so from within write().
    std::recursive_mutex mutex_;
    std::uint64_t seq_ = 0;
    std::size_t lost_ = 0; // events, and those that a lost `dropped` was about
};

printer* on_stdout = nullptr; // as stdout, to the end of the process

} // namespace

void begin_events(const std::string& role, const std::string& host)
{
    on_stdout = new printer(role, host);
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

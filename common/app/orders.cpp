#include "app/orders.hpp"

#include "log.hpp"
#include "once_a_second.hpp"

#include <nlohmann/json.hpp>

#include <csignal>
#include <map>
#include <stdexcept>
#include <string>

namespace app {

namespace {

const std::map<std::string, int> signals{
    {"SIGKILL", SIGKILL}, {"SIGSTOP", SIGSTOP}, {"SIGCONT", SIGCONT}};

// Throws nlohmann's exceptions, or std::invalid_argument, for what is no order.
void carry_out(const nlohmann::json& order, const std::function<void(std::size_t, int)>& signal)
{
    const auto known = signals.find(order.at("signal").get_ref<const std::string&>());
    const auto& slot = order.at("slot");
    if (known == signals.end() || !slot.is_number_unsigned() || order.size() != 2)
        throw std::invalid_argument("not one of {\"signal\":\"SIGKILL\",\"slot\":0}");
    signal(slot.get<std::size_t>(), known->second);
}

} // namespace

asio::awaitable<void> obey(ipc::channel& parent,
                           std::function<void(std::size_t slot, int number)> signal)
{
    once_a_second may_warn;
    try {
        while (auto message = co_await parent.receive()) {
            try {
                carry_out(message->body.json(), signal);
            } catch (const std::exception& error) {
                if (may_warn())
                    log_warning(std::string("an order of the parent is left out: ") + error.what());
            }
        }
    } catch (const ipc::protocol_error& error) {
        log_warning(std::string("the parent broke the channel's protocol: ") + error.what());
    }
}

} // namespace app

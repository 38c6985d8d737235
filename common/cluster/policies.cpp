#include "cluster/least_busy.hpp"
#include "cluster/policy.hpp"
#include "cluster/round_robin.hpp"
#include "cluster/shared.hpp"

#include <utility>

namespace cluster {

std::shared_ptr<policy> make_policy(scheduling how, asio::any_io_executor executor,
                                    const query& asked, std::shared_ptr<workers::pool> pool)
{
    switch (how) {
    case scheduling::least_busy:
        return std::make_shared<least_busy>(std::move(executor), asked, std::move(pool));
    case scheduling::shared:
        return std::make_shared<shared>(std::move(executor), asked);
    case scheduling::round_robin:
        break;
    }
    return std::make_shared<round_robin>(std::move(executor), asked, std::move(pool));
}

} // namespace cluster

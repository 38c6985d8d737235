#include "workers/hand_over.hpp"

#include "workers/connection_progress.hpp"

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>

namespace workers {

namespace {

constexpr int max_looks = 50;
constexpr std::chrono::milliseconds between_looks{1};

// What the dead worker had started may hold a copy, too. It has been killed with it, and is gone in
// no time; who would be a zombie for longer holds nothing. The limit of this: a process that has
// left the group (setsid(2), setpgid(2)) is not killed, and may answer beside the next worker.
asio::awaitable<void> last_of(const ipc::child_process& worker)
{
    asio::steady_timer moment(co_await asio::this_coro::executor);
    for (int i = 0; i < max_looks && worker.has_left_others(); ++i) {
        moment.expires_after(between_looks);
        co_await moment.async_wait(asio::use_awaitable);
    }
}

} // namespace

// Who owns an unanswered connection, and what happens to it.
//
//              send                  ACK
//     main -----------> in doubt -----------> over: the worker's; our copy is closed
//      ^                  |   |
//      |  NACK four times |   | the channel ends: the worker died, broke the protocol, or was
//      |                  |   | killed because its acknowledgement was overdue
//      +---- refused <----+   |
//      |                      | not a byte of it was written
//      +----- back <----------+
//      |                      v
//      |                   orphaned: the worker may still run and hold a copy
//      |                      |
//      |                      | it finishes within the grace, or is killed; and so is its group
//      |                      v
//      |  untouched        ours alone: TCP_INFO of our copy tells what the dead one has done
//      +----- back <----------+
//                             | it had read or written
//                             v
//                           spent: closed; a second worker would answer half of it, or twice
//
// Each of several that are in doubt on one channel goes its own way. Never from "in doubt" or
// "orphaned" back to main: as long as the worker lives, it may find the connection in its queue and
// answer, and if somebody else has it too, the client is served twice.
asio::awaitable<handed> hand_over(std::shared_ptr<ipc::child_process> worker,
                                  ipc::handle& connection, ipc::value body)
{
    try {
        co_await worker->channel.send(std::move(body), connection);
        co_return handed::over;
    } catch (const ipc::channel_closed& closed) {
        if (!closed.may_have_arrived())
            co_return handed::back;
    } catch (const ipc::error&) { // it has no room for a descriptor, or reads nothing
        co_return handed::refused;
    }

    co_return co_await recover(std::move(worker), connection);
}

asio::awaitable<handed> recover(std::shared_ptr<ipc::child_process> worker,
                                const ipc::handle& connection)
{
    co_await worker->exited();
    co_await last_of(*worker);
    co_return was_touched(connection.native_handle()) ? handed::spent : handed::back;
}

} // namespace workers

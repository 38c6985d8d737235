#include "workers/hand_over.hpp"

#include "workers/connection_progress.hpp"

#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>

namespace workers {

namespace {

constexpr std::chrono::milliseconds time_to_die{50};

} // namespace

// Who owns an unanswered connection, and what happens to it.
//
//              send                  ACK
//     main -----------> in doubt -----------> over: the worker's; our copy is closed
//      ^                  |   |
//      |  NACK four times |   | the channel ends: the worker died, broke the protocol, or was
//      |                  |   | killed because its acknowledgement was overdue
//      +---- refused <----+   v
//      |                   orphaned: the worker may still run and hold a copy
//      |                      |
//      |                      | it is killed if need be, and reaped
//      |                      v
//      |  untouched        ours alone: TCP_INFO of our copy tells what the dead one has done
//      +----- back <----------+
//                             | it had read or written
//                             v
//                           spent: closed; a second worker would answer half of it, or twice
//
// Never from "in doubt" or "orphaned" back to main: as long as the worker lives, it may find the
// connection in its queue and answer, and if somebody else has it too, the client is served twice.
asio::awaitable<handed> hand_over(std::shared_ptr<ipc::child_process> worker,
                                  ipc::handle& connection, ipc::value body,
                                  std::function<void()> end_worker)
{
    try {
        co_await worker->channel.send(std::move(body), connection);
        co_return handed::over;
    } catch (const ipc::channel_closed&) {
    } catch (const ipc::error&) { // it has no room for a descriptor, or reads nothing
        co_return handed::refused;
    }

    // A worker that dies has closed its channel a moment before it is gone.
    asio::steady_timer moment(co_await asio::this_coro::executor, time_to_die);
    moment.async_wait([worker, end_worker](std::error_code cancelled) {
        if (!cancelled && worker->running())
            end_worker();
    });
    co_await worker->exited();
    co_return was_touched(connection.native_handle()) ? handed::spent : handed::back;
}

} // namespace workers

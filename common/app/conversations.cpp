#include "app/conversations.hpp"

#include "app/demo.hpp"
#include "app/terminal.hpp"
#include "ipc/error.hpp"
#include "net/error.hpp"
#include "once_a_second.hpp"

#include <asio/co_spawn.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <exception>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace app {

using asio::awaitable;

namespace {

std::size_t are_open = 0;

void warn(const char* what)
{
    static once_a_second may_warn;
    if (may_warn())
        note("[" + std::to_string(::getpid()) + "] connection: " + what);
}

} // namespace

std::size_t open_conversations() noexcept
{
    return are_open;
}

void spawn(asio::any_io_executor executor, awaitable<void> conversation)
{
    ++are_open;
    asio::co_spawn(executor, std::move(conversation), [](std::exception_ptr failure) {
        --are_open;
        try {
            if (failure)
                std::rethrow_exception(failure);
        } catch (const std::system_error& error) {
            // The client has gone, or another process has ended the connection: daily life, no
            // failure.
            if (!net::means_peer_has_gone(error.code()))
                warn(error.what());
        } catch (const ipc::channel_closed&) { // whoever watches the worker has said so
        } catch (const std::exception& error) {
            warn(error.what());
        }
    });
}

awaitable<void> delay(std::chrono::milliseconds time)
{
    if (time == time.zero())
        co_return;
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

} // namespace app

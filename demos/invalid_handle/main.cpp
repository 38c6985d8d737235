// The exception the document met: what may travel over the channel, and what may not.
//
//     child.send('http server', httpServer)
//     // An attempt was made to send an unsupported "handle" over an IPC communication channel to a
//     // child process.  [ERR_INVALID_HANDLE_TYPE]
//
// This program is both sides: it starts itself as the child, which says what it saw.
//
// Notes: chapter 04.

#include "app/demo.hpp"
#include "app/terminal.hpp"
#include "app/typed.hpp"
#include "http/server.hpp"
#include "net/connect.hpp"
#include "posix.hpp"

#include <asio/ip/udp.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <string_view>
#include <sys/epoll.h>

using asio::awaitable;
using asio::ip::tcp;
using asio::ip::udp;

namespace {

// Sends `object` with its name as the message and prints what became of it.
// [attempt]
template<class T>
awaitable<void> attempt(ipc::channel& child, const std::string& name, T&& object)
{
    try {
        ipc::handle handle = std::forward<T>(object); // the exception, if any, is thrown here
        co_await child.send(name, handle);
        const auto answer = co_await child.receive();
        app::print(name + ": sent; " + (answer ? answer->body.to_string() : "the child is gone"));
    } catch (const ipc::invalid_handle_type& error) {
        app::print(name + ": " + error.code() + ": " + error.what() + "; " + error.instead());
    }
}
// [/attempt]

awaitable<void> invalid_handle(app::demo& demo)
{
    const auto executor = demo.executor();
    std::vector<std::string> command{app::own_executable(), "child"};
    if (demo.options().json)
        command.emplace_back("--report");
    auto child = ipc::child_process::start(executor, command, demo.worker_options().channel());

    net::server server = net::listen(executor, "127.0.0.1", 0);
    const std::vector<tcp::endpoint> address{server.address()};
    tcp::socket connection = co_await net::connect(executor, address);
    http::server web(executor, [](const http::request&, http::response) {});
    asio::posix::stream_descriptor epoll(
        executor, posix::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
    unique_fd file(
        posix::check(::open(app::own_executable().c_str(), O_RDONLY | O_CLOEXEC), "open"));
    udp::socket datagrams(executor, udp::endpoint(udp::v4(), 0));

    co_await attempt(child.channel, "a connection", std::move(connection));
    co_await attempt(child.channel, "a listening server", server);
    co_await attempt(child.channel, "an HTTP server", web);
    co_await attempt(child.channel, "an epoll descriptor", epoll);
    co_await attempt(child.channel, "a regular file", std::move(file));
    co_await attempt(child.channel, "a UDP socket", datagrams);

    child.channel.close();
    co_await child.exited();
}

// process.on('message', (msg, handle) => process.send(...))
awaitable<void> child(const app::child_options&, ipc::channel& parent)
{
    while (auto message = co_await parent.receive()) {
        const auto number = std::to_string(message->handle.native_handle());
        const std::string what = message->handle.is_server()       ? "net.Server"
                                 : message->handle.is_connection() ? "net.Socket"
                                                                   : "no handle";
        co_await parent.send("the child saw a " + what + ", its descriptor " + number);
    }
}

} // namespace

int main(int argc, char** argv)
{
    if (argc > 1 && argv[1] == std::string_view("child"))
        return app::run_child(argc, argv, child);
    return app::run_demo(argc, argv,
                         {.name = "invalid_handle",
                          .about = "What can be sent to a child, and what cannot.",
                          .client = {},
                          .service = false},
                         invalid_handle);
}

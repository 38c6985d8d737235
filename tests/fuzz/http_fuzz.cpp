// The HTTP server over a socketpair: whatever a client writes, in whatever pieces, each answer is
// HTTP and the connection ends when the client ends it.
#include "http/server.hpp"

#include "fuzz/fuzz.hpp"
#include "net/epoll_instance.hpp"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <array>
#include <string>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static asio::io_context context;
    static const asio::posix::stream_descriptor reactor_opens_its_own_descriptors(
        context, ::eventfd(0, EFD_CLOEXEC));
    net::epoll_instance::of(context.get_executor()); // and there is one beside it from now on
    const auto before = fuzz::open_descriptors();
    {
        int pair[2];
        fuzz::claim(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0,
                    "a socketpair");
        unique_fd client(pair[0]);
        std::size_t handled = 0;
        http::server server(context.get_executor(),
                            [&](const http::request&, http::response response) {
                                ++handled;
                                response.end("ok");
                            },
                            {.max_header_size = 512, .max_body_size = 1024});
        std::string sent;
        std::size_t taken = 0;
        const auto take = [&](const http::request&, unique_fd socket, std::string head) {
            ++taken;
            std::array<char, 16 * 1024> buffer;
            for (ssize_t got; (got = ::recv(socket.get(), buffer.data(), buffer.size(), 0)) > 0;)
                head.append(buffer.data(), static_cast<std::size_t>(got));
            fuzz::claim(sent.ends_with(head), "what is behind the request comes once, in order");
        };
        server.on_upgrade("x", take);
        server.on_connect(take);
        server.emit_connection(unique_fd(pair[1]));

        std::string answers;
        const auto go_on = [&] {
            context.restart();
            while (context.poll() > 0) {
            }
            std::array<char, 16 * 1024> buffer;
            for (ssize_t got; (got = ::recv(client.get(), buffer.data(), buffer.size(), 0)) > 0;)
                answers.append(buffer.data(), static_cast<std::size_t>(got));
        };
        fuzz::input input(data, size);
        const std::size_t piece = std::size_t{input.byte()} * 8 + 1;
        while (!input.empty()) {
            const auto text = input.bytes(piece);
            sent += text;
            if (::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0)
                break; // it has had enough
            go_on();
        }
        ::shutdown(client.get(), SHUT_WR);
        go_on();
        go_on();
        fuzz::claim(answers.empty() || answers.starts_with("HTTP/1.1 "), "an answer is HTTP");
        const auto& counted = server.counters();
        fuzz::claim(counted.answered == handled, "each request is answered");
        fuzz::claim(counted.taken == taken && taken <= 1, "a connection leaves once");
        fuzz::claim(counted.refused <= 1, "after a refusal nothing is served");
        fuzz::claim(server.connections() == 0, "the connection ends with its client");
    }
    context.restart();
    context.poll();
    fuzz::claim(fuzz::open_descriptors() == before, "no descriptor is left");
    return 0;
}

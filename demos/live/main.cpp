// Watch it happen: a page that shows what the examples do, each mark of it a real event of a real
// process.
//
//     build/demos/live                                      choose on the page what to start
//     build/demos/socket_fanout --json | build/demos/live   watch what somebody else has started
//     build/demos/live --replay FILE                        watch what was recorded
//
// It is no example of the document's, but one of what they are for: a server whose answer never
// ends (/events), and a parent that starts others and talks to them.
//
// Notes: appendix B.

#include "http/server.hpp"
#include "live/page_server.hpp"
#include "live/program.hpp"

#include <string_view>

using asio::awaitable;

extern const std::string_view page; // what is in page/, made a string by embed.cmake

namespace {

awaitable<void> watch(live::program& program)
{
    const auto stage = program.open_stage();
    net::server server = program.listen();

    live::page_server pages(program.executor(), page, server.address().port(), stage,
                            program.log());
    http::server http(
        program.executor(),
        [&](const http::request& req, http::response res) { pages.answer(req, std::move(res)); },
        live::page_server_options());
    server.on_connection([&](net::accepted socket) { http.emit_connection(std::move(socket)); });

    program.ready(server);
    co_await program.until_stopped();

    // The demos first: what they say at their end is still shown.
    co_await stage->end();
    program.log()->end();
    server.close();
    http.close();
    co_await http.closed();
}

} // namespace

int main(int argc, char** argv)
{
    return live::run(argc, argv, watch);
}

// A server inside the test, and clients that it cannot tell from real ones. All on one thread: the
// test decides when the server runs, so that what has happened at each point is certain.
#pragma once

#include "http/server.hpp"
#include "net/listen.hpp"
#include "support/proc_fs.hpp"
#include "support/process.hpp"
#include "unique_fd.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <asio/io_context.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

namespace http_test {

using namespace std::chrono_literals;
using std::string;
using std::vector;

/// The client's end of a connection. Nothing here waits.
class client {
public:
    client() = default;
    explicit client(unique_fd fd) : fd_(std::move(fd)) {}

    /// As much as there is room for; returns what was taken.
    std::size_t send(std::string_view bytes)
    {
        const auto sent =
            ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent < 0 ? 0 : static_cast<std::size_t>(sent);
    }

    /// All that has come so far.
    const string& received()
    {
        char buffer[64 * 1024];
        while (!ended_ && !broken_) {
            const auto size = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (size > 0)
                text_.append(buffer, static_cast<std::size_t>(size));
            else if (size == 0)
                ended_ = true;
            else if (errno == EAGAIN)
                break;
            else
                broken_ = true;
        }
        return text_;
    }
    bool has_ended() { return received(), ended_; }  ///< in order, after all that was sent
    bool is_broken() { return received(), broken_; } ///< reset

    void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }
    void close() { fd_.reset(); }
    void reset()
    {
        const linger at_once{1, 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        fd_.reset();
    }
    int fd() const { return fd_.get(); }

private:
    unique_fd fd_;
    string text_;
    bool ended_ = false;
    bool broken_ = false;
};

struct reply {
    unsigned status = 0;
    string head; ///< the status line and the fields, each with its line end
    string body;
    bool has(const string& field) const { return head.find("\r\n" + field + "\r\n") != head.npos; }
};

/// Cuts what a server has said into answers. `is_head(i)`: the i-th request was HEAD.
template<class Predicate>
vector<reply> replies(std::string_view text, Predicate is_head)
{
    vector<reply> result;
    for (std::size_t i = 0; !text.empty(); ++i) {
        reply one;
        const auto end = text.find("\r\n\r\n");
        if (!text.starts_with("HTTP/1.1 ") || end == text.npos) {
            ADD_FAILURE() << "not an answer: " << text;
            break;
        }
        one.head = text.substr(0, end + 2);
        one.status = static_cast<unsigned>(std::stoul(one.head.substr(9, 3)));
        text.remove_prefix(end + 4);
        const auto length = one.head.find("\r\nContent-Length: ");
        if (one.status >= 200 && length != string::npos && !is_head(i)) {
            const auto size = std::stoul(one.head.substr(length + 18));
            EXPECT_GE(text.size(), size) << "half an answer";
            one.body = text.substr(0, size);
            text.remove_prefix(std::min(size, text.size()));
        }
        if (one.status < 200)
            --i;
        result.push_back(std::move(one));
    }
    return result;
}
inline vector<reply> replies(std::string_view text)
{
    return replies(text, [](std::size_t) { return false; });
}

/// A request without a body.
inline string get(const string& target, const string& fields = "")
{
    return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

inline std::size_t open_descriptors()
{
    return support::descriptors(::getpid()).size();
}

inline unique_fd new_socket(int domain, int type)
{
    return unique_fd(::socket(domain, type | SOCK_CLOEXEC, 0));
}

class HttpServer : public testing::Test {
protected:
    /// Answers 200 with "METHOD TARGET" as text/plain, and remembers that.
    void answer(const http::request& req, http::response res)
    {
        served.push_back(string(req.method) + " " + string(req.target));
        res.write_head(200, {{"Content-Type", "text/plain"}});
        res.end(served.back());
    }

    http::server& start(http::server_options options = {})
    {
        return start(
            [this](const http::request& req, http::response res) { answer(req, std::move(res)); },
            options);
    }
    http::server& start(http::server::request_handler handler, http::server_options options = {})
    {
        return server.emplace(context.get_executor(), std::move(handler), options);
    }

    /// A connection of this kind; the server has been given the other end.
    client connect(int type = SOCK_STREAM)
    {
        int ends[2];
        if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
        client one{unique_fd(ends[0])};
        server->emit_connection(unique_fd(ends[1]));
        return one;
    }

    /// The same over TCP: the client's end, and the one for the server, not given yet.
    std::pair<client, unique_fd> tcp_pair()
    {
        if (!listening) {
            listening = new_socket(AF_INET, SOCK_STREAM);
            sockaddr_in any{};
            any.sin_family = AF_INET;
            any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            ::bind(listening.get(), reinterpret_cast<sockaddr*>(&any), sizeof any);
            ::listen(listening.get(), SOMAXCONN);
        }
        sockaddr_in address{};
        socklen_t size = sizeof address;
        ::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &size);
        auto fd = new_socket(AF_INET, SOCK_STREAM);
        if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0)
            throw std::system_error(errno, std::generic_category(), "connect");
        return {client(std::move(fd)),
                unique_fd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC))};
    }
    client connect_tcp()
    {
        auto [one, other] = tcp_pair();
        server->emit_connection(std::move(other));
        return std::move(one);
    }

    /// Runs the server until there is nothing to do at this moment; returns how many handlers ran.
    std::size_t settle()
    {
        std::size_t total = 0;
        for (std::size_t ran = 1; ran > 0; total += ran) {
            context.restart();
            ran = context.poll();
        }
        return total;
    }

    /// Runs it until the condition holds; a failing test waits long.
    void run_until(const std::function<bool()>& condition)
    {
        const auto limit = std::chrono::steady_clock::now() + support::patient(support::a_while);
        while (!condition()) {
            ASSERT_LT(std::chrono::steady_clock::now(), limit) << "it does not happen";
            context.restart();
            context.run_one_for(5ms);
        }
    }
    /// To be called again and again: sends a byte now and then, and not as fast as it can. A fast
    /// machine would come to the end of the message, or to a limit on its size, before the timeout.
    void drip(client& slow)
    {
        const auto now = std::chrono::steady_clock::now();
        if (now < next_drop_)
            return;
        next_drop_ = now + 5ms;
        slow.send("x");
    }
    void run_for(std::chrono::milliseconds time)
    {
        context.restart();
        context.run_for(time);
    }

    asio::io_context context{1};
    vector<string> served;
    std::optional<http::server> server;
    unique_fd listening;

private:
    std::chrono::steady_clock::time_point next_drop_{};
};

} // namespace http_test

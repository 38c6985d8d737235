// A worker that fails in the way it is told, once it has been given a connection; it never
// acknowledges one.
//
//     faulty_child die|read|write|hang_up|garbage|hang|endless
#include "ipc/descriptor_message.hpp"

#include <array>
#include <cstring>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace {

constexpr int channel = 3;

void wait_readable(int fd)
{
    pollfd event{fd, POLLIN, 0};
    ::poll(&event, 1, -1);
}

void stay_for_ever()
{
    for (;;)
        ::pause();
}

} // namespace

int main(int, char** argv)
{
    const std::string_view how = argv[1];
    std::vector<unique_fd> given;
    std::array<char, 4096> buffer;
    while (given.empty()) {
        wait_readable(channel);
        if (ipc::receive_bytes(channel, buffer, given).end)
            return 0;
    }
    const int connection = given.front().get();
    if (how == "read") {
        wait_readable(connection);
        (void)!::read(connection, buffer.data(), 40);
    } else if (how == "write") {
        (void)!::write(connection, "twelve bytes", 12);
    } else if (how == "hang_up") {
        ::close(channel);
        stay_for_ever();
    } else if (how == "garbage") {
        (void)!::write(channel, "not json\n", 9);
        stay_for_ever();
    } else if (how == "endless") {
        std::memset(buffer.data(), 'x', buffer.size());
        for (std::size_t sent = 0; sent < 100'000'000;) {
            const auto size = ::send(channel, buffer.data(), buffer.size(), MSG_NOSIGNAL);
            if (size < 0)
                return 1; // cut off
            sent += static_cast<std::size_t>(size);
        }
        stay_for_ever();
    } else if (how == "hang") {
        stay_for_ever();
    }
    ::_exit(9);
}

#include "support/pseudo_terminal.hpp"

#include <cerrno>
#include <fcntl.h>
#include <pty.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <system_error>
#include <termios.h>
#include <unistd.h>

namespace support {

pseudo_terminal::pseudo_terminal(std::uint16_t columns)
{
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::openpty(&master_, &slave_, nullptr, nullptr, &size) != 0)
        throw std::system_error(errno, std::generic_category(), "openpty");
    termios raw{};
    ::tcgetattr(slave_, &raw);
    ::cfmakeraw(&raw);
    ::tcsetattr(slave_, TCSANOW, &raw);
    for (const int fd : {master_, slave_})
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(master_, F_SETFL, O_NONBLOCK);
}

pseudo_terminal::~pseudo_terminal()
{
    ::close(master_);
    ::close(slave_);
}

void pseudo_terminal::stop_output()
{
    ::tcflow(slave_, TCOOFF);
}

void pseudo_terminal::go_on()
{
    ::tcflow(slave_, TCOON);
}

const std::string& pseudo_terminal::read_until(std::string_view part, milliseconds limit)
{
    const auto found = [&] {
        read_available();
        return text_.find(part) != std::string::npos;
    };
    if (!eventually(found, limit))
        throw std::runtime_error("no \"" + std::string(part) + "\" on the terminal, but:\n" +
                                 text_);
    return text_;
}

const std::string& pseudo_terminal::text()
{
    read_available();
    return text_;
}

void pseudo_terminal::read_available()
{
    char buffer[4096];
    for (ssize_t size = 0; (size = ::read(master_, buffer, sizeof buffer)) > 0;)
        text_.append(buffer, static_cast<std::size_t>(size));
}

} // namespace support

#include "support/pseudo_terminal.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <pty.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <system_error>
#include <termios.h>
#include <unistd.h>
#include <utility>

namespace support {

pseudo_terminal::pseudo_terminal(std::uint16_t columns)
{
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::openpty(&master_, &slave_, nullptr, nullptr, &size) != 0)
        throw std::system_error(errno, std::generic_category(), "openpty");
    termios raw{};
    ::tcgetattr(slave_, &raw);
    ::cfmakeraw(&raw);
    raw.c_lflag |= ISIG;
    ::tcsetattr(slave_, TCSANOW, &raw);
    for (const int fd : {master_, slave_})
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(master_, F_SETFL, O_NONBLOCK);
}

pseudo_terminal::~pseudo_terminal()
{
    close();
}

std::string pseudo_terminal::name() const
{
    char name[64];
    if (::ptsname_r(master_, name, sizeof name) != 0)
        throw std::system_error(errno, std::generic_category(), "ptsname");
    return name;
}

void pseudo_terminal::type(std::string_view keys)
{
    if (::write(master_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
        throw std::system_error(errno, std::generic_category(), "typing");
}

void pseudo_terminal::close()
{
    read_available();
    for (int* fd : {&master_, &slave_})
        if (*fd >= 0)
            ::close(std::exchange(*fd, -1));
}

void pseudo_terminal::stop_background_writers()
{
    termios settings{};
    ::tcgetattr(slave_, &settings);
    settings.c_lflag |= TOSTOP;
    ::tcsetattr(slave_, TCSANOW, &settings);
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

std::string pseudo_terminal::line_with(std::string_view part)
{
    read_until(part);
    const auto at = text_.find(part);
    const auto begin = text_.rfind('\n', at) + 1;
    const auto ended = [&] {
        read_available();
        return text_.find('\n', at) != std::string::npos;
    };
    if (!eventually(ended))
        throw std::runtime_error("a line without an end: " + text_.substr(begin));
    return text_.substr(begin, text_.find('\n', at) - begin);
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

// What a system call's error means, whoever reported it.
#pragma once

#include <asio/error.hpp>

#include <system_error>

namespace net {

/// Is `error` this errno? Asio 1.22 reports system errors in a category of its own, which std::errc
/// does not match; our own calls report them in the standard one.
inline bool means(const std::error_code& error, std::errc condition) noexcept
{
    return error == condition || (error.category() == asio::error::get_system_category() &&
                                  error.value() == static_cast<int>(condition));
}

/// The other side of a connection has ended it: ECONNRESET, EPIPE.
inline bool means_peer_has_gone(const std::error_code& error) noexcept
{
    return means(error, std::errc::connection_reset) || means(error, std::errc::broken_pipe);
}

} // namespace net

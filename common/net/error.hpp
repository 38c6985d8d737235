// What a system call's error means, whoever reported it.
#pragma once

#include "posix.hpp"

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

/// It is this machine that refuses, whomever we want to reach: out of descriptors or memory, or a
/// kernel or a sandbox that does not let us make the call.
inline bool means_refused_here(const std::error_code& error) noexcept
{
    return means(error, std::errc::function_not_supported) ||
           means(error, std::errc::operation_not_permitted) || posix::out_of_resources(error);
}

/// The other side of a connection has ended it: ECONNRESET, EPIPE.
inline bool means_peer_has_gone(const std::error_code& error) noexcept
{
    return means(error, std::errc::connection_reset) || means(error, std::errc::broken_pipe);
}

} // namespace net

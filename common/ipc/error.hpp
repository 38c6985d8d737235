// Errors of the channel, with Node's codes and texts where Node has them (Node manual, "Errors").
#pragma once

#include <stdexcept>
#include <string>

namespace ipc {

class error : public std::runtime_error {
public:
    error(std::string code, const std::string& text)
        : std::runtime_error(text), code_(std::move(code))
    {
    }

    /// For example "ERR_IPC_CHANNEL_CLOSED"; what() is the text alone.
    const std::string& code() const noexcept { return code_; }

private:
    std::string code_;
};

/// Thrown before a byte is written when something other than a connection or a listening server is
/// to be sent.
class invalid_handle_type : public error {
public:
    /// `passed` names what it was, `instead` says what to send.
    invalid_handle_type(std::string passed, std::string instead)
        : error("ERR_INVALID_HANDLE_TYPE", "This handle type cannot be sent"),
          passed_(std::move(passed)),
          instead_(std::move(instead))
    {
    }

    const std::string& passed() const noexcept { return passed_; }
    const std::string& instead() const noexcept { return instead_; }

private:
    std::string passed_;
    std::string instead_;
};

/// The channel ended before the message was written, or before its handle was acknowledged.
class channel_closed : public error {
public:
    explicit channel_closed(bool may_have_arrived = false)
        : error("ERR_IPC_CHANNEL_CLOSED", "Channel closed"), may_have_arrived_(may_have_arrived)
    {
    }

    /// False when not a byte of it was written: the peer has never had the handle.
    bool may_have_arrived() const noexcept { return may_have_arrived_; }

private:
    bool may_have_arrived_;
};

/// The peer said four times that the handle did not arrive (its descriptor table is full, say).
/// Node emits a process warning of this name and closes the connection; here the sender keeps it.
class handle_not_received : public error {
public:
    handle_not_received()
        : error("SentHandleNotReceivedWarning",
                "Handle did not reach the receiving process correctly")
    {
    }
};

/// More is waiting to be written than the channel is willing to hold.
class queue_full : public error {
public:
    queue_full() : error("ERR_IPC_QUEUE_FULL", "too much is waiting to be sent") {}
};

/// The peer broke the protocol; the channel has been closed. what() quotes the first bytes.
class protocol_error : public error {
public:
    explicit protocol_error(const std::string& text) : error("ERR_IPC_PROTOCOL", text) {}
};

} // namespace ipc

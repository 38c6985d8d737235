// unique_fd: the one owner of a file descriptor.
//
// A descriptor number is an index into this process's table; the kernel's socket behind it lives
// until the last number, in any process, is closed (dup(2), unix(7)). Programs that pass
// descriptors around leak or double-close them unless each number has exactly one owner at every
// moment: this type is it.
#pragma once

#include <unistd.h>
#include <utility>

class unique_fd {
public:
    unique_fd() noexcept = default;

    /// Takes ownership of `fd`; a negative number means "none".
    explicit unique_fd(int fd) noexcept : fd_(fd) {}

    unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    unique_fd& operator=(unique_fd&& other) noexcept
    {
        if (this != &other)
            reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~unique_fd() { reset(); }

    /// The number, still owned here; -1 when empty.
    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }

    /// Gives ownership to the caller.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    /// Closes what is owned and takes `fd`. close(2) is never retried: on Linux the number is free
    /// even when close reports EINTR, and a second close could hit somebody else's descriptor.
    void reset(int fd = -1) noexcept
    {
        if (const int old = std::exchange(fd_, fd); old >= 0)
            ::close(old);
    }

private:
    int fd_ = -1;
};

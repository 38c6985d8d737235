// What callers of system calls share.
#include "posix.hpp"

#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <set>
#include <sys/eventfd.h>
#include <unistd.h>

namespace {

bool has_flag(int fd, int get, int flag)
{
    return (::fcntl(fd, get) & flag) != 0;
}

TEST(Posix, AFailedCallIsNamedInItsException)
{
    try {
        posix::check(::close(-1), "close");
        FAIL() << "did not throw";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::bad_file_descriptor);
        EXPECT_STREQ(error.what(), "close: Bad file descriptor");
    }
    EXPECT_EQ(posix::check(7, "a call that has not failed"), 7);
}

TEST(Posix, RepeatsACallUntilNoSignalInterruptsIt)
{
    int calls = 0;
    EXPECT_EQ(posix::retry([&]() -> ssize_t {
                  errno = EINTR;
                  return ++calls < 3 ? -1 : 42;
              }),
              42);
    EXPECT_EQ(calls, 3);

    calls = 0;
    EXPECT_EQ(posix::retry([&] {
                  ++calls;
                  errno = EBADF;
                  return -1;
              }),
              -1);
    EXPECT_EQ(calls, 1) << "any other failure is the caller's business";
    EXPECT_EQ(errno, EBADF);
}

TEST(Posix, KnowsTheWantOfResourcesFromAllOtherErrors)
{
    const std::set<int> want{EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC, ETOOMANYREFS, EAGAIN};
    for (int error = 0; error < 200; ++error) {
        EXPECT_EQ(posix::out_of_resources({error, std::generic_category()}), want.contains(error))
            << error;
        for (const auto* category : {&std::system_category(), &asio::error::get_system_category()})
            EXPECT_EQ(posix::out_of_resources({error, *category}), want.contains(error))
                << error << " in " << category->name();
    }
    EXPECT_FALSE(posix::out_of_resources({EMFILE, std::iostream_category()}));
}

TEST(Posix, SetsOneFlagAndLeavesTheOthers)
{
    unique_fd fd(::eventfd(0, 0));
    posix::set_close_on_exec(fd.get());
    EXPECT_TRUE(has_flag(fd.get(), F_GETFD, FD_CLOEXEC));
    EXPECT_FALSE(has_flag(fd.get(), F_GETFL, O_NONBLOCK));
    posix::set_non_blocking(fd.get());
    posix::set_non_blocking(fd.get());
    EXPECT_TRUE(has_flag(fd.get(), F_GETFL, O_NONBLOCK));
    EXPECT_TRUE(has_flag(fd.get(), F_GETFL, O_RDWR));
    EXPECT_THROW(posix::set_non_blocking(-1), std::system_error);
    EXPECT_THROW(posix::set_close_on_exec(-1), std::system_error);
}

TEST(Posix, ADuplicateIsAnotherNumberForTheSameFile)
{
    unique_fd one(::eventfd(3, EFD_NONBLOCK));
    const unique_fd two = posix::duplicate(one.get());
    EXPECT_NE(one.get(), two.get());
    EXPECT_TRUE(has_flag(two.get(), F_GETFD, FD_CLOEXEC));
    one.reset();
    eventfd_t value = 0;
    EXPECT_EQ(::eventfd_read(two.get(), &value), 0);
    EXPECT_EQ(value, 3U);
    EXPECT_THROW((void)posix::duplicate(-1), std::system_error);
}

TEST(Posix, ADescriptorThatAsioCannotTakeStaysWithItsOwner)
{
    asio::io_context context;
    asio::posix::stream_descriptor descriptor(context);
    unique_fd fd(::eventfd(0, EFD_NONBLOCK));
    const int number = fd.get();
    posix::assign(descriptor, fd);
    EXPECT_FALSE(fd);
    EXPECT_EQ(descriptor.native_handle(), number);

    unique_fd second(::eventfd(0, EFD_NONBLOCK));
    EXPECT_THROW(posix::assign(descriptor, second), std::system_error) << "it has one already";
    EXPECT_TRUE(second);
}

} // namespace

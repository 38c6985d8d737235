// What the kernel says about a process, from /proc (proc(5)).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <sys/types.h>
#include <vector>

namespace support {

/// Is there such a process, and has it not ended yet? A zombie has.
bool runs(pid_t pid);
bool is_zombie(pid_t pid);
bool is_stopped(pid_t pid); ///< by SIGSTOP
bool sleeps(pid_t pid);     ///< waits for something

/// Does a thread of the process wait in write(2) to this descriptor?
bool waits_in_write(pid_t pid, int fd);

/// What it has used of the processor so far.
std::chrono::nanoseconds cpu_time(pid_t pid);

std::vector<pid_t> children(pid_t pid);
std::set<pid_t> threads(pid_t pid); ///< the first has the process's own number
std::string command_line(pid_t pid);

/// Descriptor numbers and what they are: "/dev/null", "socket:[4711]", "anon_inode:[eventpoll]".
/// Empty when there is no such process.
std::map<int, std::string> descriptors(pid_t pid);

/// The numbers alone, once they are the `awaited` ones; else those that there are in the end. A
/// program that has just begun has others for a moment: its loader reads libraries.
std::set<int> descriptor_numbers(pid_t pid, const std::set<int>& awaited);

/// What those above 2 are, and how many of each: "socket", "pipe", "anon_inode:[eventpoll]",
/// "/dev/null".
std::map<std::string, std::size_t> descriptor_kinds(pid_t pid);

/// The value of a line in /proc/PID/status, "SigBlk" for example.
std::string status_field(pid_t pid, const std::string& name);

/// Is the descriptor closed by exec?
bool is_close_on_exec(pid_t pid, int fd);

/// The listening TCP socket of a port (there must be one), as descriptors() calls it.
std::string listening_socket(std::uint16_t port);

/// What waits in the kernel for whoever serves this port: connections to be accepted, bytes to be
/// read.
std::size_t unread_bytes(std::uint16_t port);

/// The first of these alone.
std::size_t unaccepted_connections(std::uint16_t port);

/// Connections accepted on this port that some process still holds.
std::size_t open_connections(std::uint16_t port);

/// The same, as descriptors() calls them.
std::vector<std::string> connections(std::uint16_t port);

bool holds(pid_t pid, const std::string& socket);

/// Is the socket registered with an epoll of this process, be it that its descriptor here is long
/// closed?
bool epoll_watches(pid_t pid, const std::string& socket);

/// Registrations with an epoll of this process whose descriptor here is closed, or something else
/// by now: the kernel keeps them as long as another process has a copy of what they were for.
std::size_t epoll_ghosts(pid_t pid);

} // namespace support

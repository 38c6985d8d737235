// How many of the sockets that the peer has given us are still open here: what Node's
// server.getConnections() and server.close() ask in the process that accepted them.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

namespace ipc {

/// Counts per key; a key names, as the peer likes, the server that accepted the socket. A key is
/// forgotten when its last socket has closed, so there are never more keys than open sockets, and a
/// key that was never seen is one with no socket open.
class socket_counts {
public:
    /// A socket with this key is open here.
    void opened(const std::string& key) { ++sockets_[key].open; }

    /// It has been closed. True when it was the last one and the peer wants to be told.
    bool closed(const std::string& key)
    {
        const auto found = sockets_.find(key);
        if (found == sockets_.end() || --found->second.open > 0)
            return false;
        const bool tell = found->second.tell;
        sockets_.erase(found);
        return tell;
    }

    std::size_t open(const std::string& key) const
    {
        const auto found = sockets_.find(key);
        return found == sockets_.end() ? 0 : found->second.open;
    }

    /// The peer wants to be told when all are closed. True when they are; else closed() will say it
    /// once, however often the peer has asked.
    bool all_closed_or_tell(const std::string& key)
    {
        const auto found = sockets_.find(key);
        if (found != sockets_.end())
            found->second.tell = true;
        return found == sockets_.end();
    }

    std::size_t keys() const noexcept { return sockets_.size(); }

private:
    struct sockets {
        std::size_t open = 0;
        bool tell = false;
    };
    std::unordered_map<std::string, sockets> sockets_;
};

} // namespace ipc

// What the processes of a cluster say to each other, without a channel: Node's NODE_CLUSTER
// messages, read and written.
//
// Source: Node's lib/internal/cluster/*.js; the fields as they stand on the wire. Notes: chapter
// 09.
#pragma once

#include "ipc/value.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace cluster {

/// The longest of these messages, in bytes of JSON. Node's have some hundred.
inline constexpr std::size_t max_message = 64 * 1024;

/// The server that a worker asks its primary for (queryServer), and has got (listening). The same
/// address, port, type, descriptor and index from two workers mean the same listening socket.
struct query {
    std::optional<std::string> address{}; ///< an IP address, a Unix path, or all interfaces
    int port = 0;                         ///< 0: any; -1: `address` is a path
    std::string address_type = "4";       ///< "4", "6", "-1" (path), "udp4", "udp6", or "null" (fd)
    std::optional<int> fd{};              ///< a descriptor number of the primary
    bool ipv6_only = false;
    int backlog = 0;           ///< 0: the default
    std::uint32_t index = 0;   ///< how many of these the worker has asked for before
    bool readable_all = false; ///< a path that everybody may connect to
    bool writable_all = false;
    std::string data = "null"; ///< JSON; TLS ticket keys, which all workers must have in common

    bool is_path() const { return port == -1; }
    bool is_udp() const { return address_type.starts_with("udp"); }

    /// "127.0.0.1:8888:4:undefined:0"
    std::string key() const;
};

/// Where a socket listens, as the answer to queryServer says it.
struct socket_name {
    std::string address;
    std::string family; ///< "IPv4", "IPv6"
    int port = 0;
};

/// One message, read. Fields that it does not have are as they are here.
struct message {
    std::optional<std::uint64_t> seq;
    std::optional<std::uint64_t> ack; ///< the `seq` of the question that this answers
    std::string act;                  ///< "online", "queryServer", ...; empty in an answer
    std::string key;
    bool accepted = false;    ///< the answer to newconn
    int error = 0;            ///< an errno, positive: the answer to queryServer
    std::uint64_t ended = 0;  ///< how many connections have ended (our own workers only)
    bool wants_ended = false; ///< the primary wants to hear of that
    query server;
    std::optional<socket_name> name;
};

/// Reads one; nullopt for what is none of these, NODE_DEBUG_ENABLED say. Throws ipc::protocol_error
/// for one that no correct peer sends: too long, or with a field that cannot be.
std::optional<message> read(const ipc::value& body);

// ---- a worker's ---------------------------------------------------------------------------------

ipc::value online(std::uint64_t seq);
ipc::value query_server(std::uint64_t seq, const query& server);
ipc::value listening(std::uint64_t seq, const query& server);
ipc::value close(std::uint64_t seq, const std::string& key);
ipc::value exited_after_disconnect(std::uint64_t seq);
ipc::value accepted(std::uint64_t seq, std::uint64_t ack, bool is_accepted);

/// So many of this worker's connections have ended since it began. An act of ours, which only a
/// primary hears that has asked for it.
ipc::value ended(std::uint64_t seq, std::uint64_t connections);

// ---- the primary's ------------------------------------------------------------------------------

/// What becomes of a query. With a descriptor beside it (shared), `error` is 0 on the wire when all
/// is well, without one (round robin) it is null.
struct server_answer {
    int error = 0; ///< an errno, positive
    std::string key;
    std::string data = "null";
    std::optional<socket_name> name{};
    bool is_shared = false;
    bool wants_ended = false;
};
ipc::value answer(std::uint64_t seq, std::uint64_t ack, const server_answer& answer);
ipc::value acknowledge(std::uint64_t seq, std::uint64_t ack);
ipc::value new_connection(std::uint64_t seq, const std::string& key);
ipc::value disconnect(std::uint64_t seq);

} // namespace cluster

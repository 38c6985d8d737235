// What we ask the peer about the sockets that it has got from us: the other side of socket_counts.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ipc {

/// Questions of one kind, each about a key. An answer repeats the key and does not say which
/// question it belongs to: so of each key one is under way at a time, and who asks meanwhile has
/// the answer to the next one, which is sent then. It speaks of all that was sent before the
/// asking.
///
///     nothing --ask--> under way --ask--> under way, and the next is wanted
///        ^                |  ^                |
///        +-----answer-----+  +-----answer-----+  (which sends the next)
class socket_questions {
public:
    struct answer {
        bool has_come = false;
        std::size_t open = 0; ///< how many sockets
    };

    /// Asks; let go of the result to give up. `send(key)` writes the question, now or later; what
    /// it throws now comes out of here, and nothing has been asked.
    template<class Send>
    std::shared_ptr<const answer> ask(const std::string& key, Send send)
    {
        auto asked = std::make_shared<answer>();
        const auto found = keys_.find(key);
        if (found == keys_.end()) {
            send(key);
            keys_[key].now.push_back(asked);
        } else {
            std::erase_if(found->second.next, [](const auto& one) { return one.expired(); });
            found->second.next.push_back(asked);
        }
        return asked;
    }

    /// Is a question about `key` under way?
    bool is_asked(const std::string& key) const { return keys_.contains(key); }

    /// The peer has answered: `open` sockets. If nobody has asked, nothing happens.
    template<class Send>
    void take(const std::string& key, std::size_t open, Send send)
    {
        const auto found = keys_.find(key);
        if (found == keys_.end())
            return;
        for (const auto& one : found->second.now)
            if (const auto asked = one.lock())
                *asked = {true, open};
        found->second.now = std::exchange(found->second.next, {});
        std::erase_if(found->second.now, [](const auto& one) { return one.expired(); });
        if (found->second.now.empty())
            keys_.erase(found);
        else
            send(key);
    }

    std::size_t keys() const noexcept { return keys_.size(); }

private:
    struct askers {
        std::vector<std::weak_ptr<answer>> now, next;
    };
    std::unordered_map<std::string, askers> keys_;
};

} // namespace ipc

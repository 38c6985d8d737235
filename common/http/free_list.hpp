// free_list: things that cost an allocation to make, kept for whoever needs the next one.
//
// A connection needs a parser while a request arrives, and a buffer while an answer leaves. It
// borrows them from such a list, so that thousands of idle connections need none.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace http {

template<class T>
class free_list {
public:
    /// What the list keeps at most: so many, and none larger than that.
    static constexpr std::size_t max_kept = 64;
    static constexpr std::size_t max_memory = 64 * 1024;

    /// One that was given back, else a new one from `make()`.
    template<class Make>
    T take(Make make)
    {
        if (kept_.empty())
            return make();
        T taken = std::move(kept_.back());
        kept_.pop_back();
        return taken;
    }

    /// It must be ready for the next user. `memory`: the bytes it holds on to.
    void give_back(T given, std::size_t memory)
    {
        if (kept_.size() < max_kept && memory <= max_memory)
            kept_.push_back(std::move(given));
    }

private:
    std::vector<T> kept_;
};

} // namespace http

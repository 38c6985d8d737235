// What the fuzz targets share: a claim that ends the process when it is wrong, and input taken
// apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string_view>

namespace fuzz {

inline void claim(bool holds, const char* what)
{
    if (holds)
        return;
    std::fprintf(stderr, "not true: %s\n", what);
    std::abort();
}

/// The fuzzer's bytes, in pieces that its own bytes decide.
class input {
public:
    input(const std::uint8_t* data, std::size_t size)
        : rest_(reinterpret_cast<const char*>(data), size)
    {
    }

    bool empty() const { return rest_.empty(); }

    /// 0 when there is none left.
    std::uint8_t byte()
    {
        return rest_.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes(1)[0]);
    }

    std::string_view bytes(std::size_t most)
    {
        const auto taken = rest_.substr(0, most);
        rest_.remove_prefix(taken.size());
        return taken;
    }

private:
    std::string_view rest_;
};

inline std::size_t open_descriptors()
{
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all))) - 1;
}

} // namespace fuzz

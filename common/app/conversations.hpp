// conversations: what spawn() (app/demo.hpp) has begun, for whoever ends and lets them end first.
#pragma once

#include <chrono>
#include <cstddef>

namespace app {

/// How long they may take then.
constexpr std::chrono::seconds drain_limit{2};

/// Begun and not ended.
std::size_t open_conversations() noexcept;

} // namespace app

#pragma once
// How a test waits for what another thread or process does: it looks again and again, up to a limit that only what
// hangs meets. Both may be called from any thread.

#include <algorithm>
#include <chrono>
#include <functional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <thread>

namespace stele::tests {

/// False if it does not hold within the limit.
[[nodiscard]] inline bool eventually(const std::function<bool()>& holds,
                                     std::chrono::seconds limit = std::chrono::minutes(1)) {
  using namespace std::chrono_literals;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (std::chrono::microseconds pause = 50us; !holds(); pause = std::min<std::chrono::microseconds>(2 * pause, 5ms)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(pause);
  }
  return true;
}

/// Throws if it does not hold within a minute, and names the line that waits: for helpers, where a failed assertion
/// would name theirs.
inline void wait_until(const std::function<bool()>& holds,
                       const std::source_location& where = std::source_location::current()) {
  if (eventually(holds)) return;
  throw std::runtime_error(std::string("waited a minute in vain: ") + where.file_name() + ":" +
                           std::to_string(where.line()));
}

}  // namespace stele::tests

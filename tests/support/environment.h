#pragma once
// What the environment asks of long tests.

#include <cstdint>
#include <cstdlib>

namespace stele::test {

/// The number that the environment variable holds, or `otherwise`.
[[nodiscard]] inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace stele::test

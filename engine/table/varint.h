#pragma once
// Unsigned integers in 7-bit groups, least significant first (LEB128): 1 byte below 128, at most 10.

#include <cstdint>
#include <string>
#include <string_view>

namespace stele {

inline constexpr std::size_t kVarintBytesMax = 10;

/// Writes to `to`, which has room for kVarintBytesMax, and returns how many bytes it took.
inline std::size_t put_varint_at(char* to, std::uint64_t value) {
  std::size_t n = 0;
  for (; value >= 0x80; value >>= 7) to[n++] = static_cast<char>(value | 0x80);
  to[n++] = static_cast<char>(value);
  return n;
}

inline void put_varint(std::string& to, std::uint64_t value) {
  char bytes[kVarintBytesMax];
  to.append(bytes, put_varint_at(bytes, value));
}

/// Takes one from the front of `from`; false if it ends too early or is too long.
[[nodiscard]] inline bool take_varint(std::string_view& from, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < from.size() && i < kVarintBytesMax; ++i) {
    const auto byte = static_cast<std::uint8_t>(from[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
    if ((byte & 0x80) == 0) {
      from.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

}  // namespace stele

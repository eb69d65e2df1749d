#pragma once
// Finds where plain text ends, eight bytes at a time: most strings of a request are plain from end to end, and looking at each byte by
// itself was a fifth of the time spent on parsing and writing them.

#include <cstdint>
#include <cstring>

namespace stele::api {

/// The first byte in [at, end) that is a quote, a backslash, a control character (below 0x20, or 0x7F) or not ASCII; `end` if
/// none is.
[[nodiscard]] inline const char* end_of_plain(const char* at, const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL, kHighs = 0x8080808080808080ULL;
  // Each term sets the high bit of the bytes that are not plain ("Determine if a word has a byte less than n", Anderson, Bit
  // Twiddling Hacks). A borrow may also set that of a byte behind such a one, never of one before it, so the first is exact.
  const auto equals = [](std::uint64_t word, unsigned char byte) {
    const std::uint64_t difference = word ^ (kOnes * byte);
    return (difference - kOnes) & ~difference;
  };
  while (end - at >= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    const std::uint64_t below_space = (word - kOnes * 0x20) & ~word;
    const std::uint64_t special =
        (word | below_space | equals(word, '"') | equals(word, '\\') | equals(word, 0x7F)) & kHighs;
    if (special != 0) return at + (__builtin_ctzll(special) >> 3);
    at += 8;
  }
  for (; at < end; ++at) {
    const auto c = static_cast<unsigned char>(*at);
    if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\') break;
  }
  return at;
}

}  // namespace stele::api

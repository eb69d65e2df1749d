#pragma once
// SHA-256 (FIPS 180-4, OpenSSL) for leaves and bodies, XXH3-64 (xxHash) for checksums.

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "engine/base/ids.h"

namespace stele {

/// SHA-256 of the concatenated parts. Any thread; allocates nothing after the thread's first call.
[[nodiscard]] Digest sha256(std::initializer_list<std::string_view> parts);

/// XXH3-64 with seed 0 of the concatenated parts.
[[nodiscard]] std::uint64_t xxh3(std::string_view bytes);
[[nodiscard]] std::uint64_t xxh3(std::string_view first, std::string_view second);

/// XXH3-64 with seed 0 of bytes that come in pieces.
class Xxh3 {
 public:
  Xxh3();
  ~Xxh3();
  Xxh3(const Xxh3&) = delete;
  Xxh3& operator=(const Xxh3&) = delete;
  void add(std::string_view bytes);
  [[nodiscard]] std::uint64_t value() const;

 private:
  void* state_;
};

[[nodiscard]] inline std::string_view as_bytes(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace stele

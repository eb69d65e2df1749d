#include "engine/base/keyed_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/base/uuid.h"

namespace stele {

std::uint64_t hash_seed() {
  static const std::uint64_t seed = [] {
    std::uint64_t random = 0;
    random_bytes(&random, sizeof random);
    return random;
  }();
  return seed;
}

std::uint64_t keyed_hash(std::string_view bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), hash_seed());
}

std::uint64_t keyed_hash(const Uuid& uuid) {
  return XXH3_64bits_withSeed(uuid.bytes.data(), uuid.bytes.size(), hash_seed());
}

}  // namespace stele

#pragma once
// Hashes for tables in memory whose keys are chosen by clients: seeded anew in each process, so that nobody can aim
// keys at one slot.

#include <cstdint>
#include <string_view>

#include "engine/base/ids.h"

namespace stele {

/// Random, the same for the life of the process.
[[nodiscard]] std::uint64_t hash_seed();

/// XXH3-64 with hash_seed(). Never stored.
[[nodiscard]] std::uint64_t keyed_hash(std::string_view bytes);
[[nodiscard]] std::uint64_t keyed_hash(const Uuid& uuid);

}  // namespace stele

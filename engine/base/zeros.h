#pragma once
// Zeros in a file: what stands where nothing is yet.

#include <cstdint>

#include "engine/base/file_system.h"
#include "engine/base/result.h"

namespace stele {

/// Writes zeros over [from, to), at most 1 MiB at a time.
[[nodiscard]] Status write_zeros(File& file, std::uint64_t from, std::uint64_t to);

}  // namespace stele

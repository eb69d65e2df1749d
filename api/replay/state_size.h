#pragma once
// The failure of a fold whose state has become too large.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "api/replay/fold.h"

namespace stele::api {

[[nodiscard]] FoldFailure state_too_large(std::size_t bytes_max, std::optional<std::uint64_t> event);

}  // namespace stele::api

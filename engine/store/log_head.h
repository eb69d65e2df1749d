#pragma once

#include <cstdint>

#include "engine/base/digest.h"
#include "engine/base/ids.h"

namespace stele {

/// Head of the log.
struct LogHead {
  std::uint64_t size = 0;  ///< records = tree size; the last position is size - 1
  Timestamp last_time;
  Digest root;  ///< RFC 9162 tree hash over all `size` leaves
};

}  // namespace stele

#include "api/events/derived_event_id.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "engine/base/digest.h"

namespace stele::api {

Uuid derived_event_id(std::string_view caller, std::string_view key, std::size_t index) {
  // Lengths go in as well, so that no two triples give the same bytes.
  const std::string sizes = "stele idempotency key " + std::to_string(caller.size()) + ' ' +
                            std::to_string(key.size()) + ' ' + std::to_string(index) + ' ';
  const Digest digest = sha256({sizes, caller, key});
  Uuid id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0F) | 0x80);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3F) | 0x80);
  return id;
}

}  // namespace stele::api

#pragma once
// A folded state as it is kept in Redis. Whoever may write there may put anything in its place, so that it carries a
// MAC by a key that is not in Redis, over all that it is and where it belongs.

#include <optional>
#include <string>
#include <string_view>

#include "api/replay/state_cache.h"
#include "engine/base/ids.h"

namespace stele::net {

/// Where a state belongs.
struct StatePlace {
  const Uuid& store;
  std::string_view aggregate_id;
  const Digest& handler;  ///< its identity
};

/// The name of the entry. Several stores may share a Redis.
[[nodiscard]] std::string state_key(const StatePlace& place);

/// Form (1), sequence number, fingerprint, MAC, the state (FoldedState::encode()).
[[nodiscard]] std::string encode_state_value(const Digest& secret, const StatePlace& place,
                                             const api::CachedState& state);
/// None unless encode_state_value() has made these very bytes, for this place and with this secret.
[[nodiscard]] std::optional<api::CachedState> decode_state_value(const Digest& secret, const StatePlace& place,
                                                                 std::string_view bytes);

}  // namespace stele::net

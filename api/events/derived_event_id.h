#pragma once
// What makes an Idempotency-Key the same mechanism as ids that the client gives: the events of its request get ids that
// follow from it.

#include <cstddef>
#include <string_view>

#include "engine/base/uuid.h"

namespace stele::api {

/// The id of event `index` of a request with an Idempotency-Key: SHA-256 of caller, key and place in the form of a UUID
/// version 8.
[[nodiscard]] Uuid derived_event_id(std::string_view caller, std::string_view key, std::size_t index);

}  // namespace stele::api

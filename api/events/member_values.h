#pragma once
// The values that members of events and of conditions have in common.

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/events/event_errors.h"

namespace stele::api {

/// A text of 1 to `bytes_max` bytes without control characters. False, and an error at `pointer`, if it is not one.
bool take_text(const simdjson::dom::element& value, std::string_view pointer, std::size_t bytes_max,
               EventErrors& errors, std::string& to);

/// An integer from `min` to `max`. None, and an error at `pointer`, if it is not one.
[[nodiscard]] std::optional<std::uint64_t> take_integer(const simdjson::dom::element& value, std::string_view pointer,
                                                        std::uint64_t min, std::uint64_t max, EventErrors& errors);

}  // namespace stele::api

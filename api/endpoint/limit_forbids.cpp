#include "api/endpoint/limit_forbids.h"

#include "api/http/percent.h"
#include "api/json/control_characters.h"
#include "engine/log/record.h"

namespace stele::api {

std::optional<Problem> forbidden_by_limit(const Caller& caller) {
  if (!caller.is_limited()) return std::nullopt;
  return Problem("limit-forbids", "A key that is limited to aggregate types cannot change this.");
}

std::optional<Problem> bad_aggregate_type(std::string_view type) {
  if (!type.empty() && type.size() <= kStringBytesMax && !type.starts_with('$') && !has_control_characters(type) &&
      !is_dot_segment(type)) {
    return std::nullopt;
  }
  return Problem("invalid-path",
                 "An aggregate type has 1 to 255 bytes without control characters, does not begin with '$', and is "
                 "neither '.' nor '..'.");
}

}  // namespace stele::api

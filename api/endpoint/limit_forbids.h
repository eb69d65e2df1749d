#pragma once
// What an administrator's key must not do when it is limited, and names that no aggregate type has.

#include <optional>
#include <string_view>

#include "api/access/principal.h"
#include "api/http/problem.h"

namespace stele::api {

/// 403 for a caller that is limited to aggregate types.
[[nodiscard]] std::optional<Problem> forbidden_by_limit(const Caller& caller);
/// 400 for a text in a path that can be no client's aggregate type.
[[nodiscard]] std::optional<Problem> bad_aggregate_type(std::string_view type);

}  // namespace stele::api

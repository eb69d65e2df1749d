#pragma once
// An aggregate by the id in a path, as far as the caller may see it.

#include <string_view>
#include <variant>

#include "api/access/principal.h"
#include "api/http/problem.h"
#include "engine/store/read_view.h"

namespace stele::api {

/// 404 if there is none, or none that the caller may see. May wait for the disk.
[[nodiscard]] std::variant<AggregateSummary, Problem> visible_aggregate(const ReadView& view, const Caller& caller,
                                                                        std::string_view aggregate_id);

}  // namespace stele::api

#pragma once
// An event by the id in a path, as far as the caller may see it.

#include <optional>
#include <string_view>

#include "api/access/principal.h"
#include "api/http/problem.h"
#include "engine/store/read_view.h"

namespace stele::api {

/// Reads it; 404 if there is none, or none that the caller may see. May wait for the disk.
[[nodiscard]] std::optional<Problem> read_visible_event(const ReadView& view, const Caller& caller,
                                                        std::string_view event_id, Record& record);

}  // namespace stele::api

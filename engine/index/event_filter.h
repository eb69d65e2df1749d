#pragma once
// Whether a record is what a query asks for, judged from its header alone: for who has the record in hand already. A
// read asks the index instead.

#include <string>
#include <string_view>
#include <vector>

#include "engine/index/query.h"
#include "engine/log/record.h"

namespace stele {

/// Everything the query says but its direction.
[[nodiscard]] bool matches(const EventQuery& query, const RecordHeader& header);

/// What an event's resource begins with; its aggregate id follows.
inline constexpr std::string_view kAggregateResource = "aggregate:";
/// Whether a record is about a resource: EventQuery::resources.
[[nodiscard]] bool is_about(const RecordHeader& header, std::string_view resource);
/// Whether it is about any of them; whatever it is about, if there are none.
[[nodiscard]] bool is_about_any(const RecordHeader& header, const std::vector<std::string>& resources);
[[nodiscard]] bool is_chosen(const RecordHeader& header, const RecordChoice& choice);

}  // namespace stele

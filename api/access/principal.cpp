#include "api/access/principal.h"

#include <simdjson.h>

#include <algorithm>

#include "api/json/control_characters.h"
#include "engine/store/read_view.h"

namespace stele::api {

bool is_principal_name(std::string_view name) {
  return !name.empty() && name.size() <= kStringBytesMax && name.front() != '$' &&
         simdjson::validate_utf8(name.data(), name.size()) && !has_control_characters(name);
}

bool make_type_limit(std::vector<std::string>& types) {
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  // Aggregate types have the rules of names.
  return types.size() <= kLimitTypesMax && std::all_of(types.begin(), types.end(), is_principal_name);
}

bool Caller::may(Permission permission) const { return !principal_ || grants(principal_->role, permission); }

bool Caller::may_use_type(const std::optional<std::string_view>& type) const {
  if (!is_limited()) return true;
  const auto& types = principal_->aggregate_types;
  return type && std::binary_search(types.begin(), types.end(), *type);
}

bool Caller::may_see(const RecordHeader& record) const {
  return may_use_type(record.aggregate_type) && (may(Permission::Audit) || !is_system(record));
}

bool Caller::may_see(const AggregateSummary& aggregate) const {
  return may_use_type(aggregate.aggregate_type) && (may(Permission::Audit) || !aggregate.aggregate_id.starts_with('$'));
}

void Caller::restrict(EventQuery& query) const {
  if (!is_limited()) return;
  if (!query.aggregate_type) {
    query.aggregate_types = principal_->aggregate_types;
  } else if (!may_use_type(query.aggregate_type)) {
    query.before = Position{0};  // nothing, without searching for it
  }
}

void Caller::restrict(AggregateQuery& query) const {
  if (is_limited()) query.aggregate_types = principal_->aggregate_types;
}

}  // namespace stele::api

#include "engine/index/event_filter.h"

#include <algorithm>

namespace stele {

namespace {

bool is_any_of(const std::vector<std::string>& wanted, std::string_view text) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), text) != wanted.end();
}

bool is_same(const std::optional<std::string>& wanted, const std::optional<std::string_view>& text) {
  return !wanted || text == *wanted;
}

bool is_in_bounds(const EventQuery& query, const RecordHeader& header) {
  return (!query.after || header.position > *query.after) && (!query.before || header.position < *query.before) &&
         (!query.from || header.time >= *query.from) && (!query.to || header.time < *query.to) &&
         (!query.from_sequence || header.sequence >= *query.from_sequence) &&
         (!query.to_sequence || header.sequence <= *query.to_sequence) &&
         (!query.occurred_from || (header.occurred_at && *header.occurred_at >= *query.occurred_from)) &&
         (!query.occurred_to || (header.occurred_at && *header.occurred_at < *query.occurred_to));
}

}  // namespace

bool is_about(const RecordHeader& header, std::string_view resource) {
  if (header.kind == RecordKind::Action) return header.resource == resource;
  return resource.starts_with(kAggregateResource) && resource.substr(kAggregateResource.size()) == header.aggregate_id;
}

bool is_about_any(const RecordHeader& header, const std::vector<std::string>& resources) {
  return resources.empty() || std::any_of(resources.begin(), resources.end(),
                                          [&](const std::string& resource) { return is_about(header, resource); });
}

bool is_chosen(const RecordHeader& header, const RecordChoice& choice) {
  if (!is_system(header)) return choice.client_events;
  return !choice.system_types.empty() && is_any_of(choice.system_types, header.event_type);
}

bool matches(const EventQuery& query, const RecordHeader& header) {
  const std::optional<std::string_view>& type = header.aggregate_type;
  return is_any_of(query.event_types, header.event_type) && is_same(query.aggregate_id, header.aggregate_id) &&
         is_any_of(query.aggregate_ids, header.aggregate_id) && is_same(query.aggregate_type, type) &&
         (query.aggregate_types.empty() || (type && is_any_of(query.aggregate_types, *type))) &&
         is_same(query.user_id, header.user_id) && is_same(query.correlation_id, header.correlation_id) &&
         is_same(query.principal, header.principal) &&
         std::all_of(query.tags.begin(), query.tags.end(),
                     [&](const std::string& tag) { return header.tags.contains(tag); }) &&
         (!query.outcome || header.outcome == *query.outcome) && is_about_any(header, query.resources) &&
         (!query.choice || is_chosen(header, *query.choice)) && is_in_bounds(query, header) &&
         (query.include_system || !is_system(header));
}

}  // namespace stele

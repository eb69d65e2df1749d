#include "api/endpoint/event_filters.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/log/record.h"

namespace stele::api {

namespace {

constexpr std::array<std::string_view, 15> kEventFilterNames = {
    "aggregateId",  "aggregateType", "eventType",  "tag",          "userId",     "correlationId", "from",
    "to",           "occurredFrom",  "occurredTo", "fromSequence", "toSequence", "afterPosition", "schemaVersion",
    "includeSystem"};

/// Sorted, so that the same values in another order are the same query.
std::vector<std::string> without_repeats(std::vector<std::string> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

template <class Id>
std::optional<Id> as_id(const std::optional<std::uint64_t>& number) {
  if (!number) return std::nullopt;
  return Id{*number};
}

}  // namespace

std::span<const std::string_view> event_filter_names() { return kEventFilterNames; }

EventQuery read_event_filters(Parameters& parameters) {
  EventQuery query;
  query.aggregate_id = parameters.text("aggregateId");
  query.aggregate_type = parameters.text("aggregateType");
  query.event_types = without_repeats(parameters.texts("eventType"));
  query.tags = without_repeats(parameters.texts("tag", kTagBytesMax, kTagsMax));
  query.user_id = parameters.text("userId");
  query.correlation_id = parameters.text("correlationId");
  query.from = parameters.timestamp("from");
  query.to = parameters.timestamp("to");
  query.occurred_from = parameters.timestamp("occurredFrom");
  query.occurred_to = parameters.timestamp("occurredTo");
  query.from_sequence = as_id<SequenceNumber>(parameters.integer("fromSequence", 0, kPositionMax));
  query.to_sequence = as_id<SequenceNumber>(parameters.integer("toSequence", 0, kPositionMax));
  query.after = as_id<Position>(parameters.integer("afterPosition", 0, kPositionMax));
  query.include_system = parameters.flag("includeSystem").value_or(false);
  // No upcasters exist, so every version that can be asked for is the stored one.
  if (const auto version = parameters.text("schemaVersion"); version && *version != "stored") {
    (void)parameters.integer("schemaVersion", 1, std::numeric_limits<std::uint32_t>::max());
  }
  return query;
}

}  // namespace stele::api

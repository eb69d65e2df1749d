#include "api/endpoint/event_filters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "api/records/event_notes.h"
#include "api/records/shown_versions.h"
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
  return query;
}

SchemaVersionChoice read_schema_version(Parameters& parameters) {
  using Kind = SchemaVersionChoice::Kind;
  const auto text = parameters.text("schemaVersion");
  if (!text) return {};
  if (*text == "stored") return {Kind::Stored, 0};
  std::uint32_t version = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), version);
  if (error == std::errc() && end == text->data() + text->size() && version > 0) return {Kind::Exact, version};
  parameters.refuse("schemaVersion", "Must be stored, or the number of a version.");
  return {};
}

std::uint32_t newest_schema_version(const EventNotes* notes, std::vector<std::string> event_types) {
  const auto chains = shown_versions(notes).chains;
  if (chains == nullptr) return 1;
  if (event_types.empty()) return chains->newest_version();
  notes->aliases.widen(event_types);
  std::uint32_t newest = 1;
  for (const std::string& type : event_types) newest = std::max(newest, chains->newest_version(type));
  return newest;
}

std::string version_objection(SchemaVersionChoice choice, const EventNotes* notes,
                              const std::vector<std::string>& event_types) {
  if (choice.kind != SchemaVersionChoice::Kind::Exact) return {};
  const std::uint32_t newest = newest_schema_version(notes, event_types);
  if (choice.version <= newest) return {};
  return "The newest version is " + std::to_string(newest) + ".";
}

}  // namespace stele::api

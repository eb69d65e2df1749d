#include "api/schemas/candidate_status.h"

#include <memory>
#include <utility>

#include "api/endpoint/own_events.h"
#include "api/json/json_writer.h"
#include "api/schemas/schema_event.h"

namespace stele::api {

namespace {

/// The event that has ended it; none if there is none yet.
Result<bool> find_end(const ReadView& view, const std::string& aggregate, Position candidate, Record& to) {
  EventQuery query;
  query.aggregate_id = aggregate;
  query.include_system = true;
  query.after = candidate;
  STELE_ASSIGN(const std::unique_ptr<EventStream> changes, view.query(query));
  while (true) {
    STELE_ASSIGN(const bool found, changes->next(to));
    const std::string_view kind = to.header().event_type;
    if (!found || kind == kSchemaRegistered || kind == kSchemaCandidateDropped) return found;
  }
}

}  // namespace

Result<std::optional<std::string>> candidate_status(const ReadView& view, const std::string& event_type,
                                                    Position position, const SchemaCandidates& candidates,
                                                    SchemaRegistry& registry) {
  const std::string aggregate = own_aggregate_id(kSchemaPrefix, event_type);
  if (position >= view.end()) return std::optional<std::string>();
  Record candidate;
  STELE_TRY(view.read(position, candidate));
  if (candidate.header().event_type != kSchemaCandidate || candidate.header().aggregate_id != aggregate) {
    return std::optional<std::string>();
  }
  STELE_ASSIGN(const std::uint32_t version, registered_version(candidate));
  std::string status;
  JsonWriter json(status);
  json.begin_object().key("eventType").string(event_type).key("version").number(version);
  json.key("position").number(position.value());
  Record end;
  STELE_ASSIGN(const bool has_ended, find_end(view, aggregate, position, end));
  // The log is ahead of the registry for a moment: whoever is told of a version must find it.
  if (has_ended) STELE_TRY(registry.catch_up(end.header().position));
  if (!has_ended) {
    const auto progress = candidates.progress(position).value_or(SchemaCandidates::Progress{});
    json.key("state").plain("checking").key("checked").number(progress.checked);
    json.key("failed").number(progress.failed);
  } else if (end.header().event_type == kSchemaRegistered) {
    json.key("state").plain("registered");
  } else {
    STELE_ASSIGN(const std::string members, dropped_members(end));
    status += "," + members;
  }
  json.end_object();
  return std::optional<std::string>(std::move(status));
}

}  // namespace stele::api

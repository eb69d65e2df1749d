#include "api/replay/client_snapshots.h"

#include <simdjson.h>

#include <utility>

#include "api/endpoint/own_events.h"
#include "api/http/bounded_read.h"
#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::string_view kSnapshotPrefix = "$snapshot/";
constexpr std::string_view kSnapshotType = "$snapshot";
constexpr std::string_view kStored = "$StateStored";

/// `state` as it stands in the event.
std::string shown(const AggregateSummary& aggregate, SequenceNumber sequence, Timestamp stored, std::string_view user,
                  std::string_view state) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("aggregateId").string(aggregate.aggregate_id);
  if (aggregate.aggregate_type) json.key("aggregateType").string(*aggregate.aggregate_type);
  json.key("sequenceNumber").number(sequence.value());
  json.key("state");
  append_minified(json.value(), state);
  json.key("source").plain("client").key("storedAt").plain(format_timestamp(stored));
  if (!user.empty()) json.key("userId").string(user);
  json.end_object();
  return text;
}

}  // namespace

std::variant<std::string, Problem> store_client_state(Store& store, const AggregateSummary& aggregate,
                                                      SequenceNumber sequence, std::string_view state,
                                                      const ChangedBy& by, const Clock& clock) {
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("aggregateId").string(aggregate.aggregate_id);
  json.key("sequenceNumber").number(sequence.value()).key("state").raw(state).end_object();
  auto stored = append_own_event(
      store, own_event(own_aggregate_id(kSnapshotPrefix, aggregate.aggregate_id), std::string(kSnapshotType),
                       std::string(kStored), std::move(data), by.caller, by.correlation, clock));
  if (auto* const problem = std::get_if<Problem>(&stored)) return std::move(*problem);
  return shown(aggregate, sequence, std::get<OwnEventPlace>(stored).time, by.caller.name(), state);
}

std::variant<std::string, Problem> find_client_state(const ReadView& view, const AggregateSummary& aggregate,
                                                     SequenceNumber at_most, ReadBudget budget) {
  EventQuery query;
  query.aggregate_id = own_aggregate_id(kSnapshotPrefix, aggregate.aggregate_id);
  query.include_system = true;
  query.direction = Direction::Descending;
  const auto events = view.query(query, &budget);
  if (!events) return read_failed();
  Record record;
  while (true) {
    const auto found = (*events)->next(record);
    if (!found) return read_failed();
    if (!*found) break;
    const std::string_view data = record.body().data.value_or("");
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    std::uint64_t sequence = 0;
    if (parser.parse(std::string(data)).get(root) != simdjson::SUCCESS ||
        root["sequenceNumber"].get(sequence) != simdjson::SUCCESS || sequence > at_most.value()) {
      continue;
    }
    // The members stand as they were written: the state is the last one.
    JsonCursor cursor(data);
    cursor.enter();
    std::string_view state;
    while (cursor.next_member()) state = cursor.value().text;
    return shown(aggregate, SequenceNumber{sequence}, record.header().time, record.header().user_id.value_or(""),
                 state);
  }
  if ((*events)->rest_behind()) {
    return Problem("busy", "Too many states would have to be looked at; name a later sequenceNumber.")
        .header("Retry-After", "1");
  }
  return Problem("snapshot-not-found", "No client has stored a state of this aggregate up to there.");
}

}  // namespace stele::api

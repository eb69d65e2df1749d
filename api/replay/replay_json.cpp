#include "api/replay/replay_json.h"

#include "api/json/hex.h"
#include "api/json/timestamp.h"
#include "engine/base/digest.h"

namespace stele::api {

namespace {

void append_purity(JsonWriter& json, const std::optional<bool>& pure, const std::optional<Position>& impure_since) {
  json.key("pure");
  if (pure) {
    json.boolean(*pure);
  } else {
    json.null();
  }
  if (impure_since) json.key("impureSince").number(impure_since->value());
}

/// What is said of every state; leaves the object open.
void append_state(JsonWriter& json, const AggregateSummary& aggregate, const FoldedState& state) {
  json.begin_object().key("aggregateId").string(aggregate.aggregate_id);
  if (aggregate.aggregate_type) json.key("aggregateType").string(*aggregate.aggregate_type);
  json.key("sequenceNumber").number(state.sequence.value());
  json.key("timestamp");
  if (state.sequence == SequenceNumber{}) {
    json.null();
  } else {
    json.plain(format_timestamp(state.time));
  }
  json.key("state").raw(state.json);
}

}  // namespace

void append_handler_json(JsonWriter& json, const EventHandler& handler) {
  json.begin_object().key("name").string(handler.name).key("version");
  if (handler.version) {
    json.number(*handler.version);
  } else {
    json.null();
  }
  const bool is_script = handler.kind == EventHandler::Kind::Script;
  append_purity(json, is_script ? handler.pure : std::optional(true), handler.impure_since);
  json.end_object();
}

std::string replay_json(const AggregateSummary& aggregate, const EventHandler& handler, const Replayed& replayed,
                        const std::optional<std::string>& diff) {
  std::string text;
  text.reserve(replayed.state.json.size() + 512);
  JsonWriter json(text);
  append_state(json, aggregate, replayed.state);
  json.key("eventsApplied").number(replayed.applied);
  json.key("eventsIgnored").number(replayed.ignored);
  json.key("eventsRedacted").number(replayed.redacted);
  json.key("snapshot");
  if (replayed.base) {
    json.begin_object().key("sequenceNumber").number(replayed.base->sequence.value());
    json.key("source").plain(replayed.base->source).end_object();
  } else {
    json.null();
  }
  json.key("handler");
  append_handler_json(json, handler);
  if (diff) json.key("diff").raw(*diff);
  json.end_object();
  return text;
}

std::string snapshot_json(const AggregateSummary& aggregate, const EventHandler& handler, const FoldedState& state) {
  std::string text;
  JsonWriter json(text);
  append_state(json, aggregate, state);
  json.key("source").plain("folded").key("handler");
  append_handler_json(json, handler);
  json.end_object();
  return text;
}

void append_version_json(JsonWriter& json, const HandlerVersion& version, const std::optional<std::string>& source) {
  json.begin_object().key("version").number(version.version);
  json.key("position").number(version.position.value());
  json.key("timestamp").plain(format_timestamp(version.time));
  append_purity(json, version.pure, version.impure_since);
  json.key("sourceHash").plain(hex(as_bytes(version.identity)));
  if (source) json.key("source").string(*source);
  json.end_object();
}

void append_listed_json(JsonWriter& json, const HandlerRegistry::Listed& listed) {
  const HandlerVersion& newest = listed.versions.back();
  json.begin_object().key("aggregateType").string(listed.aggregate_type).key("name").string(listed.name);
  json.key("version").number(newest.version).key("versions").number(listed.versions.size());
  append_purity(json, newest.pure, newest.impure_since);
  json.key("position").number(newest.position.value());
  json.key("timestamp").plain(format_timestamp(newest.time)).end_object();
}

std::string versions_json(const HandlerRegistry::Listed& listed) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("aggregateType").string(listed.aggregate_type).key("name").string(listed.name);
  json.key("versions").begin_array();
  for (const HandlerVersion& version : listed.versions) append_version_json(json, version, std::nullopt);
  json.end_array().end_object();
  return text;
}

}  // namespace stele::api

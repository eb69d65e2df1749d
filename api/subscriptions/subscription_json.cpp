#include "api/subscriptions/subscription_json.h"

#include <fmt/core.h>

#include <optional>
#include <span>

#include "api/http/problem.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"
#include "api/records/event_notes.h"
#include "api/subscriptions/definition_json.h"
#include "api/subscriptions/parcel_json.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

/// The last position before `end`, if there is any.
void write_done(JsonWriter& json, Position end) {
  if (end == Position{0}) {
    json.null();
  } else {
    json.number(end.value() - 1);
  }
}

void write_positions(JsonWriter& json, std::span<const Position> positions) {
  json.begin_array();
  for (const Position position : positions) json.number(position.value());
  json.end_array();
}

void write_status(JsonWriter& json, int status) {
  json.key("status");
  if (status == 0) {
    json.null();
  } else {
    json.number(status);
  }
}

void write_last_error(JsonWriter& json, const std::optional<SubscriptionStatus::LastError>& error) {
  json.key("lastError");
  if (!error) {
    json.null();
    return;
  }
  json.begin_object().key("error").string(printable(error->error));
  write_status(json, error->status);
  json.key("detail").string(printable(error->detail)).key("timestamp").plain(format_timestamp(error->time));
  json.end_object();
}

void write_attempt(JsonWriter& json, const TracedAttempt& attempt) {
  json.begin_object().key("batchId").string(attempt.batch_id);
  write_positions(json.key("positions"), attempt.positions);
  json.key("attempt").number(attempt.attempt).key("timestamp").plain(format_timestamp(attempt.time));
  json.key("durationMs").number(attempt.duration.count()).key("delivered").boolean(attempt.delivered);
  if (!attempt.refused.empty()) write_positions(json.key("refused"), attempt.refused);
  if (!attempt.error.empty()) json.key("error").string(printable(attempt.error));
  write_status(json, attempt.status);
  json.key("detail").string(printable(attempt.detail)).key("answer").string(printable(attempt.answer));
  json.end_object();
}

}  // namespace

void append_subscription_json(std::string& to, const SubscriptionStatus& status, std::string_view secret) {
  JsonWriter json(to);
  json.begin_object();
  write_definition(json, status.definition);
  json.key("state").plain(name_of(status.standing.state)).key("reason");
  if (status.standing.reason.empty()) {
    json.null();
  } else {
    json.string(printable(status.standing.reason));
  }
  json.key("since").plain(format_timestamp(status.standing.since)).key("generation").number(status.generation);
  write_done(json.key("watermark").begin_object().key("position"), status.end);
  json.key("timestamp");
  if (status.end_time == Timestamp{}) {
    json.null();
  } else {
    json.plain(format_timestamp(status.end_time));
  }
  json.end_object();
  json.key("lag").begin_object().key("events").number(status.lag_events);
  json.key("seconds").raw(fmt::format("{:.3f}", std::chrono::duration<double>(status.lag).count())).end_object();
  json.key("inFlight").number(status.in_flight).key("heldBack").number(status.held_back);
  json.key("deadLetters").number(status.dead_letters).key("delivered").number(status.delivered);
  json.key("failures").number(status.failures).key("breakerOpen").boolean(status.breaker_open);
  write_last_error(json, status.last_error);
  if (!secret.empty()) json.key("secret").plain(secret);
  json.end_object();
}

void append_dead_letter_json(std::string& to, const ListedDeadLetter& listed, const RecordHeader& event,
                             const EventNotes* notes) {
  JsonWriter json(to);
  json.begin_object().key("position").number(listed.position.value()).key("eventId");
  json.plain(to_string(event.event_id)).key("eventType").string(shown_event_type(notes, event.event_type));
  json.key("aggregateId").string(event.aggregate_id);
  if (event.aggregate_type) json.key("aggregateType").string(*event.aggregate_type);
  json.key("sequenceNumber").number(event.sequence.value()).key("attempts").number(listed.letter.attempts);
  json.key("timestamp").plain(format_timestamp(listed.letter.time)).key("error");
  json.string(printable(listed.letter.error));
  write_status(json, listed.letter.status);
  json.end_object();
}

void append_held_json(std::string& to, const ListedHeld& listed) {
  JsonWriter json(to);
  json.begin_object().key("aggregateId").string(listed.aggregate_id);
  json.key("from").number(listed.held.from.value()).key("attempts").number(listed.held.attempts);
  json.key("parked").boolean(listed.held.parked).key("nextAttempt");
  if (listed.held.parked || listed.held.not_before == Timestamp{}) {
    json.null();
  } else {
    json.plain(format_timestamp(listed.held.not_before));
  }
  json.end_object();
}

void append_attempt_json(std::string& to, const TracedAttempt& attempt) {
  JsonWriter json(to);
  write_attempt(json, attempt);
}

void append_fate_json(std::string& to, const SubscriptionStatus& status, const SubscriptionRoom::Fate& fate) {
  JsonWriter json(to);
  json.begin_object().key("subscriptionId").string(status.definition.id);
  json.key("state").plain(name_of(status.standing.state)).key("fate").plain(name_of(fate.fate));
  json.key("attempts").begin_array();
  for (const TracedAttempt& attempt : fate.attempts) write_attempt(json, attempt);
  json.end_array().end_object();
}

std::string outcome_json(const AttemptOutcome& outcome) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("delivered").boolean(outcome.delivered);
  if (!outcome.delivered) json.key("error").string(printable(outcome.failure.error));
  write_status(json, outcome.status);
  json.key("detail").string(printable(outcome.detail)).key("answer").string(printable(outcome.answer));
  json.key("durationMs").number(outcome.duration.count()).end_object();
  return text;
}

std::string pulled_json(const PulledBatch& batch, const EventNotes* notes) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("leaseId");
  if (batch.lease_id.empty()) {
    json.null();
  } else {
    json.string(batch.lease_id);
  }
  json.key("events").begin_array();
  for (const PulledEvent& event : batch.events) {
    std::string& to = json.value();
    append_parcel_json(to, {event.record, event.is_replay, notes, event.upcast});
    to.pop_back();
    to += ",\"deliveryCount\":";
    append_number(to, event.delivery_count);
    to += '}';
  }
  write_done(json.end_array().key("checkpoint"), batch.checkpoint);
  json.end_object();
  return text;
}

}  // namespace stele::api

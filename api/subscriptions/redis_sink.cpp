#include "api/subscriptions/redis_sink.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <new>
#include <string_view>
#include <vector>

#include "api/records/event_notes.h"
#include "api/subscriptions/parcel_json.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

using FailureKind = DeliveryFailure::Kind;
using AttemptClock = std::chrono::steady_clock;

constexpr std::string_view kEventIdField = "eventId";

struct RefusalMeaning {
  std::string_view code;
  FailureKind kind;
  std::string_view error;
  bool is_outage;
};

/// What is not here may pass, and is about this batch.
constexpr std::array kRefusals{
    RefusalMeaning{"WRONGTYPE", FailureKind::Stop, "wrong-type", false},
    RefusalMeaning{"NOPERM", FailureKind::Stop, "no-permission", false},
    // Redis Cluster is not supported.
    RefusalMeaning{"MOVED", FailureKind::Stop, "cluster", false},
    RefusalMeaning{"ASK", FailureKind::Stop, "cluster", false},
    RefusalMeaning{"NOAUTH", FailureKind::Retry, "not-authenticated", true},
    RefusalMeaning{"WRONGPASS", FailureKind::Retry, "not-authenticated", true},
    RefusalMeaning{"OOM", FailureKind::Retry, "out-of-memory", true},
    RefusalMeaning{"LOADING", FailureKind::Retry, "loading", true},
    RefusalMeaning{"READONLY", FailureKind::Retry, "read-only", true},
    RefusalMeaning{"CLUSTERDOWN", FailureKind::Retry, "redis-error", true},
    RefusalMeaning{"MASTERDOWN", FailureKind::Retry, "redis-error", true},
    RefusalMeaning{"MISCONF", FailureKind::Retry, "redis-error", true},
    RefusalMeaning{"NOREPLICAS", FailureKind::Retry, "redis-error", true},
    RefusalMeaning{"BUSY", FailureKind::Retry, "redis-error", true},
    RefusalMeaning{"EXECABORT", FailureKind::Retry, "redis-error", true},
};

AttemptOutcome redis_failure(FailureKind kind, std::string_view error, std::string detail, bool is_outage) {
  AttemptOutcome outcome;
  outcome.failure.kind = kind;
  outcome.failure.error = error;
  outcome.detail = std::move(detail);
  outcome.is_outage = is_outage;
  return outcome;
}

AttemptOutcome redis_outcome(RedisAnswer answer) {
  using Outcome = RedisAnswer::Outcome;
  AttemptOutcome outcome;
  switch (answer.outcome) {
    case Outcome::CarriedOut:
      outcome.delivered = true;
      return outcome;
    case Outcome::Refused: {
      const auto* const found = std::find_if(kRefusals.begin(), kRefusals.end(), [&](const RefusalMeaning& meaning) {
        return meaning.code == answer.code;
      });
      if (found == kRefusals.end())
        return redis_failure(FailureKind::Retry, "redis-error", std::move(answer.detail), false);
      return redis_failure(found->kind, found->error, std::move(answer.detail), found->is_outage);
    }
    case Outcome::TooLarge:
      return redis_failure(FailureKind::TooLarge, "too-large", std::move(answer.detail), false);
    case Outcome::Away:
      return redis_failure(FailureKind::Retry, "no-connection", std::move(answer.detail), true);
    case Outcome::Unanswered:
      return redis_failure(FailureKind::Retry, "no-answer", std::move(answer.detail), true);
    case Outcome::Busy:
    case Outcome::Cancelled:
      outcome.abandoned = true;
      outcome.detail = std::move(answer.detail);
      return outcome;
  }
  return outcome;
}

AttemptOutcome foreign_entries(const std::string& what) {
  return redis_failure(FailureKind::Stop, "foreign-entries", "somebody else writes to this stream: " + what, false);
}

std::string text_of(RedisEntryId id) { return std::to_string(id.time) + "-" + std::to_string(id.count); }

/// A repeat and what the stream should hold in its place.
using SentEntry = std::pair<RedisEntryId, std::string>;

AttemptOutcome redis_outcome(RedisAddition addition, const std::vector<SentEntry>& sent) {
  if (addition.answer.outcome != RedisAnswer::Outcome::CarriedOut || addition.repeats == 0) {
    return redis_outcome(std::move(addition.answer));
  }
  std::size_t ours = 0;
  for (const RedisEntry& entry : addition.found) {
    const auto place =
        std::find_if(sent.begin(), sent.end(), [&](const SentEntry& at) { return at.first == entry.id; });
    if (place == sent.end()) continue;
    const auto id = std::find_if(entry.fields.begin(), entry.fields.end(),
                                 [](const auto& field) { return field.first == kEventIdField; });
    if (id == entry.fields.end() || id->second != place->second) {
      return foreign_entries("its entry " + text_of(entry.id) + " is not the event at this position");
    }
    ++ours;
  }
  if (ours == addition.repeats) return redis_outcome(std::move(addition.answer));
  // What is not there any more may have been taken away by whoever reads the stream, if it ever was there. It was if
  // the stream ends with this very batch, since a batch is added as a whole.
  if (addition.repeats < sent.size()) {
    return foreign_entries("it is beyond some of the events of this batch, and does not hold them");
  }
  if (addition.stream_end > sent.back().first) {
    return foreign_entries("it has got to " + text_of(addition.stream_end) +
                           ", and does not hold this batch, which ends with " + text_of(sent.back().first));
  }
  return redis_outcome(std::move(addition.answer));
}

/// `judge` gives the outcome. Without memory for what it says, the batch comes again.
void settle_attempt(const DeliverySink::Done& done, AttemptClock::time_point begun, const auto& judge) {
  AttemptOutcome outcome;
  try {
    outcome = judge();
  } catch (const std::bad_alloc&) {
    outcome = AttemptOutcome{};
    outcome.abandoned = true;
  }
  outcome.duration = std::chrono::duration_cast<std::chrono::milliseconds>(AttemptClock::now() - begun);
  done(std::move(outcome));
}

std::string message_of(const Parcel& parcel) {
  std::string json;
  append_parcel_json(json, parcel);
  return json;
}

}  // namespace

void RedisStreamSink::attempt(DeliveryBatchToSend batch, Done done) {
  std::vector<RedisEntry> entries;
  std::vector<SentEntry> sent;
  entries.reserve(batch.parcels.size());
  sent.reserve(batch.parcels.size());
  for (const Parcel& parcel : batch.parcels) {
    const RecordHeader& header = parcel.record->header();
    const RedisEntryId id{header.position.value(), 0};
    sent.emplace_back(id, to_string(header.event_id));
    entries.push_back({id,
                       {{std::string(kEventIdField), sent.back().second},
                        {"eventType", shown_event_type(parcel.notes, header.event_type)},
                        {"aggregateId", std::string(header.aggregate_id)},
                        {"event", message_of(parcel)}}});
  }
  sender_.add(key_, entries,
              [sent = std::move(sent), begun = AttemptClock::now(), done = std::move(done)](RedisAddition addition) {
                settle_attempt(done, begun, [&] { return redis_outcome(std::move(addition), sent); });
              });
}

void RedisChannelSink::attempt(DeliveryBatchToSend batch, Done done) {
  std::vector<std::string> messages;
  messages.reserve(batch.parcels.size());
  for (const Parcel& parcel : batch.parcels) messages.push_back(message_of(parcel));
  sender_.publish(channel_, messages, [begun = AttemptClock::now(), done = std::move(done)](RedisAnswer answer) {
    settle_attempt(done, begun, [&] { return redis_outcome(std::move(answer)); });
  });
}

}  // namespace stele::api

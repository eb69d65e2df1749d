#include "api/subscriptions/webhook_sink.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "api/json/json_writer.h"
#include "api/subscriptions/parcel_json.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

using FailureKind = DeliveryFailure::Kind;
constexpr std::size_t kAnswerBytesShown = 1024;
constexpr std::size_t kHeaderBytesUsual = 700;  ///< of an event's JSON beside its data, as it is being made

std::size_t body_bytes_usual(const std::vector<Parcel>& parcels) {
  std::size_t bytes = kHeaderBytesUsual;
  for (const Parcel& parcel : parcels) {
    const RecordHeader& header = parcel.record->header();
    bytes += kHeaderBytesUsual + header.data_length.value_or(0) + header.metadata_length.value_or(0);
  }
  return bytes;
}

/// The events that the body of a good answer takes back.
std::vector<Position> refused_in(const WebhookAnswer& answer, const std::vector<SentEvent>& sent) {
  std::vector<Position> refused;
  // Most have no body at all, and one that is too long was not read to its end.
  if (answer.body_cut || answer.body.find("\"failed\"") == std::string::npos) return refused;
  simdjson::dom::parser parser;
  simdjson::dom::array failed;
  if (parser.parse(answer.body)["failed"].get(failed) != simdjson::SUCCESS) return refused;
  std::set<Uuid> ids;
  for (const auto element : failed) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) continue;
    if (const auto id = parse_uuid(text)) ids.insert(*id);
  }
  for (const SentEvent& event : sent) {
    if (ids.contains(event.id)) refused.push_back(event.position);
  }
  return refused;
}

void judge_status(AttemptOutcome& outcome, const WebhookAnswer& answer) {
  outcome.failure.error = "status";
  outcome.failure.status = static_cast<std::uint16_t>(answer.status);
  outcome.failure.retry_after = answer.retry_after;
  outcome.detail = "The receiver answered " + std::to_string(answer.status) + ".";
  switch (answer.status) {
    case 410:
      outcome.failure.kind = FailureKind::Stop;
      outcome.failure.error = "gone";
      return;
    case 413:
      outcome.failure.kind = FailureKind::TooLarge;
      return;
    case 429:
    case 502:
    case 503:
    case 504:
      outcome.is_outage = true;
      return;
    default:
      return;
  }
}

}  // namespace

AttemptOutcome judge_webhook_answer(const WebhookAnswer& answer, const std::vector<SentEvent>& sent) {
  using Outcome = WebhookAnswer::Outcome;
  AttemptOutcome outcome;
  outcome.status = answer.status;
  outcome.detail = answer.detail;
  outcome.answer = answer.body.substr(0, kAnswerBytesShown);
  outcome.duration = answer.duration;
  if (answer.outcome == Outcome::Answered) {
    outcome.delivered = answer.status >= 200 && answer.status <= 299;
    if (outcome.delivered) {
      outcome.refused = refused_in(answer, sent);
      if (!outcome.refused.empty()) outcome.detail = "The receiver could not take all of it.";
    } else {
      judge_status(outcome, answer);
    }
    return outcome;
  }
  outcome.failure.error = name_of(answer.outcome);
  outcome.failure.status = static_cast<std::uint16_t>(answer.status);
  switch (answer.outcome) {
    case Outcome::Busy:
    case Outcome::Cancelled:
      outcome.abandoned = true;
      break;
    case Outcome::Unsendable:
    case Outcome::AddressRefused:
      outcome.failure.kind = FailureKind::Final;
      break;
    default:
      outcome.is_outage = true;
  }
  return outcome;
}

WebhookSink::WebhookSink(WebhookSender& sender, const Clock& clock, const SubscriptionDefinition& definition,
                         SubscriptionSecrets secrets)
    : sender_(sender),
      clock_(clock),
      subscription_id_(definition.id),
      url_(definition.url),
      // A key and the subject of a JWT may have the same name.
      owner_(std::make_shared<const std::string>((definition.owner.has_key ? "key " : "subject ") +
                                                 definition.owner.name)),
      timeout_(definition.timeout),
      secrets_(std::move(secrets)) {}

void WebhookSink::attempt(DeliveryBatchToSend batch, Done done) {
  WebhookRequest request;
  request.url = url_;
  request.timeout = timeout_;
  request.tls = secrets_.tls;
  request.owner = owner_;
  request.body.reserve(body_bytes_usual(batch.parcels));
  JsonWriter json(request.body);
  json.begin_object().key("subscriptionId").plain(subscription_id_).key("events").begin_array();
  std::vector<SentEvent> sent;
  sent.reserve(batch.parcels.size());
  for (const Parcel& parcel : batch.parcels) {
    append_parcel_json(json.value(), parcel);
    sent.push_back({parcel.record->header().event_id, parcel.record->header().position});
  }
  json.end_array().end_object();
  const Timestamp now = clock_.now();
  request.headers = webhook_headers(secrets_.valid_at(now), batch.id, now.micros / 1'000'000, request.body);
  request.headers.insert(request.headers.end(), secrets_.headers.begin(), secrets_.headers.end());
  sender_.send(std::move(request), [sent = std::move(sent), done = std::move(done)](const WebhookAnswer& answer) {
    done(judge_webhook_answer(answer, sent));
  });
}

}  // namespace stele::api

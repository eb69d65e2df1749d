// The bodies of everything that is asked about subscriptions.
//
// Input: one byte (which body it is), then the body.

#include <simdjson.h>

#include <optional>

#include "api/subscriptions/definition_json.h"
#include "api/subscriptions/pull_request.h"
#include "api/subscriptions/redrive_request.h"
#include "api/subscriptions/subscribe_request.h"
#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

class SubscribeFuzzChecks final : public SubscribeChecks {
 public:
  const SubscriptionLimits& limits() const override { return bounds; }
  std::string url_objection(std::string_view url) const override { return url.size() % 7 == 0 ? "refused" : ""; }
  std::string tls_objection(const WebhookTls& tls) const override { return tls.ca.size() % 7 == 1 ? "bad" : ""; }
  bool has_redis() const override { return true; }
  std::uint32_t newest_version(const std::vector<std::string>& /*event_types*/) const override { return 3; }
  SubscriptionLimits bounds;
};

std::string body_of(char which, const std::string& body) { return which + body; }

std::vector<std::string> seeds() {
  const std::string full =
      R"({"eventTypes":["A","$B"],"aggregateTypes":["M"],"aggregateIds":["m/1"],"tags":["t"],"from":17,"replayUntil":3,)"
      R"("delivery":{"type":"webhook","url":"https://a.example/","headers":{"X-Key":"v"},"tls":{"ca":"x"},)"
      R"("timeoutMs":1,"batchSize":2,"maxPerSecond":3,"maxInFlight":4},"replaces":"sub_1",)"
      R"("retry":{"maxAttempts":5,"initialDelayMs":100,"maxDelayMs":200},"onDeadLetter":"park"})";
  const std::string id = R"("0192f0c4-9000-7000-8000-000000000011")";
  return {body_of(0, full),
          body_of(0, R"({"eventType":"A","callbackUrl":"https://a.example/x","from":"2026-01-02T03:04:05Z"})"),
          body_of(0, R"({"delivery":{"type":"redis-stream","key":"k"},"from":"beginning"})"),
          body_of(0, R"({"delivery":{"type":"redis-pubsub","channel":"c"},"onDeadLetter":"stop"})"),
          body_of(0, R"({"delivery":{"type":"pull","maxInFlight":3},"from":"now"})"),
          body_of(1, R"({"eventTypes":null,"tags":null,"delivery":{"headers":null,"tls":null}})"),
          body_of(2, R"({"from":4,"dryRun":true})"),
          body_of(3, R"({"limit":4,"wait":"1.5s","lease":"2min"})"),
          body_of(4, R"({"leaseId":"a.1","eventIds":[)" + id + R"(],"delay":"500ms"})"),
          body_of(5, R"({"leaseId":"a.1","lease":"1h"})"),
          body_of(6, R"({"positions":[1,2,3],"perSecond":4})"),
          body_of(6, R"({"where":{"error":"e","status":5,"eventTypes":["A"],"olderThan":"1d"},"dryRun":true})")};
}

/// A refusal is one of the client's, and can be told.
template <class Parsed>
bool is_good(const Parsed& parsed) {
  const auto* const problem = std::get_if<Problem>(&parsed);
  if (problem == nullptr) return true;
  STELE_CHECK(problem->kind().status >= 400 && problem->kind().status < 500);
  simdjson::dom::parser parser;
  STELE_CHECK(parser.parse(problem->response("/v1/x").body).error() == simdjson::SUCCESS);
  return false;
}

/// What was taken keeps to its bounds, and comes back from the log as it is.
void check(const SubscriptionDefinition& definition) {
  const SubscriptionLimits limits;
  STELE_CHECK(definition.event_types.size() + definition.aggregate_types.size() + definition.aggregate_ids.size() +
                  definition.tags.size() <=
              limits.filter_entries_max);
  STELE_CHECK(definition.batch_events >= 1 && definition.batch_events <= limits.batch_events_max);
  STELE_CHECK(definition.header_names.size() <= limits.headers_max);
  STELE_CHECK(definition.initial_delay <= definition.delay_max);
  STELE_CHECK(!is_redis(definition.kind) || definition.on_dead_letter == OnDeadLetter::Stop);
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  write_definition(json, definition);
  json.end_object();
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  STELE_CHECK(parser.parse(text).get(object) == simdjson::SUCCESS);
  STELE_CHECK(read_definition(object) == definition);
}

}  // namespace

FUZZ_TARGET(subscribe, seeds) {
  if (input.empty()) return;
  const std::string_view body = input.substr(1);
  // Exactly the bytes that may be read; what they are must not matter.
  const fuzz::Exact padded(std::string(body) + std::string(simdjson::SIMDJSON_PADDING, '"'));
  const std::string_view text = padded.view().substr(0, body.size());
  const SubscribeFuzzChecks checks;
  switch (static_cast<unsigned char>(input[0]) % 7) {
    case 0: {
      const auto parsed = parse_subscribe_request(text, checks);
      if (!is_good(parsed)) return;
      const SubscribeRequest& request = std::get<SubscribeRequest>(parsed);
      check(request.definition);
      const auto changed = parse_change_request(text, request.definition, checks);
      if (is_good(changed)) check(std::get<ChangeRequest>(changed).definition);
      return;
    }
    case 1: {
      SubscriptionDefinition before;
      before.url = "https://b.example/";
      before.tags = {"t"};
      const auto changed = parse_change_request(text, before, checks);
      if (is_good(changed)) check(std::get<ChangeRequest>(changed).definition);
      return;
    }
    case 2:
      (void)is_good(parse_seek_request(text));
      return;
    case 3: {
      const auto pull = parse_pull_request(text, checks.limits());
      if (is_good(pull)) STELE_CHECK(std::get<PullRequest>(pull).limit <= checks.limits().batch_events_max);
      return;
    }
    case 4:
      (void)is_good(parse_lease_request(text, LeaseRequest::Kind::Ack, checks.limits()));
      (void)is_good(parse_lease_request(text, LeaseRequest::Kind::Nack, checks.limits()));
      return;
    case 5:
      (void)is_good(parse_lease_request(text, LeaseRequest::Kind::Extend, checks.limits()));
      return;
    default:
      (void)is_good(parse_redrive_request(text, Timestamp{1'000'000'000'000'000}));
      return;
  }
}

}  // namespace stele::api

// The bodies that place a legal hold and that say how long actions are kept.
//
// Input: one byte (which body it is, and which least times hold), then the body.

#include <simdjson.h>

#include "api/audit/legal_hold.h"
#include "api/audit/retention_policy.h"
#include "engine/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace stele::api {
namespace {

std::string retention_body(char which, const std::string& body) { return which + body; }

std::vector<std::string> retention_seeds() {
  const std::string full =
      R"({"aggregateIds":["m/2","m/1"],"aggregateTypes":["M"],"userIds":["ada","\u00e9"],"eventTypes":["A","events.query"],)"
      R"("from":"2026-01-02T03:04:05.000001Z","to":"2027-01-02T03:04:05+02:00","reason":"a suit is pending"})";
  return {retention_body(0, full),
          retention_body(0, R"({"reason":"r","userIds":["u"]})"),
          retention_body(0, R"({"reason":"r","to":"2026-12-31T23:59:60Z"})"),
          retention_body(0, R"({"reason":"r","aggregateIds":["a","a"],"from":1})"),
          retention_body(0, R"({"reason":"r"})"),
          retention_body(1, R"({"read":"90d","refusal":"36h","administration":"forever","delivery":"1.5d"})"),
          retention_body(1, R"({"read":"36500d"})"),
          retention_body(1, "{}"),
          retention_body(3, R"({"read":"29d","refusal":"forever"})"),
          retention_body(3, R"({"read":"0","delivery":"1e3d"})")};
}

/// A refusal is one of the client's, and can be told.
template <class Parsed>
bool is_good_body(const Parsed& parsed) {
  const auto* const problem = std::get_if<Problem>(&parsed);
  if (problem == nullptr) return true;
  STELE_CHECK(problem->kind().status >= 400 && problem->kind().status < 500);
  simdjson::dom::parser parser;
  STELE_CHECK(parser.parse(problem->response("/v1/x").body).error() == simdjson::SUCCESS);
  return false;
}

std::string padded_body(const std::string& text) { return text + std::string(simdjson::SIMDJSON_PADDING, '"'); }

/// What was taken keeps to its bounds, and comes back as it is from what is written of it.
void check_hold(const HoldScope& scope) {
  STELE_CHECK(!scope.reason.empty());
  STELE_CHECK(scope.aggregate_ids.size() <= kHoldValuesMax && scope.user_ids.size() <= kHoldValuesMax);
  STELE_CHECK(!scope.from || !scope.to || *scope.from < *scope.to);
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  append_scope(json, scope);
  json.end_object();
  const std::string padded = padded_body(text);
  const auto again = parse_hold_request(std::string_view(padded).substr(0, text.size()));
  STELE_CHECK(std::holds_alternative<HoldScope>(again));
  STELE_CHECK(std::get<HoldScope>(again) == scope);
}

void check_times(const RetentionTimes& times, const RetentionTimes& minimum) {
  for (const ActionClass each : kActionClasses) {
    const auto time = times.of(each);
    STELE_CHECK(time == RetentionTimes::kForever || (time >= RetentionTimes::kLeast && time <= RetentionTimes::kMost));
    STELE_CHECK(time >= minimum.of(each));
  }
  const std::string text = to_json(times);
  const std::string padded = padded_body(text);
  const auto again = parse_retention_request(std::string_view(padded).substr(0, text.size()), minimum);
  STELE_CHECK(std::holds_alternative<RetentionTimes>(again));
  STELE_CHECK(std::get<RetentionTimes>(again) == times);
}

}  // namespace

FUZZ_TARGET(retention, retention_seeds) {
  if (input.empty()) return;
  const std::string_view body = input.substr(1);
  // Exactly the bytes that may be read; what they are must not matter.
  const fuzz::Exact padded(std::string(body) + std::string(simdjson::SIMDJSON_PADDING, '"'));
  const std::string_view text = padded.view().substr(0, body.size());
  const auto which = static_cast<unsigned char>(input[0]);
  if (which % 2 == 0) {
    const auto parsed = parse_hold_request(text);
    if (is_good_body(parsed)) check_hold(std::get<HoldScope>(parsed));
    return;
  }
  RetentionTimes minimum = RetentionTimes::all(std::chrono::microseconds{0});
  if (which % 4 == 3) {
    minimum.set(ActionClass::Read, std::chrono::hours{24 * 30});
    minimum.set(ActionClass::Refusal, RetentionTimes::kForever);
  }
  const auto parsed = parse_retention_request(text, minimum);
  if (is_good_body(parsed)) check_times(std::get<RetentionTimes>(parsed), minimum);
}

}  // namespace stele::api

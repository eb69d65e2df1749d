// Bodies of actions go when the time of their class is over, and nothing else does.

#include <doctest/doctest.h>

#include <functional>

#include "api/audit/action_draft.h"
#include "tests/api/support.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

constexpr std::int64_t kDay = 86'400'000'000;
const TestService::Headers kRetentionJson{{"Content-Type", "application/json"}};

std::vector<Digest> leaves_of(const Store& store) {
  std::vector<Digest> leaves;
  const auto view = store.view();
  Record record;
  for (Position at; at < view->end(); at = at.next()) {
    REQUIRE(view->read(at, record));
    leaves.push_back(record.leaf());
  }
  return leaves;
}

/// The rooms of retention over the store of a service, with a clock of their own.
struct RetentionTrial {
  explicit RetentionTrial(TestService& service, RetentionTimes minimum = RetentionTimes::all({}))
      : store(service.store()), holds(store, gate, clock), policy(store, gate, clock, minimum) {
    clock.wall = system_clock().now().micros;
    RedactionReach reach;
    reach.forget_states = [](const RedactionOrder&, Timestamp) { return [] { return std::vector<std::string>(); }; };
    reach.forget_answers = [](std::span<const Position>) {};
    reach.delivered_by = [](const RedactionOrder&) { return std::vector<std::string>(); };
    reach.redis_until = [](Timestamp) { return std::optional<Timestamp>(); };
    reach.kept = [this](const RedactionOrder& order) {
      if (on_kept) on_kept();
      return KeptRecords(holds.all(), order, order.is_of_retention() ? policy.effective() : policy.against_request(),
                         clock.now());
    };
    redactions.emplace(store, notes, gate, clock, std::move(reach));
    const RetentionSettings settings{.minimum = minimum, .first_pass = std::chrono::hours{1}};
    room.emplace(store, *redactions, policy, gate, settings, clock);
  }

  void set(ActionClass retention, std::chrono::microseconds time) {
    RetentionTimes times = policy.setting().times;
    times.set(retention, time);
    REQUIRE(std::holds_alternative<RetentionPolicy::Setting>(policy.set(times, Caller(), "")));
  }
  /// What an action says, of its class; its name stands in none of it.
  void act(std::string_view name, const std::string& details) {
    Proposal proposal;
    proposal.attached.push_back(action_draft(*audited_as(name), "route:/x", R"({"d":")" + details + "\"}", clock));
    REQUIRE(store.append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
  }
  void act_in_all_classes(const std::string& details) {
    act("events.query", "read " + details);
    act("auth.denied", "refusal " + details);
    act("server.start", "administration " + details);
    act("subscription.deliveries", "delivery " + details);
  }
  void hold_actions(const std::string& name, const std::string& action) {
    HoldScope scope;
    scope.event_types = {action};
    scope.reason = "r";
    REQUIRE(std::holds_alternative<LegalHolds::Placed>(holds.place(name, std::move(scope), Caller(), "")));
  }
  void release(const std::string& name) { REQUIRE(std::get<bool>(holds.release(name, Caller(), ""))); }
  void look() {
    REQUIRE(room->look());
    wait_until([&] { return redactions->unfinished() == 0; });
  }
  [[nodiscard]] std::uint64_t metric(const std::string& name) const {
    for (const SubjectMetric& each : room->report().metrics) {
      if (each.name == name) return each.samples.front().second;
    }
    return 0;
  }

  std::function<void()> on_kept;  ///< called before it is decided what is kept
  stele::test::FakeClock clock;
  Store& store;
  RedactionGate gate;
  RedactionNotes notes;
  LegalHolds holds;
  RetentionPolicy policy;
  std::optional<RedactionRoom> redactions;
  std::optional<RetentionRoom> room;
};

std::size_t times_in(const std::string& all, const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("Retention.IsForeverUntilItIsSet") {
  TestService service;
  const Answer before = service.get("/v1/audit/retention");
  const std::string forever =
      R"({"read":"forever","refusal":"forever","administration":"forever","delivery":"forever"})";
  CHECK(before.at("/policy") == forever);
  CHECK(before.at("/minimum") == R"({"read":"0","refusal":"0","administration":"0","delivery":"0"})");
  CHECK(before.at("/effective") == forever);
  CHECK(before.at("/position") == "none");
  const auto put = [&](const std::string& body) {
    return service.send(Method::Put, "/v1/audit/retention", body, kRetentionJson);
  };
  const Answer set = put(R"({"read":"90d","refusal":"36h"})");
  CHECK(set.status == 200);
  CHECK(set.at("/policy") == R"({"read":"90d","refusal":"36h","administration":"forever","delivery":"forever"})");
  CHECK(service.get("/v1/audit/retention").body == set.body);
  // It says all of it: what is not there is kept for ever.
  const Answer other = put(R"({"delivery":"24h"})");
  CHECK(other.at("/policy") == R"({"read":"forever","refusal":"forever","administration":"forever","delivery":"1d"})");
  const std::string size = service.get("/v1/head").at("/size");
  CHECK(put(R"({"delivery":"1d"})").body == other.body);
  CHECK(service.get("/v1/head").at("/size") == size);
  CHECK(service.get("/v1/events/audit?action=retention.set").text("/records/1/resource") == "retention");
}

TEST_CASE("Retention.RefusesTimesThatAreNoneAndThoseBelowTheMinimum") {
  ServiceOptions options;
  options.retention.minimum.set(ActionClass::Read, std::chrono::hours{24 * 30});
  options.retention.minimum.set(ActionClass::Refusal, RetentionTimes::kForever);
  TestService service(options);
  const auto refused = [&](const std::string& body) {
    const Answer answer = service.send(Method::Put, "/v1/audit/retention", body, kRetentionJson);
    return std::to_string(answer.status) + " " + answer.slug();
  };
  for (const char* const body :
       {R"({"read":"29d"})", R"({"refusal":"36500d"})", R"({"delivery":"23h"})", R"({"delivery":"36501d"})",
        R"({"delivery":1})", R"({"delivery":""})", R"({"delivery":"never"})", R"({"reads":"90d"})", "[]",
        R"({"read":"90d","read":"90d"})"}) {
    CAPTURE(body);
    CHECK(refused(body) == "422 invalid-request");
  }
  CHECK(refused("{") == "400 malformed-json");
  const Answer shown = service.get("/v1/audit/retention");
  CHECK(shown.at("/position") == "none");
  CHECK(shown.text("/minimum/read") == "30d");
  CHECK(shown.text("/minimum/refusal") == "forever");
  CHECK(service.send(Method::Put, "/v1/audit/retention", R"({"read":"30d"})", kRetentionJson).status == 200);
}

TEST_CASE("Retention.TheMinimumCountsAlsoWhenItWasRaisedLater") {
  TestService service;
  {
    RetentionTrial trial(service);
    trial.set(ActionClass::Read, std::chrono::hours{24});
  }
  RetentionTimes minimum = RetentionTimes::all({});
  minimum.set(ActionClass::Read, std::chrono::hours{48});
  RetentionTrial trial(service, minimum);
  CHECK(trial.policy.setting().times.of(ActionClass::Read) == std::chrono::hours{24});
  CHECK(trial.policy.effective().of(ActionClass::Read) == std::chrono::hours{48});
  trial.act("events.query", "read secret");
  trial.clock.wall += kDay + kDay / 2;
  trial.look();
  CHECK(times_in(service.bytes_in_folder(), "read secret") == 1);
  trial.clock.wall += kDay;
  trial.look();
  CHECK(times_in(service.bytes_in_folder(), "read secret") == 0);
}

TEST_CASE("Retention.BodiesWhoseTimeIsOverAreNowhereAndAllElseStays") {
  TestService service;
  RetentionTrial trial(service);
  std::vector<std::string> events;
  for (int i = 0; i < 50; ++i) {
    trial.act_in_all_classes("secret");
    const Answer stored = service.post(event("a/" + std::to_string(i % 7), R"({"d":"event secret"})"));
    REQUIRE(stored.status == 201);
    events.push_back(stored.text("/eventId"));
  }
  REQUIRE(service
              .send(Method::Put, "/v1/audit/holds/other", R"({"reason":"state secret","userIds":["nobody"]})",
                    kRetentionJson)
              .status == 201);
  const std::vector<Digest> before = leaves_of(trial.store);
  const std::string inclusion = "/v1/audit/inclusion?position=7&treeSize=" + std::to_string(before.size());
  const Answer proof = service.get(inclusion);
  REQUIRE(proof.status == 200);
  trial.look();  // nothing was set
  CHECK(leaves_of(trial.store) == before);
  trial.set(ActionClass::Read, std::chrono::hours{24});
  trial.set(ActionClass::Refusal, std::chrono::hours{48});
  trial.look();  // nothing is old enough
  CHECK(times_in(service.bytes_in_folder(), "read secret") == 50);
  CHECK(trial.metric("stele_retention_redactions_total") == 0);
  trial.clock.wall += kDay + kDay / 24;
  trial.act("events.query", "read of today");
  trial.look();
  std::string files = service.bytes_in_folder();
  CHECK(times_in(files, "read secret") == 0);
  CHECK(times_in(files, "read of today") == 0);  // the store has a clock of its own: recorded before, too
  CHECK(times_in(files, "refusal secret") == 50);
  CHECK(trial.metric("stele_retention_redactions_total") == 1);
  CHECK(trial.metric("stele_retention_removed_total") == 51);
  trial.clock.wall += kDay;
  trial.look();
  files = service.bytes_in_folder();
  CHECK(times_in(files, "refusal secret") == 0);
  CHECK(times_in(files, "administration secret") == 50);
  CHECK(times_in(files, "delivery secret") == 50);
  CHECK(times_in(files, "event secret") == 50);
  CHECK(times_in(files, "state secret") == 1);
  CHECK(trial.metric("stele_retention_removed_total") == 101);
  // Records, places and hashes are as they were, so that proofs hold.
  std::vector<Digest> after = leaves_of(trial.store);
  REQUIRE(after.size() > before.size());
  after.resize(before.size());
  CHECK(after == before);
  CHECK(service.get(inclusion).body == proof.body);
  for (const std::string& id : events) CHECK(service.get("/v1/events/" + id).text("/data/d") == "event secret");
  const Answer actions = service.get("/v1/events/audit?action=events.query&limit=1");
  CHECK(actions.at("/records/0/details") == "{}");
  CHECK(actions.text("/records/0/resource") == "route:/x");
  // Once more: nothing to do, nothing is asked for.
  const Position end = trial.store.view()->end();
  trial.look();
  CHECK(trial.store.view()->end() == end);
  CHECK(trial.metric("stele_retention_looks_total") == 5);
}

TEST_CASE("Retention.WhatIsUnderAHoldStaysUntilItIsReleased") {
  TestService service;
  std::uint64_t held_from = 0;
  {
    RetentionTrial trial(service);
    trial.set(ActionClass::Read, std::chrono::hours{24});
    trial.act("events.query", "read before");
    held_from = trial.store.view()->end().value();
    trial.act("aggregate.show", "read held");
    trial.act("events.query", "read behind");
    trial.hold_actions("suit", "aggregate.show");
    trial.clock.wall += 2 * kDay;
    trial.look();
    const std::string files = service.bytes_in_folder();
    CHECK(times_in(files, "read before") == 0);
    CHECK(times_in(files, "read behind") == 0);
    CHECK(times_in(files, "read held") == 1);
    const auto swept = trial.redactions->swept("$audit/read");
    REQUIRE(swept.first_kept);
    CHECK(swept.first_kept->value() == held_from);
    const Position end = trial.store.view()->end();
    trial.look();  // it is still there, and nothing is asked for
    CHECK(trial.store.view()->end() == end);
  }
  // After a restart the hold is known, and what it keeps.
  RetentionTrial trial(service);
  trial.clock.wall += 2 * kDay;
  trial.look();
  CHECK(times_in(service.bytes_in_folder(), "read held") == 1);
  trial.act("events.query", "read later");
  trial.clock.wall += 2 * kDay;
  trial.look();
  CHECK(times_in(service.bytes_in_folder(), "read later") == 0);
  CHECK(trial.redactions->swept("$audit/read").first_kept->value() == held_from);
  trial.release("suit");
  trial.look();
  CHECK(times_in(service.bytes_in_folder(), "read held") == 0);
  CHECK_FALSE(trial.redactions->swept("$audit/read").first_kept);
}

TEST_CASE("Retention.ALongerTimeSavesWhatIsNotGoneYet") {
  TestService service;
  RetentionTrial trial(service);
  trial.set(ActionClass::Read, std::chrono::hours{24});
  trial.act("events.query", "read secret");
  trial.clock.wall += 2 * kDay;
  trial.set(ActionClass::Read, std::chrono::hours{24 * 90});
  trial.look();
  CHECK(times_in(service.bytes_in_folder(), "read secret") == 1);
  trial.set(ActionClass::Read, std::chrono::hours{24});
  trial.look();
  CHECK(times_in(service.bytes_in_folder(), "read secret") == 0);
}

TEST_CASE("Retention.WhatALongerTimeHasSavedOnTheWayGoesWhenThatIsOver") {
  TestService service;
  RetentionTrial trial(service);
  trial.set(ActionClass::Read, std::chrono::hours{24});
  trial.act("events.query", "read secret");
  trial.clock.wall += 2 * kDay;
  int asked = 0;
  trial.on_kept = [&] {
    // The look has asked, and now the redaction that came of it does.
    if (++asked == 2) trial.set(ActionClass::Read, std::chrono::hours{24 * 90});
  };
  trial.look();
  trial.on_kept = nullptr;
  CHECK(times_in(service.bytes_in_folder(), "read secret") == 1);
  CHECK(trial.redactions->swept("$audit/read").retained);
  trial.clock.wall += 100 * kDay;
  trial.look();
  CHECK(times_in(service.bytes_in_folder(), "read secret") == 0);
  CHECK_FALSE(trial.redactions->swept("$audit/read").retained);
}

TEST_CASE("Retention.AHoldThatComesOnTheWayKeepsWhatIsNotGoneYet") {
  TestService service;
  RetentionTrial trial(service);
  trial.set(ActionClass::Read, std::chrono::hours{24});
  trial.act("aggregate.show", "read held");
  trial.act("events.query", "read free");
  trial.clock.wall += 2 * kDay;
  int asked = 0;
  trial.on_kept = [&] {
    if (++asked == 2) trial.hold_actions("suit", "aggregate.show");
  };
  trial.look();
  trial.on_kept = nullptr;
  CHECK(times_in(service.bytes_in_folder(), "read free") == 0);
  CHECK(times_in(service.bytes_in_folder(), "read held") == 1);
  trial.release("suit");
  trial.look();
  CHECK(times_in(service.bytes_in_folder(), "read held") == 0);
}

TEST_CASE("Retention.IsSeenToByItselfAndARequestDoesNotGoBelowTheMinimum") {
  stele::test::FakeClock clock;
  clock.wall = system_clock().now().micros;
  ServiceOptions options;
  options.clock = &clock;
  options.audit.emplace();
  options.retention.first_pass = std::chrono::milliseconds{0};
  options.retention.interval = std::chrono::milliseconds{1};
  options.retention.minimum.set(ActionClass::Administration, std::chrono::hours{24 * 30});
  TestService service(options);
  const std::string list = "/v1/events?includeSystem=true&aggregateId=%24audit%2Fadministration&limit=1";
  const std::string start = service.get(list).text("/events/0/eventId");
  const auto redact = [&] {
    return service.send(Method::Post, "/v1/events/" + start + "/redact", R"({"reason":"r"})", kRetentionJson);
  };
  const Answer refused = redact();
  CHECK(refused.status == 409);
  CHECK(refused.slug() == "still-retained");
  CHECK(refused.text("/retainedUntil").ends_with("Z"));
  const Answer dry =
      service.send(Method::Post, "/v1/events/" + start + "/redact", R"({"reason":"r","dryRun":true})", kRetentionJson);
  CHECK(dry.at("/counts/retained") == "1");
  CHECK(dry.text("/retainedUntil") == refused.text("/retainedUntil"));
  REQUIRE(service.send(Method::Put, "/v1/audit/retention", R"({"administration":"31d"})", kRetentionJson).status ==
          200);
  CHECK(service.get("/v1/events/" + start).at("/redacted") == "none");
  clock.wall += 31 * kDay - kDay / 2;
  CHECK(service.get("/v1/events/" + start).at("/redacted") == "none");
  clock.wall += kDay;
  wait_until([&] { return service.get("/v1/events/" + start).at("/redacted") != "none"; });
  CHECK(redact().status == 202);
  const Answer trail = service.get("/v1/events/audit?action=server.start");
  CHECK(trail.at("/records/0/details") == "{}");
  CHECK(trail.at("/records/0/redacted") == R"(["data"])");
  CHECK(trail.text("/records/0/redaction/timestamp").ends_with("Z"));
}

TEST_CASE("Retention.ARequestDoesNotGoBelowThePolicyOnceThereIsOne") {
  ServiceOptions options;
  options.audit.emplace();
  TestService service(options);
  const std::string list = "/v1/events?includeSystem=true&aggregateId=%24audit%2Fadministration&limit=1";
  const std::string start = service.get(list).text("/events/0/eventId");
  const auto redact = [&](const std::string& more) {
    return service.send(Method::Post, "/v1/events/" + start + "/redact", R"({"reason":"r")" + more + "}",
                        kRetentionJson);
  };
  CHECK(redact(R"(,"dryRun":true)").at("/counts/retained") == "0");
  REQUIRE(service.send(Method::Put, "/v1/audit/retention", R"({"read":"1d"})", kRetentionJson).status == 200);
  CHECK(redact("").slug() == "still-retained");
  REQUIRE(service.send(Method::Put, "/v1/audit/retention", R"({"administration":"1d"})", kRetentionJson).status == 200);
  CHECK(redact("").slug() == "still-retained");
  CHECK(service.get("/v1/events/" + start).at("/redacted") == "none");
}

// What is under a legal hold stays, by whatever way it was to go, and goes once the hold is released.

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "api/json/timestamp.h"
#include "tests/api/support.h"
#include "tests/support/eventually.h"
#include "tests/support/forwarding_file_system.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kJsonBody{{"Content-Type", "application/json"}};

std::string stored_event(TestService& service, const std::string& aggregate, const std::string& data,
                         const std::string& members = R"("aggregateType":"Mission")") {
  const Answer answer = service.post(event(aggregate, data, members));
  REQUIRE_MESSAGE(answer.status == 201, answer.body);
  return answer.text("/eventId");
}

Answer place_hold(TestService& service, const std::string& name, const std::string& scope) {
  return service.send(Method::Put, "/v1/audit/holds/" + name, R"({"reason":"a suit is pending",)" + scope + "}",
                      kJsonBody);
}

Answer release_hold(TestService& service, const std::string& name) {
  return service.send(Method::Delete, "/v1/audit/holds/" + name);
}

Answer ask_redaction(TestService& service, const std::string& path, const std::string& more = "") {
  return service.send(Method::Post, path, R"({"reason":"it must go")" + more + "}", kJsonBody);
}

void wait_for_state(TestService& service, const std::string& location, const std::string& state) {
  wait_until([&] { return service.get(location).text("/state") == state; });
}

LegalHold hold_of(const std::string& json) {
  const std::string body = json + std::string(simdjson::SIMDJSON_PADDING, ' ');
  auto parsed = parse_hold_request(std::string_view(body).substr(0, json.size()));
  REQUIRE(std::holds_alternative<HoldScope>(parsed));
  return {.name = "h", .scope = std::get<HoldScope>(std::move(parsed)), .position = {}, .placed = {}, .placed_by = {}};
}

}  // namespace

TEST_CASE("LegalHold.IsPlacedShownChangedAndReleased") {
  TestService service;
  CHECK(service.get("/v1/audit/holds").at("/holds") == "[]");
  CHECK(service.get("/v1/audit/holds/suit").slug() == "hold-not-found");
  CHECK(release_hold(service, "suit").slug() == "hold-not-found");
  const Answer placed = place_hold(service, "suit", R"("aggregateIds":["b","a"],"from":"2026-01-01T00:00:00Z")");
  CHECK(placed.status == 201);
  CHECK(placed.at("/aggregateIds") == R"(["a","b"])");
  CHECK(placed.text("/from") == "2026-01-01T00:00:00.000000Z");
  CHECK(placed.at("/to") == "none");
  CHECK(placed.text("/reason") == "a suit is pending");
  CHECK(service.get("/v1/audit/holds/suit").body == placed.body);
  CHECK(service.get("/v1/audit/holds").text("/holds/0/name") == "suit");
  // The very same again is no change; another one is an event.
  const std::string size = service.get("/v1/head").at("/size");
  const Answer same = place_hold(service, "suit", R"("aggregateIds":["a","b"],"from":"2026-01-01T00:00:00Z")");
  CHECK(same.status == 200);
  CHECK(same.body == placed.body);
  CHECK(service.get("/v1/head").at("/size") == size);
  const Answer other = place_hold(service, "suit", R"("userIds":["u"])");
  CHECK(other.status == 200);
  CHECK(other.at("/aggregateIds") == "none");
  CHECK(release_hold(service, "suit").status == 204);
  CHECK(service.get("/v1/audit/holds").at("/holds") == "[]");
  const Answer events = service.get("/v1/events?includeSystem=true&aggregateId=%24hold%2Fsuit");
  CHECK(events.text("/events/0/eventType") == "$HoldPlaced");
  CHECK(events.text("/events/1/eventType") == "$HoldPlaced");
  CHECK(events.text("/events/2/eventType") == "$HoldReleased");
  const Answer audit = service.get("/v1/events/audit?resource=hold%3Asuit");
  CHECK(audit.text("/records/0/action") == "hold.place");
  CHECK(audit.text("/records/2/action") == "hold.release");
}

TEST_CASE("LegalHold.RefusesWhatItCannotDo") {
  TestService service;
  const auto refused = [&](const std::string& name, const std::string& body) {
    const Answer answer = service.send(Method::Put, "/v1/audit/holds/" + name, body, kJsonBody);
    return std::to_string(answer.status) + " " + answer.slug();
  };
  for (const char* const body :
       {"{}", R"({"reason":"r"})", R"({"aggregateIds":["a"]})", R"({"reason":"","aggregateIds":["a"]})",
        R"({"reason":"r","aggregateIds":[]})", R"({"reason":"r","aggregateIds":["a","a"]})",
        R"({"reason":"r","aggregateIds":"a"})", R"({"reason":"r","from":"yesterday"})",
        R"({"reason":"r","from":"2026-01-02T00:00:00Z","to":"2026-01-02T00:00:00Z"})",
        R"({"reason":"r","tags":["t"]})"}) {
    CAPTURE(body);
    CHECK(refused("h", body) == "422 invalid-request");
  }
  CHECK(refused("h", "[]") == "422 invalid-request");
  CHECK(refused("h", "{") == "400 malformed-json");
  CHECK(refused("a%20b", R"({"reason":"r","userIds":["u"]})") == "400 invalid-path");
  CHECK(refused(std::string(129, 'a'), R"({"reason":"r","userIds":["u"]})") == "400 invalid-path");
  std::string many;
  for (int i = 0; i <= 1000; ++i) many += (i == 0 ? "\"" : ",\"") + std::to_string(i) + '"';
  CHECK(refused("h", R"({"reason":"r","userIds":[)" + many + "]}") == "422 invalid-request");
  CHECK(service.get("/v1/audit/holds").at("/holds") == "[]");
}

TEST_CASE("LegalHold.ThereIsABoundOfThem") {
  TestService service;
  for (std::size_t i = 0; i < LegalHolds::kHoldsMax; ++i) {
    REQUIRE(place_hold(service, "h" + std::to_string(i), R"("userIds":["u"])").status == 201);
  }
  const Answer beyond = place_hold(service, "one-more", R"("userIds":["u"])");
  CHECK(beyond.status == 422);
  CHECK(beyond.slug() == "too-many-holds");
  CHECK(place_hold(service, "h0", R"("userIds":["v"])").status == 200);
  CHECK(release_hold(service, "h1").status == 204);
  CHECK(place_hold(service, "one-more", R"("userIds":["u"])").status == 201);
}

TEST_CASE("LegalHold.KeepsWhatMeetsAllOfItsConditions") {
  RecordHeader header;
  header.kind = RecordKind::Event;
  header.event_type = "T";
  header.time = *parse_timestamp("2026-05-05T00:00:00Z", FinerTimes::Refuse);
  const auto keeps = [&](const std::string& scope, const std::string& aggregate = "a",
                         const std::optional<std::string>& type = "M") {
    const LegalHold hold = hold_of(R"({"reason":"r",)" + scope + "}");
    return hold.scope.concerns(aggregate, type) && hold.scope.keeps(header);
  };
  CHECK(keeps(R"("aggregateIds":["b","a"])"));
  CHECK_FALSE(keeps(R"("aggregateIds":["b","aa"])"));
  CHECK(keeps(R"("aggregateIds":["a"])", "$snapshot/a"));
  CHECK(keeps(R"("aggregateTypes":["M","N"])"));
  CHECK_FALSE(keeps(R"("aggregateTypes":["N"])"));
  CHECK_FALSE(keeps(R"("aggregateTypes":["M"])", "a", std::nullopt));
  CHECK(keeps(R"("eventTypes":["T"])"));
  CHECK_FALSE(keeps(R"("eventTypes":["t"])"));
  CHECK(keeps(R"("from":"2026-05-05T00:00:00Z")"));
  CHECK_FALSE(keeps(R"("from":"2026-05-05T00:00:00.000001Z")"));
  CHECK_FALSE(keeps(R"("to":"2026-05-05T00:00:00Z")"));
  CHECK(keeps(R"("to":"2026-05-05T00:00:00.000001Z")"));
  CHECK_FALSE(keeps(R"("aggregateIds":["a"],"eventTypes":["U"])"));
  CHECK_FALSE(keeps(R"("userIds":["u"])"));
  header.principal = "u";
  CHECK(keeps(R"("userIds":["u"])"));
  header.principal = "key";
  header.user_id = "u";
  CHECK(keeps(R"("userIds":["u"],"aggregateTypes":["M"])"));
}

TEST_CASE("LegalHold.WhatIsUnderItIsNotRedacted") {
  TestService service;
  const std::string held = stored_event(service, "a", R"({"n":"of the case"})", R"("userId":"u")");
  const std::string free = stored_event(service, "a", R"({"n":"of nobody"})", R"("userId":"v")");
  REQUIRE(place_hold(service, "suit", R"("userIds":["u"])").status == 201);
  REQUIRE(place_hold(service, "audit.2026", R"("userIds":["u","w"])").status == 201);
  const Answer refused = ask_redaction(service, "/v1/events/" + held + "/redact");
  CHECK(refused.status == 409);
  CHECK(refused.slug() == "legal-hold");
  CHECK(refused.at("/holds") == R"(["audit.2026","suit"])");
  CHECK(ask_redaction(service, "/v1/aggregates/a/redact").slug() == "legal-hold");
  const Answer dry = ask_redaction(service, "/v1/aggregates/a/redact", R"(,"dryRun":true)");
  CHECK(dry.status == 200);
  CHECK(dry.at("/counts/events") == "1");
  CHECK(dry.at("/counts/held") == "1");
  CHECK(dry.at("/holds") == R"(["audit.2026","suit"])");
  // The other event of the aggregate is nobody's.
  const Answer asked = ask_redaction(service, "/v1/events/" + free + "/redact");
  REQUIRE(asked.status == 202);
  wait_for_state(service, asked.header("Location"), "completed");
  CHECK(service.get("/v1/events/" + held).at("/data/n") == R"("of the case")");
  CHECK(service.get("/v1/events/" + free).at("/redacted") == R"(["data"])");
  // Two holds: one of them suffices.
  REQUIRE(release_hold(service, "suit").status == 204);
  CHECK(ask_redaction(service, "/v1/events/" + held + "/redact").slug() == "legal-hold");
  REQUIRE(release_hold(service, "audit.2026").status == 204);
  const Answer now = ask_redaction(service, "/v1/events/" + held + "/redact");
  REQUIRE(now.status == 202);
  wait_for_state(service, now.header("Location"), "completed");
  CHECK(service.get("/v1/events/" + held).at("/redacted") == R"(["data"])");
}

namespace {

/// A room of its own over the store of a service, with holds that come when a test says so.
struct LateHold {
  explicit LateHold(TestService& service, std::function<void(LateHold&)> when_rules_are_read = {})
      : holds(service.store(), gate, system_clock()), on_rules(std::move(when_rules_are_read)) {
    RedactionReach reach;
    reach.forget_states = [this](const RedactionOrder&, Timestamp) {
      ++forgettings;
      return [] { return std::vector<std::string>(); };
    };
    reach.forget_answers = [this](std::span<const Position> events) {
      const std::lock_guard lock(answers_mutex);
      answers_forgotten.insert(events.begin(), events.end());
    };
    reach.delivered_by = [](const RedactionOrder&) { return std::vector<std::string>(); };
    reach.redis_until = [](Timestamp) { return std::optional<Timestamp>(); };
    reach.kept = [this](const RedactionOrder& order) {
      KeptRecords kept(holds.all(), order, RetentionTimes::all(std::chrono::microseconds{0}), Timestamp{0});
      if (on_rules) std::exchange(on_rules, nullptr)(*this);
      return kept;
    };
    room.emplace(service.store(), notes, gate, system_clock(), std::move(reach));
  }
  void place() {
    const std::string body = R"({"reason":"r","userIds":["u"]})" + std::string(simdjson::SIMDJSON_PADDING, ' ');
    auto scope = parse_hold_request(body);
    REQUIRE(std::holds_alternative<HoldScope>(scope));
    REQUIRE(std::holds_alternative<LegalHolds::Placed>(
        holds.place("late", std::get<HoldScope>(std::move(scope)), Caller(), "")));
    if (room) room->rules_changed();
  }
  void release() {
    REQUIRE(std::get<bool>(holds.release("late", Caller(), "")));
    room->rules_changed();
  }
  std::string ask(TestService& service) {
    const auto aggregate = service.store().view()->aggregate("a");
    REQUIRE(aggregate);
    RedactionOrder order;
    order.reason = "it must go";
    order.aggregate_id = "a";
    order.through = (*aggregate)->last_position;
    order.members = BodyMemberSet::all();
    auto asked = room->request(std::move(order), Caller(), "");
    REQUIRE(std::holds_alternative<RedactionStatus>(asked));
    return std::get<RedactionStatus>(asked).order.id;
  }
  RedactionStatus wait_for(const std::string& id, RedactionState state) {
    RedactionStatus found;
    wait_until([&] {
      const auto status = room->status(id);
      REQUIRE((status && *status));
      found = **status;
      return found.state == state;
    });
    return found;
  }

  RedactionGate gate;
  RedactionNotes notes;
  LegalHolds holds;
  std::function<void(LateHold&)> on_rules;
  std::atomic<int> forgettings{0};
  std::mutex answers_mutex;
  std::set<Position> answers_forgotten;  ///< about these events
  std::optional<RedactionRoom> room;
};

}  // namespace

TEST_CASE("LegalHold.ARewriteUnderWayEndsWhenAHoldComes") {
  TestService service;
  const std::string held = stored_event(service, "a", R"({"n":"of the case"})", R"("userId":"u")");
  const std::string free = stored_event(service, "a", R"({"n":"of nobody"})", R"("userId":"v")");
  // The hold comes when the rules of before are read already.
  LateHold late(service, [](LateHold& self) { self.place(); });
  const std::string id = late.ask(service);
  const RedactionStatus waiting = late.wait_for(id, RedactionState::Waiting);
  CHECK(waiting.waiting_for == std::vector<std::string>{"a legal hold: late"});
  CHECK(waiting.outcome.events == 1);
  CHECK(waiting.outcome.held == 1);
  CHECK(service.get("/v1/events/" + held).at("/data/n") == R"("of the case")");
  CHECK(service.get("/v1/events/" + free).at("/redacted") == R"(["data"])");
  const int forgettings = late.forgettings;
  late.release();
  const RedactionStatus completed = late.wait_for(id, RedactionState::Completed);
  CHECK(completed.outcome.events == 2);
  CHECK(completed.outcome.held == 0);
  CHECK(service.get("/v1/events/" + held).at("/redacted") == R"(["data"])");
  // States that were folded while it waited are forgotten as well.
  CHECK(late.forgettings == forgettings + 1);
}

namespace {

/// Calls back before a segment is written anew.
class ToldOfRewrites final : public stele::test::ForwardingFileSystem {
 public:
  ToldOfRewrites() : ForwardingFileSystem(posix_file_system()) {}
  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::CreateNew && path.ends_with(".rewritten") && on_rewrite) on_rewrite(++rewrites);
    return ForwardingFileSystem::open(path, mode);
  }
  std::function<void(int)> on_rewrite;
  int rewrites = 0;
};

}  // namespace

TEST_CASE("LegalHold.ComesBetweenTwoSegmentsOfARedaction") {
  ToldOfRewrites files;
  TestService service({}, &files, {});
  const std::string large = "\"" + std::string(900'000, 'x') + "\"";
  const std::string free = stored_event(service, "a", large, R"("userId":"v")");
  for (int i = 0; i < 6; ++i) stored_event(service, "a", large, R"("userId":"u")");
  REQUIRE(service.store().metrics().log_segments > 1);
  const Position first{std::stoull(service.get("/v1/events/" + free).at("/position"))};
  for (int i = 0; i < 3; ++i) stored_event(service, "b", "1");
  LateHold late(service);
  // All events of the first segment are redacted by then.
  files.on_rewrite = [&](int number) {
    if (number == 2) late.place();
  };
  const std::string id = late.ask(service);
  const RedactionStatus waiting = late.wait_for(id, RedactionState::Waiting);
  CHECK(waiting.waiting_for == std::vector<std::string>{"a legal hold: late"});
  CHECK(waiting.outcome.held > 0);
  CHECK(waiting.outcome.held < 6);
  CHECK(service.get("/v1/events/" + free).at("/redacted") == R"(["data"])");
  // What receivers have said about those that are gone is forgotten already.
  {
    const std::lock_guard lock(late.answers_mutex);
    CHECK(late.answers_forgotten.contains(first));
  }
  late.release();
  CHECK(late.wait_for(id, RedactionState::Completed).outcome.held == 0);
}

TEST_CASE("LegalHold.IsThereAfterARestartBeforeAnythingIsRedacted") {
  TestService service;
  const std::string held = stored_event(service, "a", R"({"n":"of the case"})", R"("userId":"u")");
  std::string id;
  {
    LateHold before(service, [](LateHold& self) { self.place(); });
    id = before.ask(service);
    (void)before.wait_for(id, RedactionState::Waiting);
  }
  LateHold after(service);
  REQUIRE(after.holds.all()->size() == 1);
  CHECK(after.holds.all()->at("late")->scope.user_ids == std::vector<std::string>{"u"});
  CHECK(after.wait_for(id, RedactionState::Waiting).outcome.held == 1);
  CHECK(service.get("/v1/events/" + held).at("/data/n") == R"("of the case")");
  after.release();
  (void)after.wait_for(id, RedactionState::Completed);
  LateHold again(service);
  CHECK(again.holds.all()->empty());
}

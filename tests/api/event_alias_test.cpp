// Event types that are shown under another name than the one that their events are stored under.

#include <doctest/doctest.h>

#include "api/records/event_notes.h"
#include "api/schemas/schema_registry.h"
#include "tests/api/live_support.h"
#include "tests/api/room_fixture.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kJson{{"Content-Type", "application/json"}};
const TestService::Headers kLines{{"Accept", "application/x-ndjson"}};

Answer set_alias(TestService& service, const std::string& type, const std::string& to) {
  return service.send(Method::Put, "/v1/event-types/" + type + "/alias", R"({"to":")" + to + R"("})", kJson);
}

Answer remove_alias(TestService& service, const std::string& type) {
  return service.send(Method::Delete, "/v1/event-types/" + type + "/alias");
}

Answer append(TestService& service, const std::string& type, const std::string& condition = "") {
  const std::string event = R"({"eventType":")" + type + R"(","aggregateId":"a","data":{"n":1}})";
  return service.post(condition.empty() ? event : R"({"events":[)" + event + R"(],"condition":)" + condition + "}");
}

/// `eventType/storedEventType` of the events of a page, the latter where it is shown.
std::string types_in(const Answer& page, const std::string& member = "/events") {
  std::string found;
  for (int i = 0;; ++i) {
    const std::string at = member + "/" + std::to_string(i);
    if (page.at(at + "/eventType") == "none") return found;
    if (!found.empty()) found += ' ';
    found += page.text(at + "/eventType");
    if (page.at(at + "/storedEventType") != "none") found += "/" + page.text(at + "/storedEventType");
  }
}

}  // namespace

TEST_CASE("EventAlias.IsSetShownListedAndRemoved") {
  TestService service;
  CHECK(service.get("/v1/event-types/Old/alias").slug() == "alias-not-found");
  CHECK(remove_alias(service, "Old").slug() == "alias-not-found");
  const Answer set = set_alias(service, "Old", "New");
  CHECK(set.status == 201);
  CHECK(set.body == R"({"eventType":"Old","to":"New"})");
  CHECK(set_alias(service, "Old", "New").status == 200);
  CHECK(set_alias(service, "Old", "Newer").status == 200);
  CHECK(set_alias(service, "a%2Fb", "Newer").status == 201);
  CHECK(service.get("/v1/event-types/Old/alias").body == R"({"eventType":"Old","to":"Newer"})");
  CHECK(service.get("/v1/event-types/aliases").body ==
        R"({"aliases":[{"eventType":"Old","to":"Newer"},{"eventType":"a/b","to":"Newer"}]})");
  CHECK(remove_alias(service, "Old").status == 204);
  CHECK(service.get("/v1/event-types/Old/alias").status == 404);
  // Three changes and a removal: what is so already leaves no event.
  CHECK(service.get("/v1/events?includeSystem=true&aggregateId=%24schema/Old").at("/events/2/eventType") ==
        R"("$EventTypeUnaliased")");
  CHECK(service.get("/v1/events/audit?action=alias.set").at("/records/2/action") == R"("alias.set")");
  CHECK(service.get("/v1/events/audit?action=alias.remove").at("/records/0/resource") == R"("schema:Old")");
}

TEST_CASE("EventAlias.IsOneStep") {
  TestService service;
  REQUIRE(set_alias(service, "A", "B").status == 201);
  for (const auto& [from, to] : {std::pair("B", "C"), std::pair("C", "A"), std::pair("B", "A"), std::pair("D", "D")}) {
    CAPTURE(from);
    CHECK(set_alias(service, from, to).status == 409);
    CHECK(set_alias(service, from, to).slug() == "alias-conflict");
  }
  CHECK(set_alias(service, "A", "C").status == 200);
  CHECK(set_alias(service, "B", "C").status == 201);
  for (const char* const name : {"$schema", "a b", "", "x\\u0000"}) {
    CHECK(set_alias(service, "E", name).slug() == "invalid-request");
  }
  CHECK(set_alias(service, "%24E", "F").slug() == "invalid-path");
  CHECK(service.send(Method::Put, "/v1/event-types/E/alias", "{}", kJson).at("/errors/0/pointer") == R"("/to")");
  CHECK(service.send(Method::Put, "/v1/event-types/E/alias", R"({"to":7})", kJson).status == 422);
}

TEST_CASE("EventAlias.OnlySoManyLeadToAName") {
  TestService service;
  for (std::size_t i = 0; i < SchemaRegistry::kAliasesOfNameMax; ++i) {
    REQUIRE(set_alias(service, "E" + std::to_string(i), "New").status == 201);
  }
  CHECK(set_alias(service, "More", "New").slug() == "too-many-aliases");
  CHECK(set_alias(service, "More", "Other").status == 201);
}

TEST_CASE("EventAlias.ListsShowTheNewNameAndSelectByBoth") {
  TestService service;
  REQUIRE(append(service, "Old").status == 201);
  const std::string id = append(service, "New").text("/eventId");
  REQUIRE(append(service, "New").status == 201);
  REQUIRE(append(service, "Other").status == 201);
  CHECK(types_in(service.get("/v1/events?eventType=New")) == "New New");
  const std::string cursor = service.get("/v1/events?eventType=New&limit=1").text("/nextCursor");

  REQUIRE(set_alias(service, "Old", "New").status == 201);
  CHECK(types_in(service.get("/v1/events")) == "New/Old New New Other");
  CHECK(types_in(service.get("/v1/events?eventType=New")) == "New/Old New New");
  CHECK(types_in(service.get("/v1/events?eventType=Old")) == "New/Old");
  CHECK(types_in(service.get("/v1/events?eventType=Old&eventType=New&order=desc")) == "New New New/Old");
  CHECK(service.get("/v1/events?eventType=New", kLines).body.find(R"("eventType":"New","storedEventType":"Old")") !=
        std::string::npos);
  CHECK(service.get("/v1/events/" + id).at("/storedEventType") == "none");
  // Aliases are not part of what was asked for, so a cursor of before is one still.
  CHECK(types_in(service.get("/v1/events?eventType=New&limit=1&cursor=" + cursor)) == "New");
  // The audit trail is about what is stored; a receipt says what was.
  CHECK(service.get("/v1/events/audit?action=event.append").at("/records/0/details/eventType") == R"("Old")");
  const Answer receipt = append(service, "Old");
  CHECK(receipt.at("/eventType") == R"("Old")");
  const Answer shown = service.get("/v1/events/" + receipt.text("/eventId"));
  CHECK(shown.at("/eventType") == R"("New")");
  CHECK(shown.at("/storedEventType") == R"("Old")");

  REQUIRE(remove_alias(service, "Old").status == 204);
  CHECK(types_in(service.get("/v1/events?eventType=New")) == "New New");
  CHECK(types_in(service.get("/v1/events")) == "Old New New Other Old");
}

TEST_CASE("EventAlias.StreamsShowTheNewNameAndSelectByBoth") {
  LineFraming framing;
  ServiceOptions options;
  options.web_sockets = &framing;
  TestService service(std::move(options));
  REQUIRE(append(service, "Old").status == 201);
  REQUIRE(set_alias(service, "Old", "New").status == 201);
  for (const TestService::Headers& headers : {TestService::Headers{}, TestService::Headers{{"Upgrade", "websocket"}}}) {
    LiveReader reader(service, "/v1/events/stream?start=beginning&eventType=New", headers);
    CHECK(reader.read().find(R"("eventType":"New","storedEventType":"Old")") != std::string::npos);
    REQUIRE(append(service, "Old").status == 201);
    CHECK(reader.read_until("eventType").find(R"("eventType":"New","storedEventType":"Old")") != std::string::npos);
  }
}

TEST_CASE("EventAlias.SubscriptionsTurnToItAtOnce") {
  TestService service;
  const auto subscribe = [&](const std::string& type) {
    const Answer made =
        service.send(Method::Post, "/v1/events/subscribe",
                     R"({"eventTypes":[")" + type + R"("],"from":"beginning","delivery":{"type":"pull"}})", kJson);
    REQUIRE_EQ(made.status, 201);
    return made.text("/subscriptionId");
  };
  const auto pull = [&](const std::string& id) {
    return service.send(Method::Post, "/v1/subscriptions/" + id + "/pull", R"({"limit":100,"wait":"30s"})", kJson);
  };
  const auto ack = [&](const std::string& id, const Answer& pulled) {
    const std::string body = R"({"leaseId":)" + pulled.at("/leaseId") + "}";
    REQUIRE(service.send(Method::Post, "/v1/subscriptions/" + id + "/ack", body, kJson).status < 300);
  };
  const std::string by_new = subscribe("New");
  REQUIRE(append(service, "New").status == 201);
  const Answer before = pull(by_new);
  CHECK(types_in(before) == "New");
  ack(by_new, before);
  for (int round = 0; round < 20; ++round) {
    // Whatever its threads are at: from the answer on nothing that comes is passed over.
    REQUIRE(set_alias(service, "Old", "New").status == 201);
    REQUIRE(append(service, "Old").status == 201);
    const Answer pulled = pull(by_new);
    CHECK(types_in(pulled) == "New/Old");
    ack(by_new, pulled);
    REQUIRE(remove_alias(service, "Old").status == 204);
  }
  // By the old name: what is stored under it, whatever it is shown as.
  REQUIRE(set_alias(service, "Old", "New").status == 201);
  REQUIRE(append(service, "New").status == 201);
  const std::string by_old = subscribe("Old");
  const Answer old = pull(by_old);
  CHECK(types_in(old).starts_with("New/Old"));
  CHECK(types_in(old).find("New ") == std::string::npos);
}

TEST_CASE("EventAlias.DeadLettersAreRedrivenByBothNames") {
  EventNotes notes;
  RoomFixture fixture(nullptr, &notes);
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.attempts_max = 1;
  const std::string id = fixture.subscribe(request);
  fixture.append("a", "Old");
  fixture.append("b", "New");
  fixture.append("c", "Other");
  for (int i = 0; i < 3; ++i) fixture.sender.next().answer(500);
  wait_until([&] { return fixture.status(id).dead_letters == 3; });
  const auto found = [&](const char* type) {
    const auto redriven =
        fixture.room().redrive(id, {.event_types = {type}}, 0, /*dry_run=*/true, [] { return false; });
    return std::get<SubscriptionRoom::Redriven>(redriven).positions.size();
  };
  CHECK(found("New") == 1);
  AliasTable aliases;
  aliases.set("Old", "New");
  notes.aliases.change(std::move(aliases));
  CHECK(found("New") == 2);
  CHECK(found("Old") == 1);
}

TEST_CASE("EventAlias.ConditionsMeanWhatAFilterMeans") {
  TestService service;
  REQUIRE(append(service, "Old").status == 201);
  const std::string condition = R"({"failIfEventsMatch":[{"eventTypes":["New"]}]})";
  REQUIRE(append(service, "Other", condition).status == 201);
  REQUIRE(set_alias(service, "Old", "New").status == 201);
  const Answer refused = append(service, "Other", condition);
  CHECK(refused.slug() == "condition-failed");
  CHECK(types_in(refused, "/conflictingEvents") == "New/Old");
  REQUIRE(remove_alias(service, "Old").status == 204);
  CHECK(append(service, "Other", condition).status == 201);
}

TEST_CASE("EventAlias.SchemasGoByTheStoredName") {
  TestService service;
  REQUIRE(set_alias(service, "Old", "New").status == 201);
  const std::string schema = R"({"schema":{"type":"object","required":["m"]}})";
  REQUIRE(service.send(Method::Post, "/v1/schemas/New", schema, kJson).status == 201);
  CHECK(append(service, "Old").status == 201);
  CHECK(append(service, "New").slug() == "schema-violation");
}

TEST_CASE("EventAlias.IsThereAfterARestart") {
  TestService service;
  REQUIRE(set_alias(service, "Old", "New").status == 201);
  REQUIRE(set_alias(service, "Gone", "New").status == 201);
  REQUIRE(remove_alias(service, "Gone").status == 204);
  EventAliases aliases;
  const SchemaRegistry registry(service.store(), &aliases);
  CHECK(aliases.shown_name("Old") == "New");
  CHECK_FALSE(aliases.shown_name("Gone"));
  std::vector<std::string> types{"New", "Other"};
  aliases.widen(types);
  CHECK(types == std::vector<std::string>{"New", "Other", "Old"});
  CHECK(registry.unreadable() == 0);
}

// Registrations that are held against what is stored while events go on.

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/endpoint/own_events.h"
#include "api/schemas/candidate_check.h"
#include "api/schemas/schema_candidates.h"
#include "api/schemas/schema_event.h"
#include "api/schemas/schema_registry.h"
#include "tests/api/support.h"
#include "tests/support/eventually.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kBodyIsJson{{"Content-Type", "application/json"}};
const std::string kCounted = R"({"type":"object","required":["n"],"properties":{"n":{"minimum":1}}})";

Answer register_counted(TestService& service, const std::string& type = "T", const std::string& schema = kCounted) {
  return service.send(Method::Post, "/v1/schemas/" + type, R"({"schema":)" + schema + "}", kBodyIsJson);
}

/// A candidate that nobody works at, as if the server had just been killed. Gives its position.
std::uint64_t leave_candidate(TestService& service, const std::string& type = "T",
                              const std::string& schema = kCounted) {
  const auto stored = append_own_event(
      service.store(),
      own_event(own_aggregate_id(kSchemaPrefix, type), std::string(kSchemaAggregateType), std::string(kSchemaCandidate),
                registered_data(type, 1, true, 0, schema), Caller(), "", system_clock()));
  REQUIRE(std::holds_alternative<OwnEventPlace>(stored));
  return std::get<OwnEventPlace>(stored).position.value();
}

std::string path_of(std::uint64_t candidate) { return "/v1/schemas/T/candidates/" + std::to_string(candidate); }

/// Waits until a candidate has ended.
Answer ended(TestService& service, const std::string& path) {
  Answer answer;
  wait_until([&] {
    answer = service.get(path);
    return answer.status != 200 || answer.text("/state") != "checking";
  });
  return answer;
}

std::string events_of(std::size_t count, const std::string& data) {
  std::string list = "[";
  for (std::size_t i = 0; i < count; ++i) list += (i == 0 ? "" : ",") + event("a", data);
  return list + "]";
}

/// What stands in the log of the registrations of T.
std::vector<std::string> changes_of(TestService& service) {
  std::vector<std::string> kinds;
  const Answer list = service.get("/v1/events?includeSystem=true&aggregateId=%24schema%2FT");
  simdjson::dom::parser parser;
  for (const simdjson::dom::element each : parser.parse(list.body)["events"]) {
    kinds.emplace_back(std::string_view(each["eventType"]));
  }
  return kinds;
}

}  // namespace

TEST_CASE("SchemaCandidate.ComesFirstIfThereAreEvents") {
  TestService service;
  REQUIRE(service.post(event("a", R"({"n":1})")).status == 201);
  CHECK(register_counted(service).status == 201);
  CHECK(changes_of(service) == std::vector<std::string>{"$SchemaCandidate", "$SchemaRegistered"});
  CHECK(service.get("/v1/schemas/T").at("/candidate") == "none");
  CHECK(service.get("/v1/schemas/T/versions/1").at("/state") == R"("active")");
  CHECK(service.post(event("a", R"({"n":0})")).slug() == "schema-violation");
  // What has no events needs none.
  CHECK(register_counted(service, "U").status == 201);
  const Answer audit = service.get("/v1/events/audit?resource=schema:T&limit=1");
  CHECK(audit.text("/records/0/action") == "schema.candidate");
}

TEST_CASE("SchemaCandidate.IsDroppedIfStoredEventsDoNotSatisfyIt") {
  TestService service;
  REQUIRE(service.post(event("a", R"({"n":0})")).status == 201);
  const Answer refused = register_counted(service);
  CHECK(refused.status == 409);
  CHECK(refused.slug() == "schema-incompatible");
  CHECK(refused.text("/failures/0/pointer") == "/n");
  CHECK(changes_of(service) == std::vector<std::string>{"$SchemaCandidate", "$SchemaCandidateDropped"});
  CHECK(service.get("/v1/schemas/T").status == 404);
  CHECK(service.post(event("a", R"({"n":0})")).status == 201);
  const Answer list = service.get("/v1/events?includeSystem=true&aggregateId=%24schema%2FT&limit=1");
  const Answer status = service.get("/v1/schemas/T/candidates/" + list.at("/events/0/position"));
  CHECK(status.text("/state") == "refused");
  CHECK(status.at("/version") == "1");
  CHECK(status.at("/checked") == "1");
  CHECK(status.at("/failed") == "1");
  CHECK(status.at("/failures") == refused.at("/failures"));
  // The next one may be better.
  CHECK(register_counted(service, "T", "true").at("/version") == "1");
}

TEST_CASE("SchemaCandidate.EventsMustSatisfyItAlready") {
  TestService service;
  const std::string repeated = R"("eventId":"0192f0c4-9000-7000-8000-0000000000ab")";
  REQUIRE(service.post(event("a", R"({"n":0})", repeated)).status == 201);
  const std::uint64_t candidate = leave_candidate(service);
  const Answer refused = service.post(event("a", R"({"n":0})"));
  CHECK(refused.slug() == "schema-violation");
  CHECK(refused.text("/errors/0/pointer") == "/data/n");
  CHECK(refused.text("/errors/0/detail").starts_with("Version 1, which is being registered: "));
  CHECK(service.post(event("a", R"({"n":0})", repeated)).status == 200);
  CHECK(service.post(event("a", R"({"n":1})")).at("/version") == "1");
  CHECK(service.post(event("a", R"({"n":1})", R"("version":2)")).slug() == "unknown-schema-version");
  CHECK(service.post(R"({"eventType":"U","aggregateId":"a","data":1})").status == 201);
  const Answer shown = service.get("/v1/schemas/T");
  CHECK(shown.status == 200);
  CHECK(shown.at("/version") == "null");
  CHECK(shown.at("/candidate/version") == "1");
  CHECK(shown.at("/candidate/position") == std::to_string(candidate));
}

TEST_CASE("SchemaCandidate.ThereIsOneOfATypeUntilItIsCancelled") {
  TestService service;
  REQUIRE(service.post(event("a", R"({"n":0})")).status == 201);
  const std::uint64_t candidate = leave_candidate(service);
  CHECK(service.get(path_of(candidate)).text("/state") == "checking");
  REQUIRE(service.post(event("a", R"({"n":0})")).slug() == "schema-violation");
  const Answer pending = register_counted(service);
  CHECK(pending.status == 409);
  CHECK(pending.slug() == "candidate-pending");
  CHECK(pending.text("/candidate") == path_of(candidate));
  CHECK(register_counted(service, "U").status == 201);

  CHECK(service.send(Method::Delete, path_of(candidate)).status == 204);
  CHECK(service.get(path_of(candidate)).text("/state") == "cancelled");
  CHECK(service.get("/v1/schemas/T").status == 404);
  CHECK(service.post(event("a", R"({"n":0})")).status == 201);
  const Answer again = service.send(Method::Delete, path_of(candidate));
  CHECK(again.status == 409);
  CHECK(again.slug() == "candidate-ended");
  CHECK(service.get(path_of(candidate + 1)).slug() == "schema-not-found");
  CHECK(service.get("/v1/schemas/U/candidates/" + std::to_string(candidate)).slug() == "schema-not-found");
  CHECK(service.send(Method::Delete, path_of(candidate + 1)).slug() == "schema-not-found");
  CHECK(service.get("/v1/schemas/T/candidates/x").slug() == "schema-not-found");
}

TEST_CASE("SchemaCandidate.NothingIsWithdrawnMeanwhile") {
  TestService service;
  REQUIRE(register_counted(service).status == 201);
  REQUIRE(service.send(Method::Post, "/v1/schemas/T", R"({"schema":true,"compatibility":"NONE"})", kBodyIsJson)
              .at("/version") == "2");
  const auto stored = append_own_event(
      service.store(),
      own_event(own_aggregate_id(kSchemaPrefix, "T"), std::string(kSchemaAggregateType), std::string(kSchemaCandidate),
                registered_data("T", 3, true, 0, kCounted), Caller(), "", system_clock()));
  REQUIRE(std::holds_alternative<OwnEventPlace>(stored));
  REQUIRE(service.post(event("a", "0")).at("/version") == "2");
  CHECK(service.send(Method::Delete, "/v1/schemas/T/versions/1").slug() == "candidate-pending");
  CHECK(service.send(Method::Post, "/v1/schemas/T/versions/1/activate").status == 204);
  CHECK(service.post(event("a", "0", R"("version":3)")).slug() == "unknown-schema-version");
}

TEST_CASE("SchemaCandidate.GoesOnBehindARestart") {
  TestService service;
  REQUIRE(service.post(event("a", R"({"n":1})")).status == 201);
  const std::uint64_t good = leave_candidate(service);
  REQUIRE(service.post(R"({"eventType":"U","aggregateId":"a","data":1})").status == 201);
  const std::uint64_t bad = leave_candidate(service, "U");
  {
    SchemaRegistry registry(service.store());
    SchemaCandidates candidates(service.store(), registry, system_clock());
    CHECK(ended(service, path_of(good)).text("/state") == "registered");
    CHECK(ended(service, "/v1/schemas/U/candidates/" + std::to_string(bad)).text("/state") == "refused");
  }
  REQUIRE(service.post(event("a", R"({"n":1})")).status == 201);  // by which this server learns of it
  CHECK(service.post(event("a", R"({"n":0})")).slug() == "schema-violation");
  CHECK(service.get("/v1/schemas/T").at("/version") == "1");
  CHECK(service.get("/v1/schemas/U").status == 404);
}

TEST_CASE("SchemaCandidate.EndsWithItsClient") {
  TestService service;
  REQUIRE(service.post(events_of(5000, R"({"n":1})")).status == 201);
  const auto request = std::make_shared<TestRequest>(Method::Post, "/v1/schemas/T", R"({"schema":)" + kCounted + "}",
                                                     kBodyIsJson, service.scheduler());
  request->is_abandoned = true;
  CHECK(service.begin(request).get().status == 503);
  CHECK(changes_of(service) == std::vector<std::string>{"$SchemaCandidate", "$SchemaCandidateDropped"});
  CHECK(service.post(event("a", R"({"n":0})")).status == 201);
}

TEST_CASE("SchemaCandidate.GoesOnWithoutItsClientBeyondWhatARequestLooksThrough") {
  TestService service;
  const std::string list = events_of(5'000, R"({"n":1})");
  for (int i = 0; i < 20; ++i) REQUIRE(service.post(list).status == 201);
  REQUIRE(service.post(event("a", R"({"n":1})")).status == 201);
  const Answer accepted = register_counted(service);
  CHECK(accepted.status == 202);
  CHECK(accepted.at("/version") == "1");
  const std::string path = accepted.header("Location");
  CHECK(path == path_of(std::stoull(accepted.at("/position"))));
  const Answer registered = ended(service, path);
  CHECK(registered.text("/state") == "registered");
  CHECK(service.get("/v1/schemas/T").at("/version") == "1");
  CHECK(service.post(event("a", R"({"n":0})")).slug() == "schema-violation");
  // One that does not go through says what it has found.
  REQUIRE(service.send(Method::Delete, "/v1/schemas/T/versions/1").status == 409);
  REQUIRE(service.get("/v1/events?limit=1").status == 200);
}

TEST_CASE("SchemaCandidate.CannotBeUnderstoodTwiceOrInAnotherPlace") {
  TestService service;
  REQUIRE(service.post(event("a", "0")).status == 201);
  leave_candidate(service);
  leave_candidate(service);  // there is one already
  SchemaRegistry registry(service.store());
  CHECK(registry.unreadable() == 1);
  CHECK(registry.now()->find("T")->candidate->version == 1);
}

TEST_CASE("SchemaCandidate.EventsOfOlderVersionsMustSatisfyItOnceTheyAreUpcast") {
  TestService service;
  REQUIRE(register_counted(service).status == 201);
  REQUIRE(service.post(event("a", R"({"n":1})")).status == 201);
  const std::string next = R"({"required":["count"],"properties":{"count":{"maximum":9}}})";
  const std::string renamed = R"({"from":1,"operations":[{"op":"rename","path":"/n","to":"count"}]})";
  const auto stored = append_own_event(
      service.store(),
      own_event(own_aggregate_id(kSchemaPrefix, "T"), std::string(kSchemaAggregateType), std::string(kSchemaCandidate),
                R"({"eventType":"T","version":2,"active":true,"uncheckedVersionMax":0,"schema":)" + next +
                    R"(,"upcaster":)" + renamed + "}",
                Caller(), "", system_clock()));
  REQUIRE(std::holds_alternative<OwnEventPlace>(stored));
  CHECK(service.post(event("a", R"({"n":9})")).at("/version") == "1");
  const Answer refused = service.post(event("a", R"({"n":10})"));
  CHECK(refused.slug() == "schema-violation");
  CHECK(refused.text("/errors/0/pointer") == "/data/count");
  CHECK(refused.text("/errors/0/detail").starts_with("Version 2, which is being registered: "));
  CHECK(service.post(event("a", R"({"n":0})")).text("/errors/0/pointer") == "/data/n");
  CHECK(
      service.post("[" + event("a", R"({"n":2})") + "," + event("a", R"({"n":11})") + "]").text("/errors/0/pointer") ==
      "/1/data/count");
  CHECK(service
            .send(Method::Delete,
                  "/v1/schemas/T/candidates/" + std::to_string(std::get<OwnEventPlace>(stored).position.value()))
            .status == 204);
  CHECK(service.post(event("a", R"({"n":10})")).status == 201);
  // A registration finds what came meanwhile.
  const Answer found = service.send(Method::Post, "/v1/schemas/T",
                                    R"({"schema":)" + next + R"(,"upcaster":)" + renamed + "}", kBodyIsJson);
  CHECK(found.slug() == "schema-incompatible");
  CHECK(found.at("/checked") == "3");
  CHECK(found.at("/failed") == "1");
  CHECK(found.text("/failures/0/pointer") == "/count");
}

// What schemas there are, and that nothing is stored behind a registration that does not satisfy it.

#include <doctest/doctest.h>

#include <thread>

#include "api/endpoint/own_events.h"
#include "api/schemas/append_validator.h"
#include "api/schemas/schema_cache.h"
#include "api/schemas/schema_event.h"
#include "tests/api/schema_support.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kJsonHeaders{{"Content-Type", "application/json"}};

/// Data is an object with a positive number `n`.
const std::string kPositive =
    R"({"type":"object","required":["n"],"properties":{"n":{"type":"integer","minimum":1}},"additionalProperties":false})";
const std::string kNamed = R"({"type":"object","required":["name"],"properties":{"name":{"type":"string"}}})";

Answer register_in(TestService& service, const std::string& type, const std::string& schema,
                   const std::string& members = "", const std::string& query = "") {
  return service.send(Method::Post, "/v1/schemas/" + type + query,
                      R"({"schema":)" + schema + (members.empty() ? "" : "," + members) + "}", kJsonHeaders);
}

Answer configure_in(TestService& service, const std::string& type, const std::string& body) {
  return service.send(Method::Put, "/v1/schemas/" + type + "/config", body, kJsonHeaders);
}

Answer withdraw_in(TestService& service, const std::string& type, int version) {
  return service.send(Method::Delete, "/v1/schemas/" + type + "/versions/" + std::to_string(version));
}

Answer activate_in(TestService& service, const std::string& type, int version) {
  return service.send(Method::Post, "/v1/schemas/" + type + "/versions/" + std::to_string(version) + "/activate");
}

/// Behind the registry's back, as another node of a cluster would.
void register_elsewhere(TestService& service, const std::string& type, std::uint32_t version,
                        const std::string& schema) {
  const auto stored = append_own_event(
      service.store(), own_event(own_aggregate_id(kSchemaPrefix, type), std::string(kSchemaAggregateType),
                                 std::string(kSchemaRegistered), registered_data(type, version, true, 0, schema),
                                 Caller(), "", system_clock()));
  REQUIRE(std::holds_alternative<OwnEventPlace>(stored));
}

}  // namespace

TEST_CASE("Schemas.AreRegisteredShownAndListed") {
  TestService service;
  CHECK(service.get("/v1/schemas").body == R"({"schemas":[]})");
  CHECK(service.get("/v1/schemas/T").slug() == "schema-not-found");
  const Answer registered = register_in(service, "T", R"({ "type" : "object", "x-owner": "ada" })");
  CHECK(registered.status == 201);
  CHECK(registered.body == R"({"eventType":"T","version":1,"ignoredKeywords":["x-owner"]})");
  CHECK(registered.header("Location") == "/v1/schemas/T/versions/1");

  // The very same one, white space apart, in whatever way it must go with others.
  const Answer again = register_in(service, "T", R"({"type":"object","x-owner":"ada"})", R"("compatibility":"FULL")");
  CHECK(again.status == 200);
  CHECK(again.at("/version") == "1");
  CHECK(register_in(service, "T", "true", R"("compatibility":"NONE")").at("/version") == "2");

  const Answer shown = service.get("/v1/schemas/T");
  CHECK(shown.at("/version") == "2");
  CHECK(shown.at("/compatibility") == R"("BACKWARD_TRANSITIVE")");
  CHECK(shown.at("/policy") == R"("lenient")");
  CHECK(shown.at("/versions/0/state") == R"("active")");
  CHECK(shown.at("/versions/1/version") == "2");
  CHECK(shown.at("/versions/2") == "none");
  const Answer first = service.get("/v1/schemas/T/versions/1");
  CHECK(first.body.ends_with(R"("schema":{ "type" : "object", "x-owner": "ada" }})"));
  CHECK(first.at("/position") == shown.at("/versions/0/position"));
  for (const char* const none : {"/v1/schemas/T/versions/3", "/v1/schemas/T/versions/0", "/v1/schemas/T/versions/x",
                                 "/v1/schemas/U/versions/1", "/v1/schemas/T/versions/18446744073709551617"}) {
    CHECK(service.get(none).slug() == "schema-not-found");
  }
  CHECK(register_in(service, "a%2Fb", "{}").status == 201);
  CHECK(service.get("/v1/schemas").at("/schemas/1/eventType") == R"("a/b")");
  CHECK(service.get("/v1/schemas").at("/schemas/1/versions") == "1");
  CHECK(service.get("/v1/audit/records").status == 404);
}

TEST_CASE("Schemas.WhatCannotBeRegisteredIsRefused") {
  TestService service;
  const auto refused = [&](const std::string& body, const char* slug, const std::string& pointer) {
    CAPTURE(body);
    const Answer answer = service.send(Method::Post, "/v1/schemas/T", body, kJsonHeaders);
    CHECK(answer.status == 422);
    CHECK(answer.slug() == slug);
    CHECK(answer.text("/errors/0/pointer") == pointer);
  };
  refused("{}", "invalid-request", "/schema");
  refused(R"({"schema":{},"upcasters":{}})", "invalid-request", "/upcasters");
  refused(R"({"schema":{},"compatibility":"backward"})", "invalid-request", "/compatibility");
  refused(R"({"schema":{},"policy":"lax"})", "invalid-request", "/policy");
  refused(R"({"schema":{"properties":{"a/b":{"type":"nothing"}}}})", "invalid-schema", "/schema/properties/a~1b/type");
  refused(R"({"schema":7})", "invalid-schema", "/schema");
  CHECK(register_in(service, "$x", "{}").slug() == "invalid-path");
  CHECK(register_in(service, "a b", "{}").status == 400);
  CHECK(register_in(service, "T", "{}", "", "?active=maybe").slug() == "invalid-parameter");
  CHECK(register_in(service, "T", "{}", "", "?activ=true").slug() == "unknown-parameter");
  CHECK(service.get("/v1/schemas/T").status == 404);
}

TEST_CASE("Schemas.AVersionMustGoTogetherWithThoseBeforeIt") {
  TestService service;
  const auto object = [](const std::string& properties) { return R"({"properties":{)" + properties + "}}"; };
  const auto mode = [](const char* name) { return R"("compatibility":")" + std::string(name) + '"'; };
  REQUIRE(register_in(service, "T", object(R"("a":{"type":"integer"})")).status == 201);
  // By default a new reader must be able to read everything there ever was.
  const Answer refused = register_in(service, "T", object(R"("a":{"type":"string"})"));
  CHECK(refused.status == 409);
  CHECK(refused.slug() == "schema-incompatible");
  CHECK(refused.at("/changes/0/version") == "1");
  CHECK(refused.text("/changes/0/direction") == "backward");
  CHECK(refused.text("/changes/0/pointer") == "/properties/a/type");
  CHECK(refused.text("/changes/0/rule") == "type-narrowed");
  REQUIRE(register_in(service, "T", object(R"("a":{"type":"number"})")).at("/version") == "2");
  CHECK(register_in(service, "T", object(R"("a":{"type":"boolean"})"), mode("FULL")).at("/changes/1/direction") ==
        R"("forward")");
  // An old reader need not be able to read the newest, unless it is asked for.
  CHECK(register_in(service, "T", object(R"("a":{"type":["number","null"]})"), mode("FORWARD")).status == 409);
  REQUIRE(register_in(service, "T", object(R"("a":{"type":["number","null"]})")).at("/version") == "3");
  // The newest only, or all of them.
  const std::string narrower = object(R"("a":{"type":["integer","null"]})");
  CHECK(register_in(service, "T", narrower, mode("FORWARD_TRANSITIVE")).at("/changes/0/version") == "2");
  CHECK(register_in(service, "T", narrower, mode("FORWARD")).at("/version") == "4");
  // An optional property comes and goes, unless the policy is strict.
  const std::string more = object(R"("a":{"type":["number","null"]},"b":{"type":"string"})");
  CHECK(register_in(service, "T", more, R"("policy":"strict")").text("/changes/0/rule") ==
        "property-added-to-open-model");
  CHECK(register_in(service, "T", more).at("/version") == "5");
  // What is withdrawn counts no more.
  REQUIRE(configure_in(service, "U", R"({"compatibility":"BACKWARD"})").status == 200);
  REQUIRE(register_in(service, "U", "true").status == 201);
  CHECK(register_in(service, "U", kPositive).slug() == "schema-incompatible");
  REQUIRE(register_in(service, "U", kPositive, mode("NONE")).at("/version") == "2");
  REQUIRE(withdraw_in(service, "U", 1).status == 204);
  CHECK(register_in(service, "U", R"({"type":"object"})", mode("BACKWARD_TRANSITIVE")).at("/version") == "3");
}

TEST_CASE("Schemas.EventsMustSatisfyTheSchemaOfTheirVersion") {
  TestService service;
  REQUIRE(register_in(service, "T", kPositive).status == 201);
  CHECK(service.post(event("a", R"({"n":1})")).status == 201);
  const Answer one = service.post(event("a", R"({"n":0})"));
  CHECK(one.status == 422);
  CHECK(one.slug() == "schema-violation");
  CHECK(one.text("/errors/0/pointer") == "/data/n");
  CHECK(service.post(event("a", "{}")).text("/errors/0/pointer") == "/data");
  CHECK(service.post(event("a", R"({"n":1,"m":2})")).text("/errors/0/pointer") == "/data/m");
  // Other types need no schema, and have any version.
  CHECK(service.post(R"({"eventType":"U","aggregateId":"a","data":1,"version":7})").at("/version") == "7");
}

TEST_CASE("Schemas.PointersAreThoseOfTheBodySent") {
  TestService service;
  REQUIRE(register_in(service, "T", kPositive).status == 201);
  const std::string good = event("a", R"({"n":1})"), bad = event("a", R"({"n":"x"})");
  const Answer list = service.post("[" + good + "," + bad + "," + bad + "]");
  CHECK(list.slug() == "schema-violation");
  CHECK(list.text("/errors/0/pointer") == "/1/data/n");
  CHECK(list.text("/errors/1/pointer") == "/2/data/n");
  const Answer wrapped =
      service.post(R"({"condition":{"aggregates":[{"aggregateId":"z","lastSequenceNumber":0}]},"events":[)" + good +
                   "," + bad + "]}");
  CHECK(wrapped.text("/errors/0/pointer") == "/events/1/data/n");
  const Answer lines = service.post(good + "\n\n" + bad + "\n", {{"Content-Type", "application/x-ndjson"}});
  CHECK(lines.text("/errors/0/pointer") == "/1/data/n");
  CHECK(lines.at("/errors/0/line") == "3");
  CHECK(service.get("/v1/events").at("/events") == "[]");
  // A long list, which is validated elsewhere.
  std::string many = "[";
  for (int i = 0; i < 2000; ++i) many += good + ",";
  CHECK(service.post(many + bad + "]").text("/errors/0/pointer") == "/2000/data/n");
  CHECK(service.post(many + good + "]").status == 201);
}

TEST_CASE("Schemas.EventsHaveTheNewestActiveVersionUnlessTheyNameOne") {
  TestService service;
  const std::string none = R"("compatibility":"NONE")";
  REQUIRE(register_in(service, "T", kPositive).status == 201);
  REQUIRE(register_in(service, "T", kNamed, none, "?active=false").at("/version") == "2");
  CHECK(service.get("/v1/schemas/T/versions/2").at("/state") == R"("inactive")");
  CHECK(service.post(event("a", R"({"n":1})")).at("/version") == "1");
  CHECK(service.post(event("a", R"({"name":"x"})", R"("version":2)")).at("/version") == "2");
  CHECK(service.post(event("a", R"({"n":1})", R"("version":2)")).slug() == "schema-violation");
  const Answer unknown = service.post(event("a", R"({"n":1})", R"("version":3)"));
  CHECK(unknown.slug() == "unknown-schema-version");
  CHECK(unknown.text("/errors/0/pointer") == "/version");

  CHECK(activate_in(service, "T", 2).status == 204);
  CHECK(activate_in(service, "T", 2).status == 204);
  CHECK(activate_in(service, "T", 3).slug() == "schema-not-found");
  CHECK(service.post(event("a", R"({"name":"x"})")).at("/version") == "2");
  CHECK(service.post(event("a", R"({"n":1})")).slug() == "schema-violation");
  CHECK(service.post(event("a", R"({"n":1})", R"("version":1)")).at("/version") == "1");
}

TEST_CASE("Schemas.ARetryOfWhatIsStoredIsASuccessWhateverTheySay") {
  TestService service;
  const std::string members = R"("eventId":"0192f0c4-9000-7000-8000-0000000000aa")";
  const std::string stored = event("a", R"({"n":1})", members);
  const std::string keyed = event("b", R"({"n":2})");
  const TestService::Headers key{{"Idempotency-Key", "k"}};
  REQUIRE(service.post(stored).status == 201);
  REQUIRE(service.post(keyed, key).status == 201);
  REQUIRE(register_in(service, "T", kPositive).status == 201);
  REQUIRE(register_in(service, "T", kNamed, R"("compatibility":"NONE")").status == 201);
  for (const Answer& again : {service.post(stored), service.post(keyed, key)}) {
    CHECK(again.status == 200);
    CHECK(again.header("Idempotent-Replayed") == "true");
    CHECK(again.at("/version") == "1");
  }
  CHECK(service.post(event("a", R"({"n":3})", members)).slug() == "event-id-conflict");
  CHECK(service.post(event("a", R"({"n":1})")).slug() == "schema-violation");
}

TEST_CASE("Schemas.TheFirstOneIsHeldAgainstWhatIsStored") {
  TestService service;
  REQUIRE(service.post(event("a", R"({"n":1})")).status == 201);
  const Answer bad = service.post(event("a", R"({"n":0})"));
  REQUIRE(bad.status == 201);
  const Answer refused = register_in(service, "T", kPositive);
  CHECK(refused.status == 409);
  CHECK(refused.slug() == "schema-incompatible");
  CHECK(refused.at("/checked") == "2");
  CHECK(refused.at("/failed") == "1");
  CHECK(refused.at("/failures/0/position") == bad.at("/position"));
  CHECK(refused.at("/failures/0/eventId") == bad.at("/eventId"));
  CHECK(refused.text("/failures/0/pointer") == "/n");
  CHECK(service.get("/v1/schemas/T").status == 404);
  CHECK(service.post(event("a", R"({"n":0})")).status == 201);
  CHECK(register_in(service, "T", R"({"type":"object"})").status == 201);
  CHECK(service.post(event("a", "1")).slug() == "schema-violation");
}

TEST_CASE("Schemas.AVersionThatNoEventHasCanBeWithdrawn") {
  TestService service;
  const std::string none = R"("compatibility":"NONE")";
  REQUIRE(service.post(event("a", R"({"n":1})", R"("version":3)")).status == 201);
  REQUIRE(register_in(service, "T", kPositive).status == 201);
  REQUIRE(register_in(service, "T", kNamed, none).status == 201);
  // Held against the event that has had this version before there was any schema.
  CHECK(register_in(service, "T", R"({"type":"string"})", none).slug() == "schema-incompatible");
  REQUIRE(register_in(service, "T", R"({"required":["n"]})", none).at("/version") == "3");
  CHECK(withdraw_in(service, "T", 3).slug() == "schema-in-use");
  CHECK(withdraw_in(service, "T", 2).status == 204);
  CHECK(withdraw_in(service, "T", 2).slug() == "schema-not-found");
  CHECK(activate_in(service, "T", 2).slug() == "schema-not-found");
  CHECK(service.get("/v1/schemas/T/versions/2").at("/state") == R"("withdrawn")");
  CHECK(service.post(event("a", R"({"name":"x"})", R"("version":2)")).slug() == "unknown-schema-version");
  // Its number is not used again, and its schema can be registered anew.
  CHECK(register_in(service, "T", kNamed, none).at("/version") == "4");
  REQUIRE(service.post(event("a", R"({"name":"x"})")).at("/version") == "4");
  const Answer used = withdraw_in(service, "T", 4);
  CHECK(used.status == 409);
  CHECK(used.slug() == "schema-in-use");
  CHECK(withdraw_in(service, "U", 1).slug() == "schema-not-found");
}

TEST_CASE("Schemas.ATypeWhoseLastVersionIsWithdrawnTakesAnything") {
  TestService service;
  REQUIRE(register_in(service, "T", kPositive).status == 201);
  REQUIRE(service.post(event("a", "1")).status == 422);
  REQUIRE(withdraw_in(service, "T", 1).status == 204);
  CHECK(service.post(event("a", "1")).at("/version") == "1");
  CHECK(service.get("/v1/schemas/T").at("/version") == "null");
  const Answer again = register_in(service, "T", kPositive);
  CHECK(again.slug() == "schema-incompatible");
  CHECK(again.at("/failed") == "1");
}

TEST_CASE("Schemas.SettingsAreOfTheType") {
  TestService service;
  CHECK(service.get("/v1/schemas/T/config").body ==
        R"({"eventType":"T","compatibility":"BACKWARD_TRANSITIVE","policy":"lenient"})");
  CHECK(configure_in(service, "T", R"({"compatibility":"NONE"})").at("/compatibility") == R"("NONE")");
  CHECK(configure_in(service, "T", R"({"policy":"strict"})").body ==
        R"({"eventType":"T","compatibility":"NONE","policy":"strict"})");
  CHECK(configure_in(service, "T", "{}").status == 422);
  CHECK(configure_in(service, "T", R"({"compatibility":"ALL"})").slug() == "invalid-request");
  CHECK(service.get("/v1/schemas").at("/schemas") == "[]");
  REQUIRE(register_in(service, "T", kPositive).status == 201);
  CHECK(register_in(service, "T", kNamed).at("/version") == "2");
  CHECK(service.get("/v1/schemas").at("/schemas/0/policy") == R"("strict")");
}

TEST_CASE("Schemas.ChangesThatTheServerHasNotSeenAreNoticedByTheCommit") {
  TestService service;
  REQUIRE(service.post(event("a", "1")).status == 201);
  register_elsewhere(service, "T", 1, kPositive);
  CHECK(service.post(event("a", "1")).slug() == "schema-violation");
  CHECK(service.post(event("a", R"({"n":1})")).at("/version") == "1");
  register_elsewhere(service, "T", 2, kNamed);
  CHECK(service.post(event("a", R"({"n":1})")).slug() == "schema-violation");
  CHECK(service.post(event("a", R"({"name":"x"})")).at("/version") == "2");
  register_elsewhere(service, "T", 3, "true");
  CHECK(register_in(service, "T", R"({"type":"null"})", R"("compatibility":"NONE")").at("/version") == "4");
  register_elsewhere(service, "T", 9, "true");  // none that there could be
  CHECK(service.post(event("a", "null")).at("/version") == "4");
  CHECK(service.get("/readyz").body.find("events about schemas") != std::string::npos);
}

TEST_CASE("SchemaRegistry.ReadsOnlyIfAChangeIsWantedThatItDoesNotKnow") {
  TestService service;
  register_elsewhere(service, "T", 1, kPositive);
  SchemaRegistry registry(service.store());
  const auto first = registry.now();
  REQUIRE(first->types.size() == 1);
  register_elsewhere(service, "U", 1, kPositive);
  REQUIRE(registry.catch_up(first->change));
  CHECK(registry.now() == first);
  REQUIRE(registry.catch_up(first->change.plus(1)));
  CHECK(registry.now()->types.size() == 2);
  CHECK(first->types.size() == 1);
}

TEST_CASE("Schemas.NothingIsStoredBehindARegistrationThatDoesNotSatisfyIt") {
  for (int round = 0; round < 20; ++round) {
    TestService service;
    std::atomic<bool> ended{false};
    std::thread registering([&] {
      std::this_thread::yield();
      (void)register_in(service, "T", kPositive);
      ended = true;
    });
    int refused = 0;
    for (int i = 0; (i < 40 || !ended) && refused < 40; ++i) {
      const Answer answer = service.post(event("a", i % 2 == 0 || i < 20 ? R"({"n":1})" : R"({"n":0})"));
      if (answer.status != 201) ++refused;
    }
    registering.join();
    const Answer shown = service.get("/v1/schemas/T/versions/1");
    if (shown.status != 200) continue;  // a bad event was faster
    simdjson::dom::parser parser;
    const Answer events = service.get("/v1/events?limit=1000&afterPosition=" + shown.at("/position"));
    for (const simdjson::dom::element stored : parser.parse(events.body)["events"]) {
      CHECK(simdjson::minify(stored["data"]) == R"({"n":1})");
    }
    CHECK(service.get("/v1/events?limit=1000").body.find(R"("n":0)") == std::string::npos);
  }
}

TEST_CASE("Schemas.WhatTakesTooLongToValidateIsRefused") {
  TestService service;
  REQUIRE(register_in(service, "T", R"({"uniqueItems":true})").status == 201);
  REQUIRE(register_in(service, "V", R"({"$ref":"#/definitions/a","definitions":{"a":{"anyOf":[
    {"items":{"$ref":"#/definitions/a"},"minItems":1},{"items":{"$ref":"#/definitions/a"},"minItems":1,"maxItems":9}]}}})")
              .status == 201);
  // More than an I/O thread has time for, but not too much.
  std::string many = "[0";
  for (int i = 1; i < 20'000; ++i) many += "," + std::to_string(i);
  CHECK(service.post(event("a", many + "]")).status == 201);
  CHECK(service.post(event("a", many + ",7]")).slug() == "schema-violation");
  // Each level doubles it.
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  const Answer refused = service.post(R"({"eventType":"V","aggregateId":"a","data":)" + deep + "}");
  CHECK(refused.status == 422);
  CHECK(refused.slug() == "schema-limit");
  CHECK(refused.text("/errors/0/pointer") == "/data");
}

TEST_CASE("Schemas.EventsOfARequestShareTheWorkOfAnIoThread") {
  TestService service;
  REQUIRE(register_in(service, "T", R"({"uniqueItems":true})").status == 201);
  SchemaRegistry registry(service.store());
  AppendValidator validator(service.store(), registry);
  std::string array = "[0";
  for (int i = 1; i < 250; ++i) array += "," + std::to_string(i);
  const auto checked = [&](int events, DiskWait wait) {
    Proposal proposal;
    for (int i = 0; i < events; ++i) {
      proposal.events.push_back(own_event("a", "a", "T", array + "]", Caller(), "", system_clock()));
    }
    return validator.check(proposal, EventPlaces(), wait);
  };
  REQUIRE_FALSE(checked(1, DiskWait::Allowed).problem);
  CHECK_FALSE(checked(1, DiskWait::Never).would_wait);
  CHECK(checked(30, DiskWait::Never).would_wait);
  CHECK_FALSE(checked(30, DiskWait::Allowed).problem);
}

TEST_CASE("Schemas.WhatTakesTooLongToCompareIsRefused") {
  ServiceOptions options;
  options.limits.schema_comparison_work = 1'000'000;  // it takes 2^40 times what one comparison does
  TestService service(std::move(options));
  std::string deep = R"({"definitions":{)";
  for (int i = 0; i < 40; ++i) {
    const std::string next = R"([{"$ref":"#/definitions/d)" + std::to_string(i + 1) + R"("}])";
    deep += "\"d" + std::to_string(i) + R"(":{"anyOf":)" + next + R"(,"oneOf":)" + next + "},";
  }
  REQUIRE(register_in(service, "T", deep + R"("d40":{}},"$ref":"#/definitions/d0"})").status == 201);
  const Answer refused = register_in(service, "T", R"({"type":"string"})");
  CHECK(refused.status == 422);
  CHECK(refused.slug() == "schema-limit");
  CHECK(register_in(service, "T", R"({"type":"string"})", R"("compatibility":"NONE")").at("/version") == "2");
}

TEST_CASE("Schemas.AnInactiveOneThatIsRegisteredAgainIsActive") {
  TestService service;
  REQUIRE(register_in(service, "T", R"({"type":"object"})").status == 201);
  REQUIRE(register_in(service, "T", "true", "", "?active=false").at("/version") == "2");
  CHECK(register_in(service, "T", "true", "", "?active=false").status == 200);
  CHECK(service.get("/v1/schemas/T").at("/version") == "1");
  CHECK(register_in(service, "T", "true").status == 200);
  CHECK(service.get("/v1/schemas/T").at("/version") == "2");
  // What is active stays so.
  CHECK(register_in(service, "T", "true", "", "?active=false").status == 200);
  CHECK(service.get("/v1/schemas/T").at("/version") == "2");
}

TEST_CASE("SchemaCache.KeepsWhatWasAskedForLast") {
  const auto schema = tests::schema_of("true");
  SchemaCache cache(schema->memory_max() * 5 / 2);
  for (std::uint64_t at = 1; at <= 3; ++at) cache.insert(Position{at}, schema);
  CHECK(cache.find(Position{1}) == nullptr);
  CHECK(cache.find(Position{2}) == schema);
  cache.insert(Position{4}, schema);
  CHECK(cache.find(Position{3}) == nullptr);
  CHECK(cache.find(Position{2}) == schema);
  // One that is too large for it stays until the next one comes, alone.
  const auto large = tests::schema_of(R"({"enum":[")" + std::string(10'000, 'x') + "\"]}");
  cache.insert(Position{5}, large);
  CHECK(cache.find(Position{5}) == large);
  CHECK(cache.find(Position{2}) == nullptr);
}

TEST_CASE("SchemaCache.CountsWhatPatternsLearn") {
  const auto with_patterns = [](int count) {
    std::string text = R"({"patternProperties":{)";
    for (int i = 0; i < count; ++i) text += (i == 0 ? "\"^" : ",\"^") + std::to_string(i) + R"([a-f]+$":true)";
    return tests::schema_of(text + "}}");
  };
  const auto few = with_patterns(1), many = with_patterns(100);
  CHECK(many->memory_max() > few->memory_max() + (99U << 16));
  SchemaCache cache(10U << 20);
  cache.insert(Position{1}, many);
  for (std::uint64_t at = 2; at < 22; ++at) cache.insert(Position{at}, few);
  CHECK(cache.find(Position{1}) == many);
  cache.insert(Position{30}, many);
  CHECK(cache.find(Position{30}) == many);
  CHECK(cache.find(Position{2}) == nullptr);
}

// Versions of a schema that follow each other by upcasters: registered, held against history, kept.

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "api/records/event_upcasts.h"
#include "api/schemas/registered_upcasts.h"
#include "api/schemas/schema_registry.h"
#include "tests/api/fake_scripts.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kUpcastJsonHeaders{{"Content-Type", "application/json"}};

const std::string kNameSchema =
    R"({"type":"object","required":["name"],"properties":{"name":{"type":"string"}},"additionalProperties":false})";
const std::string kTitleSchema =
    R"({"type":"object","required":["title"],"properties":{"title":{"type":"string"}},"additionalProperties":false})";
const std::string kTitlesSchema =
    R"({"type":"object","required":["titles"],"properties":{"titles":{"type":"array"}},"additionalProperties":false})";
const std::string kToTitle = R"("upcaster":{"from":1,"operations":[{"op":"rename","path":"/name","to":"title"}]})";
const std::string kToTitles = R"("upcaster":{"from":2,"operations":[{"op":"rename","path":"/title","to":"titles"},)"
                              R"({"op":"wrap","path":"/titles"}]})";

Answer register_version(TestService& service, const std::string& schema, const std::string& members = "",
                        const std::string& query = "") {
  return service.send(Method::Post, "/v1/schemas/T" + query,
                      R"({"schema":)" + schema + (members.empty() ? "" : "," + members) + "}", kUpcastJsonHeaders);
}

Answer append_named(TestService& service, const std::string& data, int version) {
  return service.send(
      Method::Post, "/v1/events",
      R"({"eventType":"T","aggregateId":"a","version":)" + std::to_string(version) + R"(,"data":)" + data + "}",
      kUpcastJsonHeaders);
}

/// The event at a position, upcast: `version data`, or `! pointer detail`.
std::string upcast_at(TestService& service, std::uint64_t position, SchemaVersionChoice choice = {}) {
  SchemaRegistry registry(service.store());
  const auto chains = registry.chains();
  if (chains == nullptr) return "no chains";
  Record record;
  REQUIRE(service.store().view()->read(Position{position}, record));
  const Record* const records[] = {&record};
  Upcast results[1];
  chains->upcast(records, choice, {}, results);
  CHECK(chains->concerns(record, choice) ==
        (results[0].version != record.header().schema_version || results[0].failure));
  if (results[0].failure) return "! " + results[0].failure->pointer + " " + results[0].failure->detail;
  return std::to_string(results[0].version) + " " + results[0].data.value_or(std::string(*record.body().data));
}

std::uint64_t position_of(const Answer& answer) { return std::stoull(answer.at("/position")); }

}  // namespace

TEST_CASE("Upcasters.AreChainedOverVersions") {
  TestService service;
  REQUIRE(register_version(service, kNameSchema).status == 201);
  const Answer first = append_named(service, R"({"name": "Ada"})", 1);
  REQUIRE(first.status == 201);
  CHECK(upcast_at(service, position_of(first)) == "no chains");

  const Answer second = register_version(service, kTitleSchema, kToTitle);
  CHECK(second.status == 201);
  CHECK(second.at("/version") == "2");
  const Answer titled = append_named(service, R"({"title":"Countess"})", 2);
  REQUIRE(titled.status == 201);
  CHECK(register_version(service, kTitlesSchema, kToTitles, "?active=false").at("/version") == "3");

  using Kind = SchemaVersionChoice::Kind;
  CHECK(upcast_at(service, position_of(first)) == R"(2 {"title":"Ada"})");
  CHECK(upcast_at(service, position_of(first), {Kind::Stored, 0}) == R"(1 {"name": "Ada"})");
  CHECK(upcast_at(service, position_of(first), {Kind::Exact, 1}) == R"(1 {"name": "Ada"})");
  CHECK(upcast_at(service, position_of(first), {Kind::Exact, 3}) == R"(3 {"titles":["Ada"]})");
  CHECK(upcast_at(service, position_of(first), {Kind::Exact, 9}) == R"(3 {"titles":["Ada"]})");
  CHECK(upcast_at(service, position_of(titled)) == R"(2 {"title":"Countess"})");
  CHECK(upcast_at(service, position_of(titled), {Kind::Exact, 1}) == R"(2 {"title":"Countess"})");
  CHECK(service.send(Method::Post, "/v1/schemas/T/versions/3/activate").status == 204);
  CHECK(upcast_at(service, position_of(titled)) == R"(3 {"titles":["Countess"]})");

  const Answer shown = service.get("/v1/schemas/T/versions/2");
  CHECK(shown.at("/upcaster") == R"({"from":1,"operations":[{"op":"rename","path":"/name","to":"title"}]})");
  CHECK(service.get("/v1/schemas/T/versions/1").at("/upcaster") == "none");
  // A repeat is one; the same schema by another way is another version.
  CHECK(register_version(service, kTitleSchema, kToTitle).status == 200);
  CHECK(register_version(service, kTitleSchema).at("/version") == "2");
}

TEST_CASE("Upcasters.AVersionWithoutOneChangesTheNumberAlone") {
  TestService service;
  REQUIRE(register_version(service, "true").status == 201);
  const Answer first = append_named(service, R"({"name": "Ada"})", 1);
  REQUIRE(register_version(service, kNameSchema, R"("compatibility":"NONE")").status == 201);
  CHECK(upcast_at(service, position_of(first)) == R"(2 {"name": "Ada"})");
}

TEST_CASE("Upcasters.HistoryIsUpcastBeforeItIsCheckedAndOffendersAreNamed") {
  TestService service;
  REQUIRE(register_version(service, "true").status == 201);
  REQUIRE(append_named(service, R"({"name":"Ada"})", 1).status == 201);
  const Answer offender = append_named(service, R"({"name":7})", 1);
  const Answer wrong_kind = append_named(service, "7", 1);
  const Answer refused = register_version(service, kTitleSchema, kToTitle);
  CHECK(refused.slug() == "schema-incompatible");
  CHECK(refused.at("/checked") == "3");
  CHECK(refused.at("/failed") == "2");
  CHECK(refused.at("/failures/0/position") == offender.at("/position"));
  CHECK(refused.at("/failures/0/pointer") == R"("/title")");
  CHECK(refused.at("/failures/1/position") == wrong_kind.at("/position"));
  CHECK(refused.at("/failures/1/detail").find("Operation 0 (rename)") != std::string::npos);
  CHECK(service.get("/v1/schemas/T").at("/versions/1") == "none");

  const std::string repair =
      R"("upcaster":{"from":1,"operations":[{"op":"map","path":"","values":{"7":{"name":"seven"}}},)"
      R"({"op":"map","path":"/name","values":{"7":"seven"}},{"op":"rename","path":"/name","to":"title"}]})";
  CHECK(register_version(service, kTitleSchema, repair).status == 201);
  CHECK(upcast_at(service, position_of(wrong_kind)) == R"(2 {"title":"seven"})");
}

TEST_CASE("Upcasters.BeginAtTheVersionBefore") {
  TestService service;
  CHECK(register_version(service, kTitleSchema, kToTitle).slug() == "broken-upcaster-chain");
  REQUIRE(register_version(service, kNameSchema).status == 201);
  CHECK(register_version(service, kTitleSchema, kToTitles).slug() == "broken-upcaster-chain");
  REQUIRE(register_version(service, kTitleSchema, kToTitle).status == 201);
  // One that was withdrawn is not begun at any more.
  REQUIRE(service.send(Method::Delete, "/v1/schemas/T/versions/2").status == 204);
  CHECK(register_version(service, kTitlesSchema, kToTitles).slug() == "broken-upcaster-chain");
  const Answer first = append_named(service, R"({"name":"Ada"})", 1);
  const std::string straight = R"("upcaster":{"from":1,"operations":[{"op":"move","from":"/name","path":"/titles"},)"
                               R"({"op":"wrap","path":"/titles"}]})";
  CHECK(register_version(service, kTitlesSchema, straight).at("/version") == "3");
  CHECK(upcast_at(service, position_of(first)) == R"(3 {"titles":["Ada"]})");
}

TEST_CASE("Upcasters.AWithdrawnVersionStaysOnTheWayOfALaterOne") {
  TestService service;
  REQUIRE(register_version(service, kNameSchema).status == 201);
  const Answer first = append_named(service, R"({"name":"Ada"})", 1);
  REQUIRE(register_version(service, kTitleSchema, kToTitle).status == 201);
  REQUIRE(register_version(service, kTitlesSchema, kToTitles).status == 201);
  REQUIRE(service.send(Method::Delete, "/v1/schemas/T/versions/2").status == 204);
  CHECK(upcast_at(service, position_of(first)) == R"(3 {"titles":["Ada"]})");
}

TEST_CASE("Upcasters.AreRefusedWithThePlaceOfWhatIsWrong") {
  TestService service;
  REQUIRE(register_version(service, kNameSchema).status == 201);
  const auto where = [&](const std::string& upcaster) {
    const Answer refused = register_version(service, kTitleSchema, R"("upcaster":)" + upcaster);
    CHECK(refused.status == 422);
    CHECK(refused.slug() == "invalid-request");
    return refused.at("/errors/0/pointer");
  };
  CHECK(where("7") == R"("/upcaster")");
  CHECK(where(R"({"from":1})") == R"("/upcaster/operations")");
  CHECK(where(R"({"operations":[{"op":"remove","path":"/a"}]})") == R"("/upcaster/from")");
  CHECK(where(R"({"from":0,"operations":[{"op":"remove","path":"/a"}]})") == R"("/upcaster/from")");
  CHECK(where(R"({"from":1,"operations":[{"op":"remove","path":"/a"},{"op":"drop"}]})") ==
        R"("/upcaster/operations/1/op")");
  CHECK(where(R"({"from":1,"to":2,"operations":[{"op":"remove","path":"/a"}]})") == R"("/upcaster/to")");
  CHECK(where(R"({"from":1,"operations":[{"op":"set","path":"/a","value":")" + std::string(300'000, 'x') + R"("}]})") ==
        R"("/upcaster/operations")");
}

TEST_CASE("Upcasters.ThoseBeforeOneAreNotComparedWithLaterVersions") {
  TestService service;
  REQUIRE(register_version(service, kNameSchema).status == 201);
  REQUIRE(register_version(service, kTitleSchema, kToTitle).status == 201);
  // It takes what version 2 took, and not what version 1 did, which is upcast to 2.
  CHECK(register_version(service, R"({"type":"object","required":["title"],"properties":{"title":{"type":"string"}}})")
            .at("/version") == "3");
  CHECK(register_version(service, kTitlesSchema).slug() == "schema-incompatible");
  // It stays so if the version with the upcaster is withdrawn: events go that way all the same.
  REQUIRE(service.send(Method::Delete, "/v1/schemas/T/versions/2").status == 204);
  CHECK(register_version(service, R"({"type":"object","required":["title"]})").at("/version") == "4");
}

TEST_CASE("Upcasters.WhatDistinguishesTheWaysOfATypeChangesWithIt") {
  TestService service;
  const auto identity = [&](const char* type, bool numbers) {
    SchemaRegistry registry(service.store());
    std::string text;
    if (const auto chains = registry.chains()) chains->append_identity(type, numbers, text);
    return text;
  };
  REQUIRE(register_version(service, "true").status == 201);
  CHECK(identity("T", true).empty());
  REQUIRE(register_version(service, kNameSchema, R"("compatibility":"NONE")").status == 201);
  CHECK(identity("T", false).empty());
  const std::string numbered = identity("T", true);
  CHECK(!numbered.empty());
  CHECK(identity("U", true).empty());
  REQUIRE(register_version(service, kTitleSchema,
                           R"("upcaster":{"from":2,"operations":[{"op":"rename","path":"/name","to":"title"}]})")
              .status == 201);
  CHECK(!identity("T", false).empty());
  CHECK(identity("T", true) != numbered);
}

TEST_CASE("Upcasters.AreScriptsTooWhereScriptsCanBeRun") {
  FakeScripts scripts;
  ServiceOptions options;
  options.scripts = &scripts;
  TestService service(std::move(options));
  const auto script = [](int from, const std::string& source) {
    return R"("upcaster":{"from":)" + std::to_string(from) + R"(,"source":")" + source + "\"}";
  };
  const auto upcast_events = [&](const std::vector<std::uint64_t>& positions) {
    SchemaRegistry registry(service.store(), nullptr, {&scripts, std::chrono::milliseconds(100)});
    std::vector<std::unique_ptr<Record>> owned;
    std::vector<const Record*> records;
    for (const std::uint64_t position : positions) {
      owned.push_back(std::make_unique<Record>());
      REQUIRE(service.store().view()->read(Position{position}, *owned.back()));
      records.push_back(owned.back().get());
    }
    std::vector<Upcast> results(records.size());
    registry.chains()->upcast(records, {}, {}, results);
    std::string text;
    for (std::size_t i = 0; i < results.size(); ++i) {
      CHECK(registry.chains()->needs_worker(*records[i], {}) == (records[i]->header().schema_version < 3));
      text += results[i].failure ? "! " + results[i].failure->detail : results[i].data.value_or("as stored");
      text += '\n';
    }
    return text;
  };
  REQUIRE(register_version(service, "true").status == 201);
  const auto first = position_of(append_named(service, "1", 1));
  const Answer broken = register_version(service, "{}", script(1, "broken"));
  CHECK(broken.slug() == "invalid-upcaster");
  CHECK(broken.at("/line") == "3");
  CHECK(broken.text("/errors/0/pointer") == "/upcaster/source");
  CHECK(register_version(service, "{}", script(1, "throws")).slug() == "schema-incompatible");
  CHECK(register_version(service, "{}", R"("upcaster":{"from":1,"source":""})").status == 422);
  REQUIRE(register_version(service, R"({"title":"2"})", script(1, "ends")).status == 201);
  CHECK(service.get("/v1/schemas/T/versions/2").at("/upcaster") == R"({"from":1,"source":"ends"})");
  REQUIRE(register_version(service, R"({"title":"3"})", script(2, "wrap")).status == 201);
  const auto second = position_of(append_named(service, "2", 2));
  const auto third = position_of(append_named(service, "3", 3));
  // A process that ends takes nothing along but the event that it ended with.
  const auto thirteenth = position_of(append_named(service, "13", 1));
  const auto last = position_of(append_named(service, "14", 1));
  scripts.upcasts_begun = 0;
  CHECK(upcast_events({first, second, third, thirteenth, last}) ==
        "{\"was\":{\"was\":1}}\n{\"was\":2}\nas stored\n"
        "! From version 1: The upcaster went beyond its limit (call-time).\n{\"was\":{\"was\":14}}\n");
  CHECK(scripts.upcasts_begun == 2);
  // One for all events of a batch.
  scripts.upcasts_begun = 0;
  CHECK(upcast_events({first, second, last}).find('!') == std::string::npos);
  CHECK(scripts.upcasts_begun == 1);

  scripts.upcasts_failing = UpcastFailure{
      .detail = "Every process is busy.", .pointer = {}, .line = {}, .column = {}, .passes = true, .slug = "busy"};
  CHECK(upcast_events({first}) == "! Every process is busy.\n");
  CHECK(register_version(service, "{}", script(3, "wrap")).slug() == "busy");
  const Answer replayed = service.send(Method::Post, "/v1/events/replay/a", "", kUpcastJsonHeaders);
  CHECK(replayed.slug() == "busy");
}

TEST_CASE("Upcasters.AnEventIsAtFaultIfProcessesEndUnderItAgainAndAgain") {
  FakeScripts scripts;
  ServiceOptions options;
  options.scripts = &scripts;
  TestService service(std::move(options));
  REQUIRE(register_version(service, "true").status == 201);
  REQUIRE(register_version(service, "{}", R"("upcaster":{"from":1,"source":"dies"})").status == 201);
  REQUIRE(append_named(service, "1", 1).status == 201);
  const std::string suspect = append_named(service, "13", 1).text("/eventId");
  REQUIRE(append_named(service, "14", 1).status == 201);
  const auto replay = [&] { return service.send(Method::Post, "/v1/events/replay/a", "", kUpcastJsonHeaders); };

  scripts.deaths_left = 1'000;
  CHECK(service.get("/v1/events/" + suspect).slug() == "upcast-failed");
  CHECK(replay().slug() == "upcast-failed");
  const Answer made =
      service.send(Method::Post, "/v1/events/subscribe",
                   R"({"eventTypes":["T"],"from":"beginning","delivery":{"type":"pull"}})", kUpcastJsonHeaders);
  REQUIRE(made.status == 201);
  const std::string pull = "/v1/subscriptions/" + made.text("/subscriptionId") + "/pull";
  for (const Answer& shown : {service.get("/v1/events?aggregateId=a"),
                              service.send(Method::Post, pull, R"({"limit":10,"wait":"30s"})", kUpcastJsonHeaders)}) {
    CHECK(shown.at("/events/0/data") == R"({"was":1})");
    CHECK(shown.at("/events/1/data") == "13");
    CHECK(shown.text("/events/1/upcastError/detail").find("ended, each time") != std::string::npos);
    CHECK(shown.at("/events/2/data") == R"({"was":14})");
  }
  // Nor does it keep a version from being registered for ever.
  const Answer refused = register_version(service, R"({"title":"3"})", R"("upcaster":{"from":2,"source":"wrap"})");
  CHECK(refused.slug() == "schema-incompatible");
  CHECK(refused.at("/failed") == "1");

  // What ends a process now and then is nobody's fault.
  scripts.deaths_left = 2;
  scripts.upcasts_begun = 0;
  CHECK(service.get("/v1/events/" + suspect).at("/data") == R"({"was":13})");
  CHECK(scripts.upcasts_begun == 3);
  scripts.deaths_left = 1;
  CHECK(replay().slug() == "worker-died");
  CHECK(replay().status == 200);
}

TEST_CASE("Upcasters.AreNoScriptsWhereTheseAreSwitchedOff") {
  TestService service;
  REQUIRE(register_version(service, "true").status == 201);
  CHECK(register_version(service, "{}", R"("upcaster":{"from":1,"source":"(data) => data"})").slug() ==
        "handlers-unavailable");
}

// Events that were stored in an earlier version of their schema, as each reader is shown them.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "api/live/live_endpoints.h"
#include "api/records/event_notes.h"
#include "tests/api/fake_upcasts.h"
#include "tests/api/live_support.h"
#include "tests/api/room_fixture.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kJsonBody{{"Content-Type", "application/json"}};
const TestService::Headers kNdjson{{"Accept", "application/x-ndjson"}};

/// Of T: version 1 has `name`, version 2 calls it `title`, version 3 puts it into an object. `fail` makes the second
/// step impossible.
void register_versions(TestService& service, int count = 3) {
  const char* const bodies[] = {
      R"({"schema":{"type":"object","properties":{"name":{}}}})",
      R"({"schema":{"type":"object"},"upcaster":{"from":1,"operations":[{"op":"rename","path":"/name","to":"title"}]}})",
      R"({"schema":true,"upcaster":{"from":2,"operations":[{"op":"set","path":"/in/deep","value":1}]}})"};
  for (int i = 0; i < count; ++i) {
    const Answer made = service.send(Method::Post, "/v1/schemas/T", bodies[i], kJsonBody);
    REQUIRE_MESSAGE(made.status < 300, made.body);
  }
}

std::string append_first(TestService& service, const std::string& data = R"({ "name" : "x" })",
                         const std::string& more = "") {
  const Answer made = service.post(R"({"eventType":"T","aggregateId":"a","version":1,"data":)" + data + more + "}");
  REQUIRE_MESSAGE(made.status == 201, made.body);
  return made.text("/eventId");
}

/// What a schema that knows nothing of it lets through, and no upcaster can do anything with.
constexpr const char* kBroken = R"({"name":"x","in":7})";

/// `version<storedVersion data`.
std::string shown(const Answer& answer, const std::string& at = "") {
  std::string text = answer.at(at + "/version");
  if (answer.at(at + "/storedVersion") != "none") text += "<" + answer.at(at + "/storedVersion");
  if (answer.at(at + "/upcastError") != "none") text += "!";
  return text + " " + answer.at(at + "/data");
}

}  // namespace

TEST_CASE("UpcastReads.AnEventIsShownInTheNewestVersionUnlessAnotherIsAskedFor") {
  TestService service;
  register_versions(service, 1);
  const std::string id = append_first(service);
  CHECK(shown(service.get("/v1/events/" + id)) == R"(1 {"name":"x"})");
  CHECK(service.get("/v1/events/" + id + "?schemaVersion=2").slug() == "invalid-parameter");
  service.send(
      Method::Post, "/v1/schemas/T",
      R"({"schema":{"type":"object"},"upcaster":{"from":1,"operations":[{"op":"rename","path":"/name","to":"title"}]}})",
      kJsonBody);
  const std::string path = "/v1/events/" + id;
  CHECK(shown(service.get(path)) == R"(2<1 {"title":"x"})");
  CHECK(shown(service.get(path + "?schemaVersion=1")) == R"(1 {"name":"x"})");
  CHECK(shown(service.get(path + "?schemaVersion=2")) == R"(2<1 {"title":"x"})");
  CHECK(service.get(path + "?schemaVersion=stored").body.find(R"("data":{ "name" : "x" })") != std::string::npos);
  CHECK(service.get(path + "/data").body == R"({ "name" : "x" })");
  const Answer beyond = service.get(path + "?schemaVersion=3");
  CHECK(beyond.slug() == "invalid-parameter");
  CHECK(beyond.at("/errors/0/parameter") == R"("schemaVersion")");
  CHECK(service.get(path + "?schemaVersion=0").status == 400);
  CHECK(service.get(path + "?version=1").status == 400);
}

TEST_CASE("UpcastReads.ListsAreUpcastInPagesAndLines") {
  TestService service;
  register_versions(service, 1);
  for (int i = 0; i < 300; ++i) append_first(service, R"({"name":)" + std::to_string(i) + "}");
  service.post(R"({"eventType":"U","aggregateId":"b","data":{"name":"u"}})");
  register_versions(service, 3);
  int seen = 0;
  std::string cursor;
  do {
    const Answer page = service.get("/v1/events?eventType=T&limit=77" + (cursor.empty() ? "" : "&cursor=" + cursor));
    REQUIRE(page.status == 200);
    for (int i = 0; page.at("/events/" + std::to_string(i)) != "none"; ++i, ++seen) {
      CHECK(shown(page, "/events/" + std::to_string(i)) ==
            R"(3<1 {"title":)" + std::to_string(seen) + R"(,"in":{"deep":1}})");
    }
    cursor = page.at("/nextCursor") == "null" ? "" : page.text("/nextCursor");
  } while (!cursor.empty());
  CHECK(seen == 300);
  const std::string lines = service.get("/v1/events", kNdjson).body;
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 301);
  CHECK(lines.find(R"("version":3,"storedVersion":1)") != std::string::npos);
  CHECK(lines.find(R"("data":{"title":299,"in":{"deep":1}})") != std::string::npos);
  CHECK(lines.find(R"("data":{"name":"u"})") != std::string::npos);
  const std::string stored =
      service.get("/v1/events?schemaVersion=stored&limit=1&order=desc&eventType=T", kNdjson).body;
  CHECK(stored.find(R"("data":{"name":299})") != std::string::npos);
  // Each type as far as it has such a version; a cursor goes with every version, as that filters nothing.
  const Answer two = service.get("/v1/events?schemaVersion=2&limit=1");
  CHECK(shown(two, "/events/0") == R"(2<1 {"title":0})");
  CHECK(two.header("Link").find("schemaVersion=2") != std::string::npos);
  CHECK(service.get("/v1/events?schemaVersion=stored&limit=1&cursor=" + two.text("/nextCursor")).status == 200);
  CHECK(service.get("/v1/events?schemaVersion=3&eventType=U").slug() == "invalid-parameter");
  CHECK(service.get("/v1/events?schemaVersion=3&eventType=U&eventType=T").status == 200);
  CHECK(service.get("/v1/events?schemaVersion=4").slug() == "invalid-parameter");
  // The audit trail is about what is stored.
  CHECK(service.get("/v1/events/audit?action=event.append&limit=1").body.find("title") == std::string::npos);
}

TEST_CASE("UpcastReads.AnEventThatCannotBeUpcastKeepsNoOtherFromBeingRead") {
  TestService service;
  register_versions(service, 3);
  append_first(service);
  const std::string broken = append_first(service, kBroken);
  append_first(service);
  const Answer page = service.get("/v1/events?eventType=T");
  CHECK(shown(page, "/events/0") == R"(3<1 {"title":"x","in":{"deep":1}})");
  CHECK(shown(page, "/events/1") == R"(1! {"name":"x","in":7})");
  CHECK(page.at("/events/1/upcastError/detail") != "none");
  CHECK(shown(page, "/events/2") == R"(3<1 {"title":"x","in":{"deep":1}})");
  const Answer alone = service.get("/v1/events/" + broken);
  CHECK(alone.status == 422);
  CHECK(alone.slug() == "upcast-failed");
  CHECK(alone.at("/position") == page.at("/events/1/position"));
  CHECK(shown(service.get("/v1/events/" + broken + "?schemaVersion=2")) == R"(2<1 {"title":"x","in":7})");
  CHECK(service.get("/v1/events/" + broken + "?schemaVersion=stored").status == 200);
}

TEST_CASE("UpcastReads.StreamsUpcastAsTheSchemasAreThen") {
  LineFraming framing;
  ServiceOptions options;
  options.web_sockets = &framing;
  TestService service(std::move(options));
  register_versions(service, 1);
  append_first(service);
  const std::string much(100'000, 'x');  // is not upcast on the I/O thread
  append_first(service, R"({"name":")" + much + R"("})");
  append_first(service, R"({"name":"behind"})");
  const TestService::Headers kinds[] = {{}, {{"Upgrade", "websocket"}}};
  const std::string stream = "/v1/events/stream?start=beginning&eventType=T";
  LiveReader early(service, stream);
  CHECK(early.read().find("storedVersion") == std::string::npos);
  register_versions(service, 3);
  append_first(service, R"({"name":"late"})");
  CHECK(early.read_until("late").find(R"("version":3,"storedVersion":1)") != std::string::npos);
  for (const TestService::Headers& headers : kinds) {
    LiveReader reader(service, stream, headers);
    const std::string text = reader.read();
    const std::size_t first = text.find(R"("data":{"title":"x","in":{"deep":1}})");
    const std::size_t second = text.find(R"("data":{"title":")" + much);
    const std::size_t third = text.find(R"("data":{"title":"behind")");
    CHECK(first < second);
    CHECK(second < third);
    CHECK(third < text.find(R"("data":{"title":"late")"));
    CHECK(text.find("caught") > third);
    LiveReader stored(service, stream + "&schemaVersion=stored", headers);
    CHECK(stored.read().find("title") == std::string::npos);
    LiveReader second_version(service, stream + "&schemaVersion=2", headers);
    CHECK(second_version.read().find("deep") == std::string::npos);
  }
  LiveReader beyond(service, stream + "&schemaVersion=4");
  CHECK(beyond.response().status == 400);
  append_first(service, kBroken);
  CHECK(early.read_until("upcastError").find(R"("version":1)") != std::string::npos);
}

TEST_CASE("UpcastReads.SubscriptionsUpcastUnlessTheyWantAnother") {
  TestService service;
  register_versions(service, 3);
  append_first(service);
  append_first(service, kBroken);
  const auto pull = [&](const std::string& version) {
    const Answer made =
        service.send(Method::Post, "/v1/events/subscribe",
                     R"({"eventTypes":["T"],"from":"beginning","delivery":{"type":"pull"})" + version + "}", kJsonBody);
    REQUIRE_MESSAGE(made.status == 201, made.body);
    return service.send(Method::Post, "/v1/subscriptions/" + made.text("/subscriptionId") + "/pull",
                        R"({"limit":10,"wait":"30s"})", kJsonBody);
  };
  const Answer newest = pull("");
  CHECK(shown(newest, "/events/0") == R"(3<1 {"title":"x","in":{"deep":1}})");
  const Answer stored = pull(R"(,"schemaVersion":"stored")");
  CHECK(shown(stored, "/events/0") == R"(1 {"name":"x"})");
  CHECK(shown(pull(R"(,"schemaVersion":2)"), "/events/0") == R"(2<1 {"title":"x"})");
  CHECK(service
            .send(Method::Post, "/v1/events/subscribe",
                  R"({"eventTypes":["T"],"delivery":{"type":"pull"},"schemaVersion":4})", kJsonBody)
            .at("/errors/0/pointer") == R"("/schemaVersion")");

  // It is shown, kept over changes, and taken away by null.
  const Answer made = service.send(Method::Post, "/v1/events/subscribe",
                                   R"({"eventTypes":["T"],"delivery":{"type":"pull"},"schemaVersion":2})", kJsonBody);
  const std::string path = "/v1/subscriptions/" + made.text("/subscriptionId");
  CHECK(service.get(path).at("/schemaVersion") == "2");
  const auto change = [&](const char* body) { return service.send(Method::Patch, path, body, kJsonBody).status; };
  CHECK(change(R"({"schemaVersion":"stored"})") == 200);
  CHECK(service.get(path).at("/schemaVersion") == R"("stored")");
  CHECK(change(R"({"schemaVersion":null})") == 200);
  CHECK(service.get(path).at("/schemaVersion") == "none");
}

TEST_CASE("UpcastReads.ConflictsShowWhatAReaderIsShown") {
  TestService service;
  register_versions(service, 2);
  append_first(service);
  const Answer refused =
      service.post(R"({"eventType":"T","aggregateId":"a","version":1,"data":{"name":"y"},"sequenceNumber":1})");
  CHECK(refused.slug() == "sequence-conflict");
  CHECK(shown(refused, "/conflictingEvents/0") == R"(2<1 {"title":"x"})");
}

TEST_CASE("UpcastReads.ABatchThatNeedsAScriptWaitsForItAndIsNotAnAttempt") {
  FakeUpcasts upcasts;
  EventNotes notes;
  notes.upcasts = &upcasts;
  upcasts.away = true;
  RoomFixture fixture(nullptr, &notes);
  SubscribeRequest request = RoomFixture::webhook();
  request.definition.batch_events = 10;
  request.definition.attempts_max = 1;
  const std::string id = fixture.subscribe(request);
  fixture.append("a");
  wait_until([&] { return fixture.status(id).last_error.has_value(); });
  CHECK(fixture.status(id).last_error->error == "upcaster-unavailable");
  CHECK(fixture.sender.waiting() == 0);
  upcasts.away = false;
  TestSender::Sent sent = fixture.sender.next();
  CHECK(sent.request.body.find(R"("version":2,"storedVersion":1)") != std::string::npos);
  CHECK(sent.request.body.find(R"("data":{"up":true})") != std::string::npos);
  sent.answer(200);
  fixture.wait_done(id);
  CHECK(fixture.status(id).dead_letters == 0);
  // What no upcaster can do anything with is delivered as it is stored.
  fixture.append("broken");
  sent = fixture.sender.next();
  CHECK(sent.request.body.find(R"("version":1)") != std::string::npos);
  CHECK(sent.request.body.find(R"("upcastError":{"detail":"It threw.","line":3})") != std::string::npos);
  sent.answer(200);
  fixture.wait_done(id);
}

TEST_CASE("UpcastReads.WhoeverPullsGetsWhatAScriptHasMade") {
  FakeUpcasts upcasts;
  EventNotes notes;
  notes.upcasts = &upcasts;
  RoomFixture fixture(nullptr, &notes);
  const std::string id = fixture.subscribe(RoomFixture::pulled());
  SubscribeRequest as_stored = RoomFixture::pulled();
  as_stored.definition.schema_version = 0;
  const std::string stored = fixture.subscribe(as_stored);
  for (int i = 0; i < 5; ++i) fixture.append("a/" + std::to_string(i));
  wait_until([&] { return fixture.status(id).lag_events == 5; });
  const PulledBatch batch = fixture.pull_events(id, 10);
  REQUIRE(!batch.events.empty());
  for (const PulledEvent& event : batch.events) CHECK(event.upcast->data == R"({"up":true})");
  CHECK_FALSE(fixture.pull_events(stored, 10).events.front().upcast);
}

TEST_CASE("UpcastReads.AStreamLetsAScriptWorkWhereThatMayBeWaitedFor") {
  TestService service;  // for its store
  FakeUpcasts upcasts;
  EventNotes notes;
  notes.upcasts = &upcasts;
  for (int i = 0; i < 100; ++i) REQUIRE(service.post(event("a")).status == 201);
  EventHub hub(service.store());
  ServiceOptions options;
  options.notes = &notes;
  LiveEndpoints live(service.store(), hub, options);
  const TestRequest request(Method::Get, "/v1/events/stream?start=beginning", "", {}, service.scheduler());
  Response response;
  const auto call = std::make_shared<Call>(
      request, [&](Response given) { response = std::move(given); }, options);
  live.endpoints().front().handler(call);
  REQUIRE(response.pushed != nullptr);
  response.pushed->begin(std::make_shared<TestWaker>());
  std::string text;
  for (auto step = PushedBody::Step::More; step == PushedBody::Step::More;) {
    const bool may_block = response.pushed->may_block();
    const std::uint64_t before = upcasts.calls;
    const auto next = response.pushed->next(PushedBody::Occasion::Woken, text);
    REQUIRE(next);
    step = *next;
    if (!may_block) CHECK(upcasts.calls == before);
  }
  std::size_t shown_events = 0;
  for (std::size_t at = 0; (at = text.find(R"("data":{"up":true})", at)) != std::string::npos; ++at) ++shown_events;
  CHECK(shown_events == 100);
  CHECK(upcasts.upcast == 100);
  CHECK(upcasts.calls <= 4);  // many at once
}

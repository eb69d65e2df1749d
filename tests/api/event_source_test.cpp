// GET /v1/events/stream as Server-Sent Events.

#include <doctest/doctest.h>

#include "tests/api/access_support.h"
#include "tests/api/live_support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

using Occasion = PushedBody::Occasion;

constexpr const char* kStream = "/v1/events/stream";

/// The ids of the messages with data, but for caught-up, and "caught-up", and "~id" of a bare id, in order.
std::string outline(const std::string& text) {
  std::string found, id, event;
  bool has_data = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    REQUIRE(end != std::string::npos);
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with("id: ")) id = line.substr(4);
    if (line.starts_with("event: ")) event = line.substr(7);
    if (line.starts_with("data: ")) has_data = true;
    if (!line.empty()) continue;
    if (!found.empty()) found += ' ';
    found += !event.empty() ? event : has_data ? id : id.empty() ? ":" : "~" + id;
    id.clear();
    event.clear();
    has_data = false;
  }
  return found;
}

void post_events(TestService& service, int count, const std::string& type = "T") {
  for (int i = 0; i < count; ++i) {
    REQUIRE(service.post(R"({"eventType":")" + type + R"(","aggregateId":"a","data": [1, "a  b"] })").status == 201);
  }
}

/// Intervals that never pass, unless a test asks for it.
ServiceOptions patient_options() {
  ServiceOptions options;
  options.live.checkpoint_interval = std::chrono::hours(1);
  options.live.credentials_interval = std::chrono::milliseconds(0);
  return options;
}

}  // namespace

TEST_CASE("EventSource.BeginsWhereItIsToldAndCatchesUpOnce") {
  TestService service(patient_options());
  post_events(service, 3);
  LiveReader now(service, kStream);
  LiveReader beginning(service, std::string(kStream) + "?start=beginning");
  LiveReader behind(service, std::string(kStream) + "?start=2");
  LiveReader filtered_too(service, std::string(kStream) + "?start=beginning&afterPosition=1");
  CHECK(now.response().status == 200);
  CHECK(now.response().content_type == "text/event-stream");
  CHECK(outline(now.read()) == "caught-up");
  CHECK(outline(beginning.read()) == "1 2 3 caught-up");
  CHECK(outline(behind.read()) == "3 caught-up");
  CHECK(outline(filtered_too.read()) == "2 3 caught-up");
  post_events(service, 1);
  for (LiveReader* const reader : {&now, &beginning, &behind, &filtered_too}) {
    CHECK(outline(reader->read_until("id: 4\n")) == "4");
  }
}

TEST_CASE("EventSource.AnEventIsAMessageOfOneLineAsInLists") {
  TestService service(patient_options());
  post_events(service, 1);
  LiveReader reader(service, std::string(kStream) + "?start=beginning");
  const Answer listed = service.get("/v1/events", {{"Accept", "application/x-ndjson"}});
  CHECK(reader.read() == "id: 1\ndata: " + listed.body + "\nid: 1\nevent: caught-up\ndata: {\"position\":1}\n\n");
  CHECK(listed.body.find(R"("data":[1,"a  b"])") != std::string::npos);
}

TEST_CASE("EventSource.LastEventIdBeatsStart") {
  TestService service(patient_options());
  post_events(service, 3);
  const std::string target = std::string(kStream) + "?start=beginning";
  CHECK(outline(LiveReader(service, target, {{"Last-Event-ID", "2"}}).read()) == "3 caught-up");
  CHECK(outline(LiveReader(service, target, {{"Last-Event-ID", ""}}).read()) == "1 2 3 caught-up");
  for (const char* const bad : {"x", "-1", "1x", "4", "99999999999999999999"}) {
    CAPTURE(bad);
    const Answer refused = service.get(target, {{"Last-Event-ID", bad}});
    CHECK(refused.status == 400);
    CHECK(refused.slug() == "invalid-header");
  }
  for (const char* const bad : {"x", "-1", "4", "", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK(service.get(std::string(kStream) + "?start=" + bad).slug() == "invalid-parameter");
  }
  CHECK(service.get(std::string(kStream) + "?limit=1").slug() == "unknown-parameter");
}

TEST_CASE("EventSource.FiltersWhatIsStoredAndWhatComes") {
  TestService service(patient_options());
  post_events(service, 2, "A");
  post_events(service, 2, "B");
  LiveReader reader(service, std::string(kStream) + "?start=beginning&eventType=B");
  CHECK(outline(reader.read()) == "3 4 caught-up");
  post_events(service, 2, "A");
  post_events(service, 1, "B");
  CHECK(outline(reader.read_until("id: 7\n")) == "7");
}

TEST_CASE("EventSource.TellsHowFarTheLogWasExaminedWhenItHasNothingElseToSay") {
  TestService service(patient_options());
  LiveReader reader(service, std::string(kStream) + "?eventType=B");
  LiveReader witness(service, kStream);
  CHECK(outline(reader.read()) == "caught-up");
  CHECK(reader.read(Occasion::Quiet) == ":\n\n");
  post_events(service, 2, "A");
  witness.read_until("id: 2\n");
  std::string heard;
  // The hub tells the witness before it counts the record as read.
  while (heard.find("id: 2\n\n") == std::string::npos) heard += reader.read(Occasion::Quiet);
  CHECK(heard.find("data") == std::string::npos);
  CHECK(reader.read(Occasion::Quiet) == ":\n\n");
}

TEST_CASE("EventSource.SaysSomethingDuringALongSearch") {
  ServiceOptions options = patient_options();
  options.live.checkpoint_interval = std::chrono::milliseconds(0);
  options.read_limits = {.records = 1, .time = std::chrono::hours(1)};
  TestService service(options);
  post_events(service, 5);
  LiveReader reader(service, std::string(kStream) + "?start=beginning&fromSequence=100");
  const std::string heard = outline(reader.read());
  CAPTURE(heard);
  CHECK(heard.find("~2 ") != std::string::npos);
  CHECK(heard.find("caught-up") != std::string::npos);
}

TEST_CASE("EventSource.AReaderThatIsTooSlowGetsWhatIsKeptAndThenTheEnd") {
  ServiceOptions options = patient_options();
  options.live.buffer_bytes_max = 2000;
  TestService service(options);
  LiveReader slow(service, kStream);
  LiveReader quick(service, kStream);
  CHECK(outline(slow.read()) == "caught-up");
  quick.read();
  for (int i = 1; i <= 50; ++i) {
    post_events(service, 1);
    quick.read_until("id: " + std::to_string(i) + "\n");
  }
  const std::string kept = slow.read();
  CHECK(slow.ended());
  CHECK(outline(kept).starts_with("1 2"));
  const std::size_t last = kept.rfind("id: ");
  const std::string id = kept.substr(last + 4, kept.find('\n', last) - last - 4);
  CHECK(std::stoi(id) < 50);
  LiveReader again(service, kStream, {{"Last-Event-ID", id}});
  CHECK(outline(again.read()).starts_with(std::to_string(std::stoi(id) + 1) + " "));
  CHECK(service.get("/metrics").body.find("stele_live_streams_cut_total{reason=\"slow\"} 1") != std::string::npos);
}

TEST_CASE("EventSource.ThereAreOnlySoManyAtOnce") {
  ServiceOptions options = patient_options();
  options.live.streams_max = 2;
  TestService service(options);
  auto first = std::make_unique<LiveReader>(service, kStream);
  LiveReader second(service, kStream);
  const Answer refused = service.get(kStream);
  CHECK(refused.status == 429);
  CHECK(refused.slug() == "too-many-streams");
  CHECK(refused.text("/limit") == "live-streams");
  CHECK_FALSE(refused.header("Retry-After").empty());
  CHECK(service.get("/metrics").body.find("stele_live_streams{protocol=\"sse\"} 2") != std::string::npos);
  first.reset();
  CHECK(LiveReader(service, kStream).response().status == 200);
}

TEST_CASE("EventSource.SeesWhatItsCallerMaySeeAndEndsWithItsCredentials") {
  TestKeys keys;
  const std::string admin = keys.add(Role::Admin, "admin"), limited = keys.add(Role::Reader, "limited", {"mission"}),
                    reader = keys.add(Role::Reader, "reader"), auditor = keys.add(Role::Auditor, "auditor");
  SetClock clock;
  AuthenticatorOptions access;
  access.clock = &clock;
  ServiceOptions options = patient_options();
  options.authenticator = keys.open(std::move(access));
  TestService service(options);
  const auto bearer = [](const std::string& key) { return TestService::Headers{{"Authorization", "Bearer " + key}}; };
  const std::string all = std::string(kStream) + "?start=beginning";
  CHECK(service.get(all).status == 401);
  CHECK(service.get(all + "&includeSystem=true", bearer(reader)).status == 403);
  REQUIRE(service.post(event("a", "1", R"("aggregateType":"mission")"), bearer(admin)).status == 201);
  REQUIRE(service.post(event("b", "1", R"("aggregateType":"tank")"), bearer(admin)).status == 201);
  LiveReader sees_missions(service, all, bearer(limited));
  LiveReader sees_system(service, all + "&includeSystem=true", bearer(auditor));
  LiveReader sees_none(service, all + "&aggregateType=tank", bearer(limited));
  CHECK(outline(sees_missions.read()) == "1 caught-up");
  CHECK(outline(sees_system.read()) == "0 1 2 caught-up");
  CHECK(outline(sees_none.read()) == "caught-up");
  REQUIRE(service.post(event("b"), bearer(admin)).status == 201);
  REQUIRE(service.post(event("a"), bearer(admin)).status == 201);
  CHECK(outline(sees_missions.read_until("id: 4\n")) == "4");

  keys.revoke(limited);
  REQUIRE(service.post(event("a"), bearer(admin)).status == 201);
  CHECK(sees_missions.read(Occasion::Quiet).find("data") == std::string::npos);
  CHECK(sees_missions.ended());
  CHECK_FALSE(sees_system.ended());
  CHECK(service.get("/metrics", bearer(admin)).body.find("cut_total{reason=\"credentials\"} 1") != std::string::npos);
}

TEST_CASE("EventSource.EndsWithItsJwt") {
  SigningKey key(SigningKey::Kind::Ed25519, "k");
  TestKeys keys;
  keys.write("jwks.json", jwks({key.jwk()}));
  SetClock clock;
  AuthenticatorOptions access;
  access.clock = &clock;
  access.jwks_file = keys.file("jwks.json");
  access.jwt = {"issuer", "stele"};
  ServiceOptions options = patient_options();
  options.authenticator = keys.open(std::move(access));
  TestService service(options);
  const std::int64_t now = clock.time.micros / 1'000'000;
  const std::string token = key.token(R"({"iss":"issuer","aud":"stele","sub":"s","stele_role":"reader","exp":)" +
                                      std::to_string(now + 60) + "}");
  LiveReader reader(service, kStream, {{"Authorization", "Bearer " + token}});
  CHECK(outline(reader.read()) == "caught-up");
  CHECK(reader.read(Occasion::Quiet) == ":\n\n");
  CHECK_FALSE(reader.ended());
  clock.time.micros += 91'000'000;  // and the leeway
  CHECK(reader.read(Occasion::Quiet).empty());
  CHECK(reader.ended());
}

TEST_CASE("EventSource.TheServersEndIsAnEndToResumeFrom") {
  TestService service(patient_options());
  LiveReader reader(service, std::string(kStream) + "?eventType=Never");
  LiveReader witness(service, kStream);
  CHECK(reader.read().find("id: 0\nevent: caught-up\n") != std::string::npos);
  CHECK(outline(witness.read()) == "caught-up");  // from here on it sees what the hub has read, no more
  post_events(service, 4);
  witness.read_until("id: 4\n");
  const std::string last = outline(reader.read(Occasion::ShuttingDown));
  CHECK(reader.ended());
  CHECK((last == "~4" || last == "~3"));  // the hub may not have counted the last one as read
}

TEST_CASE("EventSource.IsOneOfTheFormsThatAreAskedFor") {
  TestService service(patient_options());
  for (const char* const accept : {"text/event-stream", "*/*", "text/*;q=0.5", "application/json, text/event-stream"}) {
    CAPTURE(accept);
    CHECK(service.get(kStream, {{"Accept", accept}}).status == 200);
  }
  for (const char* const accept : {"application/json", "text/html", "*/*, text/event-stream;q=0"}) {
    CAPTURE(accept);
    CHECK(service.get(kStream, {{"Accept", accept}}).status == 406);
  }
  const auto head = std::make_shared<TestRequest>(Method::Head, kStream, "", std::map<std::string, std::string>(),
                                                  service.scheduler());
  const Response response = service.open(head);
  CHECK(response.content_type == "text/event-stream");
  CHECK(response.pushed == nullptr);
  CHECK(service.get("/v1/events/stream/").status == 404);
}

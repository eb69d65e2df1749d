// Redactions as clients see them, and that nothing the server keeps has what was redacted.

#include <doctest/doctest.h>

#include "tests/api/fake_scripts.h"
#include "tests/api/live_support.h"
#include "tests/api/redaction_support.h"
#include "tests/api/room_fixture.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kJson{{"Content-Type", "application/json"}};

}  // namespace

TEST_CASE("Redaction.AnEventLosesItsBodyAndKeepsTheRest") {
  TestService service;
  const std::string first = append_one(service, "a", R"({"name":"nobody shall know"})",
                                       R"("aggregateType":"Mission","metadata":{"ip":"secret address"})");
  const std::string second = append_one(service, "a", R"({"name":"stays"})");
  const Answer before = service.get("/v1/head");
  const Answer status = redact_and_wait(service, "/v1/events/" + first);
  CHECK(status.text("/eventId") == first);
  CHECK(status.text("/aggregateId") == "a");
  CHECK(status.text("/reason") == "a court says so");
  CHECK(status.at("/members") == R"(["data","metadata","private"])");
  CHECK(status.at("/counts/events") == "1");
  CHECK(status.at("/counts/members") == "2");
  CHECK(status.at("/waitingFor") == "[]");
  CHECK(status.text("/outOfReach/0/copy") == "backups");

  const Answer shown = service.get("/v1/events/" + first);
  CHECK(shown.at("/redacted") == R"(["data","metadata"])");
  CHECK(shown.at("/data") == "none");
  CHECK(shown.at("/metadata") == "none");
  CHECK(shown.at("/redaction/position") == status.at("/position"));
  CHECK(shown.at("/redaction/timestamp") == status.at("/requestedAt"));
  CHECK(shown.at("/sequenceNumber") == "1");
  CHECK(service.get("/v1/events/" + first + "/data").slug() == "data-redacted");
  CHECK(service.get("/v1/events?aggregateId=a").at("/events/0/redaction/position") == status.at("/position"));
  CHECK(service.get("/v1/events/" + second).at("/data/name") == R"("stays")");
  CHECK(service.get("/v1/events/" + second).at("/redaction") == "none");
  // What the log says of it: two events of its own, and neither has anything of the body.
  const std::string own = "/v1/events?includeSystem=true&aggregateId=%24redaction%2F" + status.text("/redactionId");
  const Answer events = service.get(own);
  CHECK(events.at("/events/0/eventType") == R"("$RedactionRequested")");
  CHECK(events.at("/events/1/eventType") == R"("$RedactionCompleted")");
  CHECK(events.at("/events/2") == "none");
  const std::string files = service.bytes_in_folder();
  CHECK(files.find("nobody shall know") == std::string::npos);
  CHECK(files.find("secret address") == std::string::npos);
  CHECK(files.find("stays") != std::string::npos);
  // An id that is taken by a redacted event is no repeat of anything.
  const Answer again = service.post(event("a", R"({"name":"nobody shall know"})", R"("eventId":")" + first + "\""));
  CHECK(again.status == 409);
  CHECK(again.slug() == "event-redacted");
}

TEST_CASE("Redaction.OfChosenMembersLeavesTheOthers") {
  TestService service;
  const std::string id = append_one(service, "a", R"({"kept":1})", R"("metadata":{"ip":"secret address"})");
  const Answer status = redact_and_wait(service, "/v1/events/" + id, R"(,"members":["metadata"])");
  CHECK(status.at("/members") == R"(["metadata"])");
  const Answer shown = service.get("/v1/events/" + id);
  CHECK(shown.at("/redacted") == R"(["metadata"])");
  CHECK(shown.at("/data/kept") == "1");
  CHECK(service.bytes_in_folder().find("secret address") == std::string::npos);
}

TEST_CASE("Redaction.OfAnAggregateTakesAllThatItHadAndNothingThatComes") {
  TestService service;
  for (int i = 0; i < 20; ++i) append_one(service, "a", R"({"n":"secret )" + std::to_string(i) + "\"}");
  append_one(service, "b", R"({"n":"of another"})");
  const Answer status = redact_and_wait(service, "/v1/aggregates/a");
  CHECK(status.at("/counts/events") == "20");
  CHECK(status.at("/eventId") == "none");
  append_one(service, "a", R"({"n":"of later"})");
  CHECK(service.bytes_in_folder().find("secret ") == std::string::npos);
  CHECK(service.get("/v1/events?aggregateId=a&order=desc&limit=1").at("/events/0/data/n") == R"("of later")");
  CHECK(service.get("/v1/events?aggregateId=b").at("/events/0/data/n") == R"("of another")");
  CHECK(service.get("/v1/events?aggregateId=a").at("/events/19/redaction/position") == status.at("/position"));
  // Once more: there is little left to do.
  const Answer again = redact_and_wait(service, "/v1/aggregates/a");
  CHECK(again.at("/counts/events") == "1");
}

TEST_CASE("Redaction.ADryRunCountsAndChangesNothing") {
  TestService service;
  const std::string id = append_one(service, "a", "{}", R"("aggregateType":"Mission","metadata":{"m":1})");
  append_one(service, "a", "[1,2]");
  const std::string size = service.get("/v1/head").at("/size");
  const Answer one =
      service.send(Method::Post, "/v1/events/" + id + "/redact", redact_body(R"(,"dryRun":true)"), kJson);
  CHECK(one.status == 200);
  CHECK(one.at("/counts/events") == "1");
  CHECK(one.at("/counts/members") == "2");
  CHECK(one.at("/counts/bytes") == "9");
  CHECK(one.at("/complete") == "true");
  const Answer all = service.send(Method::Post, "/v1/aggregates/a/redact", redact_body(R"(,"dryRun":true)"), kJson);
  CHECK(all.at("/counts/events") == "2");
  CHECK(service.get("/v1/head").at("/size") == size);
  CHECK(service.get("/v1/events/" + id).at("/redacted") == "none");
}

TEST_CASE("Redaction.StatesThatWereFoldedFromItAreFoldedAnew") {
  FakeScripts scripts;
  ServiceOptions options;
  options.scripts = &scripts;
  TestService service(options);
  const std::string id = append_one(service, "a", R"({"secret":"nobody shall know"})");
  append_one(service, "a", R"({"open":1})");
  REQUIRE(service.send(Method::Post, "/v1/events/snapshot/a", "{}", kJson).status == 201);
  CHECK(service.get("/v1/aggregates/a/state").at("/state/secret") == R"("nobody shall know")");
  const auto client_state = [&](const std::string& state, int sequence) {
    const Answer stored =
        service.send(Method::Post, "/v1/events/snapshot/a",
                     R"({"state":)" + state + R"(,"sequenceNumber":)" + std::to_string(sequence) + "}", kJson);
    REQUIRE_MESSAGE(stored.status == 201, stored.body);
  };
  client_state(R"({"copy":"nobody shall know"})", 2);
  const Answer status = redact_and_wait(service, "/v1/events/" + id);
  CHECK(status.at("/counts/events") == "1");
  CHECK(status.at("/counts/clientStates") == "1");
  CHECK(scripts.retired > 0);
  CHECK(service.bytes_in_folder().find("nobody shall know") == std::string::npos);
  const Answer state = service.get("/v1/aggregates/a/state");
  CHECK(state.at("/state/secret") == "none");
  CHECK(state.at("/state/open") == "1");
  CHECK(service.get("/v1/events/snapshot/a").slug() == "snapshot-not-found");
  CHECK(service.get("/v1/events/snapshot/a?source=client").slug() == "snapshot-not-found");
  // From here on states are kept again.
  CHECK(service.send(Method::Post, "/v1/events/snapshot/a", "{}", kJson).status == 201);
  CHECK(service.get("/v1/events/snapshot/a").status == 200);
}

TEST_CASE("Redaction.AClientsStateFromBeforeTheEventStays") {
  TestService service;
  append_one(service, "a", R"({"open":1})");
  const std::string id = append_one(service, "a", R"({"secret":"nobody shall know"})");
  REQUIRE(
      service.send(Method::Post, "/v1/events/snapshot/a", R"({"state":{"open":1},"sequenceNumber":1})", kJson).status ==
      201);
  const Answer status = redact_and_wait(service, "/v1/events/" + id);
  CHECK(status.at("/counts/clientStates") == "0");
  CHECK(service.get("/v1/events/snapshot/a?source=client").at("/state/open") == "1");
}

TEST_CASE("Redaction.WaitsForProcessesThatAreAtWork") {
  FakeScripts scripts;
  scripts.busy = true;
  ServiceOptions options;
  options.scripts = &scripts;
  TestService service(options);
  const std::string id = append_one(service, "a", R"({"secret":1})");
  const Answer asked = service.send(Method::Post, "/v1/events/" + id + "/redact", redact_body(), kJson);
  REQUIRE(asked.status == 202);
  CHECK(asked.text("/state") == "pending");
  std::string state;
  while (state != "waiting") state = service.get(asked.header("Location")).text("/state");
  const Answer waiting = service.get(asked.header("Location"));
  CHECK(waiting.text("/waitingFor/0") == "processes that run handlers are at work");
  CHECK(service.get("/v1/events/" + id).at("/redacted") == R"(["data"])");
  scripts.busy = false;
  while (state != "completed") state = service.get(asked.header("Location")).text("/state");
}

TEST_CASE("Redaction.RefusesWhatItCannotDo") {
  TestService service;
  const std::string id = append_one(service, "a", "1");
  const auto refused = [&](const std::string& path, const std::string& body) {
    const Answer answer = service.send(Method::Post, path, body, kJson);
    return std::to_string(answer.status) + " " + answer.slug();
  };
  const std::string path = "/v1/events/" + id + "/redact";
  CHECK(refused(path, "{}") == "422 invalid-request");
  CHECK(refused(path, R"({"reason":""})") == "422 invalid-request");
  CHECK(refused(path, R"({"reason":")" + std::string(1001, 'x') + "\"}") == "422 invalid-request");
  CHECK(refused(path, redact_body(R"(,"members":[])")) == "422 invalid-request");
  CHECK(refused(path, redact_body(R"(,"members":["body"])")) == "422 invalid-request");
  CHECK(refused(path, redact_body(R"(,"other":1)")) == "422 invalid-request");
  CHECK(refused("/v1/events/0192f0c4-9000-7000-8000-000000000021/redact", redact_body()) == "404 event-not-found");
  CHECK(refused("/v1/aggregates/nothing/redact", redact_body()) == "404 aggregate-not-found");
  CHECK(refused("/v1/aggregates/%24store/redact", redact_body()) == "409 not-redactable");
  // By itself a client's state would go by other rules than those of its aggregate.
  REQUIRE(
      service.send(Method::Post, "/v1/events/snapshot/a", R"({"state":{"open":1},"sequenceNumber":1})", kJson).status ==
      201);
  CHECK(refused("/v1/aggregates/%24snapshot%2Fa/redact", redact_body()) == "409 not-redactable");
  const std::string state =
      service.get("/v1/events?includeSystem=true&aggregateId=%24snapshot%2Fa").text("/events/0/eventId");
  CHECK(refused("/v1/events/" + state + "/redact", redact_body()) == "409 not-redactable");
  CHECK(service.get("/v1/audit/redactions/0192f0c4-9000-7000-8000-000000000021").slug() == "redaction-not-found");
  CHECK(service.get("/v1/audit/redactions/x").slug() == "redaction-not-found");
  CHECK(service.get("/v1/events/" + id).at("/data") == "1");
}

TEST_CASE("Redaction.IsShownWhereverTheEventIs") {
  const stele::test::TempFolder secrets;
  TestSender sender;
  ServiceOptions options;
  options.webhooks = &sender;
  options.subscriptions.secrets_folder = secrets.path() + "/secrets";
  TestService service(options);
  const std::string id = append_one(service, "a", R"({"name":"nobody shall know"})");
  const Answer status = redact_and_wait(service, "/v1/events/" + id);
  const std::string redaction = R"("redacted":["data"],"redaction":{"position":)" + status.at("/position") +
                                R"(,"timestamp":)" + status.at("/requestedAt") + "}";
  // A condition that it breaks.
  const Answer conflict = service.send(
      Method::Post, "/v1/events",
      R"({"events":[)" + event("b") + R"(],"condition":{"failIfEventsMatch":[{"aggregateIds":["a"]}],"after":0}})",
      kJson);
  CHECK(conflict.status == 409);
  CHECK_MESSAGE(conflict.body.find(redaction) != std::string::npos, conflict.body);
  // Whoever pulls, and a webhook.
  const Answer pulled =
      service.send(Method::Post, "/v1/events/subscribe", R"({"delivery":{"type":"pull"},"from":"beginning"})", kJson);
  REQUIRE_MESSAGE(pulled.status == 201, pulled.body);
  const Answer batch = service.send(Method::Post, pulled.header("Location") + "/pull", R"({"wait":"30s"})", kJson);
  CHECK_MESSAGE(batch.body.find(redaction) != std::string::npos, batch.body);
  const Answer pushed =
      service.send(Method::Post, "/v1/events/subscribe",
                   R"({"delivery":{"type":"webhook","url":"https://a.example/hook"},"from":"beginning"})", kJson);
  REQUIRE_MESSAGE(pushed.status == 201, pushed.body);
  TestSender::Sent sent = sender.next();
  CHECK_MESSAGE(sent.request.body.find(redaction) != std::string::npos, sent.request.body);
  sent.answer(200);
}

TEST_CASE("Redaction.WhatWaitsForASlowReaderIsNotShownAsItWas") {
  TestService service;
  LiveReader all(service, "/v1/events/stream");
  LiveReader one(service, "/v1/events/stream?aggregateId=a");
  for (LiveReader* const reader : {&all, &one}) CHECK(reader->read().find("caught-up") != std::string::npos);
  const std::string id = append_one(service, "a", R"({"name":"nobody shall know"})");
  const std::string last = append_one(service, "b", "1");
  // It waits for them in memory by now.
  for (LiveReader* const reader : {&all, &one}) reader->wait_woken();
  redact_and_wait(service, "/v1/events/" + id);
  for (LiveReader* const reader : {&all, &one}) {
    const std::string seen = reader->read_until(id);
    CHECK(seen.find("nobody shall know") == std::string::npos);
    CHECK(seen.find(R"("redacted":["data"],"redaction":{"position":)") != std::string::npos);
    // And nothing is missing behind it.
    if (reader == &all && seen.find(last) == std::string::npos)
      CHECK(all.read_until(last).find(id) == std::string::npos);
  }
}

TEST_CASE("RedactionNotes.NothingIsKeptOfAnAggregateThatIsBeingRedacted") {
  RedactionNotes notes;
  int kept = 0;
  const auto keep = [&] { ++kept; };
  const auto before = notes.standing("a");
  CHECK(notes.keep_unless_changed("a", before, keep));
  notes.requested_of_record(Position{3}, "a", {Position{9}, Timestamp{1}});
  CHECK_FALSE(notes.keep_unless_changed("a", before, keep));
  const auto during = notes.standing("a");
  CHECK_FALSE(notes.keep_unless_changed("a", during, keep));
  CHECK(notes.keep_unless_changed("b", notes.standing("b"), keep));
  notes.completed("a");
  CHECK_FALSE(notes.keep_unless_changed("a", during, keep));
  const auto after = notes.standing("a");
  CHECK(after.events == 2);
  CHECK(notes.keep_unless_changed("a", after, keep));
  CHECK(kept == 3);
}

TEST_CASE("RedactionNotes.TheNewestRedactionIsShown") {
  RedactionNotes notes;
  RecordHeader header;
  header.aggregate_id = "a";
  header.position = Position{5};
  CHECK_FALSE(notes.of(header));
  notes.requested_of_aggregate("a", Position{4}, {Position{10}, Timestamp{1}});
  CHECK_FALSE(notes.of(header));
  notes.requested_of_record(Position{5}, "a", {Position{11}, Timestamp{2}});
  CHECK(notes.of(header)->position == Position{11});
  notes.requested_of_aggregate("a", Position{8}, {Position{12}, Timestamp{3}});
  CHECK(notes.of(header)->position == Position{12});
  CHECK(notes.of(header)->time == Timestamp{3});
  // Whichever comes first: an older one that reaches further counts for what the newer one leaves.
  notes.requested_of_aggregate("a", Position{20}, {Position{9}, Timestamp{0}});
  CHECK(notes.of(header)->position == Position{12});
  header.position = Position{9};
  CHECK(notes.of(header)->position == Position{9});
  notes.requested_of_aggregate("a", Position{30}, {Position{40}, Timestamp{4}});
  CHECK(notes.of(header)->position == Position{40});
  header.position = Position{5};
  CHECK(notes.of(header)->position == Position{40});
  header.aggregate_id = "b";
  header.position = Position{6};
  CHECK_FALSE(notes.of(header));
}

TEST_CASE("DeliveryTrace.ForgetsAnswersToAttemptsWithTheseEvents") {
  DeliveryTrace trace;
  trace.add({.batch_id = "one", .positions = {Position{1}, Position{4}}, .detail = "why", .answer = "an echo"});
  trace.add({.batch_id = "two", .positions = {Position{2}}, .detail = "why", .answer = "another echo"});
  const std::vector<Position> events{Position{3}, Position{4}};
  trace.forget_answers(events);
  CHECK(trace.attempts()[0].answer.empty());
  CHECK(trace.attempts()[0].detail.empty());
  CHECK(trace.attempts()[1].answer == "another echo");
  trace.forget_answers(std::vector<Position>{Position{9}});
  CHECK(trace.attempts()[1].detail == "why");
}

// POST /v1/events over a real store.

#include <doctest/doctest.h>

#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const std::string kId = "0190a6b2-7c3e-7d10-8a4b-1f2e3d4c5b6a";
const std::string kOtherId = "0190a6b2-7c3e-7d10-8a4b-1f2e3d4c5b6b";

std::string id_member(const std::string& id) { return R"("eventId":")" + id + "\""; }

}  // namespace

TEST_CASE("Append.OneEventGivesAReceiptAndALocation") {
  TestService service;
  const Answer answer =
      service.post(event("src/server.c", R"({"x": 1})",
                         id_member(kId) + R"(,"aggregateType":"file","userId":"u","causationId":"c","version":3,)"
                                          R"("occurredAt":"2026-03-01T12:00:00+02:00","metadata":{"a":1})"),
                   {{"X-Correlation-Id", "corr-1"}});
  REQUIRE(answer.status == 201);
  CHECK(answer.type == "application/json");
  CHECK(answer.header("Location") == "/v1/events/" + kId);
  CHECK(answer.header("X-Correlation-Id") == "corr-1");
  CHECK(answer.at("/eventId") == "\"" + kId + "\"");
  CHECK(answer.text("/eventType") == "T");
  CHECK(answer.text("/aggregateId") == "src/server.c");
  CHECK(answer.text("/aggregateType") == "file");
  CHECK(answer.at("/sequenceNumber") == "1");
  CHECK(answer.at("/position") == "1");
  CHECK(answer.text("/timestamp").size() == 27);
  CHECK(answer.text("/occurredAt") == "2026-03-01T10:00:00.000000Z");
  CHECK(answer.at("/version") == "3");
  CHECK(answer.text("/userId") == "u");
  CHECK(answer.text("/correlationId") == "corr-1");
  CHECK(answer.text("/causationId") == "c");
  CHECK(answer.at("/data") == "none");
  CHECK(answer.at("/metadata") == "none");
}

TEST_CASE("Append.ListsAnswerInOrder") {
  TestService service;
  for (const std::string& body : {"[" + event("a") + "," + event("b") + "," + event("a") + "]",
                                  R"({"events":[)" + event("a") + "," + event("b") + "," + event("a") + "]}"}) {
    const Answer answer = service.post(body);
    REQUIRE(answer.status == 201);
    CHECK(answer.header("Location").empty());
    CHECK(answer.text("/events/1/aggregateId") == "b");
    CHECK(answer.text("/events/2/aggregateId") == "a");
    CHECK(answer.at("/events/3") == "none");
    CHECK(answer.text("/events/0/correlationId") == answer.text("/events/2/correlationId"));
    CHECK(answer.header("X-Correlation-Id") == answer.text("/events/0/correlationId"));
  }
  const Answer lines = service.send(Method::Post, "/v1/events", event("c") + "\n" + event("c") + "\n",
                                    {{"Content-Type", "application/x-ndjson; charset=utf-8"}});
  REQUIRE(lines.status == 201);
  CHECK(lines.at("/events/1/sequenceNumber") == "2");
}

TEST_CASE("Append.LongListsAreAnsweredToo") {
  TestService service;
  std::string body = "[";
  for (int i = 0; i < 3000; ++i) body += (i == 0 ? "" : ",") + event("a" + std::to_string(i % 7));
  const Answer answer = service.post(body + "]");
  REQUIRE(answer.status == 201);
  CHECK(answer.at("/events/2999/position") == "3000");
  service.scheduler().full = true;
  const Answer while_full = service.post(body + "]");
  CHECK(while_full.status == 201);
}

TEST_CASE("Append.ARepeatGivesTheFirstReceipt") {
  TestService service;
  const std::string body = event("a", R"({"x": 1})", id_member(kId));
  const Answer first = service.post(body);
  REQUIRE(first.status == 201);
  const Answer again = service.post(body, {{"X-Correlation-Id", "other"}});
  CHECK(again.status == 200);
  CHECK(again.header("Idempotent-Replayed") == "true");
  CHECK(again.header("Location") == first.header("Location"));
  CHECK(again.body == first.body);
  CHECK(first.header("Idempotent-Replayed").empty());
  CHECK(service.store().head().size == 2);

  const Answer other = service.post(event("a", R"({"x":1})", id_member(kId)));
  CHECK(other.status == 409);
  CHECK(other.slug() == "event-id-conflict");
  CHECK(other.text("/eventId") == kId);
  const Answer in_list = service.post("[" + body + "," + event("b") + "]");
  CHECK(in_list.status == 409);
  CHECK(in_list.slug() == "event-id-conflict");
  CHECK(in_list.at("/eventIndex") == "0");
  service.scheduler().full = true;
  CHECK(service.post(body).status == 503);
  service.scheduler().full = false;
  CHECK(service.store().head().size == 2);
}

TEST_CASE("Append.AnIdempotencyKeyMakesARepeat") {
  TestService service;
  const std::string body = "[" + event("a") + "," + event("b") + "]";
  const Answer first = service.post(body, {{"Idempotency-Key", "\"k1\""}});
  REQUIRE(first.status == 201);
  const Answer again = service.post(body, {{"Idempotency-Key", "k1"}});
  CHECK(again.status == 200);
  CHECK(again.body == first.body);
  CHECK(service.post(body, {{"Idempotency-Key", "k2"}}).status == 201);
  CHECK(service.post("[" + event("a") + "," + event("c") + "]", {{"Idempotency-Key", "k1"}}).slug() ==
        "event-id-conflict");
  const Answer bad = service.post(body, {{"Idempotency-Key", "a b"}});
  CHECK(bad.status == 400);
  CHECK(bad.slug() == "invalid-header");
  CHECK(bad.text("/errors/0/header") == "Idempotency-Key");
}

TEST_CASE("Append.AHeaderFieldWithNothingInItIsAFaultUnlessItsStandardSaysOtherwise") {
  TestService service;
  for (const char* name : {"Idempotency-Key", "X-Correlation-Id"}) {
    CAPTURE(name);
    const Answer empty = service.post(event("a"), {{name, ""}});
    CHECK(empty.status == 400);
    CHECK(empty.slug() == "invalid-header");
    CHECK(empty.text("/errors/0/header") == name);
  }
  CHECK(service.get("/v1/events", {{"X-Correlation-Id", ""}}).slug() == "invalid-header");
  CHECK(service.post(event("a"), {{"Content-Type", ""}}).slug() == "unsupported-media-type");
  CHECK(service.store().head().size == 1);
  // Lists without members (RFC 9110, 5.6.1) and a trace that is no trace.
  const Answer stored = service.post(
      event("a"), {{"Accept", ""}, {"Accept-Encoding", ""}, {"Content-Encoding", ""}, {"traceparent", ""}});
  CHECK(stored.status == 201);
}

TEST_CASE("Append.AByteOrderMarkAtTheStartOfABodyIsSkipped") {
  TestService service;
  const std::string mark = "\xEF\xBB\xBF";
  const TestService::Headers lines = {{"Content-Type", "application/x-ndjson"}};
  CHECK(service.post(mark + event("a")).status == 201);
  CHECK(service.post(mark + "[" + event("a") + "]").status == 201);
  CHECK(service.post(mark + R"({"events":[)" + event("a") + "]}").status == 201);
  CHECK(service.post(mark + event("a") + "\n" + event("a"), lines).status == 201);
  CHECK(service.get("/v1/aggregates/a").at("/sequenceNumber") == "5");
  CHECK(service.get("/v1/events?aggregateId=a&limit=1").at("/events/0/data") == "1");
  // Elsewhere it is no part of JSON, and alone it is nothing.
  for (const std::string& body : {mark, mark + mark + event("b"), event("b") + mark, "[" + mark + event("b") + "]"}) {
    CAPTURE(body);
    CHECK(service.post(body).slug() == "malformed-json");
  }
  CHECK(service.post(event("b") + "\n" + mark + event("b"), lines).slug() == "malformed-json");
  CHECK(service.get("/v1/aggregates/b").status == 404);
}

TEST_CASE("Append.SequenceConflictsNameTheEventsInTheWay") {
  TestService service;
  for (int i = 0; i < 14; ++i) REQUIRE(service.post(event("a", std::to_string(i))).status == 201);
  const Answer answer = service.post(event("a", "99", R"("sequenceNumber":3)"));
  CHECK(answer.status == 409);
  CHECK(answer.slug() == "sequence-conflict");
  CHECK(answer.at("/currentSequenceNumber") == "14");
  CHECK(answer.at("/expectedSequenceNumber") == "3");
  CHECK(answer.text("/aggregateId") == "a");
  CHECK(answer.at("/conflictingEvents/0/sequenceNumber") == "3");
  CHECK(answer.at("/conflictingEvents/0/data") == "2");
  CHECK(answer.at("/conflictingEvents/9/sequenceNumber") == "12");
  CHECK(answer.at("/conflictingEvents/10") == "none");
  CHECK(answer.at("/eventIndex") == "none");

  const Answer ahead = service.post("[" + event("b") + "," + event("a", "1", R"("sequenceNumber":99)") + "]");
  CHECK(ahead.slug() == "sequence-conflict");
  CHECK(ahead.at("/eventIndex") == "1");
  CHECK(ahead.at("/conflictingEvents") == "[]");
  CHECK(service.post(event("a", "1", R"("sequenceNumber":15)")).status == 201);
}

TEST_CASE("Append.ConditionsThatFailSayWhy") {
  TestService service;
  REQUIRE(service.post(event("a", "\"first\"", R"("userId":"u1")")).status == 201);
  REQUIRE(service.post(event("a")).status == 201);
  const auto with = [&](const std::string& condition) {
    return service.post(R"({"events":[)" + event("z") + R"(],"condition":)" + condition + "}");
  };
  const Answer exists = with(
      R"({"aggregates":[{"aggregateId":"a","lastSequenceNumber":0},{"aggregateId":"q","lastSequenceNumber":"exists"}]})");
  CHECK(exists.status == 409);
  CHECK(exists.slug() == "condition-failed");
  CHECK(exists.text("/mismatches/0/aggregateId") == "a");
  CHECK(exists.at("/mismatches/0/currentSequenceNumber") == "2");
  CHECK(exists.at("/mismatches/0/lastSequenceNumber") == "0");
  CHECK(exists.text("/mismatches/1/lastSequenceNumber") == "exists");
  CHECK(exists.text("/conflictingEvents/0/data") == "first");
  const Answer match = with(R"({"failIfEventsMatch":[{"userIds":["u1"]}]})");
  CHECK(match.slug() == "condition-failed");
  CHECK(match.at("/mismatches") == "[]");
  CHECK(match.at("/conflictingEvents/0/position") == "1");
  CHECK(match.at("/conflictingEvents/1") == "none");
  const Answer beyond = with(R"({"failIfEventsMatch":[{"userIds":["u1"]}],"after":99})");
  CHECK(beyond.status == 422);
  CHECK(beyond.slug() == "after-beyond-head");
  CHECK(beyond.at("/size") == "3");
  CHECK(with(R"({"failIfEventsMatch":[{"userIds":["u1"]}],"after":1})").status == 201);
}

TEST_CASE("Append.AggregateTypeIsFixed") {
  TestService service;
  REQUIRE(service.post(event("a", "1", R"("aggregateType":"t")")).status == 201);
  REQUIRE(service.post(event("b")).status == 201);
  const Answer typed = service.post(event("a", "1", R"("aggregateType":"u")"));
  CHECK(typed.status == 422);
  CHECK(typed.slug() == "aggregate-type-conflict");
  CHECK(typed.text("/storedAggregateType") == "t");
  const Answer untyped = service.post(event("b", "1", R"("aggregateType":"u")"));
  CHECK(untyped.slug() == "aggregate-type-conflict");
  CHECK(untyped.at("/storedAggregateType") == "null");
  CHECK(service.post(event("a")).text("/aggregateType") == "t");
}

TEST_CASE("Append.BadRequestsAreRefusedAndStoreNothing") {
  TestService service;
  const auto slug = [&](const std::string& body, TestService::Headers headers) {
    const Answer answer = service.send(Method::Post, "/v1/events", body, headers);
    CHECK(answer.type == "application/problem+json");
    CHECK(answer.text("/instance") == "/v1/events");
    return std::to_string(answer.status) + " " + answer.slug();
  };
  const std::string good = event("a");
  const std::string json = "application/json";
  CHECK(slug(good, {}) == "415 unsupported-media-type");
  CHECK(slug(good, {{"Content-Type", "text/plain"}}) == "415 unsupported-media-type");
  CHECK(slug(good, {{"Content-Type", json}, {"Content-Encoding", "br"}}) == "415 unsupported-media-type");
  CHECK(slug(good, {{"Content-Type", json}, {"Content-Encoding", "gzip, zstd"}}) == "415 unsupported-media-type");
  CHECK(slug(good, {{"Content-Type", json}, {"Content-Encoding", "gzip"}}) == "400 malformed-encoding");
  CHECK(slug(good, {{"Content-Type", json}, {"Accept", "text/html"}}) == "406 not-acceptable");
  CHECK(slug(good, {{"Content-Type", json}, {"Accept", "application/x-ndjson"}}) == "406 not-acceptable");
  CHECK(slug("{", {{"Content-Type", json}}) == "400 malformed-json");
  CHECK(slug("{}", {{"Content-Type", json}}) == "422 invalid-event");
  CHECK(slug(good, {{"Content-Type", json}, {"X-Correlation-Id", "\xff"}}) == "400 invalid-header");
  CHECK(slug(good, {{"Content-Type", json}, {"X-Correlation-Id", std::string(256, 'x')}}) == "400 invalid-header");
  CHECK(slug(event("a", "\"" + std::string(1U << 20, 'x') + "\""), {{"Content-Type", json}}) == "413 event-too-large");
  const Answer query = service.send(Method::Post, "/v1/events?dryRun=true", good, {{"Content-Type", json}});
  CHECK(query.slug() == "unknown-parameter");
  CHECK(service.store().head().size == 1);
}

TEST_CASE("Append.CorrelationComesFromBodyHeaderOrTrace") {
  TestService service;
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const Answer body = service.post(event("a", "1", R"("correlationId":"mine")"), {{"X-Correlation-Id", "h"}});
  CHECK(body.text("/correlationId") == "mine");
  CHECK(body.header("X-Correlation-Id") == "mine");
  CHECK(service.post(event("a"), {{"X-Correlation-Id", "h"}, {"traceparent", trace}}).text("/correlationId") == "h");
  CHECK(service.post(event("a"), {{"traceparent", trace}}).text("/correlationId") ==
        "0af7651916cd43dd8448eb211c80319c");
  const Answer made = service.post(event("a"), {{"traceparent", "nonsense"}});
  CHECK(made.text("/correlationId").size() == 36);
  CHECK(made.text("/correlationId")[14] == '7');
  CHECK(made.header("X-Correlation-Id") == made.text("/correlationId"));
}

TEST_CASE("Append.AfterCloseItIsUnavailable") {
  TestService service;
  REQUIRE(service.store().close());
  const Answer answer = service.post(event("a"));
  CHECK(answer.status == 503);
  CHECK(answer.slug() == "unavailable");
  CHECK(!answer.header("Retry-After").empty());
}

TEST_CASE("Append.ManyAtOnceAreAllAnswered") {
  TestService service;
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 500; ++i) {
    answers.push_back(service.begin(Method::Post, "/v1/events", event("a"), {{"Content-Type", "application/json"}}));
  }
  for (auto& answer : answers) CHECK(answer.get().status == 201);
  CHECK(service.get("/v1/aggregates/a").at("/sequenceNumber") == "500");
}

TEST_CASE("Append.TheSameEventSentManyTimesAtOnceIsStoredOnce") {
  TestService service;
  for (int round = 0; round < 20; ++round) {
    const std::string aggregate = "a" + std::to_string(round);
    const std::string id = "0190a6b2-7c3e-7d10-8a4b-0000000000" + std::to_string(10 + round);
    std::vector<std::future<Answer>> answers;
    for (int i = 0; i < 40; ++i) {
      answers.push_back(service.begin(Method::Post, "/v1/events", event(aggregate, "1", id_member(id)),
                                      {{"Content-Type", "application/json"}}));
    }
    int created = 0;
    for (auto& answer : answers) {
      const Answer each = answer.get();
      created += each.status == 201 ? 1 : 0;
      CHECK((each.status == 201 || each.status == 200));
    }
    CHECK(created == 1);
    CHECK(service.get("/v1/aggregates/" + aggregate).at("/count") == "1");
  }
}

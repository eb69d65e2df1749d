// What a key that is limited to types of aggregates sees, and what it may append.

#include <doctest/doctest.h>

#include "tests/api/access_fixture.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("AccessLimit.ListsShowOnlyItsTypes") {
  AccessFixture f;
  f.stored("a", "A");
  f.stored("b", "B");
  f.stored("c", "A2");
  f.stored("none", "");
  const Headers lines = {{"Accept", "application/x-ndjson"}};
  CHECK(ids_of(f.get("/v1/events", f.of[Role::Reader])) == "a,b,c,none");
  for (const Headers& headers : {Headers{}, lines}) {
    CHECK(ids_of(f.get("/v1/events", f.limited, headers)) == "a,c");
    CHECK(ids_of(f.get("/v1/events?order=desc", f.limited, headers)) == "c,a");
    CHECK(ids_of(f.get("/v1/events?aggregateType=A2", f.limited, headers)) == "c");
    CHECK(ids_of(f.get("/v1/events?aggregateType=B", f.limited, headers)).empty());
    CHECK(ids_of(f.get("/v1/events?aggregateType=B&order=desc", f.limited, headers)).empty());
    CHECK(ids_of(f.get("/v1/events?aggregateId=b", f.limited, headers)).empty());
    CHECK(ids_of(f.get("/v1/events?aggregateId=none", f.limited, headers)).empty());
    CHECK(ids_of(f.get("/v1/events?aggregateId=a", f.limited, headers)) == "a");
    CHECK(ids_of(f.get("/v1/events?userId=admin&eventType=T&from=2020-01-01T00:00:00Z", f.limited, headers)) == "a,c");
    CHECK(ids_of(f.get("/v1/aggregates", f.limited, headers)) == "a,c");
    CHECK(ids_of(f.get("/v1/aggregates?aggregateType=B", f.limited, headers)).empty());
    CHECK(ids_of(f.get("/v1/aggregates?prefix=b", f.limited, headers)).empty());
  }
  // Page by page, with cursors that hold nothing of the others.
  const Answer page = f.get("/v1/events?limit=1", f.limited);
  CHECK(ids_of(page) == "a");
  const Answer next = f.get("/v1/events?limit=1&cursor=" + page.text("/nextCursor"), f.limited);
  CHECK(ids_of(next) == "c");
  CHECK(next.at("/nextCursor") == "null");
  const Answer aggregates = f.get("/v1/aggregates?limit=1", f.limited);
  CHECK(ids_of(f.get("/v1/aggregates?limit=1&cursor=" + aggregates.text("/nextCursor"), f.limited)) == "c");
  // An auditor with a limit is not shown what has no type either.
  const std::string auditor = f.keys.add(Role::Auditor, "a", {"B"});
  CHECK(ids_of(f.get("/v1/events?includeSystem=true", auditor)) == "b");
}

TEST_CASE("AccessLimit.SingleResourcesAreAsIfAbsent") {
  AccessFixture f;
  const std::string own = f.stored("a", "A");
  const std::string foreign = f.stored("b", "B");
  const std::string untyped = f.stored("none", "");
  CHECK(f.get("/v1/events/" + own, f.limited).status == 200);
  CHECK(f.get("/v1/events/" + own + "/data", f.limited).status == 200);
  CHECK(f.get("/v1/aggregates/a", f.limited).status == 200);
  const std::string absent = "0190a6b2-7c3e-7d10-8a4b-1f2e3d4c5b6a";
  const auto without_id = [](std::string body, const std::string& id) {
    for (std::size_t at = body.find(id); at != std::string::npos; at = body.find(id)) body.erase(at, id.size());
    return body;
  };
  for (const std::string& id : {foreign, untyped}) {
    for (const char* rest : {"", "/data"}) {
      const Answer hidden = f.get("/v1/events/" + id + rest, f.limited);
      const Answer none = f.get("/v1/events/" + absent + rest, f.limited);
      CHECK(hidden.status == 404);
      CHECK(without_id(hidden.body, id) == without_id(none.body, absent));
    }
  }
  f.stored("hidden", "B");
  for (const char* id : {"hidden", "none"}) {
    const Answer hidden = f.get("/v1/aggregates/" + std::string(id), f.limited);
    CHECK(hidden.status == 404);
    CHECK(without_id(hidden.body, id) == without_id(f.get("/v1/aggregates/unknown", f.limited).body, "unknown"));
  }
}

TEST_CASE("AccessLimit.AppendsAreOfItsTypesOnly") {
  AccessFixture f;
  f.stored("b", "B");
  f.stored("none", "");
  const std::uint64_t before = f.service.store().head().size;
  struct Row {
    std::string body;
    std::string pointer;
  };
  const std::vector<Row> rows = {
      {typed_event("x", "B"), "/aggregateType"},
      {event("x"), "/aggregateType"},
      {event("b"), "/aggregateId"},
      {event("none"), "/aggregateId"},
      {typed_event("b", "B"), "/aggregateType"},
      {"[" + typed_event("a", "A") + "," + typed_event("x", "B") + "]", "/1/aggregateType"},
      {"[" + typed_event("a", "A") + "," + event("b") + "]", "/1/aggregateId"},
      {R"({"events":[)" + typed_event("a", "A") + "," + event("x") + "]}", "/events/1/aggregateType"},
      {typed_event("x", "a"), "/aggregateType"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    const Answer answer = f.post(row.body, f.limited);
    CHECK(answer.status == 403);
    CHECK(answer.slug() == "aggregate-type-not-allowed");
    CHECK(answer.text("/errors/0/pointer") == row.pointer);
  }
  // An allowed type for an aggregate that has another one: not even the name of that.
  for (const char* id : {"b", "none"}) {
    const Answer answer = f.post(typed_event(id, "A"), f.limited);
    CHECK(answer.status == 403);
    CHECK(answer.slug() == "aggregate-type-not-allowed");
    CHECK(answer.at("/storedAggregateType") == "none");
    CHECK(answer.body.find("\"B\"") == std::string::npos);
  }
  // Hidden behind an event of the same list that names a type.
  CHECK(f.post("[" + typed_event("b", "A") + "," + event("b") + "]", f.limited).slug() == "aggregate-type-not-allowed");
  CHECK(f.service.store().head().size == before);

  CHECK(f.post(typed_event("a", "A"), f.limited).status == 201);
  CHECK(f.post(event("a"), f.limited).status == 201);
  CHECK(f.post("[" + typed_event("new", "A2") + "," + event("new") + "]", f.limited).status == 201);
  const Answer other = f.post(typed_event("a", "A2"), f.limited);
  CHECK(other.status == 422);
  CHECK(other.text("/storedAggregateType") == "A");
}

TEST_CASE("AccessLimit.ConflictsShowNothingOfOthers") {
  AccessFixture f;
  const std::string foreign = f.stored("b", "B");
  f.stored("a", "A");
  // An id that another's event has.
  for (const std::string& body :
       {typed_event("a", "A", R"("eventId":")" + foreign + '"'), event("a", "1", R"("eventId":")" + foreign + '"')}) {
    const Answer taken = f.post(body, f.limited);
    CHECK(taken.status == 409);
    CHECK(taken.slug() == "event-id-conflict");
    CHECK(taken.body.find("secret") == std::string::npos);
    CHECK(taken.body.find("\"b\"") == std::string::npos);
  }
  // The very event of another: no receipt.
  const std::string same = event("b", R"("secret of b")", R"("aggregateType":"B","eventId":")" + foreign + '"');
  REQUIRE(f.post(same, f.of[Role::Admin]).status == 200);
  CHECK(f.post(same, f.limited).status == 403);
  const std::string untyped_id = f.stored("b", "", R"("causationId":"c")");
  const std::string again = event("b", R"("secret of b")", R"("causationId":"c","eventId":")" + untyped_id + '"');
  REQUIRE(f.post(again, f.of[Role::Admin]).status == 200);
  CHECK(f.post(again, f.limited).status == 403);
  // What is its own is shown.
  const Answer conflict = f.post(typed_event("a", "A", R"("sequenceNumber":1)"), f.limited);
  CHECK(conflict.slug() == "sequence-conflict");
  CHECK(ids_of(conflict) == "a,a");
  // Not so that of an aggregate it may not see.
  const Answer number = f.post(event("b", "1", R"("sequenceNumber":9)"), f.limited);
  CHECK(number.status == 403);
  CHECK(number.at("/currentSequenceNumber") == "none");
}

TEST_CASE("AccessLimit.ConditionsAreAboutItsTypes") {
  AccessFixture f;
  f.stored("b", "B");
  f.stored("a", "A");
  const auto commit = [&](const std::string& condition) {
    return f.post(R"({"events":[)" + typed_event("n", "A") + R"(],"condition":)" + condition + "}", f.limited);
  };
  for (const auto& [condition, pointer] : std::vector<std::pair<std::string, std::string>>{
           {R"({"failIfEventsMatch":[{"aggregateTypes":["B"]}]})", "/condition/failIfEventsMatch/0/aggregateTypes/0"},
           {R"({"failIfEventsMatch":[{"aggregateTypes":["A"]},{"aggregateTypes":["A2","C"]}]})",
            "/condition/failIfEventsMatch/1/aggregateTypes/1"},
           {R"({"aggregates":[{"aggregateId":"a","lastSequenceNumber":1},{"aggregateId":"b","lastSequenceNumber":5}]})",
            "/condition/aggregates/1/aggregateId"}}) {
    CAPTURE(condition);
    const Answer answer = commit(condition);
    CHECK(answer.status == 403);
    CHECK(answer.slug() == "aggregate-type-not-allowed");
    CHECK(answer.text("/errors/0/pointer") == pointer);
  }
  // Without types: those of the limit. The event of b does not count, and is not shown.
  CHECK(commit(R"({"failIfEventsMatch":[{"aggregateIds":["b"]}]})").status == 201);
  const Answer own = commit(R"({"failIfEventsMatch":[{"userIds":["admin"]}]})");
  CHECK(own.slug() == "condition-failed");
  CHECK(ids_of(own) == "a");
  const Answer stale = commit(R"({"aggregates":[{"aggregateId":"a","lastSequenceNumber":0}]})");
  CHECK(stale.slug() == "condition-failed");
  CHECK(stale.at("/mismatches/0/currentSequenceNumber") == "1");
  CHECK(commit(R"({"aggregates":[{"aggregateId":"unknown","lastSequenceNumber":0}]})").status == 201);
  CHECK(commit(R"({"aggregates":[{"aggregateId":"unknown","lastSequenceNumber":"exists"}]})")
            .at("/mismatches/0/currentSequenceNumber") == "0");
}

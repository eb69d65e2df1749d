// The same eventId again: a repeat of a success is a success, and nothing is stored twice.

#include <doctest/doctest.h>

#include "tests/contract/http_fixture.h"

namespace stele::tests {
namespace {

std::string with_id(const std::string& id, const std::string& aggregate, const std::string& type = "Tested",
                    const std::string& data = "{}", const std::string& extra = "") {
  return event_json(aggregate, type, data, R"(,"eventId":")" + id + "\"" + extra);
}

/// A 200 that says it is a repeat, with the receipt `original`.
void check_replayed(const HttpResponse& response, const Json& original) {
  INFO("answer: ", response.body);
  REQUIRE(response.status == 200);
  CHECK(response.header("Idempotent-Replayed") == "true");
  CHECK(Json(response.body).minified() == original.minified());
}

}  // namespace

TEST_CASE("Idempotency.SameContentGivesTheOriginalReceipt") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("repeat");
  const std::string id = fresh_uuid();
  const std::string body = with_id(id, aggregate, "T", R"({"n":1})", R"(,"metadata":{"m":1},"userId":"u","version":3)");
  const Json original = append(client, body);
  append(client, event_json(aggregate));
  const std::uint64_t size = event_count(client);
  for (int i = 0; i < 3; ++i) {
    const HttpResponse again = client.post("/v1/events", body);
    check_replayed(again, original);
    CHECK(again.header("Location") == "/v1/events/" + id);
  }
  // The id in capitals is the same id.
  std::string capitals = id;
  for (char& c : capitals) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  check_replayed(client.post("/v1/events", with_id(capitals, aggregate, "T", R"({"n":1})",
                                                   R"(,"metadata":{"m":1},"userId":"u","version":3)")),
                 original);
  CHECK(event_count(client) == size);
}

TEST_CASE("Idempotency.OtherContentIsAConflict") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("repeat");
  const std::string id = fresh_uuid();
  const std::string rest =
      R"(,"metadata":{"m":1},"userId":"u","version":3,"occurredAt":"2026-01-01T00:00:00Z","causationId":"c","correlationId":"k","tags":["one","two"])";
  append(client, with_id(id, aggregate, "T", R"({"n":1})", rest));
  const std::uint64_t size = event_count(client);
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string changed = rest;
    const std::size_t at = changed.find(from);
    REQUIRE(at != std::string::npos);
    return changed.replace(at, from.size(), to);
  };
  for (const std::string& body : {
           with_id(id, aggregate, "T", R"({"n":2})", rest),
           with_id(id, aggregate, "T", R"({"n": 1})", rest),
           with_id(id, aggregate, "Other", R"({"n":1})", rest),
           with_id(id, aggregate + "x", "T", R"({"n":1})", rest),
           with_id(id, aggregate, "T", R"({"n":1})", rest + R"(,"aggregateType":"X")"),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"({"m":1})", R"({"m":2})")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"(,"metadata":{"m":1})", "")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"("userId":"u")", R"("userId":"v")")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"(,"userId":"u")", "")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"("version":3)", R"("version":4)")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced("2026-01-01", "2026-01-02")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"("two")", R"("three")")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"(,"two")", "")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"("two")", R"("two","three")")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"(,"tags":["one","two"])", "")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"("causationId":"c")", R"("causationId":"d")")),
           with_id(id, aggregate, "T", R"({"n":1})", replaced(R"("correlationId":"k")", R"("correlationId":"l")")),
       }) {
    INFO("sent: ", body);
    const Json problem = check_problem(client.post("/v1/events", body), 409, "event-id-conflict");
    CHECK(problem.text("/eventId") == id);
  }
  CHECK(event_count(client) == size);
  CHECK(client.post("/v1/events", with_id(id, aggregate, "T", R"({"n":1})", rest)).status == 200);
}

TEST_CASE("Idempotency.TagsMayBeSentInAnotherOrder") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("repeat"), id = fresh_uuid();
  const auto tagged = [&](const std::string& tags) { return with_id(id, aggregate, "T", "{}", R"(,"tags":)" + tags); };
  const Json original = append(client, tagged(R"(["b","a","c"])"));
  CHECK(original.at("/tags").minified() == R"(["a","b","c"])");
  check_replayed(client.post("/v1/events", tagged(R"(["c","b","a"])")), original);
  check_problem(client.post("/v1/events", tagged("[]")), 409, "event-id-conflict");
  // No tags and an empty list are the same.
  const std::string bare = fresh_uuid();
  const Json untagged = append(client, with_id(bare, aggregate));
  check_replayed(client.post("/v1/events", with_id(bare, aggregate, "Tested", "{}", R"(,"tags":[])")), untagged);
}

TEST_CASE("Idempotency.MembersTheServerGaveNeedNotBeRepeated") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("repeat");
  const std::string first = with_id(fresh_uuid(), aggregate, "T", "{}", R"(,"aggregateType":"Mission")");
  append(client, first);
  // Type, correlation id and version of this one are given by the server.
  const std::string second = with_id(fresh_uuid(), aggregate);
  const Json original = append(client, second);
  check_replayed(client.post("/v1/events", second), original);
  check_replayed(client.post("/v1/events", second, "application/json", {{"X-Correlation-Id", "another-request"}}),
                 original);
}

TEST_CASE("Idempotency.ComesBeforeExpectationsAndConditions") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("repeat");
  const std::string expecting = with_id(fresh_uuid(), aggregate, "T", "{}", R"(,"sequenceNumber":1)");
  const Json original = append(client, expecting);
  append(client, event_json(aggregate));
  check_replayed(client.post("/v1/events", expecting), original);

  const std::string conditional = R"({"events":[)" + with_id(fresh_uuid(), aggregate) +
                                  R"(],"condition":{"aggregates":[{"aggregateId":")" + aggregate +
                                  R"(","lastSequenceNumber":2}]}})";
  const Json conditional_original = append(client, conditional);
  check_replayed(client.post("/v1/events", conditional), conditional_original);
}

TEST_CASE("Idempotency.RefusedEventsLeaveTheirIdFree") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("repeat");
  const std::string id = fresh_uuid();
  check_problem(client.post("/v1/events", with_id(id, aggregate, "T", "{}", R"(,"sequenceNumber":7)")), 409,
                "sequence-conflict");
  check_problem(client.post("/v1/events", with_id(id, aggregate, "bad type")), 422);
  CHECK(append(client, with_id(id, aggregate)).text("/eventId") == id);
}

TEST_CASE("Idempotency.ListRepeatsOnlyExactlyOneCommit") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("repeat");
  const std::string a = with_id(fresh_uuid(), aggregate, "A");
  const std::string b = with_id(fresh_uuid(), aggregate, "B");
  const std::string c = with_id(fresh_uuid(), aggregate, "C");
  const std::string fresh_one = with_id(fresh_uuid(), aggregate, "D");
  const Json original = append(client, "[" + a + "," + b + "]");
  append(client, c);
  const std::uint64_t size = event_count(client);
  check_replayed(client.post("/v1/events", "[" + a + "," + b + "]"), original);
  check_replayed(client.post("/v1/events", a + "\n" + b + "\n", "application/x-ndjson"), original);
  check_replayed(client.post("/v1/events", R"({"events":[)" + a + "," + b + "]}"), original);
  for (const std::string& list : {
           "[" + a + "]",
           "[" + b + "]",
           "[" + b + "," + a + "]",
           "[" + a + "," + b + "," + c + "]",
           "[" + b + "," + c + "]",
           "[" + a + "," + b + "," + fresh_one + "]",
           "[" + fresh_one + "," + a + "]",
           "[" + a + "," + fresh_one + "]",
       }) {
    INFO("sent: ", list);
    check_problem(client.post("/v1/events", list), 409, "event-id-conflict");
  }
  CHECK(event_count(client) == size);
  CHECK(append(client, fresh_one).text("/eventType") == "D");
}

TEST_CASE("Idempotency.KeyGivesTheSameIdsAgain") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("keyed");
  const std::string key = fresh_uuid();
  const std::string body = event_json(aggregate, "T", R"({"n":1})");
  const Json original = append(client, body, {{"Idempotency-Key", "\"" + key + "\""}});
  const std::uint64_t size = event_count(client);
  check_replayed(client.post("/v1/events", body, "application/json", {{"Idempotency-Key", "\"" + key + "\""}}),
                 original);
  // Many clients leave the quotes out.
  check_replayed(client.post("/v1/events", body, "application/json", {{"Idempotency-Key", key}}), original);
  check_problem(client.post("/v1/events", event_json(aggregate, "T", R"({"n":2})"), "application/json",
                            {{"Idempotency-Key", key}}),
                409, "event-id-conflict");
  CHECK(event_count(client) == size);
  const Json other = append(client, body, {{"Idempotency-Key", fresh_uuid()}});
  CHECK(other.text("/eventId") != original.text("/eventId"));
  check_problem(client.post("/v1/events", body, "application/json", {{"Idempotency-Key", "\"\""}}), 400,
                "invalid-header");
}

TEST_CASE("Idempotency.KeyCoversAListAndLeavesGivenIdsAlone") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("keyed");
  const std::string id = fresh_uuid();
  const std::string body =
      "[" + event_json(aggregate, "A") + "," + with_id(id, aggregate, "B") + "," + event_json(aggregate, "C") + "]";
  const Headers key{{"Idempotency-Key", fresh_uuid()}};
  const Json original = append(client, body, key);
  CHECK(original.text("/events/1/eventId") == id);
  CHECK(original.text("/events/0/eventId") != original.text("/events/2/eventId"));
  check_replayed(client.post("/v1/events", body, "application/json", key), original);
}

TEST_CASE("Idempotency.OutlivesAKilledServer") {
  Api api;
  const std::string single = with_id(fresh_uuid(), "single", "T", R"({ "n" : 1 })", R"(,"metadata":{ })");
  const std::string list = "[" + with_id(fresh_uuid(), "list") + "," + with_id(fresh_uuid(), "other") + "]";
  const std::string keyed = event_json("keyed");
  const Headers key{{"Idempotency-Key", "once"}};
  HttpClient before = api.client();
  const Json single_receipt = append(before, single);
  const Json list_receipt = append(before, list);
  const Json keyed_receipt = append(before, keyed, key);
  const std::uint64_t size = event_count(before);

  api.kill_and_restart();
  HttpClient after = api.client();
  CHECK(event_count(after) == size);
  check_replayed(after.post("/v1/events", single), single_receipt);
  check_replayed(after.post("/v1/events", list), list_receipt);
  check_replayed(after.post("/v1/events", keyed, "application/json", key), keyed_receipt);
  CHECK(event_count(after) == size);
  CHECK(append(after, event_json("single")).number("/sequenceNumber") == 2);
  CHECK(append(after, event_json("new")).number("/position") > keyed_receipt.number("/position"));
  CHECK(event_count(after) == size + 2);
}

}  // namespace stele::tests

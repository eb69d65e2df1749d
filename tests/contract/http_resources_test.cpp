// Single events, aggregates and their names in paths.

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "tests/contract/http_fixture.h"

namespace stele::tests {

TEST_CASE("Event.UnknownOnesAreNotFound") {
  HttpClient client = shared_api().client();
  check_problem(client.get("/v1/events/" + fresh_uuid()), 404, "event-not-found");
  check_problem(client.get("/v1/events/" + fresh_uuid() + "/data"), 404, "event-not-found");
  check_problem(client.get("/v1/events/not-a-uuid"), 404);
  check_problem(client.get("/v1/events/" + fresh_uuid() + "/unknown"), 404);
}

TEST_CASE("Event.HasNoParameters") {
  HttpClient client = shared_api().client();
  const std::string id = append(client, event_json(fresh("single"))).text("/eventId");
  check_problem(client.get("/v1/events/" + id + "?pretty=true"), 400, "unknown-parameter");
}

TEST_CASE("Event.CannotBeChangedOrDeleted") {
  HttpClient client = shared_api().client();
  const std::string target = "/v1/events/" + append(client, event_json(fresh("fixed"), "T", "[1]")).text("/eventId");
  const std::uint64_t size = event_count(client);
  for (const char* const method : {"DELETE", "PUT", "PATCH", "POST"}) {
    for (const std::string& path : {target, target + "/data"}) {
      const HttpResponse response = client.request(method, path, "{}", {{"Content-Type", "application/json"}});
      INFO(method, " ", path);
      check_problem(response, 405, "method-not-allowed");
      const std::string allow = response.header("Allow");
      CHECK(allow.find("GET") != std::string::npos);
      CHECK(allow.find("HEAD") != std::string::npos);
      CHECK(allow.find(method) == std::string::npos);
    }
  }
  CHECK(event_count(client) == size);
  CHECK(client.get(target + "/data").body == "[1]");
}

TEST_CASE("Aggregate.SummaryFollowsItsEvents") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("summary");
  const Json first = append(client, event_json(aggregate, "A", "{}", R"(,"aggregateType":"Mission")"));
  append(client, event_json(aggregate, "B"));
  const Json last = append(client, event_json(aggregate, "C"));
  const Json summary = get_json(client, "/v1/aggregates/" + aggregate);
  CHECK(summary.text("/aggregateId") == aggregate);
  CHECK(summary.text("/aggregateType") == "Mission");
  CHECK(summary.number("/sequenceNumber") == 3);
  CHECK(summary.number("/count") == 3);
  const std::string body = summary.minified();
  CHECK(body.find(first.text("/timestamp")) != std::string::npos);
  CHECK(body.find(last.text("/timestamp")) != std::string::npos);
  check_problem(client.get("/v1/aggregates/" + fresh("nobody")), 404, "aggregate-not-found");
}

TEST_CASE("Aggregate.NamesMayHaveSlashesPercentSignsAndAnyLetters") {
  HttpClient client = shared_api().client();
  const std::string unique = fresh("name");
  for (const std::string& name : std::vector<std::string>{
           "src/server.c",
           "a//b/",
           "/",
           "100%",
           "%2F",
           "a b",
           "a+b",
           "a?b=c&d#e",
           "Überholmanöver/日本語/😀",
           "..",
           "../x",
           "\\backslash",
           "\"quoted\"",
           "~tilde",
           "x;y,z",
           "'",
       }) {
    const std::string aggregate = unique + name;
    INFO("aggregate ", aggregate);
    const Json receipt = append(client, event_json(aggregate, "Named"));
    CHECK(receipt.text("/aggregateId") == aggregate);
    const Json summary = get_json(client, "/v1/aggregates/" + percent(aggregate));
    CHECK(summary.text("/aggregateId") == aggregate);
    CHECK(summary.number("/count") == 1);
    const Json page = get_json(client, "/v1/events?aggregateId=" + percent(aggregate));
    REQUIRE(page.list("/events").size() == 1);
    CHECK(page.text("/events/0/eventId") == receipt.text("/eventId"));
  }
  // A name is its bytes: these differ from each other and from the encoded forms above.
  CHECK(get_json(client, "/v1/events?aggregateId=" + percent(unique + "%2F")).list("/events").size() == 1);
}

TEST_CASE("Aggregate.NamesThatNoClientCanPutIntoAPathAreRefused") {
  HttpClient client = shared_api().client();
  const std::uint64_t size = event_count(client);
  for (const std::string name : {".", ".."}) {
    INFO("name ", name);
    const std::string bad = event_json(name), good = event_json(fresh("good"));
    CHECK(names_pointer(check_problem(client.post("/v1/events", bad), 422, "invalid-event"), "/aggregateId"));
    check_problem(client.post("/v1/events", "[" + good + "," + bad + "]"), 422, "invalid-event");
    for (const char* const type : {"application/x-ndjson", "application/jsonl"}) {
      const Json refused = check_problem(client.post("/v1/events", good + "\n" + bad, type), 422, "invalid-event");
      CHECK(names_pointer(refused, "/1/aggregateId"));
      CHECK(refused.number("/errors/0/line") == 2);
    }
    check_problem(client.post("/v1/events", R"({"events":[)" + bad + "]}"), 422, "invalid-event");
    // Asking for them is no error.
    CHECK(get_json(client, "/v1/events?aggregateId=" + name).list("/events").empty());
  }
  CHECK(event_count(client) == size);
  append(client, R"({"events":[)" + event_json(fresh("good")) +
                     R"(],"condition":{"aggregates":[{"aggregateId":"..","lastSequenceNumber":0}]}})");
}

TEST_CASE("Aggregate.BrokenNamesInPathsAreRefused") {
  HttpClient client = shared_api().client();
  for (const char* const path :
       {"/v1/aggregates/%", "/v1/aggregates/%G1", "/v1/aggregates/%ff", "/v1/aggregates/a%C3"}) {
    const HttpResponse response = client.get(path);
    INFO(path, " gives ", response.status);
    CHECK(check_problem(response, 400, "invalid-path").text("/title") == "Invalid path");
  }
}

TEST_CASE("Aggregates.ListIsSortedFilteredAndPaged") {
  HttpClient client = shared_api().client();
  const std::string prefix = fresh("listed") + "/";
  std::vector<std::string> all;
  for (int i = 0; i < 25; ++i) {
    const std::string name = prefix + std::string(1, static_cast<char>('a' + (i * 7) % 25));
    all.push_back(name);
    append(client,
           event_json(name, "T", "{}", i % 5 == 0 ? R"(,"aggregateType":"Rare")" : R"(,"aggregateType":"Usual")"));
  }
  std::sort(all.begin(), all.end());

  const auto read = [&](const std::string& query) {
    std::vector<std::string> names;
    std::string cursor;
    do {
      const Json body = get_json(client, "/v1/aggregates?limit=4&prefix=" + percent(prefix) + query +
                                             (cursor.empty() ? "" : "&cursor=" + percent(cursor)));
      for (const Json& aggregate : body.list("/aggregates")) names.push_back(aggregate.text("/aggregateId"));
      cursor = body.is_null("/nextCursor") ? "" : body.text("/nextCursor");
    } while (!cursor.empty() && names.size() < 100);
    return names;
  };
  CHECK(read("") == all);
  CHECK(read("&aggregateType=Rare").size() == 5);
  CHECK(read("&aggregateType=Usual").size() == 20);
  CHECK(read("&aggregateType=Nothing").empty());
  CHECK(get_json(client, "/v1/aggregates?prefix=" + percent(prefix + "b")).list("/aggregates").size() == 1);

  const HttpResponse lines =
      client.get("/v1/aggregates?prefix=" + percent(prefix), {{"Accept", "application/x-ndjson"}});
  CHECK(std::count(lines.body.begin(), lines.body.end(), '\n') == 25);
  check_problem(client.get("/v1/aggregates?limit=0"), 400, "invalid-parameter");
  check_problem(client.get("/v1/aggregates?type=Rare"), 400, "unknown-parameter");
  check_problem(client.get("/v1/aggregates?cursor=nonsense"), 400, "invalid-cursor");
}

}  // namespace stele::tests

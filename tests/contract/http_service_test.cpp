// What surrounds the events: head, health, description, methods, headers that every answer has.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"

namespace stele::tests {

TEST_CASE("Head.FollowsTheLog") {
  Api api;
  HttpClient client = api.client();
  const Json before = get_json(client, "/v1/head");
  // A new log has records of its own: its begin, the start of the server, the key that signs.
  const std::uint64_t size = before.number("/size");
  CHECK(size >= 1);
  CHECK(before.number("/position") == size - 1);
  CHECK(before.text("/root").size() >= 43);
  const Json receipt = append(client, event_json("head"));
  const Json after = get_json(client, "/v1/head");
  CHECK(after.number("/size") == size + 1);
  CHECK(after.number("/position") == receipt.number("/position"));
  CHECK(after.text("/root") != before.text("/root"));
  CHECK(after.minified().find(receipt.text("/timestamp")) != std::string::npos);

  api.kill_and_restart();
  HttpClient again = api.client();
  CHECK(get_json(again, "/v1/head").number("/size") == size + 2);  // and that it has started again
  CHECK(get_json(again, "/v1/events").list("/events").size() == 1);
}

TEST_CASE("Service.SaysThatItIsHealthyAndReady") {
  HttpClient client = shared_api().client();
  CHECK(client.get("/healthz").status == 200);
  CHECK_FALSE(get_json(client, "/readyz").names().empty());
}

TEST_CASE("Service.DescribesItself") {
  HttpClient client = shared_api().client();
  const Json api = get_json(client, "/openapi.json");
  CHECK(api.text("/openapi").starts_with("3.1"));
  for (const char* const path : {"/v1/events", "/v1/events/{eventId}", "/v1/events/{eventId}/data", "/v1/head",
                                 "/v1/aggregates", "/v1/aggregates/{aggregateId}", "/healthz", "/readyz", "/metrics"}) {
    std::string pointer = "/paths/";
    for (const char c : std::string_view(path)) pointer += c == '/' ? std::string("~1") : std::string(1, c);
    INFO("path ", path);
    CHECK(api.has(pointer));
  }
}

TEST_CASE("Service.EveryProblemTypeHasAPage") {
  HttpClient client = shared_api().client();
  const HttpResponse refused = client.get("/v1/events?limit=0");
  const std::string type = check_problem(refused, 400).text("/type");
  const HttpResponse page = client.get(type);
  CHECK(page.status == 200);
  CHECK_FALSE(page.body.empty());
  check_problem(client.get("/problems/no-such-problem"), 404, "not-found");
}

TEST_CASE("Service.UnknownPathsAreNotFound") {
  HttpClient client = shared_api().client();
  for (const char* const path :
       {"/", "/v1", "/v1/", "/v2/events", "/v1/event", "/v1/events/", "/V1/events", "/v1//events"}) {
    INFO("path ", path);
    check_problem(client.get(path), 404);
  }
}

TEST_CASE("Service.HeadHasTheHeadersOfGetWithoutABody") {
  HttpClient client = shared_api().client();
  const std::string id = append(client, event_json(fresh("head"), "T", "[1,2]")).text("/eventId");
  for (const std::string& path :
       std::vector<std::string>{"/v1/events/" + id, "/v1/events/" + id + "/data", "/healthz", "/openapi.json",
                                "/v1/events?limit=1", "/v1/events/" + fresh_uuid()}) {
    INFO("path ", path);
    const HttpResponse get = client.get(path);
    const HttpResponse head = client.head(path);
    CHECK(head.status == get.status);
    CHECK(head.body.empty());
    CHECK(head.header("Content-Type") == get.header("Content-Type"));
    if (path.find("/data") != std::string::npos) CHECK(head.header("Content-Length") == "5");
  }
  // The connection is still in step.
  CHECK(client.get("/healthz").status == 200);
}

TEST_CASE("Service.OptionsNamesTheMethods") {
  HttpClient client = shared_api().client();
  struct Row {
    const char* path;
    std::vector<const char*> methods;
  };
  for (const Row& row : std::vector<Row>{{"/v1/events", {"GET", "HEAD", "POST", "OPTIONS"}},
                                         {"/v1/head", {"GET", "HEAD", "OPTIONS"}},
                                         {"/v1/aggregates/x", {"GET", "HEAD", "OPTIONS"}}}) {
    const HttpResponse response = client.request("OPTIONS", row.path);
    INFO("OPTIONS ", row.path, ": ", response.status);
    CHECK((response.status == 200 || response.status == 204));
    for (const char* const method : row.methods) CHECK(response.header("Allow").find(method) != std::string::npos);
    CHECK(response.header("Allow").find("DELETE") == std::string::npos);
  }
}

TEST_CASE("Service.CorsIsForConfiguredOriginsOnly") {
  Api api({"--cors-origin", "https://console.example"});
  HttpClient client = api.client();
  const HttpResponse allowed = client.get("/v1/head", {{"Origin", "https://console.example"}});
  CHECK(allowed.header("Access-Control-Allow-Origin") == "https://console.example");
  const HttpResponse refused = client.get("/v1/head", {{"Origin", "https://elsewhere.example"}});
  CHECK_FALSE(refused.has_header("Access-Control-Allow-Origin"));
  const HttpResponse preflight = client.request("OPTIONS", "/v1/events", {},
                                                {{"Origin", "https://console.example"},
                                                 {"Access-Control-Request-Method", "POST"},
                                                 {"Access-Control-Request-Headers", "content-type, idempotency-key"}});
  CHECK((preflight.status == 200 || preflight.status == 204));
  CHECK(preflight.header("Access-Control-Allow-Methods").find("POST") != std::string::npos);
}

TEST_CASE("Service.EveryAnswerCarriesACorrelationId") {
  HttpClient client = shared_api().client();
  CHECK(client.get("/v1/head", {{"X-Correlation-Id", "trace-9"}}).header("X-Correlation-Id") == "trace-9");
  const HttpResponse refused = client.get("/v1/events?limit=0", {{"X-Correlation-Id", "trace-10"}});
  CHECK(refused.status == 400);
  CHECK(refused.header("X-Correlation-Id") == "trace-10");
  for (const std::string& value : std::vector<std::string>{std::string(300, 'x'), "\xFF\xFE"}) {
    const HttpResponse response =
        client.post("/v1/events", event_json(fresh("traced")), "application/json", {{"X-Correlation-Id", value}});
    check_problem(response, 400);
  }
}

TEST_CASE("Service.PipelinedRequestsAreAnsweredInOrder") {
  HttpClient client = shared_api().client();
  const std::string aggregate = fresh("pipelined");
  std::string requests;
  for (int i = 1; i <= 10; ++i) {
    const std::string body = event_json(aggregate, "T", std::to_string(i));
    requests += "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  REQUIRE(client.connect());
  REQUIRE(client.send_raw(requests));
  for (std::uint64_t i = 1; i <= 10; ++i) {
    const HttpResponse response = client.read_response();
    REQUIRE(response.status == 201);
    CHECK(Json(response.body).number("/sequenceNumber") == i);
  }
}

}  // namespace stele::tests

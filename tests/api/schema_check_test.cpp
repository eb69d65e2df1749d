// A schema held against what is stored.

#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "api/schemas/schema_check.h"
#include "api/schemas/schema_history.h"
#include "tests/api/schema_support.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const std::string kNumbered = R"({"type":"object","required":["n"],"properties":{"n":{"minimum":1}}})";

std::shared_ptr<TestRequest> check_request(TestService& service, const std::string& schema, bool lines = false) {
  TestService::Headers headers{{"Content-Type", "application/json"}};
  if (lines) headers.emplace("Accept", "application/x-ndjson");
  return std::make_shared<TestRequest>(Method::Post, "/v1/schemas/T/check", R"({"schema":)" + schema + "}", headers,
                                       service.scheduler());
}

Answer check_in(TestService& service, const std::string& schema, bool lines = false) {
  return service.begin(check_request(service, schema, lines)).get();
}

std::vector<std::string> check_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void look_to_the_end(SchemaHistory& history, const ReadView& view) {
  while (true) {
    const auto looked = history.look(view, {});
    REQUIRE(looked);
    if (*looked == SchemaHistory::Outcome::Whole) return;
  }
}

}  // namespace

TEST_CASE("SchemaCheck.FindsWhatDoesNotSatisfyTheSchemaAndChangesNothing") {
  TestService service;
  CHECK(check_in(service, kNumbered).body == R"({"checked":0,"failed":0,"failures":[]})");
  REQUIRE(service.post(event("a", R"({"n":1})")).status == 201);
  const Answer bad = service.post(event("a", R"({"n":0})", R"("version":7)"));
  REQUIRE(service.post(event("b", R"({})")).status == 201);
  REQUIRE(service.post(R"({"eventType":"U","aggregateId":"a","data":1})").status == 201);
  const std::uint64_t records = service.store().durable_end().value();
  const Answer checked = check_in(service, kNumbered);
  CHECK(checked.status == 200);
  CHECK(checked.type == "application/json");
  CHECK(checked.at("/checked") == "3");
  CHECK(checked.at("/failed") == "2");
  CHECK(checked.at("/failures/0/position") == bad.at("/position"));
  CHECK(checked.at("/failures/0/eventId") == bad.at("/eventId"));
  CHECK(checked.text("/failures/0/pointer") == "/n");
  CHECK(checked.text("/failures/1/pointer") == "");
  CHECK(checked.at("/failures/2") == "none");
  CHECK(service.store().durable_end().value() == records);
  CHECK(service.get("/v1/schemas/T").status == 404);
}

TEST_CASE("SchemaCheck.KeepsTheFirstFailuresAndCountsAll") {
  TestService service;
  std::string many;
  for (int i = 0; i < 150; ++i) many += (i == 0 ? "[" : ",") + event("a", "0");
  REQUIRE(service.post(many + "]").status == 201);
  const Answer checked = check_in(service, kNumbered);
  CHECK(checked.at("/failed") == "150");
  CHECK(checked.at("/failures/99") != "none");
  CHECK(checked.at("/failures/100") == "none");
  // A registration says the same.
  const Answer refused = service.send(Method::Post, "/v1/schemas/T", R"({"schema":)" + kNumbered + "}",
                                      {{"Content-Type", "application/json"}});
  CHECK(refused.slug() == "schema-incompatible");
  CHECK(refused.at("/failed") == "150");
  CHECK(refused.at("/failures") == checked.at("/failures"));
}

TEST_CASE("SchemaCheck.TellsItsProgressInLines") {
  TestService service;
  // More work than one piece has.
  std::string array = "[0";
  for (int i = 1; i < 20'000; ++i) array += "," + std::to_string(i);
  for (int i = 0; i < 6; ++i) REQUIRE(service.post(event("a", array + "]")).status == 201);
  const Answer checked = check_in(service, R"({"uniqueItems":true})", true);
  CHECK(checked.status == 200);
  CHECK(checked.type == "application/x-ndjson");
  const std::vector<std::string> lines = check_lines(checked.body);
  REQUIRE(lines.size() >= 2);
  CHECK(lines.front().starts_with(R"({"checked":)"));
  CHECK(lines.front().find("failed") == std::string::npos);
  CHECK(lines.back() == R"({"checked":6,"failed":0,"failures":[]})");
}

TEST_CASE("SchemaCheck.WhatCannotBeCheckedIsRefused") {
  TestService service;
  const auto refused = [&](const std::string& target, const std::string& body, const char* slug) {
    CAPTURE(body);
    CHECK(service.send(Method::Post, target, body, {{"Content-Type", "application/json"}}).slug() == slug);
  };
  refused("/v1/schemas/T/check", "{}", "invalid-request");
  refused("/v1/schemas/T/check", R"({"schema":{},"policy":"strict"})", "invalid-request");
  refused("/v1/schemas/T/check", R"({"schema":{"type":"nothing"}})", "invalid-schema");
  refused("/v1/schemas/$x/check", R"({"schema":{}})", "invalid-path");
  refused("/v1/schemas/T/check?active=true", R"({"schema":{}})", "unknown-parameter");
  refused("/v1/schemas/T/check", R"({"schema":")" + std::string(1 << 20, 'x') + R"("})", "payload-too-large");
}

TEST_CASE("SchemaCheck.ThereAreFewAtOnceAndEachEndsWithItsClient") {
  TestService service;
  std::string many;
  for (int i = 0; i < 2000; ++i) many += (i == 0 ? "[" : ",") + event("a", R"({"n":1})");
  REQUIRE(service.post(many + "]").status == 201);
  std::vector<std::shared_ptr<TestRequest>> requests;
  std::vector<Response> open;
  for (std::size_t i = 0; i <= SchemaChecks::kChecksMax; ++i) {
    requests.push_back(check_request(service, kNumbered));
    open.push_back(service.open(requests.back()));
  }
  CHECK(open.front().status == 200);
  CHECK(open.back().status == 429);
  CHECK(open.back().body.find("/problems/busy-checks") != std::string::npos);
  // One that has told its result takes no place any more, nor does one whose answer is gone.
  std::string body;
  while (*open[0].source->next(body)) {
  }
  CHECK(body == R"({"checked":2000,"failed":0,"failures":[]})");
  CHECK(check_in(service, kNumbered).status == 200);
  requests[1]->is_abandoned = true;
  const auto given_up = open[1].source->next(body);
  REQUIRE_FALSE(given_up);
  CHECK(given_up.error().kind == ErrorKind::Closed);
  requests.push_back(check_request(service, kNumbered));
  open.push_back(service.open(requests.back()));
  CHECK(open.back().status == 200);
  CHECK(check_in(service, kNumbered).slug() == "busy-checks");
  open[1].source.reset();
  CHECK(check_in(service, kNumbered).status == 200);
}

TEST_CASE("SchemaHistory.LooksInPiecesAndGoesOnWhereItWas") {
  TestService service;
  std::string array = "[0";
  for (int i = 1; i < 20'000; ++i) array += "," + std::to_string(i);
  for (int i = 0; i < 6; ++i) REQUIRE(service.post(event("a", array + "]")).status == 201);
  const auto schema = tests::schema_of(R"({"uniqueItems":true})");
  SchemaHistory history("T", schema);
  const auto view = service.store().view();
  const auto first = history.look(*view, {});
  REQUIRE(first);
  CHECK(*first == SchemaHistory::Outcome::More);
  CHECK(history.checked() > 0);
  CHECK(history.checked() < 6);
  look_to_the_end(history, *view);
  CHECK(history.checked() == 6);
  CHECK(history.seen() == 6);
  CHECK(history.failed() == 0);
  REQUIRE(service.post(event("a", "[1,1]", R"("version":3)")).status == 201);
  look_to_the_end(history, *service.store().view());
  CHECK(history.checked() == 7);
  CHECK(history.failed() == 1);
  CHECK(history.version_max() == 3);
  CHECK(history.last() == Position{service.store().durable_end().value() - 1});
}

TEST_CASE("SchemaCheck.LooksAtEventsAsTheyWouldBeRead") {
  TestService service;
  const TestService::Headers json{{"Content-Type", "application/json"}};
  REQUIRE(service.send(Method::Post, "/v1/schemas/T", R"({"schema":{"required":["n"]}})", json).status == 201);
  REQUIRE(service.post(event("a", R"({"n":1})")).status == 201);
  const Answer offender = service.post(event("a", R"({"n":0})"));
  const auto check = [&](const std::string& body) {
    return service.send(Method::Post, "/v1/schemas/T/check", body, json);
  };
  const std::string renamed = R"("upcaster":{"from":1,"operations":[{"op":"rename","path":"/n","to":"count"}]})";
  const Answer upcast =
      check(R"({"schema":{"required":["count"],"properties":{"count":{"minimum":1}}},)" + renamed + "}");
  CHECK(upcast.at("/checked") == "2");
  CHECK(upcast.at("/failed") == "1");
  CHECK(upcast.at("/failures/0/position") == offender.at("/position"));
  CHECK(upcast.text("/failures/0/pointer") == "/count");
  // By those that are registered too.
  REQUIRE(service.send(Method::Post, "/v1/schemas/T", R"({"schema":{"required":["count"]},)" + renamed + "}", json)
              .at("/version") == "2");
  CHECK(check(R"({"schema":{"required":["count"]}})").at("/failed") == "0");
  CHECK(check(R"({"schema":{"required":["n"]}})").at("/failed") == "2");
  CHECK(check(R"({"schema":true,)" + renamed + "}").slug() == "broken-upcaster-chain");
}

TEST_CASE("SchemaHistory.IsGivenUpWhenItIsAbandoned") {
  TestService service;
  std::string many;
  for (int i = 0; i < 2000; ++i) many += (i == 0 ? "[" : ",") + event("a", "0");
  REQUIRE(service.post(many + "]").status == 201);
  SchemaHistory history("T", tests::schema_of("true"));
  const auto looked = history.look(*service.store().view(), [] { return true; });
  REQUIRE(looked);
  CHECK(*looked == SchemaHistory::Outcome::More);
  CHECK(history.seen() < 2000);
}

// The description of the interface against what the service does.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/http/problem.h"
#include "tests/api/access_support.h"
#include "tests/api/description.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

using Headers = TestService::Headers;

}  // namespace

TEST_CASE("OpenApi.ListsEveryKindOfProblemOnceAndNoOther") {
  const Description description;
  std::vector<std::string> described, known;
  for (const simdjson::dom::element type :
       simdjson::dom::array(description.root.at_pointer("/components/schemas/ProblemType/enum"))) {
    described.emplace_back(std::string_view(type));
  }
  for (const ProblemKind& kind : problem_kinds()) known.push_back("/problems/" + std::string(kind.slug));
  CHECK(described == known);
}

TEST_CASE("OpenApi.DescribesTheEndpointsOfTheTableAndNoOthers") {
  TestService service;
  std::set<std::string> described, registered;
  for (const auto& [name, operation] : Description().operations) described.insert(name);
  for (const Endpoint& endpoint : service.service().endpoints().endpoints()) {
    registered.insert(name_of(endpoint.method, endpoint.pattern));
  }
  CHECK(described == registered);
}

TEST_CASE("OpenApi.EveryOperationListsTheStatusesItAnswersWith") {
  const Description description;
  TestKeys keys;
  const std::string reader = keys.add(Role::Reader, "reader"), auditor = keys.add(Role::Auditor, "auditor"),
                    admin = keys.add(Role::Admin, "admin");
  SetClock clock;
  AuthenticatorOptions access;
  access.clock = &clock;
  ServiceOptions options;
  options.authenticator = keys.open(std::move(access));
  options.min_position_wait = std::chrono::milliseconds(1);
  TestService service(options);
  const auto bearer = [](const std::string& token) { return Headers{{"Authorization", "Bearer " + token}}; };
  Headers first = bearer(admin);
  const Answer stored = service.post(event("a"), first);
  REQUIRE(stored.status == 201);
  const std::string id = stored.text("/eventId");

  const std::map<std::string_view, std::string> parameters = {{"eventId", id}, {"aggregateId", "a"}, {"slug", "busy"}};
  std::set<std::string> answered;
  for (const Route& route : service.service().endpoints().routes()) {
    for (const Method method : {Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete}) {
      if (route.endpoint(method) == nullptr) continue;
      const bool has_body = route.endpoint(method)->limits.body != BodyForm::None;
      const std::string operation = name_of(method == Method::Head ? Method::Get : method, route.pattern);
      CAPTURE(operation);
      REQUIRE(description.operations.contains(operation));
      const std::set<int>& listed = description.operations.at(operation).statuses;
      const std::string good = path_of(route, parameters);
      const auto with_parameters = [&](const std::string& value) {
        std::map<std::string_view, std::string> all;
        for (const std::string_view name : route.parameters) all[name] = value;
        return path_of(route, all);
      };
      const auto send = [&](const std::string& target, Headers headers, const std::string& body = event("a")) {
        if (has_body) headers.emplace("Content-Type", "application/json");
        const Answer answer = service.send(method, target, has_body ? body : "", headers);
        CAPTURE(target);
        CAPTURE(answer.body);
        CHECK(listed.contains(answer.status));
        answered.insert(operation + " " + std::to_string(answer.status));
      };
      const auto with = [&](Headers more) {
        more.merge(bearer(admin));
        return more;
      };
      send(good, bearer(admin));
      send(good, {});
      send(good, bearer(reader));
      send(good, bearer(auditor));
      send(good, with({{"X-Correlation-Id", "\x01"}}));
      send(good, with({{"Accept", "image/png"}}));
      send(good + "?unknown=1", bearer(admin));
      if (!route.parameters.empty()) {
        send(with_parameters("%zz"), bearer(admin));
        send(with_parameters("none"), bearer(admin));
      }
      if (operation == "GET /v1/events") send(good + "?minPosition=1000", bearer(admin));
      if (has_body) {
        send(good, with({{"Content-Type", "text/plain"}}));
        send(good, with({{"Content-Encoding", "br"}}));
        send(good, with({{"Content-Encoding", "gzip"}}));
        send(good, with({{"Idempotency-Key", "a b"}}));
        send(good, bearer(admin), "{");
        send(good, bearer(admin), "{}");
        send(good, bearer(admin), std::string(17U << 20, ' '));
        send(good, bearer(admin), event("a", "1", R"("sequenceNumber":1)"));
        send(good, bearer(admin), event("a", "1", R"("eventId":")" + id + '"'));
      }
      service.scheduler().full = true;
      send(good, bearer(admin));
      service.scheduler().full = false;
      for (int i = 0; i < 30; ++i) send(good, bearer("stele_bad"));
      clock.time.micros += 600'000'000;
    }
  }
  // It is the refusals that were missing once.
  for (const char* const expected :
       {"GET /v1/events/{eventId} 400", "GET /v1/aggregates/{aggregateId} 400", "GET /healthz 400", "GET /metrics 429",
        "GET /problems 406", "GET /openapi.json 503", "POST /v1/events 409", "POST /v1/events 413",
        "POST /v1/events 415", "POST /v1/events 422", "GET /v1/events 503", "GET /v1/events/{eventId}/data 404"}) {
    CAPTURE(expected);
    CHECK(answered.contains(expected));
  }
}

// The description of the interface against what the service does.

#include "api/operations/openapi.h"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/endpoint/router.h"
#include "api/http/problem.h"
#include "tests/api/access_support.h"
#include "tests/api/support.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

using Headers = TestService::Headers;

struct Description {
  simdjson::dom::parser parser;
  simdjson::dom::element root;

  Description() { REQUIRE(parser.parse(simdjson::padded_string(openapi_json())).get(root) == simdjson::SUCCESS); }

  /// By pattern, with `{}` for parameters, and method: the statuses listed.
  [[nodiscard]] std::map<std::string, std::set<int>> statuses() const {
    std::map<std::string, std::set<int>> found;
    for (const auto path : simdjson::dom::object(root["paths"])) {
      std::string pattern(path.key);
      if (const std::size_t brace = pattern.find('{'); brace != std::string::npos) {
        pattern.replace(brace, pattern.find('}') - brace + 1, "{}");
      }
      for (const auto& [key, name] : {std::pair{"get", "GET "}, std::pair{"post", "POST "}}) {
        simdjson::dom::object operation;
        if (simdjson::dom::object(path.value)[key].get(operation) != simdjson::SUCCESS) continue;
        for (const auto response : simdjson::dom::object(operation["responses"])) {
          found[name + pattern].insert(std::stoi(std::string(response.key)));
        }
      }
    }
    return found;
  }
};

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

TEST_CASE("OpenApi.EveryOperationListsTheStatusesItAnswersWith") {
  const Description description;
  const auto listed = description.statuses();
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

  const std::map<Resource, std::string> parameters = {
      {Resource::Event, id}, {Resource::EventData, id}, {Resource::Aggregate, "a"}, {Resource::Problem, "busy"}};
  std::set<std::string> answered;
  for (const Route& route : routes()) {
    for (const Method method : {Method::Get, Method::Head, Method::Post}) {
      if (!allows(route, method)) continue;
      const std::string operation = (method == Method::Post ? "POST " : "GET ") + std::string(route.pattern);
      CAPTURE(operation);
      REQUIRE(listed.contains(operation));
      const auto path = [&](const std::string& parameter) {
        std::string text(route.pattern);
        if (const std::size_t at = text.find("{}"); at != std::string::npos) text.replace(at, 2, parameter);
        return text;
      };
      const auto named = parameters.find(route.resource);
      const std::string good = path(named == parameters.end() ? "" : named->second);
      const auto send = [&](const std::string& target, Headers headers, const std::string& body = event("a")) {
        if (method == Method::Post) headers.emplace("Content-Type", "application/json");
        const Answer answer = service.send(method, target, method == Method::Post ? body : "", headers);
        CAPTURE(target);
        CAPTURE(answer.body);
        CHECK(listed.at(operation).contains(answer.status));
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
      if (named != parameters.end()) {
        send(path("%zz"), bearer(admin));
        send(path("none"), bearer(admin));
      }
      if (route.resource == Resource::Events && method == Method::Get) send(good + "?minPosition=1000", bearer(admin));
      if (method == Method::Post) {
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
       {"GET /v1/events/{} 400", "GET /v1/aggregates/{} 400", "GET /healthz 400", "GET /metrics 429",
        "GET /problems 406", "GET /openapi.json 503", "POST /v1/events 409", "POST /v1/events 413",
        "POST /v1/events 415", "POST /v1/events 422", "GET /v1/events 503", "GET /v1/events/{}/data 404"}) {
    CAPTURE(expected);
    CHECK(answered.contains(expected));
  }
}

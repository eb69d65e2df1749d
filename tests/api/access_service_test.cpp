// Access control as a client meets it: roles, credentials, in whose name events are stored.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/audit/merkle_tree.h"
#include "tests/api/access_fixture.h"
#include "tests/api/description.h"
#include "tests/support/eventually.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

TEST_CASE("Access.EveryMethodOfEveryRouteIsForItsRolesOnly") {
  AccessFixture f;
  const std::string id = f.stored("a", "A");
  REQUIRE(f.service.send(Method::Post, "/v1/events/snapshot/a", "", bearer(f.of[Role::Admin])).status == 201);
  REQUIRE(eventually([&] { return !f.service.store().tree().progress().rebuilding; }));
  // What is meant to be, beside the table in the code: what the description says.
  const Description description;
  const std::map<std::string_view, std::string> parameters = {{"eventId", id}, {"aggregateId", "a"}, {"slug", "busy"}};
  for (const Route& route : f.service.service().endpoints().routes()) {
    const std::string target = path_of(route, parameters);
    for (const Method method : {Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete}) {
      if (route.endpoint(method) == nullptr) continue;
      const bool has_body = route.endpoint(method)->limits.body != BodyForm::None;
      const std::string name = name_of(method == Method::Head ? Method::Get : method, route.pattern);
      CAPTURE(name);
      REQUIRE(description.operations.contains(name));
      const auto& [statuses, roles_meant, is_open] = description.operations.at(name);
      REQUIRE(roles_meant.empty() == is_open);
      // Whether the request sent here is one that the endpoint should take; else it may be refused for what it holds.
      const bool reads = method == Method::Get || method == Method::Head;
      const bool is_signed =
          route.pattern == "/log/checkpoint" || route.pattern.ends_with("/proof");  // nothing is, here
      const bool is_known = !is_signed && (reads || route.endpoint(method)->limits.body == BodyForm::Events) &&
                            std::all_of(route.parameters.begin(), route.parameters.end(),
                                        [&](std::string_view each) { return parameters.contains(each); });
      const auto taken = [&](int status) { return is_known ? status < 300 : status != 401 && status != 403; };
      const auto send = [&](Headers headers) {
        if (has_body) headers.emplace("Content-Type", "application/json");
        return f.service.send(method, target, has_body ? event("matrix") : "", headers);
      };
      f.clock.time.micros += 60'000'000;  // bad credentials were long ago
      const Answer without = send({});
      const Answer bad = send(bearer("stele_x"));
      if (is_open) {
        CHECK(taken(without.status));
        CHECK(taken(bad.status));
      } else {
        CHECK(without.status == 401);
        CHECK(without.slug() == "credentials-required");
        CHECK(without.header("WWW-Authenticate") == R"(Bearer realm="stele")");
        CHECK(bad.status == 401);
        CHECK(bad.slug() == "invalid-credentials");
        CHECK(bad.header("WWW-Authenticate") == R"(Bearer realm="stele", error="invalid_token")");
      }
      for (const auto& [role, token] : f.of) {
        CAPTURE(name_of(role));
        const Answer answer = send(bearer(token));
        const bool allowed = is_open || roles_meant.contains(std::string(name_of(role)));
        CHECK((allowed ? taken(answer.status) : answer.status == 403));
        if (!allowed) CHECK(answer.slug() == "insufficient-role");
      }
      const int twice =
          send({{"Authorization", "Bearer " + f.of[Role::Admin] + ", Bearer " + f.of[Role::Admin]}}).status;
      CHECK((is_open ? taken(twice) : twice == 401));
    }
    CHECK(f.service.send(Method::Options, target).status == 204);
  }
}

TEST_CASE("Access.TheDescriptionNamesTheRolesOfTheCode") {
  TestService service;
  const Description description;
  for (const Endpoint& endpoint : service.service().endpoints().endpoints()) {
    const std::string name = name_of(endpoint.method, endpoint.pattern);
    CAPTURE(name);
    REQUIRE(description.operations.contains(name));
    const Description::Operation& operation = description.operations.at(name);
    const bool is_open = endpoint.permission == Permission::Open;
    CHECK(operation.is_open == is_open);
    for (const Role role : roles()) {
      CAPTURE(name_of(role));
      CHECK(operation.roles.contains(std::string(name_of(role))) == (!is_open && grants(role, endpoint.permission)));
    }
    for (const std::string& role : operation.roles) CHECK(role_of(role));
  }
  // Both could be wrong.
  const auto roles_of = [&](const char* name) { return description.operations.at(name).roles; };
  CHECK(roles_of("POST /v1/events") == std::set<std::string>{"writer", "service", "admin"});
  CHECK(roles_of("GET /v1/events") == std::set<std::string>{"reader", "writer", "service", "auditor", "admin"});
  CHECK(roles_of("GET /metrics") == std::set<std::string>{"auditor", "admin"});
}

TEST_CASE("Access.WithoutAnAuthenticatorAnyoneMayDoAnything") {
  TestService service;
  CHECK(service.post(event("a", "1", R"("userId":"ada")"), bearer("nonsense")).status == 201);
  CHECK(service.get("/v1/events?includeSystem=true").at("/events/0/kind") == "\"genesis\"");
}

TEST_CASE("Access.OnlyBearerCredentialsAreTaken") {
  AccessFixture f;
  const std::string& token = f.of[Role::Reader];
  for (const std::string& field : {"bearer " + token, "BEARER   " + token, "Bearer " + token}) {
    CAPTURE(field);
    CHECK(f.service.get("/v1/head", {{"Authorization", field}}).status == 200);
  }
  for (const std::string& field :
       {std::string("Basic YTpi"), token, "Bearer" + token, std::string("Token x"), std::string("Bearer")}) {
    CAPTURE(field);
    const Answer answer = f.service.get("/v1/head", {{"Authorization", field}});
    CHECK(answer.status == 401);
    CHECK(answer.slug() == "credentials-required");
  }
  for (const std::string& field :
       {std::string("Bearer "), "Bearer " + token + " x", "Bearer " + token + "x",
        "Bearer " + token.substr(0, token.size() - 1), std::string("Bearer ="), std::string("Bearer a.b.c"),
        std::string("Bearer \xC3\xBC"), "Bearer " + std::string(10'000, 'a')}) {
    CAPTURE(field);
    const Answer answer = f.service.get("/v1/head", {{"Authorization", field}});
    CHECK(answer.status == 401);
    CHECK(answer.slug() == "invalid-credentials");
    CHECK(answer.body.find(token) == std::string::npos);
  }
}

TEST_CASE("Access.RefusalsCarryTheCorrelationId") {
  AccessFixture f;
  CHECK(f.service.get("/v1/head", {{"X-Correlation-Id", "c1"}}).header("X-Correlation-Id") == "c1");
  CHECK(f.service.post(event("a"), {{"X-Correlation-Id", "c2"}}).header("X-Correlation-Id") == "c2");
}

TEST_CASE("Access.AKeyCountsUntilItIsRevokedOrExpires") {
  SetClock clock;
  TestKeys keys;
  const std::string ends = keys.add(Role::Reader, "ends", {}, Timestamp{clock.time.micros + 1000});
  const std::string stays = keys.add(Role::Reader, "stays");
  AuthenticatorOptions options;
  options.clock = &clock;
  TestService service(authenticated_by(keys.open(std::move(options))));
  const auto status = [&](const std::string& token) { return service.get("/v1/head", bearer(token)).status; };
  CHECK(status(ends) == 200);
  clock.time.micros += 999;
  CHECK(status(ends) == 200);
  clock.time.micros += 1;
  CHECK(status(ends) == 401);
  CHECK(service.get("/v1/head", bearer(ends)).body.find("expired") != std::string::npos);
  CHECK(status(stays) == 200);
  keys.revoke(stays);
  CHECK(status(stays) == 401);
  // A key that is made while the service runs.
  CHECK(status(keys.add(Role::Reader, "late")) == 200);
}

TEST_CASE("Access.AKeyFileThatCannotBeReadLeavesTheOldKeysInForceAndIsTold") {
  TestKeys keys;
  const std::string token = keys.add(Role::Reader, "ada");
  std::vector<std::string> told;
  AuthenticatorOptions options;
  options.report = [&](const std::string& line) { told.push_back(line); };
  TestService service(authenticated_by(keys.open(std::move(options))));
  const std::string path = keys.store().folder() + "/" + kApiKeysFile;
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  CHECK(service.get("/v1/head", bearer(token)).status == 200);
  CHECK(service.get("/v1/head", bearer(token)).status == 200);
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("chmod 600") != std::string::npos);
  const Answer ready = service.get("/readyz");
  CHECK(ready.status == 200);
  CHECK(ready.text("/warnings/0").find("API keys") != std::string::npos);
  CHECK(ready.body.find(keys.store().folder()) == std::string::npos);
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  CHECK(service.get("/v1/head", bearer(token)).status == 200);
  CHECK(told.size() == 2);
  CHECK(service.get("/readyz").at("/warnings") == "[]");
  std::filesystem::remove(path);
  CHECK(service.get("/v1/head", bearer(token)).status == 401);
}

TEST_CASE("Access.JwtsCountAsTheirClaimsSay") {
  SetClock clock;
  TestKeys keys;
  const SigningKey key(SigningKey::Kind::Ed25519, "k1");
  const SigningKey next(SigningKey::Kind::P256, "k2");
  keys.write("jwks.json", jwks({key.jwk()}));
  AuthenticatorOptions options;
  options.clock = &clock;
  options.jwks_file = keys.file("jwks.json");
  options.jwt = {"issuer", "stele"};
  TestService service(authenticated_by(keys.open(std::move(options))));
  const auto token = [&](const SigningKey& by, const std::string& extra) {
    return by.token(R"({"iss":"issuer","aud":"stele","sub":"ada","exp":)" +
                    std::to_string(clock.time.micros / 1'000'000 + 60) + extra + "}");
  };
  const std::string writer = token(key, R"(,"stele_role":"writer","stele_aggregate_types":["A"])");
  const Answer stored = service.post(typed_event("a", "A"), bearer(writer));
  REQUIRE(stored.status == 201);
  CHECK(stored.text("/userId") == "ada");
  CHECK(service.post(typed_event("b", "B"), bearer(writer)).status == 403);
  CHECK(service.get("/v1/head", bearer(token(key, R"(,"stele_role":"root")"))).status == 401);
  CHECK(service.post(typed_event("a", "A"), bearer(token(key, R"(,"stele_role":"reader")"))).status == 403);
  CHECK(service.get("/v1/head", bearer(token(next, R"(,"stele_role":"reader")"))).status == 401);

  // Another JWKS counts from the next request on, also for tokens that were good a moment ago.
  CHECK(service.get("/v1/head", bearer(writer)).status == 200);
  keys.write("jwks.json", jwks({next.jwk()}));
  CHECK(service.get("/v1/head", bearer(writer)).status == 401);
  const std::string reader = token(next, R"(,"stele_role":"reader")");
  CHECK(service.get("/v1/head", bearer(reader)).status == 200);
  // A botched one changes nothing.
  keys.write("jwks.json", "{");
  CHECK(service.get("/v1/head", bearer(reader)).status == 200);
  CHECK(service.get("/readyz").text("/warnings/0").find("JWKS") != std::string::npos);
  // Time runs out for a token that is remembered, too.
  clock.time.micros += (60 + kJwtLeewaySeconds) * 1'000'000;
  CHECK(service.get("/v1/head", bearer(reader)).status == 401);
}

TEST_CASE("Access.ANewJwtFromAnAddressOfManyFailuresIsNotEvenLookedAt") {
  SetClock clock;
  TestKeys keys;
  const SigningKey key(SigningKey::Kind::Ed25519, "k1");
  const SigningKey stranger(SigningKey::Kind::Ed25519, "k1");
  keys.write("jwks.json", jwks({key.jwk()}));
  const std::string api_key = keys.add(Role::Reader, "ada");
  AuthenticatorOptions options;
  options.clock = &clock;
  options.jwks_file = keys.file("jwks.json");
  options.jwt = {"issuer", "stele"};
  TestService service(authenticated_by(keys.open(std::move(options))));
  const auto token = [](const SigningKey& by, int number) {
    return by.token(R"({"iss":"issuer","aud":"stele","stele_role":"reader","exp":4102444800,"sub":"s)" +
                    std::to_string(number) + "\"}");
  };
  const std::string known = token(key, 0);
  CHECK(service.get("/v1/head", bearer(known)).status == 200);
  for (int i = 0; i < AuthThrottle::kBurst; ++i)
    CHECK(service.get("/v1/head", bearer(token(stranger, i))).status == 401);
  const Answer refused = service.get("/v1/head", bearer(token(stranger, 100)));
  CHECK(refused.status == 429);
  CHECK(refused.header("Retry-After") == "1");
  // A good one fares the same if it was never seen: telling it from a bad one is what must cost nothing now.
  const std::string fresh = token(key, 1);
  CHECK(service.get("/v1/head", bearer(fresh)).status == 429);
  CHECK(service.get("/v1/head", bearer(known)).status == 200);
  CHECK(service.get("/v1/head", bearer(api_key)).status == 200);
  // Nor is a body read for it.
  const auto wants = [&](const std::string& secret) {
    const TestRequest request(Method::Post, "/v1/events", {}, bearer(secret), service.scheduler());
    BodyTerms terms;
    return service.service().wants_body(request, terms);
  };
  CHECK_FALSE(wants(fresh));
  // It is not counted as a failure either: a second later it is let in.
  clock.time.micros += AuthThrottle::kMicrosAFailure;
  CHECK(service.get("/v1/head", bearer(fresh)).status == 200);
}

TEST_CASE("Access.ABodyIsPaidForByThePrincipal") {
  TestKeys keys;
  const std::string writer = keys.add(Role::Writer, "ingest");
  const std::string reader = keys.add(Role::Reader, "dashboard");
  TestService service(authenticated_by(keys.open()));
  const auto payer_of = [&](const std::string& secret) {
    const TestRequest request(Method::Post, "/v1/events", {}, bearer(secret), service.scheduler());
    BodyTerms terms;
    return service.service().wants_body(request, terms) ? terms.payer : "nobody";
  };
  CHECK(payer_of(writer) == "ingest");
  CHECK(payer_of(reader) == "nobody");
}

TEST_CASE("Access.ABodyIsJudgedByTheLimitOfItsEndpointBeforeItIsSent") {
  ServiceOptions options;
  options.limits.body_bytes_max = 1000;
  TestService service(std::move(options));
  BodyTerms terms;
  const auto wants = [&](std::uint64_t announced, const std::map<std::string, std::string>& headers = {}) {
    TestRequest request(Method::Post, "/v1/events", {}, headers, service.scheduler());
    request.announced = announced;
    terms = {};
    return service.service().wants_body(request, terms);
  };
  CHECK(wants(1000));
  CHECK(terms.bytes_max == 1000);
  CHECK_FALSE(wants(1001));
  // What is in it is known when it is decompressed.
  CHECK(wants(1001, {{"Content-Encoding", "gzip"}}));
  CHECK(terms.bytes_max > 1001);
  // Unwanted, it never came: it is refused for its length all the same.
  const Answer answer = service.post_announced(1001);
  CHECK(answer.status == 413);
  CHECK(answer.slug() == "payload-too-large");
}

TEST_CASE("Access.AJwksThatComesBackAsItWasIsNoTroubleAnyMore") {
  TestKeys keys;
  const SigningKey key(SigningKey::Kind::Ed25519, "k1");
  std::filesystem::create_directory(keys.file("mounted"));
  keys.write("mounted/jwks.json", jwks({key.jwk()}));
  std::vector<std::string> told;
  AuthenticatorOptions options;
  options.jwks_file = keys.file("mounted/jwks.json");
  options.jwt = {"issuer", "stele"};
  options.report = [&](const std::string& line) { told.push_back(line); };
  TestService service(authenticated_by(keys.open(std::move(options))));
  const std::string token =
      key.token(R"({"iss":"issuer","aud":"stele","sub":"ada","stele_role":"reader","exp":4102444800})");
  CHECK(service.get("/v1/head", bearer(token)).status == 200);
  std::filesystem::rename(keys.file("mounted"), keys.file("unmounted"));
  CHECK(service.get("/v1/head", bearer(token)).status == 200);
  CHECK(service.get("/readyz").text("/warnings/0").find("JWKS") != std::string::npos);
  // The file itself never changed.
  std::filesystem::rename(keys.file("unmounted"), keys.file("mounted"));
  CHECK(service.get("/v1/head", bearer(token)).status == 200);
  CHECK(service.get("/readyz").at("/warnings") == "[]");
  REQUIRE(told.size() == 2);
  CHECK(told[1].find("works again") != std::string::npos);
}

TEST_CASE("Access.AnEmptyJwksTrustsNobody") {
  TestKeys keys;
  const SigningKey key(SigningKey::Kind::Ed25519, "k1");
  keys.write("jwks.json", jwks({key.jwk()}));
  AuthenticatorOptions options;
  options.jwks_file = keys.file("jwks.json");
  options.jwt = {"issuer", "stele"};
  TestService service(authenticated_by(keys.open(std::move(options))));
  const std::string token =
      key.token(R"({"iss":"issuer","aud":"stele","sub":"ada","stele_role":"reader","exp":4102444800})");
  CHECK(service.get("/v1/head", bearer(token)).status == 200);
  keys.write("jwks.json", jwks({}));
  CHECK(service.get("/v1/head", bearer(token)).status == 401);
  CHECK(service.get("/readyz").at("/warnings") == "[]");
}

TEST_CASE("Access.BadCredentialsAreSlowedDownAndGoodOnesAreNot") {
  AccessFixture f;
  int refused = 0;
  for (int i = 0; i < 60; ++i) {
    const Answer answer = f.get("/v1/head", "stele_wrong" + std::to_string(i));
    if (answer.status == 401) {
      CHECK(refused == 0);
      continue;
    }
    REQUIRE(answer.status == 429);
    CHECK(answer.slug() == "too-many-requests");
    CHECK_FALSE(answer.header("Retry-After").empty());
    ++refused;
    if (refused == 5) break;
  }
  CHECK(refused == 5);
  CHECK(f.get("/v1/head", f.of[Role::Reader]).status == 200);
  CHECK(f.service.get("/v1/head").status == 401);
  CHECK(f.service.get("/healthz").status == 200);
}

TEST_CASE("Access.TheStoresOwnRecordsAreForAuditorsAndAdmins") {
  AccessFixture f;
  for (const char* target : {"/v1/events?includeSystem=true", "/v1/aggregates?includeSystem=true"}) {
    CAPTURE(target);
    for (const auto& [role, token] : f.of) {
      CAPTURE(name_of(role));
      const bool may = role == Role::Auditor || role == Role::Admin;
      for (const char* accept : {"application/json", "application/x-ndjson"}) {
        const Answer answer = f.get(target, token, {{"Accept", accept}});
        CHECK(answer.status == (may ? 200 : 403));
        CHECK((answer.body.find("$") != std::string::npos) == may);
        if (!may) CHECK(answer.text("/errors/0/parameter") == "includeSystem");
      }
    }
    CHECK(f.get(target, f.of[Role::Reader]).slug() == "insufficient-role");
  }
  CHECK(f.get("/v1/events?includeSystem=false", f.of[Role::Reader]).status == 200);

  // Nor by their ids, or through a condition.
  const Answer genesis = f.get("/v1/events?includeSystem=true", f.of[Role::Auditor]);
  const std::string event_path = "/v1/events/" + genesis.text("/events/0/eventId");
  const std::string id = genesis.text("/events/0/aggregateId");
  for (const std::string& target : {event_path, "/v1/aggregates/" + id}) {
    CAPTURE(target);
    CHECK(f.get(target, f.of[Role::Auditor]).status == 200);
    CHECK(f.get(target, f.of[Role::Service]).status == 404);
  }
  const Answer probed = f.post(R"({"events":[)" + event("a") + R"(],"condition":{"aggregates":[{"aggregateId":")" + id +
                                   R"(","lastSequenceNumber":7}]}})",
                               f.of[Role::Service]);
  CHECK(probed.slug() == "condition-failed");
  CHECK(probed.at("/mismatches") == "[]");
  CHECK(probed.at("/conflictingEvents") == "[]");
}

TEST_CASE("Access.EventsCarryTheirAuthor") {
  AccessFixture f;
  const Answer own = f.post(event("a"), f.of[Role::Writer]);
  REQUIRE(own.status == 201);
  CHECK(own.text("/userId") == "writer");
  CHECK(f.post(event("a", "1", R"("userId":"writer")"), f.of[Role::Writer]).status == 201);
  const Answer other = f.post(event("a", "1", R"("userId":"ada")"), f.of[Role::Writer]);
  CHECK(other.status == 403);
  CHECK(other.slug() == "foreign-user-id");
  CHECK(other.text("/errors/0/pointer") == "/userId");
  const std::string list = "[" + event("a") + "," + event("a", "1", R"("userId":"ada")") + "]";
  CHECK(f.post(list, f.of[Role::Writer]).text("/errors/0/pointer") == "/1/userId");
  CHECK(f.post(list, f.of[Role::Writer]).at("/eventIndex") == "1");
  CHECK(f.post(R"( {"events":)" + list + "}", f.of[Role::Writer]).text("/errors/0/pointer") == "/events/1/userId");
  Headers headers = bearer(f.of[Role::Writer]);
  headers["Content-Type"] = "application/x-ndjson";
  const Answer lines = f.service.send(Method::Post, "/v1/events",
                                      event("a") + "\n\n" + event("a", "1", R"("userId":"ada")") + "\n", headers);
  CHECK(lines.text("/errors/0/pointer") == "/1/userId");
  CHECK(lines.at("/errors/0/line") == "3");
  for (const Role role : {Role::Service, Role::Admin}) {
    const Answer answer = f.post(event("a", "1", R"("userId":"ada")"), f.of[role]);
    CHECK(answer.status == 201);
    CHECK(answer.text("/userId") == "ada");
  }
  CHECK(f.service.store().head().size == 5);
  Record record;
  REQUIRE(f.service.store().view()->read(Position{3}, record));
  CHECK(record.header().principal == "service");
  CHECK(record.header().user_id == "ada");
  // As any other filter.
  CHECK(f.get("/v1/events?userId=writer", f.of[Role::Reader]).at("/events/1/position") == "2");
}

TEST_CASE("Access.ARepeatIsKnownWhoeverGaveTheUserId") {
  AccessFixture f;
  const std::string first = R"("eventId":"0190a6b2-7c3e-7d10-8a4b-000000000001")";
  const std::string second = R"("eventId":"0190a6b2-7c3e-7d10-8a4b-000000000002")";
  const std::string writer = f.of[Role::Writer];
  REQUIRE(f.post(event("a", "1", first), writer).status == 201);
  REQUIRE(f.post(event("a", "1", second + R"(,"userId":"ada")"), f.of[Role::Service]).status == 201);
  const auto again = [&](const std::string& members, Role role) {
    return f.post(event("a", "1", members), f.of[role]);
  };
  CHECK(again(first, Role::Writer).status == 200);
  CHECK(again(first + R"(,"userId":"writer")", Role::Writer).status == 200);
  // Sent without a userId both times: the same content, also with a key of another name (one that took its place).
  CHECK(again(first, Role::Service).status == 200);
  CHECK(again(first, Role::Service).text("/userId") == "writer");
  CHECK(again(second + R"(,"userId":"ada")", Role::Service).status == 200);
  CHECK(again(second + R"(,"userId":"ada")", Role::Admin).status == 200);
  CHECK(again(second, Role::Service).slug() == "event-id-conflict");
  CHECK(again(second, Role::Writer).slug() == "event-id-conflict");
  CHECK(again(first + R"(,"userId":"eve")", Role::Service).slug() == "event-id-conflict");
  CHECK(f.service.store().head().size == 3);
}

TEST_CASE("Access.AnIdempotencyKeyIsItsCallersOwn") {
  AccessFixture f;
  const Headers key = {{"Idempotency-Key", "k"}};
  const Answer first = f.post(event("a"), f.of[Role::Writer], key);
  REQUIRE(first.status == 201);
  CHECK(f.post(event("a"), f.of[Role::Writer], key).status == 200);
  const Answer other = f.post(event("a", "2"), f.of[Role::Service], key);
  CHECK(other.status == 201);
  CHECK(other.text("/eventId") != first.text("/eventId"));
}

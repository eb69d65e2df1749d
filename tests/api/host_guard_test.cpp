#include "api/access/host_guard.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/api/support.h"

namespace stele::api::test {

TEST_CASE("HostGuard.LetsInAddressesLocalhostAndListedNames") {
  const HostGuard guard({"stele.internal", "events"});
  for (const std::string host : {"127.0.0.1",          "127.0.0.1:8080",
                                 "10.1.2.3:80",        "127.1",
                                 "0x7f000001",         "[::1]",
                                 "[::1]:8080",         "[fe80::1%25eth0]:80",
                                 "[::ffff:127.0.0.1]", "localhost",
                                 "localhost:8080",     "LocalHost:8080",
                                 "localhost.",         "localhost.:80",
                                 "stele.localhost",    "a.b.localhost:8080",
                                 "stele.internal",     "STELE.Internal:443",
                                 "stele.internal.",    "events:1",
                                 "localhost:",         ""}) {
    CAPTURE(host);
    CHECK(guard.admits(host));
  }
  for (const std::string host : {"evil.example",
                                 "evil.example:8080",
                                 "localhost.evil.example",
                                 "notlocalhost",
                                 ".localhost",
                                 "localhost..",
                                 "127.0.0.1.evil.example",
                                 "127.0.0.1.nip.io",
                                 "evil.example.",
                                 "stele.internal.evil.example",
                                 "internal",
                                 "user@localhost",
                                 "localhost:80:80",
                                 "localhost:http",
                                 "[::1",
                                 "[::1]x",
                                 "[]",
                                 "[localhost]",
                                 "[evil.example]:80",
                                 "::1",
                                 ":80",
                                 ".",
                                 "%6cocalhost",
                                 "1e100.net",
                                 "a",
                                 "localhost,evil.example"}) {
    CAPTURE(host);
    CHECK_FALSE(guard.admits(host));
  }
  CHECK_FALSE(guard.admits(std::string(10'000, 'a')));
  CHECK_FALSE(guard.admits("[" + std::string(10'000, ':') + "]"));
  CHECK(HostGuard().admits("evil.example"));
}

TEST_CASE("HostGuard.NamesAreComparedInOneForm") {
  CHECK(host_name("Stele.Internal.") == "stele.internal");
  CHECK(host_name("a_b-c.1") == "a_b-c.1");
  for (const char* const text : {"", ".", "a:80", "http://a", "a/b", "a b", "*.a", "a..b", ".a", "\xC3\xBC"}) {
    CAPTURE(text);
    CHECK_FALSE(host_name(text));
  }
}

TEST_CASE("HostGuard.EveryResourceIsBehindIt") {
  ServiceOptions options;
  options.host_guard = HostGuard(std::vector<std::string>{});
  options.cors_origins = {"https://app.example"};
  TestService service(std::move(options));
  const TestService::Headers evil{{"Host", "evil.example:8080"}, {"Origin", "https://app.example"}};
  for (const char* const path : {"/healthz", "/readyz", "/metrics", "/openapi.json", "/problems", "/v1/head",
                                 "/v1/events", "/v1/events/x", "/v1/aggregates", "/nothing", "*"}) {
    for (const Method method : {Method::Get, Method::Head, Method::Options, Method::Delete}) {
      CAPTURE(path);
      const Answer answer = service.send(method, path, {}, evil);
      CHECK(answer.status == 421);
      CHECK(answer.slug() == "misdirected-request");
      CHECK(answer.header("Access-Control-Allow-Origin") == "https://app.example");
    }
  }
  CHECK(service.post(event("a"), evil).status == 421);
  CHECK(service.post(event("a"), {{"Host", "localhost:8080"}}).status == 201);
  CHECK(service.post(event("a"), {{"Host", "localhost"}, {"X-Forwarded-Host", "evil.example"}}).status == 201);
  CHECK(service.post(event("a"), {{"Host", "evil.example"}, {"X-Forwarded-Host", "localhost"}}).status == 421);
}

TEST_CASE("HostGuard.NoBodyIsReadForAStranger") {
  ServiceOptions options;
  options.host_guard = HostGuard(std::vector<std::string>{});
  TestService service(std::move(options));
  BodyTerms terms;
  const auto wants = [&](const char* host) {
    const TestRequest request(Method::Post, "/v1/events", {}, {{"Host", host}}, service.scheduler());
    return service.service().wants_body(request, terms);
  };
  CHECK(wants("localhost"));
  CHECK_FALSE(wants("evil.example"));
}

}  // namespace stele::api::test

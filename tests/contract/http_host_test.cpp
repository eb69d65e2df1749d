// Whom requests may be addressed to, and which pages may call.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"

namespace stele::tests {
namespace {

int status_for(HttpClient& client, const std::string& host, const std::string& path = "/v1/head") {
  return client.get(path, {{"Host", host}}).status;
}

/// What is sent as it is, on a connection of its own.
HttpResponse sent_raw(const Api& api, const std::string& bytes) {
  HttpClient client = api.client();
  REQUIRE(client.send_raw(bytes));
  return client.read_response();
}

void check_usage(std::vector<std::string> flags, std::string_view why) {
  std::vector<std::string> arguments{"serve", "--data", "unused", "--print-config"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  const ProcessResult result = run_stele(arguments);
  CAPTURE(flags.back());
  CAPTURE(result.err);
  CHECK(result.exit_code == 2);
  CHECK(result.err.find(why) != std::string::npos);
}

}  // namespace

TEST_CASE("Host.APageThatHasItsNamePointedAtLoopbackGetsNothing") {
  Api api({"--host", "stele.internal", "--host", "Other.Example."});
  HttpClient client = api.client();
  const std::string port = ":" + std::to_string(api.port());
  for (const char* const path : {"/v1/head", "/v1/events", "/healthz", "/readyz", "/metrics", "/openapi.json", "/"}) {
    CAPTURE(path);
    check_problem(client.get(path, {{"Host", "evil.example" + port}}), 421, "misdirected-request");
  }
  check_problem(client.post("/v1/events", event_json("a"), "application/json", {{"Host", "evil.example" + port}}), 421);
  check_problem(client.get("/v1/head", {{"Host", "evil.example"}, {"X-Forwarded-Host", "localhost"}}), 421);
  for (const std::string& host : {"127.0.0.1" + port, "localhost" + port, std::string("LOCALHOST."), "[::1]" + port,
                                  std::string("a.localhost"), std::string("stele.internal"), "other.example" + port}) {
    CAPTURE(host);
    CHECK(status_for(client, host) == 200);
  }
  CHECK(event_count(client) == 0);  // the refused append
}

TEST_CASE("Host.TheTargetCountsWhereItNamesOne") {
  Api api;
  check_problem(sent_raw(api, "GET http://evil.example/v1/head HTTP/1.1\r\nHost: localhost\r\n\r\n"), 421);
  CHECK(sent_raw(api, "GET http://localhost/v1/head HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 200);
  // Probes of HTTP/1.0 name nobody; no browser sends that.
  CHECK(sent_raw(api, "GET /healthz HTTP/1.0\r\n\r\n").status == 200);
  check_problem(sent_raw(api, "GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n"), 421);
  check_problem(sent_raw(api, "GET /healthz HTTP/1.1\r\nHost:\r\n\r\n"), 400, "malformed-request");
}

TEST_CASE("Host.ALargeBodyForAnotherHostIsRefusedBeforeItIsRead") {
  Api api;
  // Nothing of it follows, and the answer comes nevertheless.
  check_problem(sent_raw(api,
                         "POST /v1/events HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\n"
                         "Content-Length: 10000000\r\n\r\n"),
                421, "misdirected-request");
}

TEST_CASE("Host.WithAuthenticationAnyNameWillDo") {
  Api api({"--auth", "on"});
  HttpClient client = api.client();
  CHECK(status_for(client, "stele.example", "/healthz") == 200);
  CHECK(status_for(client, "stele.example") == 401);
}

TEST_CASE("Host.NamesAreCheckedAtStart") {
  for (const char* const name : {"http://a", "a:80", "a b", "*.example"})
    check_usage({"--host", name}, "is no host name");
  check_usage({"--host", ""}, "given and empty");
  check_usage({"--auth", "on", "--host", "a"}, "--host means nothing");
  check_usage({"--listen", "0.0.0.0:0", "--insecure", "--host", "a"}, "--host means nothing");
}

TEST_CASE("Cors.AnOriginThatCanNeverMatchIsWrongUsage") {
  const std::pair<const char*, const char*> cases[] = {
      {"https://app.example/", "without a slash"},
      {"https://app.example/path", "without a slash"},
      {"https://App.example", "lower case"},
      {"HTTPS://app.example", "lower case"},
      {"app.example", "scheme"},
      {"//app.example", "scheme"},
      {"https:app.example", "scheme"},
      {"://app.example", "scheme"},
      {"https://", "no host"},
      {"https://:8443", "no host"},
      {"https://app.example:443", "default port"},
      {"http://app.example:80", "default port"},
      {"https://app.example:", "port"},
      {"https://app.example:0443", "port"},
      {"https://app.example:70000", "port"},
      {"https://*.example", "'*'"},
      {"https://*", "'*'"},
      {"wss://app.example", "of its page"},
      {"ws://app.example:8080", "of its page"},
      {"https://user@app.example", "characters"},
      {"https://\xC3\xBC.example", "characters"},
      {"https://app example", "characters"},
      {"http://127.1", "IPv4"},
      {"http://[0:0:0:0:0:0:0:1]:3000", "IPv6"},
      {"http://[::1", "IPv6"},
      {"", "empty"},
  };
  for (const auto& [origin, why] : cases) check_usage({"--cors-origin", origin}, why);
  check_usage({"--cors-origin", "https://fine.example", "--cors-origin", "https://bad.example/"},
              "https://bad.example/");
  for (const char* const origin : {"*", "null", "https://app.example", "http://localhost:3000", "http://127.0.0.1:5173",
                                   "http://[::1]:3000", "https://app.example:8443", "http://app.example:443",
                                   "chrome-extension://abcdef", "https://xn--bcher-kva.example"}) {
    CAPTURE(origin);
    CHECK(run_stele({"serve", "--data", "unused", "--cors-origin", origin, "--print-config"}).exit_code == 0);
  }
}

TEST_CASE("Cors.RefusalsBeforeRoutingCanBeReadByAPage") {
  Api api({"--cors-origin", "https://app.example", "--cors-origin", "https://other.example"});
  const std::string start = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n";
  struct Case {
    std::string bytes;
    int status;
  };
  for (const Case& c :
       {Case{start + "Content-Length: 999999999\r\n\r\n", 413},
        Case{start + "X: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
        Case{start + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400}, Case{start + "Bad Field: x\r\n\r\n", 400},
        Case{start + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400}, Case{start + "Expect: wonders\r\n\r\n", 417},
        Case{"GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414}}) {
    const HttpResponse answer = sent_raw(api, c.bytes);
    CAPTURE(c.status);
    check_problem(answer, c.status);
    CHECK(answer.header("Vary") == "Origin");
    // Too long a target leaves the origin unread.
    if (c.status != 414) CHECK(answer.header("Access-Control-Allow-Origin") == "https://app.example");
  }
  CHECK_FALSE(sent_raw(api, "GET / HTTP/1.1\r\nHost: a b\r\nOrigin: https://evil.example\r\n\r\n")
                  .has_header("Access-Control-Allow-Origin"));
}

}  // namespace stele::tests

// Odd methods, paths and queries: never more than a refusal.

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/hostile/target.h"

namespace stele::tests {
namespace {

using namespace std::string_literals;

Target& large_header_target() {
  static Target target({"--header-size-max", "256KiB"});
  return target;
}

HttpResponse answer_to(const std::string& method, const std::string& path) {
  const auto answers =
      large_header_target().exchange(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  REQUIRE(answers.size() == 1);
  CHECK(answers.front().error.empty());
  return answers.front();
}

}  // namespace

TEST_CASE("Targets.OddMethodsAreRefused") {
  for (const char* const method : {"get", "Post", "TRACE", "TRACK", "DEBUG", "PROPFIND", "M-SEARCH", "X", "PUT",
                                   "PATCH", "DELETE", "CONNECT", "GETT", "!#$%&'*+.^_`|~"}) {
    INFO("method: ", method);
    const HttpResponse answer = answer_to(method, "/v1/events");
    check_problem(answer, 405, "method-not-allowed");
    CHECK(answer.header("Allow") == "GET, HEAD, POST, OPTIONS");
  }
  check_problem(answer_to(std::string(10'000, 'M'), "/v1/events"), 405, "method-not-allowed");
}

TEST_CASE("Targets.PathTricksLeadNowhere") {
  for (const std::string& path : std::vector<std::string>{"/v1/../v1/head",
                                                          "/v1/./head",
                                                          "/./v1/head",
                                                          "//v1/head",
                                                          "/v1//head",
                                                          "///",
                                                          "/v1/head/",
                                                          "/v1/head//",
                                                          "/v1/head/.",
                                                          "/v1/head/..",
                                                          "/..",
                                                          "/../../../../etc/passwd",
                                                          "/%2e%2e/%2e%2e/etc/passwd",
                                                          "/v1/%68ead",
                                                          "/v1%2fhead",
                                                          "/v1%5chead",
                                                          "/v1\\head",
                                                          "/v1/head%00",
                                                          "/v1/head%20",
                                                          "/v1/head;x",
                                                          "/v1/head%3fx",
                                                          "/v1/head%23",
                                                          "/v1/head#x",
                                                          "/V1/HEAD",
                                                          "/v1/events/%2e%2e",
                                                          "/v1/events/..",
                                                          "/v1/events/.",
                                                          "/v1/events/..%2f..%2fetc%2fpasswd",
                                                          "/v1/events/%252e%252e",
                                                          "/v1/events/%00",
                                                          "/v1/events/%0d%0aX:%20y",
                                                          "/v1/events/..;/head",
                                                          "/v1/events/%2e%2e/data",
                                                          "/v1/events//data",
                                                          "/v1/aggregates/%00",
                                                          "/v1/aggregates/%252e",
                                                          "/v1/aggregates/..",
                                                          "/v1/aggregates/%2e%2e%2f",
                                                          "/v1/aggregates/a/b",
                                                          "/problems/..%2f..%2fetc",
                                                          "/problems/%00",
                                                          "/openapi.json/..",
                                                          "/file:///etc/passwd",
                                                          "/v1/events/" + std::string(8'000, 'a'),
                                                          "/" + repeated("a/", 4'000),
                                                          "/v1/aggregates/" + repeated("%2e", 2'000)}) {
    INFO("path: ", path.substr(0, 100));
    check_problem(answer_to("GET", path), 404);
  }
}

TEST_CASE("Targets.BrokenPercentEncodingIs400") {
  for (const char* const id :
       {"%", "%4", "%zz", "a%", "a%2", "%%41", "%u0041", "%-1", "%c0%ae%c0%ae", "%c0%80", "%e0%80%af", "%f0%80%80%af",
        "%ff", "%80", "%c3", "%ed%a0%80", "%f4%90%80%80", "%fe%ff"}) {
    INFO("id: ", id);
    check_problem(answer_to("GET", "/v1/aggregates/"s + id), 400, "invalid-path");
    check_problem(answer_to("GET", "/v1/events?aggregateId="s + id), 400, "invalid-parameter");
    check_problem(answer_to("GET", "/v1/events?"s + id + "=x"), 400, "invalid-parameter");
  }
}

TEST_CASE("Targets.BytesOutsideAsciiAreRefusedOrUnknown") {
  for (const std::string& bytes : {"\xff"s, "\x80"s, "\xc3\xa9"s, "\xc0\xae"s, "\xed\xa0\x80"s}) {
    const HttpResponse answer = answer_to("GET", "/v1/aggregates/" + bytes);
    CHECK((answer.status == 400 || answer.status == 404));
  }
}

TEST_CASE("Targets.QueryTricksAreRefusedBriefly") {
  for (const std::string& query : std::vector<std::string>{repeated("limit=1&", 10'000),
                                                           repeated("eventType=a&", 10'000),
                                                           repeated("x=1&", 10'000),
                                                           repeated("%zz&", 10'000),
                                                           repeated("%zz=" + std::string(100, 'y') + "&", 1'000),
                                                           repeated("a&", 50'000),
                                                           repeated("=&", 10'000),
                                                           std::string(100'000, 'n') + "=1",
                                                           std::string(100'000, '%'),
                                                           "limit=1&limit=1",
                                                           "order=asc&order=desc",
                                                           "cursor=a&cursor=b",
                                                           "limit=-1",
                                                           "limit=0",
                                                           "limit=1e3",
                                                           "limit=0x10",
                                                           "limit=+5",
                                                           "limit=5%20",
                                                           "limit=%35%00",
                                                           "limit=99999999999999999999999",
                                                           "limit=",
                                                           "limit",
                                                           "afterPosition=-1",
                                                           "afterPosition=18446744073709551616",
                                                           "fromSequence=9223372036854775808",
                                                           "from=now",
                                                           "from=9999999-01-01T00:00:00Z",
                                                           "from=2026-13-01T00:00:00Z",
                                                           "to=" + std::string(10'000, '9'),
                                                           "order=%61sc%00",
                                                           "order=ASC",
                                                           "cursor=..",
                                                           "cursor=AAAA",
                                                           "cursor=" + std::string(20'000, 'A'),
                                                           "cursor=%00",
                                                           "aggregateId=" + std::string(5'000, 'a'),
                                                           "aggregateId=",
                                                           "schemaVersion=latest",
                                                           "minPosition=x",
                                                           "includeSystem=yes",
                                                           "<script>=1",
                                                           "__proto__=1",
                                                           "%00=1",
                                                           "a%26b=1"}) {
    INFO("query: ", query.substr(0, 100));
    const HttpResponse answer = answer_to("GET", "/v1/events?" + query);
    check_problem(answer, 400);
    CHECK(answer.body.size() < 256 << 10);  // no answer is many times its request
    CHECK(answer.body.size() < 200 * query.size() + 1'000);
  }
  for (const char* const query :
       {"aggregateId=%00", "userId=%0d%0a", "correlationId=%7f", "&&&", "&limit=1&", "aggregateId=%2e%2e"}) {
    INFO("query: ", query);
    CHECK(answer_to("GET", "/v1/events?"s + query).status == 200);
  }
}

}  // namespace stele::tests

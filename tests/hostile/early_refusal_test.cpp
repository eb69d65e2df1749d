// Requests that are refused before they are whole: the answer comes before the rest is read, and can be read to its end
// although the client is still sending.

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "tests/hostile/target.h"

namespace stele::tests {
namespace {

Target& plain_target() {
  static Target target;
  return target;
}

const std::string kStart = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

void check_refused_early(const std::string& bytes, int status, std::string_view slug) {
  Target& target = plain_target();
  INFO("sent: ", bytes.substr(0, 200));
  const std::uint64_t size = target.event_count();
  // Alone: nothing has to follow for the answer to come.
  const auto alone = target.exchange(bytes);
  REQUIRE(alone.size() == 1);
  check_problem(alone.front(), status, slug);
  CHECK(alone.front().header("Connection") == "close");
  // With much behind, which ends as a request that must not be served.
  const auto followed = target.exchange(bytes + std::string(1 << 20, 'x') + "\r\n\r\n" + post_event("smuggled"));
  REQUIRE(followed.size() == 1);
  CHECK(followed.front().error.empty());
  check_problem(followed.front(), status, slug);
  CHECK(target.event_count() == size);
}

}  // namespace

TEST_CASE("EarlyRefusal.RequestLinesAndHeadersThatAreTooLong") {
  const std::string much(20'000, 'a');
  check_refused_early("GET /" + much, 414, "uri-too-long");
  check_refused_early("GET /" + much + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "uri-too-long");
  check_refused_early("GET /v1/head HTTP/1.1\r\nHost: localhost\r\nX: " + much, 431, "header-too-large");
  check_refused_early("GET /v1/head HTTP/1.1\r\nHost: localhost\r\n" + much, 431, "header-too-large");
  check_refused_early("GET /v1/head HTTP/1.1\r\nHost: localhost\r\nX: " + much + "\r\n\r\n", 431, "header-too-large");
  check_refused_early("GET /v1/head HTTP/1.1\r\nHost: localhost\r\n" + repeated("X: y\r\n", 200) + "\r\n", 431,
                      "header-too-large");
  check_refused_early("GET /v1/head HTTP/1.1\r\nHost: localhost\r\n" + repeated("a:\r\n", 3'500) + "\r\n", 431,
                      "header-too-large");
}

TEST_CASE("EarlyRefusal.BodiesThatAreTooLong") {
  for (const char* const length : {"16842753", "100000000000", "999999999999999999"}) {
    check_refused_early(kStart + "Content-Length: " + length + "\r\n\r\n", 413, "payload-too-large");
    check_refused_early(kStart + "Expect: 100-continue\r\nContent-Length: " + length + "\r\n\r\n", 413,
                        "payload-too-large");
  }
  std::string chunks = kStart + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string chunk = "100000\r\n" + std::string(0x100000, ' ') + "\r\n";
  for (int i = 0; i < 17; ++i) chunks += chunk;
  check_refused_early(chunks, 413, "payload-too-large");
  // One chunk that says that it is huge, as far as it comes.
  check_refused_early(kStart + "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n" + std::string(17 << 20, ' '), 413,
                      "payload-too-large");
}

TEST_CASE("EarlyRefusal.MalformedRequests") {
  check_refused_early("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed-request");
  check_refused_early("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http-version-not-supported");
  check_refused_early(kStart + "Content-Length: -1\r\n\r\n", 400, "malformed-request");
  check_refused_early(kStart + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed-request");
  check_refused_early(kStart + "Expect: a-pony\r\nContent-Length: 5\r\n\r\n", 417, "expectation-failed");
}

TEST_CASE("EarlyRefusal.ContinueIsSentOnlyForABodyThatIsWanted") {
  Target& target = plain_target();
  const std::string body = event_json(fresh("continue"));
  const std::string head =
      kStart + "Connection: close\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n";
  {
    RawClient client = target.connect();
    REQUIRE(client.send(head));
    REQUIRE(client.wait_for("HTTP/1.1 100 Continue\r\n\r\n"));
    REQUIRE(client.send(body));
    CHECK(client.wait_for_end());
    const auto answers = target.answers(client.received());
    REQUIRE(answers.size() == 2);
    CHECK(answers[1].status == 201);
  }
  {
    // The body comes with the header: nobody waits for a word.
    const auto answers = target.exchange(kStart + "Connection: close\r\nExpect: 100-continue\r\nContent-Length: " +
                                         std::to_string(body.size()) + "\r\n\r\n" + body);
    REQUIRE_FALSE(answers.empty());
    CHECK(answers.back().status == 201);
  }
  {
    const auto answers = target.exchange(
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n");
    REQUIRE(answers.size() == 1);
    CHECK(answers.front().status == 200);
  }
  {
    RawClient client = target.connect();
    REQUIRE(client.send(kStart + "Connection: close\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"));
    REQUIRE(client.wait_for("HTTP/1.1 100 Continue\r\n\r\n"));
    REQUIRE(client.send("1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"));
    CHECK(client.wait_for_end());
    const auto answers = target.answers(client.received());
    REQUIRE(answers.size() == 2);
    check_problem(answers[1], 422, "invalid-event");
  }
}

}  // namespace stele::tests

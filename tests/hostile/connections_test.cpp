// Connections that do not go as usual: floods of requests nobody reads the answers of, bytes one by one, ends in the
// middle.

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/hostile/target.h"
#include "tests/support/eventually.h"
#include "tests/support/process_usage.h"

namespace stele::tests {
namespace {

Target& two_reader_target() {
  // Many connections wait while one is read to its end.
  static Target target({"--read-threads", "2", "--write-timeout", "10min"});
  return target;
}

}  // namespace

TEST_CASE("Connections.APipelinedFloodIsAnsweredInOrderWhenItIsRead") {
  Target& target = two_reader_target();
  constexpr int kRequests = 20'000;
  std::string requests;
  for (int i = 0; i < kRequests; ++i) requests += get("/problems/number-" + std::to_string(i));
  const std::uint64_t before = anonymous_bytes(target.pid());
  std::vector<RawClient> flood;
  std::vector<std::size_t> sent(8, 0);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    flood.push_back(target.connect());
    sent[i] = flood.back().send_some(requests);
  }
  // Nobody reads yet; each connection is stuck at its first answers that found no room.
  target.check_serves();
  CHECK(anonymous_bytes(target.pid()) < before + (64 << 20));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    while (sent[i] < requests.size()) {
      REQUIRE(flood[i].poll());
      sent[i] += flood[i].send_some(std::string_view(requests).substr(sent[i]));
    }
    REQUIRE(flood[i].wait_for("/problems/number-" + std::to_string(kRequests - 1) + '"'));
    std::size_t at = 0;
    for (int number = 0; number < kRequests; ++number) {
      at = flood[i].received().find("\"instance\":\"", at);
      REQUIRE(at != std::string::npos);
      at += 12;
      const std::string expected = "/problems/number-" + std::to_string(number) + '"';
      REQUIRE(flood[i].received().compare(at, expected.size(), expected) == 0);
    }
  }
}

TEST_CASE("Connections.APipelinedFloodOfAppendsIsStoredInOrder") {
  Target& target = two_reader_target();
  const std::string id = fresh("flood");
  std::string requests;
  for (int i = 0; i < 500; ++i) requests += post_event(id, std::to_string(i));
  RawClient client = target.connect();
  REQUIRE(client.send(requests));
  client.half_close();
  CHECK(client.wait_for_end());
  const auto answers = target.answers(client.received());
  REQUIRE(answers.size() == 500);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    REQUIRE(answers[i].status == 201);
    REQUIRE(Json(answers[i].body).number("/sequenceNumber") == i + 1);
  }
}

TEST_CASE("Connections.NothingBehindTheRequestThatEndsAConnectionIsServed") {
  Target& target = two_reader_target();
  const std::uint64_t size = target.event_count();
  const auto answers =
      target.exchange(get("/healthz") + "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" +
                      repeated(post_event("never"), 1'000));
  REQUIRE(answers.size() == 2);
  CHECK(answers[1].header("Connection") == "close");
  CHECK(target.event_count() == size);
}

TEST_CASE("Connections.ARequestAfterWhichNothingFollowsIsStillAnswered") {
  Target& target = two_reader_target();
  const std::string stream = "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n";
  for (const std::string& request :
       {get("/healthz"), get("/v1/events?limit=1000"), stream, post_event(fresh("half"))}) {
    RawClient client = target.connect();
    REQUIRE(client.send(request));
    client.half_close();
    CHECK(client.wait_for_end());
    const auto answers = target.answers(client.received());
    REQUIRE(answers.size() == 1);
    CHECK(answers.front().error.empty());
    CHECK(answers.front().status / 100 == 2);
  }
}

TEST_CASE("Connections.BytesOneByOneMakeARequest") {
  Target& target = two_reader_target();
  const std::string body = event_json(fresh("bytes"));
  const std::string start =
      "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n";
  std::string chunks;
  for (const char c : body) chunks += std::string("1\r\n") + c + "\r\n";
  for (const std::string& request :
       {start + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
        start + "Idempotency-Key: " + fresh("key") + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n"}) {
    RawClient client = target.connect();
    for (const char byte : request) REQUIRE(client.send({&byte, 1}));
    CHECK(client.wait_for_end());
    const auto answers = target.answers(client.received());
    REQUIRE(answers.size() == 1);
    CHECK(answers.front().status == 201);
  }
}

TEST_CASE("Connections.AResetAnywhereLeavesNothingBehind") {
  Target& target = two_reader_target();
  {
    HttpClient client = target.api().client();
    const std::string data = '"' + std::string(20'000, 'd') + '"';
    for (int i = 0; i < 100; ++i) append(client, event_json("reset", "T", data));
  }
  const std::uint64_t size = target.event_count();
  const std::string whole = post_event("never");
  std::string chunked = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  chunked += "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\n[    \r\n5\r\n     \r\n";
  for (const std::string& request : {whole, chunked}) {
    for (std::size_t cut = 0; cut < request.size(); cut += 7) {
      RawClient client = target.connect();
      REQUIRE(client.send(std::string_view(request).substr(0, cut)));
      if (cut % 2 == 0) client.reset();
    }
  }
  CHECK(target.event_count() == size);
  // While the answer is made, or comes.
  for (int i = 0; i < 50; ++i) {
    RawClient page = target.connect();
    REQUIRE(page.send(get("/v1/events?limit=1000")));
    if (i % 2 == 0) CHECK(page.wait_for_bytes(1));
    page.reset();
    RawClient stream = target.connect();
    REQUIRE(stream.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n"));
    if (i % 2 == 0) CHECK(stream.wait_for_bytes(100'000));
    stream.reset();
    RawClient waiting = target.connect();
    REQUIRE(waiting.send(get("/v1/events?minPosition=1000000000")));
    waiting.reset();
  }
  target.check_serves();
  // Appends whose client is gone are stored or not; the log stays whole.
  for (int i = 0; i < 50; ++i) {
    RawClient client = target.connect();
    REQUIRE(client.send(repeated(post_event("gone"), 3)));
    client.reset();
  }
  CHECK(eventually([&] { return target.connections() == 0; }));
  target.check_serves();
}

}  // namespace stele::tests

// Clients that take their time: they are cut off, cost little, and hold up nobody.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "tests/hostile/target.h"
#include "tests/support/eventually.h"
#include "tests/support/process_usage.h"

namespace stele::tests {
namespace {

constexpr std::size_t kMany = 200;

/// Many clients send `bytes` one by one, as slowly as the loop goes round, until the server has closed them all.
void check_trickle(Target& target, std::string_view at_once, std::string_view bytes) {
  std::vector<RawClient> slow;
  for (std::size_t i = 0; i < kMany; ++i) {
    slow.push_back(target.connect());
    // At once: the time for a header begins here, and who has sent nothing in it gets no answer.
    REQUIRE(slow.back().send(at_once));
  }
  const std::uint64_t size = target.event_count();
  std::size_t sent = 0;
  CHECK(eventually([&] {
    bool open = false;
    for (RawClient& client : slow) {
      if (!client.poll()) continue;
      open = true;
      (void)client.send_some(bytes.substr(sent % bytes.size(), 1));
    }
    ++sent;
    target.check_serves();
    return !open;
  }));
  CHECK(target.event_count() == size + sent);  // nothing was stored but what check_serves() appended
  for (RawClient& client : slow) {
    const auto answers = target.answers(client.received());
    REQUIRE(answers.size() == 1);
    CHECK(answers.front().status == 408);
    CHECK(answers.front().header("Connection") == "close");
  }
}

/// Stores so much that no socket buffers hold it all.
void store_large_events(Target& target, std::size_t lists, std::size_t events, std::size_t data_bytes) {
  HttpClient client = target.api().client();
  const std::string data = '"' + std::string(data_bytes, 'd') + '"';
  for (std::size_t i = 0; i < lists; ++i) {
    std::string list = "[";
    for (std::size_t j = 0; j < events; ++j) list += (j > 0 ? "," : "") + event_json("large", "Large", data);
    append(client, list + "]");
  }
}

}  // namespace

TEST_CASE("SlowClients.HeadersThatComeByteByByteAreCutOff") {
  Target target({"--header-timeout", "500ms"});
  check_trickle(target, "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "abcdefgh");
}

TEST_CASE("SlowClients.BodiesThatComeByteByByteAreCutOff") {
  Target target({"--body-timeout", "500ms"});
  const std::string start = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  check_trickle(target, start + "Content-Length: 100000\r\n\r\n", " ");
  check_trickle(target, start + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n");
  check_trickle(target, start + "Transfer-Encoding: chunked\r\n\r\n1;", "extension");
}

TEST_CASE("SlowClients.SilentConnectionsAreClosedWithoutAWord") {
  Target target({"--header-timeout", "2s", "--idle-timeout", "2s"});
  std::vector<RawClient> silent;
  std::vector<RawClient> idle;
  for (std::size_t i = 0; i < kMany; ++i) {
    silent.push_back(target.connect());
    idle.push_back(target.connect());
    REQUIRE(idle.back().send(get("/healthz")));
  }
  target.check_serves();
  for (RawClient& client : silent) {
    CHECK(client.wait_for_end());
    CHECK(client.received().empty());
  }
  for (RawClient& client : idle) {
    CHECK(client.wait_for_end());
    const auto answers = target.answers(client.received());
    REQUIRE(answers.size() == 1);
    CHECK(answers.front().status == 200);
  }
  CHECK(eventually([&] { return target.connections() == 0; }));
}

TEST_CASE("SlowClients.ReadersOfALongStreamAreCutAndCostLittle") {
  Target target({"--write-timeout", "1s"});
  store_large_events(target, 60, 20, 20'000);  // 24 MB
  const std::uint64_t before = anonymous_bytes(target.pid());
  std::vector<RawClient> slow;
  for (std::size_t i = 0; i < kMany; ++i) {
    slow.emplace_back(target.port(), RawClient::Options{.receive_buffer = 4096});
    REQUIRE(slow.back().send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n"));
  }
  std::uint64_t most = 0;
  for (RawClient& client : slow) {
    CHECK(client.wait_for_bytes(15));
    CHECK(client.received().starts_with("HTTP/1.1 200 OK"));
    most = std::max(most, anonymous_bytes(target.pid()));
    target.check_serves();
  }
  INFO("grew by ", (most - before) >> 10, " KiB");
  CHECK(most < before + kMany * (320 << 10));
  CHECK(eventually([&] { return target.connections() == 0; }));
  target.check_serves();
  for (RawClient& client : slow) {
    CHECK(client.wait_for_end());
    CHECK_FALSE(client.received().ends_with("\r\n0\r\n\r\n"));  // nobody takes it for a whole stream
  }
}

TEST_CASE("SlowClients.ReadersOfLargePagesShareABoundedMemory") {
  Target target({"--write-timeout", "5s", "--bodies-size-max", "32MiB", "--read-threads", "2"});
  store_large_events(target, 60, 20, 20'000);
  const std::uint64_t before = anonymous_bytes(target.pid());
  std::vector<RawClient> slow;
  for (std::size_t i = 0; i < 60; ++i) {
    slow.emplace_back(target.port(), RawClient::Options{.receive_buffer = 4096});
    REQUIRE(slow.back().send(get("/v1/events?limit=1000")));  // 8 MiB
  }
  std::uint64_t most = 0;
  std::size_t refused = 0;
  for (RawClient& client : slow) {
    CHECK(client.wait_for_bytes(12));
    const bool busy = client.received().starts_with("HTTP/1.1 503");
    if (busy) ++refused;
    CHECK((busy || client.received().starts_with("HTTP/1.1 200")));
    most = std::max(most, anonymous_bytes(target.pid()));
    target.check_serves();
  }
  CHECK(refused > 0);
  INFO("grew by ", (most - before) >> 20, " MiB");
  CHECK(most < before + (160ULL << 20));  // what is under construction, and what the allocator keeps, comes on top
  slow.clear();
  HttpClient client = target.api().client();
  CHECK(eventually([&] { return client.get("/v1/events?limit=1000").status == 200; }));
}

TEST_CASE("SlowClients.UploadsThatStopShareABoundedMemory") {
  Target target({"--bodies-size-max", "32MiB"});
  const std::uint64_t before = anonymous_bytes(target.pid());
  std::vector<RawClient> slow;
  const std::string some(1 << 20, ' ');
  for (std::size_t i = 0; i < 60; ++i) {
    slow.push_back(target.connect());
    REQUIRE(
        slow.back().send("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                         "application/json\r\nContent-Length: 16000000\r\n\r\n"));
    (void)slow.back().send(some);
  }
  CHECK(eventually([&] {
    return std::any_of(slow.begin(), slow.end(), [](RawClient& client) {
      (void)client.poll();
      return client.received().starts_with("HTTP/1.1 503");
    });
  }));
  target.check_serves();
  CHECK(anonymous_bytes(target.pid()) < before + (96ULL << 20));
  slow.clear();
  CHECK(eventually([&] { return target.connections() == 0; }));
  target.check_serves();
}

}  // namespace stele::tests

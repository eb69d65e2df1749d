// Live streams of a real server, over sockets.

#include <doctest/doctest.h>

#include <csignal>
#include <set>
#include <string>

#include "tests/contract/http_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_client.h"

namespace stele::tests {

namespace {

std::string ask_for_stream(const std::string& query, const std::string& fields = "") {
  return "GET /v1/events/stream" + query + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

/// The ids of whole messages with data, without caught-up; a last one that is cut off does not count.
std::vector<std::uint64_t> event_ids(const std::string& received) {
  std::vector<std::uint64_t> ids;
  for (std::size_t at = received.find("id: "); at != std::string::npos; at = received.find("id: ", at + 1)) {
    const std::size_t line = received.find('\n', at);
    if (line == std::string::npos || received.compare(line + 1, 6, "data: ") != 0) continue;
    if (received.find("\n\n", line) == std::string::npos) continue;
    ids.push_back(std::stoull(received.substr(at + 4, line - at - 4)));
  }
  return ids;
}

}  // namespace

TEST_CASE("Stream.GoesOnOverKillsOfTheServerWithoutAGapOrADouble") {
  Api api({"--write-timeout", "5s"});
  std::vector<std::uint64_t> seen;
  std::vector<std::uint64_t> all;
  std::uint64_t stored = 0;
  for (int round = 0; round < 4; ++round) {
    RawClient reader(api.port());
    const std::string fields = seen.empty() ? "" : "Last-Event-ID: " + std::to_string(seen.back()) + "\r\n";
    REQUIRE(reader.send(ask_for_stream("?start=beginning", fields)));
    HttpClient writer = api.client();
    for (int i = 0; i < 20; ++i) {
      stored = append(writer, event_json("kills")).number("/position");
      all.push_back(stored);
    }
    if (round == 3) {
      REQUIRE(eventually([&] {
        (void)reader.poll();
        const std::vector<std::uint64_t> ids = event_ids(reader.received());
        return !ids.empty() && ids.back() == stored;
      }));
    } else {
      // Somewhere in the middle: what arrives then is what it is.
      REQUIRE(reader.wait_for("id: " + std::to_string(all[all.size() - 11]) + "\ndata: "));
      api.kill_and_restart();
      CHECK(reader.wait_for_end());
    }
    std::vector<std::uint64_t> ids = event_ids(reader.received());
    seen.insert(seen.end(), ids.begin(), ids.end());
  }
  CHECK(seen == all);
}

TEST_CASE("Stream.EndsInOrderWhenTheServerIsToldToEnd") {
  Api api;
  RawClient reader(api.port());
  REQUIRE(reader.send(ask_for_stream("?eventType=Never")));
  REQUIRE(reader.wait_for("caught-up"));
  RawClient other(api.port());
  REQUIRE(other.send(ask_for_stream("")));
  REQUIRE(other.wait_for("caught-up"));
  HttpClient writer = api.client();
  const std::string id = "id: " + std::to_string(append(writer, event_json("told")).number("/position")) + "\n";
  // What one follower at the head has got, all have been compared with.
  REQUIRE(other.wait_for(id));
  CHECK(api.server().stop() == 0);
  CHECK(reader.wait_for_end());
  CHECK(reader.received().ends_with("0\r\n\r\n"));
  CHECK(reader.received().find(id) != std::string::npos);
}

TEST_CASE("Stream.ManyReadersShareWhatIsRead") {
  Api api({"--live-streams-max", "50"});
  std::vector<RawClient> readers;
  for (int i = 0; i < 50; ++i) {
    readers.emplace_back(api.port());
    REQUIRE(readers.back().send(ask_for_stream(i % 2 == 0 ? "" : "?eventType=Never")));
    REQUIRE(readers.back().wait_for("caught-up"));
  }
  HttpClient client = api.client();
  CHECK(check_problem(client.get("/v1/events/stream"), 429, "too-many-streams").text("/limit") == "live-streams");
  std::uint64_t last = 0;
  for (int i = 0; i < 10; ++i) last = append(client, event_json("many")).number("/position");
  const std::string id = "id: " + std::to_string(last) + "\n";
  for (int i = 0; i < 50; i += 2) REQUIRE(readers[static_cast<std::size_t>(i)].wait_for(id));
  const std::string metrics = client.get("/metrics").body;
  // Perhaps also the record about the refusal.
  CHECK((metrics.find("\nstele_follower_records_read_total 10\n") != std::string::npos ||
         metrics.find("\nstele_follower_records_read_total 11\n") != std::string::npos));
  CHECK(metrics.find("\nstele_live_events_sent_total 250\n") != std::string::npos);
  CHECK(metrics.find("\nstele_live_streams{protocol=\"sse\"} 50\n") != std::string::npos);
}

TEST_CASE("Stream.AnOlderHttpGetsItWithoutChunks") {
  Api api;
  HttpClient writer = api.client();
  const std::string position = std::to_string(append(writer, event_json("old")).number("/position"));
  RawClient reader(api.port());
  REQUIRE(reader.send("GET /v1/events/stream?start=beginning HTTP/1.0\r\nHost: localhost\r\n\r\n"));
  REQUIRE(reader.wait_for("\r\n\r\nid: " + position + "\ndata: {"));
  REQUIRE(reader.wait_for("event: caught-up\ndata: {\"position\":" + position + "}\n\n"));
}

}  // namespace stele::tests

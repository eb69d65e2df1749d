// Readers of live streams that do not read, and those that come and go.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/hostile/target.h"
#include "tests/support/eventually.h"

namespace stele::tests {
namespace {

std::string ask_for_live(const std::string& fields = "") {
  return "GET /v1/events/stream HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

/// Of a stream that has ended.
std::vector<std::uint64_t> positions_in(Target& target, const RawClient& reader) {
  const auto answers = target.answers(reader.received());
  REQUIRE(answers.size() == 1);
  CHECK(answers.front().error.empty());  // its end was one
  const std::string& body = answers.front().body;
  std::vector<std::uint64_t> positions;
  for (std::size_t at = body.find("id: "); at != std::string::npos; at = body.find("\nid: ", at + 1)) {
    const std::size_t number = body.find(' ', at) + 1, line = body.find('\n', number);
    if (body.compare(line + 1, 6, "data: ") == 0) positions.push_back(std::stoull(body.substr(number, line - number)));
  }
  return positions;
}

std::uint64_t live_metric(Target& target, const std::string& name) {
  HttpClient client = target.api().client();
  const std::string page = client.get("/metrics").body;
  const std::size_t at = page.find("\n" + name + " ");
  REQUIRE(at != std::string::npos);
  return std::stoull(page.substr(at + name.size() + 2));
}

/// Stores until a follower could not keep up; the last position.
std::uint64_t overwhelm(Target& target) {
  HttpClient client = target.api().client();
  const std::string data = '"' + std::string(100'000, 'd') + '"';
  std::uint64_t last = 0;
  for (int i = 0; live_metric(target, "stele_follower_overflows_total") == 0; ++i) {
    REQUIRE(i < 5'000);
    last = append(client, event_json("large", "Large", data)).number("/position");
  }
  return last;
}

}  // namespace

TEST_CASE("LiveStreams.AReaderThatDoesNotReadGetsWhatIsKeptThenAnEndToComeBackFrom") {
  Target target({"--live-buffer-size", "300KiB"});
  RawClient slow(target.port(), {.receive_buffer = 4096});
  REQUIRE(slow.send(ask_for_live()));
  REQUIRE(slow.wait_for("caught-up"));
  std::uint64_t last = overwhelm(target);
  {
    HttpClient client = target.api().client();
    last = append(client, event_json("after")).number("/position");
  }
  REQUIRE(slow.wait_for("\r\n0\r\n\r\n"));  // the connection stays
  const std::vector<std::uint64_t> seen = positions_in(target, slow);
  REQUIRE_FALSE(seen.empty());
  CHECK(seen.back() < last);
  for (std::size_t i = 0; i < seen.size(); ++i) REQUIRE(seen[i] == seen.front() + i);
  CHECK(live_metric(target, "stele_live_streams_cut_total{reason=\"slow\"}") == 1);

  RawClient again(target.port());
  REQUIRE(again.send(ask_for_live("Last-Event-ID: " + std::to_string(seen.back()) + "\r\n")));
  REQUIRE(again.wait_for("id: " + std::to_string(seen.back() + 1) + "\ndata: "));
  REQUIRE(again.wait_for("caught-up\ndata: {\"position\":" + std::to_string(last) + "}"));
  target.check_serves();
}

TEST_CASE("LiveStreams.AReaderThatNeverReadsIsLeft") {
  Target target({"--live-buffer-size", "300KiB", "--write-timeout", "500ms"});
  RawClient never(target.port(), {.receive_buffer = 4096});
  REQUIRE(never.send(ask_for_live()));
  REQUIRE(never.wait_for("caught-up"));
  HttpClient client = target.api().client();
  const std::string data = '"' + std::string(100'000, 'd') + '"';
  // Until no socket buffer holds more, and a little longer.
  CHECK(eventually([&] {
    append(client, event_json("large", "Large", data));
    return live_metric(target, "stele_live_streams{protocol=\"sse\"}") == 0;
  }));
  CHECK(never.wait_for_end());
  target.check_serves();
}

TEST_CASE("LiveStreams.ThoseWhoComeAndGoLeaveNothingBehind") {
  Target target({"--live-streams-max", "100"});
  for (int round = 0; round < 5; ++round) {
    std::vector<RawClient> readers;
    for (int i = 0; i < 100; ++i) {
      readers.push_back(target.connect());
      REQUIRE(readers.back().send(ask_for_live()));
    }
    for (int i = 0; i < 100; i += 10) REQUIRE(readers[static_cast<std::size_t>(i)].wait_for("HTTP/1.1 "));
    target.check_serves();
    for (int i = 0; i < 100; i += 2) readers[static_cast<std::size_t>(i)].reset();
    readers.clear();
    CHECK(eventually([&] { return live_metric(target, "stele_live_streams{protocol=\"sse\"}") == 0; }));
  }
  CHECK(live_metric(target, "stele_followers") == 0);
  CHECK(eventually([&] { return target.connections() <= 2; }));
  target.check_serves();
}

}  // namespace stele::tests

// kill -9 of the real binary under load, again and again on one data folder, with a ledger of what was acknowledged.
// STELE_KILL_ROUNDS sets how often.

#include <doctest/doctest.h>
#include <simdjson.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "engine/base/uuid.h"
#include "tests/support/http_client.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

using namespace stele;
using namespace stele::tests;

namespace {

constexpr int kClients = 8;

struct Sent {
  std::string body;
  std::string aggregate;
  std::string data;
  bool acknowledged = false;
  std::uint64_t position = 0, sequence = 0;  ///< of an acknowledged event
};

class Ledger {
 public:
  void sent(const std::string& id, Sent event) {
    const std::lock_guard lock(mutex_);
    events_[id] = std::move(event);
  }
  void acknowledged(const std::string& id, std::uint64_t position, std::uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    Sent& event = events_.at(id);
    event.acknowledged = true;
    event.position = position;
    event.sequence = sequence;
    ++acknowledged_;
    changed_.notify_all();
  }
  /// Waits until `count` events more than before are acknowledged; false if nothing moves for a minute.
  bool wait_for(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    const std::uint64_t goal = acknowledged_ + count;
    while (acknowledged_ < goal) {
      const std::uint64_t before = acknowledged_;
      changed_.wait_for(lock, std::chrono::minutes{1});
      if (acknowledged_ == before) return false;
    }
    return true;
  }
  [[nodiscard]] std::map<std::string, Sent>& events() { return events_; }
  [[nodiscard]] std::uint64_t acknowledged_count() const { return acknowledged_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Sent> events_;
  std::uint64_t acknowledged_ = 0;
};

void load(int port, int client, std::uint64_t seed, Ledger& ledger, const std::atomic<bool>& stop) {
  std::mt19937_64 random(seed);
  HttpClient http(port);
  simdjson::dom::parser parser;
  while (!stop) {
    const std::string id = to_string(make_uuid_v7(system_clock()));
    Sent event;
    event.aggregate = "a/" + std::to_string(random() % 20);
    event.data = "{\"client\": " + std::to_string(client) + ",  \"fill\":\"" + std::string(random() % 700, 'f') + "\"}";
    event.body = R"({"eventId":")" + id + R"(","eventType":"Loaded","aggregateId":")" + event.aggregate +
                 R"(","data":)" + event.data + "}";
    const std::string body = event.body;
    ledger.sent(id, std::move(event));
    const HttpResponse response = http.post("/v1/events", body);
    if (response.status != 201) return;  // the server was killed: whether this one is stored is not known
    const simdjson::dom::element receipt = parser.parse(response.body);
    ledger.acknowledged(id, receipt["position"].get_uint64(), receipt["sequenceNumber"].get_uint64());
  }
}

/// Reads the whole log back and compares.
void check(int port, Ledger& ledger) {
  HttpClient http(port);
  const HttpResponse all = http.get("/v1/events", {{"Accept", "application/x-ndjson"}});
  REQUIRE_MESSAGE(all.status == 200, all.error);
  REQUIRE(all.error.empty());
  std::map<std::string, std::uint64_t> sequences;
  std::map<std::string, int> seen;
  simdjson::dom::parser parser, data_parser;
  std::uint64_t previous = 0;
  for (std::size_t at = 0; at < all.body.size();) {
    const std::size_t end = all.body.find('\n', at);
    REQUIRE(end != std::string::npos);
    const simdjson::dom::element event = parser.parse(all.body.data() + at, end - at);
    at = end + 1;
    const std::string id(event["eventId"].get_string().value());
    const std::uint64_t position = event["position"].get_uint64();
    const std::uint64_t sequence = event["sequenceNumber"].get_uint64();
    REQUIRE(position > previous);
    previous = position;
    REQUIRE(sequence == ++sequences[std::string(event["aggregateId"].get_string().value())]);
    REQUIRE(++seen[id] == 1);
    REQUIRE(ledger.events().contains(id));
    const Sent& sent = ledger.events().at(id);
    REQUIRE(event["aggregateId"].get_string().value() == sent.aggregate);
    REQUIRE(simdjson::minify(event["data"]) == simdjson::minify(data_parser.parse(sent.data)));
    if (sent.acknowledged) {
      REQUIRE(position == sent.position);
      REQUIRE(sequence == sent.sequence);
    }
  }
  for (const auto& [id, sent] : ledger.events()) {
    if (sent.acknowledged) REQUIRE_MESSAGE(seen[id] == 1, "acknowledged and lost: ", id);
  }
}

/// Sends again what was never answered: each is stored exactly once, whether it had been stored before or not.
void retry_unanswered(int port, Ledger& ledger) {
  HttpClient http(port);
  simdjson::dom::parser parser;
  for (auto& [id, sent] : ledger.events()) {
    if (sent.acknowledged) continue;
    const HttpResponse response = http.post("/v1/events", sent.body);
    REQUIRE_MESSAGE((response.status == 200 || response.status == 201), response.status, response.body);
    const simdjson::dom::element receipt = parser.parse(response.body);
    ledger.acknowledged(id, receipt["position"].get_uint64(), receipt["sequenceNumber"].get_uint64());
    const HttpResponse data = http.get("/v1/events/" + id + "/data");
    REQUIRE(data.status == 200);
    REQUIRE(data.body == sent.data);
  }
}

}  // namespace

TEST_CASE("Kill.NothingAcknowledgedIsLostUnderLoad") {
  const char* wanted = std::getenv("STELE_KILL_ROUNDS");
  const int rounds = wanted == nullptr ? 10 : std::atoi(wanted);
  const std::uint64_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const TempFolder folder;
  Ledger ledger;
  for (int round = 0; round < rounds; ++round) {
    // Small segments, so that kills also strike while one is sealed and the next begun.
    ServerProcess server = ServerProcess::start({.data = folder.path(), .arguments = {"--segment-size", "256KiB"}});
    check(server.port(), ledger);
    retry_unanswered(server.port(), ledger);
    std::atomic<bool> stop{false};
    std::vector<std::thread> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back(load, server.port(), i, random(), std::ref(ledger), std::cref(stop));
    }
    const bool moving = ledger.wait_for(200 + random() % 1500);
    server.kill();
    stop = true;
    for (std::thread& client : clients) client.join();
    REQUIRE(moving);
  }
  ServerProcess server = ServerProcess::start({.data = folder.path()});
  check(server.port(), ledger);
  retry_unanswered(server.port(), ledger);
  check(server.port(), ledger);
  MESSAGE(rounds << " kills, " << ledger.acknowledged_count() << " events acknowledged, 0 lost");
  CHECK(server.stop() == 0);
}

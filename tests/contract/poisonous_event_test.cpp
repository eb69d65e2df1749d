// One event of a hundred that a consumer cannot take: it is the one dead letter, and the others come, in order.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/contract/listen_process.h"
#include "tests/support/client_script.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_folder.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

constexpr int kPoisonAggregates = 10;
constexpr std::uint64_t kPoisonEach = 10;
const std::string kPoisoned = "p/3";
constexpr std::uint64_t kPoisonSequence = 5;
const std::string kPoisonRetry =
    R"(,"from":"beginning","retry":{"maxAttempts":3,"initialDelayMs":100,"maxDelayMs":100}})";

/// A hundred in one list, those of each aggregate among those of the others; the poisonous one's id.
std::string append_hundred(HttpClient& client) {
  const std::string poison_id = fresh_uuid();
  std::string list = "[";
  for (std::uint64_t sequence = 1; sequence <= kPoisonEach; ++sequence) {
    for (int i = 0; i < kPoisonAggregates; ++i) {
      const std::string aggregate = "p/" + std::to_string(i);
      const bool is_poison = aggregate == kPoisoned && sequence == kPoisonSequence;
      if (list.size() > 1) list += ',';
      list += event_json(aggregate, "Poured", is_poison ? R"({"poison":true})" : "{}",
                         is_poison ? R"(,"eventId":")" + poison_id + '"' : "");
    }
  }
  append(client, list + "]");
  return poison_id;
}

/// Aggregates and sequence numbers as they were taken: each event once, in order, but for the poisonous one.
void check_ninety_nine(const std::vector<std::pair<std::string, std::uint64_t>>& taken) {
  CHECK(taken.size() == 99);
  std::map<std::string, std::vector<std::uint64_t>> by_aggregate;
  for (const auto& [aggregate, sequence] : taken) by_aggregate[aggregate].push_back(sequence);
  CHECK(by_aggregate.size() == kPoisonAggregates);
  for (const auto& [aggregate, sequences] : by_aggregate) {
    CAPTURE(aggregate);
    std::vector<std::uint64_t> expected;
    for (std::uint64_t sequence = 1; sequence <= kPoisonEach; ++sequence) {
      if (aggregate != kPoisoned || sequence != kPoisonSequence) expected.push_back(sequence);
    }
    CHECK(sequences == expected);
  }
}

void check_one_letter(HttpClient& client, const std::string& path, const std::string& poison_id) {
  CHECK(eventually([&] { return get_json(client, path).number("/delivered") == 99; }));
  const std::vector<Json> letters = get_json(client, path + "/dead-letters").list("/deadLetters");
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].text("/eventId") == poison_id);
  CHECK(letters[0].text("/aggregateId") == kPoisoned);
  // Its aggregate is held until it is seen that it has no more.
  CHECK(eventually([&] { return get_json(client, path).number("/heldBack") == 0; }));
  CHECK(get_json(client, path + "/dead-letters?held=true").minified().find(kPoisoned) == std::string::npos);
  const Json shown = get_json(client, path);
  CHECK(shown.text("/state") == "active");
  CHECK(shown.number("/inFlight") == 0);
  CHECK(shown.number("/heldBack") == 0);
  CHECK(shown.number("/lag/events") == 0);
}

}  // namespace

TEST_CASE("PoisonousEvent.OfABatchOfAHundredIsTheOneThatAReceiverDoesNotGet") {
  const test::TempFolder folder;
  const auto receiver = start_client_script("poisoned_receiver", {folder.file("secret")});
  REQUIRE(eventually([&] { return contains(receiver->out(), "\n"); }));
  const std::string url = "http://127.0.0.1:" + lines_of(receiver->out())[0].substr(5) + "/";
  Api api({"--allow-callback-net", "127.0.0.1/32"});
  HttpClient client = api.client();
  const std::string poison_id = append_hundred(client);
  const HttpResponse made = client.post(
      "/v1/events/subscribe",
      R"({"eventTypes":["Poured"],"delivery":{"type":"webhook","batchSize":100,"url":")" + url + "\"}" + kPoisonRetry);
  REQUIRE_MESSAGE(made.status == 201, made.body);
  write_file(folder.file("secret"), Json(made.body).text("/secret"));
  check_one_letter(client, "/v1/subscriptions/" + Json(made.body).text("/subscriptionId"), poison_id);
  CHECK_MESSAGE(receiver->running(), receiver->err());
  std::vector<std::pair<std::string, std::uint64_t>> taken;
  std::vector<std::string> refused;
  for (const std::string& line : lines_of(receiver->out())) {
    if (line.starts_with("refused ")) refused.push_back(line);
    if (line.starts_with("p/")) taken.emplace_back(line.substr(0, 3), std::stoull(line.substr(4)));
  }
  check_ninety_nine(taken);
  // Twice as a whole, then by aggregate, then by event.
  REQUIRE(refused.size() >= 4);
  CHECK(refused[0] == "refused 100");
  CHECK(refused[1] == "refused 100");
  CHECK(std::count(refused.begin(), refused.end(), "refused 10") == 1);
  CHECK(refused.back() == "refused 1");
}

TEST_CASE("PoisonousEvent.OfAHundredThatArePulledIsTheOneThatIsGivenUp") {
  Api api;
  HttpClient client = api.client();
  const std::string poison_id = append_hundred(client);
  const HttpResponse made =
      client.post("/v1/events/subscribe", R"({"eventTypes":["Poured"],"delivery":{"type":"pull"})" + kPoisonRetry);
  REQUIRE_MESSAGE(made.status == 201, made.body);
  const std::string path = "/v1/subscriptions/" + Json(made.body).text("/subscriptionId");
  std::vector<std::pair<std::string, std::uint64_t>> taken;
  std::string poison_counts;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (taken.size() < 99 || get_json(client, path).number("/deadLetters") == 0) {
    REQUIRE(std::chrono::steady_clock::now() < limit);
    const HttpResponse pulled = client.post(path + "/pull", R"({"limit":100,"wait":"1s"})");
    REQUIRE_MESSAGE(pulled.status == 200, pulled.body);
    const Json batch(pulled.body);
    if (batch.is_null("/leaseId")) continue;
    const std::string lease = R"({"leaseId":")" + batch.text("/leaseId") + '"';
    std::set<std::string> behind_poison;
    std::string ids, poison;
    for (const Json& event : batch.list("/events")) {
      const std::string aggregate = event.text("/aggregateId");
      if (behind_poison.contains(aggregate)) continue;
      const std::string id = '"' + event.text("/eventId") + '"';
      if (event.has("/data/poison")) {
        poison_counts += std::to_string(event.number("/deliveryCount")) + ' ';
        behind_poison.insert(aggregate);
        poison = id;
        continue;
      }
      taken.emplace_back(aggregate, event.number("/sequenceNumber"));
      ids += (ids.empty() ? "" : ",") + id;
    }
    // What comes before it in its aggregate would go back with it.
    for (const auto& [verb, which] : {std::pair{"/ack", &ids}, std::pair{"/nack", &poison}}) {
      if (which->empty()) continue;
      CHECK(client.post(path + verb, lease + R"(,"eventIds":[)" + *which + "]}").status == 204);
    }
  }
  check_one_letter(client, path, poison_id);
  check_ninety_nine(taken);
  CHECK(poison_counts == "1 2 3 ");
}

}  // namespace stele::tests

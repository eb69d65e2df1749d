// Subscriptions from the command line against a real server: made, watched, repaired.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/contract/listen_process.h"
#include "tests/support/eventually.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// A server that delivers to this machine, and its command line.
class DeliveringApi {
 public:
  explicit DeliveringApi(std::vector<std::string> arguments = {"--allow-callback-net", "127.0.0.1/32"})
      : api_(std::move(arguments)) {}

  [[nodiscard]] Api& api() { return api_; }
  [[nodiscard]] HttpClient client() const { return api_.client(); }
  [[nodiscard]] ProcessResult run(const std::vector<std::string>& arguments) const {
    return run_stele(arguments, {}, {{"STELE_URL", "http://127.0.0.1:" + std::to_string(api_.port())}});
  }
  /// stdout of a command that must succeed.
  [[nodiscard]] std::string out_of(const std::vector<std::string>& arguments) const {
    const auto result = run(arguments);
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    return result.out;
  }
  /// The same as JSON.
  [[nodiscard]] Json json_of(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    return Json(out_of(arguments));
  }
  /// A new subscription's answer.
  [[nodiscard]] Json subscribe(std::vector<std::string> flags) const {
    flags.insert(flags.begin(), "subscribe");
    return json_of(std::move(flags));
  }
  [[nodiscard]] Json show(const std::string& id) const { return json_of({"subscriptions", "show", id}); }
  /// Asks until a member of the subscription is that.
  void wait_for(const std::string& id, const std::string& pointer, const std::string& value) const {
    std::string shown;
    const bool is_so = eventually([&] {
      const Json json = show(id);
      shown = json.minified();
      return json.at(pointer).minified() == value;
    });
    REQUIRE_MESSAGE(is_so, shown);
  }

 private:
  Api api_;
};

std::string first_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

TEST_CASE("Deliveries.AnEventGoesFromAppendToListen") {
  const DeliveringApi server;
  const test::TempFolder folder;
  const std::string secret = folder.file("secret");
  ListenProcess listener({"--secret-file", secret, "--json"});
  const std::string made =
      server.out_of({"subscribe", "--type", "Sent", "--webhook", listener.url(), "--secret-file", secret});
  CHECK(contains(made, "secret        in " + secret + "\n"));
  CHECK(first_line_of(secret).starts_with("whsec_"));
  const std::string id = made.substr(14, made.find('\n') - 14);
  const Json receipt(server.out_of({"append", "--type", "Sent", "--aggregate", "a/1", "--data", "{\"n\": 1}"}));
  (void)server.out_of({"append", "--type", "Other", "--aggregate", "a/1", "--data", "{}"});
  (void)server.out_of({"append", "--type", "Sent", "--aggregate", "a/1", "--data", "{\"n\": 2}"});
  listener.wait_for("\"n\":2");
  server.wait_for(id, "/lag/events", "0");
  const auto lines = listener.end();
  REQUIRE(lines.size() == 2);
  const Json first(lines[0]);
  CHECK(first.text("/subscriptionId") == id);
  CHECK(first.at("/verified").minified() == "true");
  CHECK(first.at("/repeated").minified() == "false");
  CHECK(first.text("/event/aggregateId") == "a/1");
  CHECK(first.at("/event/data").minified() == "{\"n\":1}");
  CHECK(contains(server.out_of({"subscriptions", "deliveries", id}), "  delivered 204"));
  const auto traced = lines_of(server.out_of({"subscriptions", "trace", receipt.text("/eventId")}));
  REQUIRE(traced.size() == 2);
  CHECK(traced[1].starts_with(id + "  active  delivered  1 "));
  const std::string table = server.out_of({"subscriptions"});
  CHECK(contains(table, id + "  active  Sent"));
  CHECK(contains(table, "webhook " + listener.url()));
  CHECK_FALSE(contains(table + server.show(id).minified(), first_line_of(secret)));
  CHECK(contains(server.out_of({"subscriptions", "show", id}), "state           active\n"));
  CHECK(server.out_of({"subscriptions", "delete", id}).empty());
  const auto gone = server.run({"subscriptions", "show", id});
  CHECK(gone.exit_code == 1);
  CHECK(contains(gone.err, "404 subscription-not-found"));
  CHECK(lines_of(server.out_of({"subscriptions"})).size() == 1);
}

TEST_CASE("Deliveries.DeadLettersAreListedRedrivenAndDropped") {
  const DeliveringApi server;
  ListenProcess failing({"--status", "418"});
  const std::string id = server
                             .subscribe({"--webhook", failing.url(), "--attempts", "1", "--initial-delay", "100ms",
                                         "--max-delay", "100ms", "--type", "Sent", "--from", "beginning"})
                             .text("/subscriptionId");
  HttpClient client = server.client();
  const auto first = append(client, event_json("a/1", "Sent")).number("/position");
  const auto second = append(client, event_json("a/2", "Sent")).number("/position");
  server.wait_for(id, "/deadLetters", "2");
  CHECK(contains(server.out_of({"subscriptions"}), "418"));
  const auto listed = lines_of(server.out_of({"dead-letters", "list", id}));
  REQUIRE(listed.size() == 3);
  CHECK(contains(listed[1], "  a/1 "));
  CHECK(contains(listed[2], "  a/2 "));
  CHECK(listed[2].ends_with("  418"));
  const auto objects = lines_of(server.out_of({"dead-letters", "list", id, "--json"}));
  REQUIRE(objects.size() == 2);
  CHECK(Json(objects[0]).number("/position") == first);
  CHECK(Json(objects[0]).number("/status") == 418);

  const auto positions = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"dead-letters", "redrive", id, "--dry-run"});
    return server.out_of(flags);
  };
  const std::string one = std::to_string(first) + "\n", two = std::to_string(second) + "\n";
  CHECK(positions({}) == one + two);
  CHECK(positions({"--position", std::to_string(second)}) == two);
  CHECK(positions({"--aggregate", "a/1"}) == one);
  CHECK(positions({"--status", "418", "--type", "Sent"}) == one + two);
  CHECK(positions({"--status", "500"}).empty());
  CHECK(positions({"--error", Json(objects[0]).text("/error")}) == one + two);
  CHECK(positions({"--older-than", "1h"}).empty());
  CHECK(server.show(id).number("/deadLetters") == 2);

  const int port = failing.port();
  (void)failing.end();
  ListenProcess good({"--json"}, {}, port);
  CHECK(server.out_of({"dead-letters", "redrive", id, "--aggregate", "a/2"}) == two);
  good.wait_for("\"aggregateId\":\"a/2\"");
  server.wait_for(id, "/deadLetters", "1");
  CHECK(server.out_of({"dead-letters", "drop", id, "--all"}) == one);
  server.wait_for(id, "/deadLetters", "0");
  CHECK(lines_of(server.out_of({"dead-letters", "list", id})).size() == 1);
  CHECK(good.end().size() == 1);
}

TEST_CASE("Deliveries.AParkedAggregateIsListedAsHeld") {
  const DeliveringApi server;
  ListenProcess failing({"--status", "500"});
  const std::string id =
      server.subscribe({"--webhook", failing.url(), "--attempts", "1", "--type", "Sent", "--on-dead-letter", "park"})
          .text("/subscriptionId");
  HttpClient client = server.client();
  const auto first = append(client, event_json("a", "Sent")).number("/position");
  append(client, event_json("a", "Sent"));
  server.wait_for(id, "/deadLetters", "1");
  server.wait_for(id, "/heldBack", "1");
  const auto held = lines_of(server.out_of({"dead-letters", "list", id, "--held"}));
  REQUIRE(held.size() == 2);
  CHECK(held[1].starts_with("a "));
  CHECK(contains(held[1], "yes"));
  CHECK(server.out_of({"dead-letters", "drop", id, "--position", std::to_string(first)}) ==
        std::to_string(first) + "\n");
}

TEST_CASE("Deliveries.AReceiverThatFailsNowAndThenGetsAllInOrder") {
  const DeliveringApi server;
  ListenProcess listener({"--json", "--fail", "25%", "--status", "503"});
  const std::string id = server
                             .subscribe({"--webhook", listener.url(), "--type", "Sent", "--batch", "3", "--attempts",
                                         "50", "--initial-delay", "100ms", "--max-delay", "100ms"})
                             .text("/subscriptionId");
  HttpClient client = server.client();
  constexpr std::uint64_t kEach = 6;
  for (std::uint64_t i = 0; i < kEach; ++i) {
    for (const char* const aggregate : {"a", "b", "c", "d", "e"}) append(client, event_json(aggregate, "Sent"));
  }
  server.wait_for(id, "/lag/events", "0");
  server.wait_for(id, "/heldBack", "0");
  std::map<std::string, std::uint64_t> last;
  for (const std::string& line : listener.end()) {
    const Json delivery(line);
    if (delivery.number("/answer") != 204) continue;
    std::uint64_t& number = last[delivery.text("/event/aggregateId")];
    CHECK(delivery.number("/event/sequenceNumber") <= number + 1);
    number = std::max(number, delivery.number("/event/sequenceNumber"));
  }
  CHECK(last.size() == 5);
  for (const auto& [aggregate, number] : last) CHECK(number == kEach);
  CHECK(server.show(id).number("/deadLetters") == 0);
}

TEST_CASE("Deliveries.GoOnWhenTheServerWasKilled") {
  DeliveringApi server;
  ListenProcess listener({"--json"});
  const std::string id = server.subscribe({"--webhook", listener.url(), "--type", "Sent"}).text("/subscriptionId");
  for (int round = 0; round < 3; ++round) {
    HttpClient client = server.client();
    append(client, event_json("round/" + std::to_string(round), "Sent"));
    if (round == 1) listener.wait_for("round/1");
    server.api().kill_and_restart();
  }
  for (int round = 0; round < 3; ++round) listener.wait_for("round/" + std::to_string(round));
  server.wait_for(id, "/lag/events", "0");
  CHECK(server.show(id).text("/state") == "active");
}

TEST_CASE("Deliveries.APausedSubscriptionCanBeginElsewhere") {
  const DeliveringApi server;
  ListenProcess listener({"--json"});
  HttpClient client = server.client();
  append(client, event_json("a", "Sent", "\"one\""));
  const std::string id = server.subscribe({"--webhook", listener.url(), "--type", "Sent"}).text("/subscriptionId");
  const auto early = server.run({"subscriptions", "seek", id, "--from", "beginning"});
  CHECK(early.exit_code == 1);
  CHECK(contains(early.err, "409"));
  CHECK(contains(server.out_of({"subscriptions", "pause", id}), "state           paused"));
  append(client, event_json("a", "Sent", "\"two\""));
  CHECK(contains(server.out_of({"subscriptions"}), "  paused  "));
  CHECK(server.json_of({"subscriptions", "seek", id, "--from", "beginning"}).text("/state") == "paused");
  CHECK(contains(server.out_of({"subscriptions", "resume", id}), "state           active"));
  listener.wait_for("\"two\"");
  const auto lines = listener.end();
  REQUIRE(lines.size() == 2);
  CHECK(Json(lines[0]).text("/event/data") == "one");
  CHECK(Json(lines[1]).text("/event/data") == "two");
}

TEST_CASE("Deliveries.ATestSaysWhatTheReceiverAnswers") {
  const DeliveringApi server;
  const test::TempFolder folder;
  const std::string secret = folder.file("secret");
  ListenProcess listener({"--secret-file", secret, "--json"});
  const std::string made =
      server.out_of({"subscribe", "--type", "Never", "--webhook", listener.url(), "--secret-file", secret});
  const std::string id = made.substr(14, made.find('\n') - 14);
  const std::string tested = server.out_of({"subscriptions", "test", id});
  CHECK(contains(tested, "delivered  yes\n"));
  CHECK(contains(tested, "204"));
  listener.wait_for("\"eventType\":\"stele.test\"");

  // While a secret is rotated, a receiver that knows the old one goes on, and so does one that knows the new one.
  const std::string rotated = server.out_of({"subscriptions", "rotate-secret", id});
  CHECK(rotated.starts_with("whsec_"));
  CHECK(rotated != first_line_of(secret) + "\n");
  CHECK(server.run({"subscriptions", "test", id}).exit_code == 0);
  std::ofstream(secret, std::ios::trunc) << rotated;
  CHECK(server.run({"subscriptions", "test", id}).exit_code == 0);
  std::ofstream(secret, std::ios::trunc) << "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
  const auto refused = server.run({"subscriptions", "test", id});
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.out, "delivered  no\n"));
  CHECK(contains(refused.out, "401"));
  (void)listener.end();
  const auto away = server.run({"subscriptions", "test", id, "--json"});
  CHECK(away.exit_code == 1);
  CHECK(Json(away.out).at("/delivered").minified() == "false");
}

TEST_CASE("Deliveries.PullGivesEventsUntilTheyAreAcknowledged") {
  const DeliveringApi server;
  HttpClient client = server.client();
  for (const char* const aggregate : {"a", "b", "c"}) append(client, event_json(aggregate, "Sent"));
  const Json made = server.subscribe({"--pull", "--from", "beginning", "--type", "Sent"});
  const std::string id = made.text("/subscriptionId");
  CHECK_FALSE(made.has("/secret"));
  const auto first = server.run({"pull", id, "--json", "--limit", "2", "--wait", "10s", "--ack"});
  CHECK(first.exit_code == 0);
  REQUIRE(lines_of(first.out).size() == 2);
  CHECK(Json(lines_of(first.out)[0]).text("/aggregateId") == "a");
  CHECK(Json(lines_of(first.out)[1]).text("/aggregateId") == "b");
  // Not acknowledged, it comes again once the lease is over.
  CHECK(contains(server.out_of({"pull", id, "--wait", "10s", "--lease", "1s"}), "  c "));
  const auto again = server.out_of({"pull", id, "--json", "--wait", "30s", "--ack"});
  REQUIRE(lines_of(again).size() == 1);
  CHECK(Json(again).number("/deliveryCount") == 2);
  CHECK(server.out_of({"pull", id}).empty());
  server.wait_for(id, "/lag/events", "0");
}

TEST_CASE("Deliveries.WhatTheServerDoesNotAllowIsRefused") {
  const DeliveringApi server(std::vector<std::string>{});
  const auto callback = server.run({"subscribe", "--webhook", "http://127.0.0.1:8081/"});
  CHECK(callback.exit_code == 1);
  CHECK(contains(callback.err, "422 callback-refused"));
  const auto redis = server.run({"subscribe", "--redis-stream", "key"});
  CHECK(redis.exit_code == 1);
  CHECK(contains(redis.err, "422 redis-not-configured"));
  for (const std::vector<std::string>& about : {std::vector<std::string>{"subscriptions", "pause", "sub_x"},
                                                {"subscriptions", "test", "sub_x"},
                                                {"dead-letters", "list", "sub_x"},
                                                {"dead-letters", "redrive", "sub_x"},
                                                {"pull", "sub_x"}}) {
    const auto refused = server.run(about);
    CHECK(refused.exit_code == 1);
    CHECK(contains(refused.err, "404 subscription-not-found"));
  }
}

}  // namespace stele::tests

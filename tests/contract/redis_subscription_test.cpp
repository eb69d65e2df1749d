// Subscriptions that deliver to a real Redis, by the real binary.

#include <doctest/doctest.h>

#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/support/client_script.h"
#include "tests/support/environment.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"

namespace stele::tests {

namespace {

const std::string kHasty = R"(,"retry":{"initialDelayMs":100,"maxDelayMs":500})";

std::string to_stream(const std::string& extra = "") {
  return R"({"from":"beginning","delivery":{"type":"redis-stream","key":"events"})" + kHasty + extra + "}";
}

/// A server that knows a Redis, or none.
struct RedisSubscriber {
  explicit RedisSubscriber(const std::string& url) {
    options.data = folder.file("data");
    if (!url.empty()) options.environment = {{"STELE_REDIS", url}};
    start();
  }
  void start() { server.emplace(ServerProcess::start(options)); }
  void kill_and_restart() {
    server->kill();
    start();
  }
  [[nodiscard]] HttpClient client() const { return HttpClient(server->port()); }
  [[nodiscard]] std::string subscribe(const std::string& body) const {
    HttpClient asker = client();
    const HttpResponse made = asker.post("/v1/events/subscribe", body);
    REQUIRE_MESSAGE(made.status == 201, made.body);
    return Json(made.body).text("/subscriptionId");
  }
  [[nodiscard]] Json shown(const std::string& id) const {
    HttpClient asker = client();
    return get_json(asker, "/v1/subscriptions/" + id);
  }
  void resume(const std::string& id) const {
    HttpClient asker = client();
    const HttpResponse resumed = asker.post("/v1/subscriptions/" + id + "/resume", "");
    REQUIRE_MESSAGE(resumed.status == 200, resumed.body);
  }
  [[nodiscard]] bool comes_to(const std::string& id, const std::string& state, const std::string& error) const {
    return eventually([&] {
      const Json now = shown(id);
      return now.text("/state") == state && !now.is_null("/lastError") && now.text("/lastError/error") == error;
    });
  }

  test::TempFolder folder;
  ServerProcess::Options options;
  std::optional<ServerProcess> server;
};

/// Positions of what was appended, ascending.
std::vector<std::string> append_events(HttpClient& client, int events, const std::string& extra = "") {
  std::string list = "[";
  for (int i = 0; i < events; ++i) {
    list += (i == 0 ? "" : ",") + event_json("m/" + std::to_string(i % 7), "Moved", R"({"by":[1,  2.50]})", extra);
  }
  const Json receipts = append(client, list + "]");
  std::vector<std::string> positions;
  for (const Json& event : receipts.list("/events")) positions.push_back(std::to_string(event.number("/position")));
  return positions;
}

/// Of all entries, in the order of the stream.
std::vector<std::string> positions_in_stream(const RedisServer& redis) {
  std::istringstream lines(redis.ask({"XRANGE", "events", "-", "+"}));
  std::vector<std::string> positions;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with("-0") && line.find_first_not_of("0123456789-") == std::string::npos) {
      positions.push_back(line.substr(0, line.size() - 2));
    }
  }
  return positions;
}

bool stream_becomes(const RedisServer& redis, const std::vector<std::string>& expected) {
  const bool has_come = eventually([&] { return redis.ask({"XLEN", "events"}) == std::to_string(expected.size()); });
  return has_come && positions_in_stream(redis) == expected;
}

void join(std::vector<std::string>& to, const std::vector<std::string>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

TEST_CASE("RedisSubscription.AStreamHasWhatListsHaveAsAClientOfOthersReadsIt") {
  RedisServer redis;
  RedisSubscriber stele(redis.url());
  HttpClient client = stele.client();
  std::vector<std::string> positions = append_events(client, 150, R"(,"tags":["t"])");
  const std::string id = stele.subscribe(to_stream(R"(,"replayUntil":)" + positions[9]));
  join(positions, append_events(client, 50));
  const ProcessResult read =
      run_client_script("redis_stream", {std::to_string(redis.port()), "events", std::to_string(positions.size())});
  CHECK_MESSAGE(read.exit_code == 0, read.err);
  std::istringstream lines(read.out);
  const std::vector<Json> events = get_json(client, "/v1/events?limit=1000").list("/events");
  REQUIRE_EQ(events.size(), positions.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    std::string entry_id, fields;
    REQUIRE(static_cast<bool>(std::getline(lines >> entry_id, fields)));
    CHECK_EQ(entry_id, positions[i] + "-0");
    const Json entry(fields);
    CHECK(entry.names() == std::vector<std::string>{"eventId", "eventType", "aggregateId", "event"});
    for (const char* const name : {"/eventId", "/eventType", "/aggregateId"}) {
      CHECK_EQ(entry.text(name), events[i].text(name));
    }
    std::string expected = events[i].minified();
    if (i < 10) expected.replace(expected.size() - 1, 1, R"(,"replay":true})");
    CHECK_EQ(Json(entry.text("/event")).minified(), expected);
  }
  // It is heard before it is said.
  CHECK(eventually([&] { return stele.shown(id).number("/delivered") == positions.size(); }));
  const Json shown = stele.shown(id);
  CHECK_EQ(shown.text("/state"), "active");
  CHECK_EQ(shown.text("/delivery/key"), "events");
  CHECK_EQ(shown.number("/failures"), 0);
}

TEST_CASE("RedisSubscription.AChannelIsToldAsAClientOfOthersHearsIt") {
  RedisServer redis;
  RedisSubscriber stele(redis.url());
  HttpClient client = stele.client();
  const auto script = start_client_script("redis_subscribe", {std::to_string(redis.port()), "missions", "30"});
  REQUIRE_FALSE(script->wait_for_stderr("subscribed").empty());
  append_events(client, 20);
  static_cast<void>(stele.subscribe(
      R"({"from":"beginning","eventTypes":["Moved"],"delivery":{"type":"redis-pubsub","channel":"missions"}})"));
  append(client, event_json("m/1", "Other"));
  append_events(client, 10);
  CHECK_EQ(script->wait(), 0);
  std::istringstream lines(script->out());
  const std::vector<Json> events = get_json(client, "/v1/events?eventType=Moved").list("/events");
  REQUIRE_EQ(events.size(), 30);
  for (const Json& event : events) {
    std::string channel, message;
    REQUIRE(static_cast<bool>(std::getline(lines >> channel, message)));
    CHECK_EQ(channel, "missions");
    CHECK_EQ(Json(message).minified(), event.minified());
  }
}

TEST_CASE("RedisSubscription.AStreamHasEachEventOnceWhoeverIsKilled") {
  // Without the second one Redis answers before it has written.
  RedisServer redis({"--appendonly", "yes", "--appendfsync", "always"});
  RedisSubscriber stele(redis.url());
  static_cast<void>(stele.subscribe(to_stream()));
  std::vector<std::string> positions;
  std::minstd_rand random{11};
  for (std::uint64_t round = test::number_from("STELE_KILL_ROUNDS", 12); round > 0; --round) {
    {
      HttpClient client = stele.client();
      for (auto lists = random() % 8; lists > 0; --lists) {
        join(positions, append_events(client, 1 + static_cast<int>(random() % 60)));
      }
    }
    // Some of it is on its way.
    switch (random() % 4) {
      case 0:
        stele.kill_and_restart();
        break;
      case 1:
        redis.kill();
        redis.start();
        break;
      case 2:
        redis.kill();
        stele.kill_and_restart();
        redis.start();
        break;
      default:
        static_cast<void>(redis.ask({"CLIENT", "KILL", "TYPE", "normal"}));
    }
  }
  CHECK(stream_becomes(redis, positions));
}

TEST_CASE("RedisSubscription.AServerEndsInGoodOrderWhileItsRedisHangs") {
  RedisServer redis;
  RedisSubscriber stele(redis.url());
  const std::string id = stele.subscribe(to_stream());
  std::vector<std::string> positions;
  {
    HttpClient client = stele.client();
    positions = append_events(client, 3);
    CHECK(stream_becomes(redis, positions));
    redis.hang();
    join(positions, append_events(client, 300));
    CHECK(eventually([&] { return stele.shown(id).number("/inFlight") > 0; }));
  }
  CHECK_EQ(stele.server->stop(), 0);
  stele.start();
  redis.go_on();
  CHECK(stream_becomes(redis, positions));
}

TEST_CASE("RedisSubscription.ARedisThatHasLostAllIsGivenWhatComesNext") {
  RedisServer redis;
  RedisSubscriber stele(redis.url());
  HttpClient client = stele.client();
  const std::string id = stele.subscribe(to_stream());
  const std::vector<std::string> before = append_events(client, 3);
  CHECK(eventually([&] { return stele.shown(id).number("/delivered") == 3; }));
  CHECK(stream_becomes(redis, before));
  redis.kill();
  const std::vector<std::string> after = append_events(client, 5);
  CHECK(stele.comes_to(id, "active", "no-connection"));
  redis.start();
  CHECK(stream_becomes(redis, after));
}

TEST_CASE("RedisSubscription.EntriesOfSomebodyElseStopItAndAreSaid") {
  RedisServer redis;
  RedisSubscriber stele(redis.url());
  HttpClient client = stele.client();
  const std::string id = stele.subscribe(to_stream());
  const std::vector<std::string> before = append_events(client, 3);
  CHECK(stream_becomes(redis, before));
  REQUIRE_FALSE(redis.ask({"XADD", "events", "*", "a", "b"}).empty());
  const std::vector<std::string> after = append_events(client, 5);
  CHECK(stele.comes_to(id, "stopped", "foreign-entries"));
  CHECK(stele.shown(id).text("/lastError/detail").find("somebody else writes to this stream") != std::string::npos);
  // It is still so after a restart, or again if the log was not told before it, and when it is tried again.
  stele.kill_and_restart();
  CHECK(eventually([&] { return stele.shown(id).text("/state") == "stopped"; }));
  stele.resume(id);
  CHECK(stele.comes_to(id, "stopped", "foreign-entries"));
  REQUIRE_EQ(redis.ask({"DEL", "events"}), "1");
  stele.resume(id);
  CHECK(stream_becomes(redis, after));
  CHECK(eventually([&] { return stele.shown(id).text("/state") == "active"; }));
}

TEST_CASE("RedisSubscription.AStreamHasOneSubscription") {
  RedisServer redis;
  RedisSubscriber stele(redis.url());
  HttpClient client = stele.client();
  const std::string first = stele.subscribe(to_stream(R"(,"eventTypes":["Moved"])"));
  const std::string other =
      stele.subscribe(R"({"from":"beginning","delivery":{"type":"redis-stream","key":"other"})" + kHasty + "}");
  static_cast<void>(stele.subscribe(R"({"delivery":{"type":"redis-pubsub","channel":"events"}})"));
  const auto refused = [](const HttpResponse& response) {
    CHECK(names_pointer(check_problem(response, 422, "invalid-request"), "/delivery/key"));
  };
  refused(client.post("/v1/events/subscribe", to_stream()));
  refused(client.request("PATCH", "/v1/subscriptions/" + other, R"({"delivery":{"key":"events"}})",
                         {{"Content-Type", "application/json"}}));
  std::vector<std::string> positions = append_events(client, 3);
  CHECK(stream_becomes(redis, positions));
  // Its successor begins anew, and finds what there is.
  const std::string second = stele.subscribe(to_stream(R"(,"replaces":")" + first + "\""));
  join(positions, append_events(client, 3));
  CHECK(stream_becomes(redis, positions));
  REQUIRE_EQ(client.request("DELETE", "/v1/subscriptions/" + second, "").status, 204);
  static_cast<void>(stele.subscribe(R"({"from":"now","delivery":{"type":"redis-stream","key":"events"}})"));
  join(positions, append_events(client, 3));
  CHECK(stream_becomes(redis, positions));
}

TEST_CASE("RedisSubscription.AStreamGoesForwardOnly") {
  RedisServer redis;
  RedisSubscriber stele(redis.url());
  HttpClient client = stele.client();
  const std::string id = stele.subscribe(to_stream());
  std::vector<std::string> positions = append_events(client, 3);
  CHECK(stream_becomes(redis, positions));
  CHECK(eventually([&] { return stele.shown(id).number("/delivered") == 3; }));
  REQUIRE_EQ(client.post("/v1/subscriptions/" + id + "/pause", "").status, 200);
  const Json problem = check_problem(client.post("/v1/subscriptions/" + id + "/seek", R"({"from":"beginning"})"), 422);
  CHECK(names_pointer(problem, "/from"));
  const std::vector<std::string> passed = append_events(client, 3);
  REQUIRE_EQ(client.post("/v1/subscriptions/" + id + "/seek", R"({"from":)" + passed[1] + "}").status, 200);
  stele.resume(id);
  positions.push_back(passed[2]);
  join(positions, append_events(client, 2));
  CHECK(stream_becomes(redis, positions));
}

TEST_CASE("RedisSubscription.AKeyThatIsNoStreamStopsItAndNothingIsMissed") {
  RedisServer redis;
  REQUIRE_EQ(redis.ask({"SET", "events", "x"}), "OK");
  RedisSubscriber stele(redis.url());
  HttpClient client = stele.client();
  const std::string id = stele.subscribe(to_stream());
  std::vector<std::string> positions = append_events(client, 3);
  CHECK(stele.comes_to(id, "stopped", "wrong-type"));
  join(positions, append_events(client, 150));
  REQUIRE_EQ(redis.ask({"DEL", "events"}), "1");
  stele.resume(id);
  CHECK(stream_becomes(redis, positions));
}

TEST_CASE("RedisSubscription.AClusterIsTriedAgainWhileItIsDownAndStopsItWhereTheStreamIsElsewhere") {
  const auto node_with_bus = [](int bus) {
    return std::vector<std::string>{"--cluster-enabled",      "yes",  "--cluster-port", std::to_string(bus),
                                    "--cluster-node-timeout", "1000", "--loglevel",     "warning"};
  };
  const int other_bus = free_port();
  RedisServer redis(node_with_bus(free_port()));
  RedisServer other(node_with_bus(other_bus));
  RedisSubscriber stele(redis.url());
  HttpClient client = stele.client();
  const std::string id = stele.subscribe(to_stream());
  append_events(client, 3);
  CHECK(stele.comes_to(id, "active", "redis-error"));
  CHECK(stele.shown(id).text("/lastError/detail").find("CLUSTERDOWN") != std::string::npos);
  REQUIRE_EQ(other.ask({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"}), "OK");
  REQUIRE_EQ(redis.ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(other.port()), std::to_string(other_bus)}),
             "OK");
  CHECK(stele.comes_to(id, "stopped", "cluster"));
  CHECK(stele.shown(id).text("/lastError/detail").find("MOVED") != std::string::npos);
  CHECK(eventually([&] { return other.ask({"EXISTS", "events"}) == "0"; }));
}

TEST_CASE("RedisSubscription.AnEventThatRedisDoesNotTakeStopsIt") {
  RedisServer redis({"--proto-max-bulk-len", "1mb"});
  RedisSubscriber stele(redis.url());
  HttpClient client = stele.client();
  const std::string id = stele.subscribe(to_stream());
  std::vector<std::string> positions = append_events(client, 3);
  CHECK(stream_becomes(redis, positions));
  const Json large = append(client, event_json("m/1", "Large", "\"" + std::string((1U << 20) - 2, 'x') + "\""));
  positions.push_back(std::to_string(large.number("/position")));
  join(positions, append_events(client, 3));
  CHECK(stele.comes_to(id, "stopped", "too-large"));
  REQUIRE_EQ(redis.ask({"CONFIG", "SET", "proto-max-bulk-len", "2mb"}), "OK");
  stele.resume(id);
  CHECK(stream_becomes(redis, positions));
}

TEST_CASE("RedisSubscription.AFullRedisAndAWrongPasswordAreTriedAgainAndSaid") {
  RedisServer redis({"--requirepass", "Tr0ub4dor"});
  RedisSubscriber stele("redis://:SESAME@127.0.0.1:" + std::to_string(redis.port()));
  HttpClient client = stele.client();
  const std::string id = stele.subscribe(to_stream());
  const std::vector<std::string> positions = append_events(client, 3);
  CHECK(stele.comes_to(id, "active", "no-connection"));
  // At first it may not have been refused yet.
  CHECK(eventually([&] { return stele.shown(id).text("/lastError/detail").find("WRONGPASS") != std::string::npos; }));
  CHECK_EQ(stele.shown(id).minified().find("SESAME"), std::string::npos);
  REQUIRE_EQ(redis.ask({"-a", "Tr0ub4dor", "CONFIG", "SET", "maxmemory", "1"}), "OK");
  REQUIRE_EQ(redis.ask({"-a", "Tr0ub4dor", "CONFIG", "SET", "requirepass", "SESAME"}), "OK");
  CHECK(stele.comes_to(id, "active", "out-of-memory"));
  REQUIRE_EQ(redis.ask({"-a", "SESAME", "CONFIG", "SET", "maxmemory", "0"}), "OK");
  REQUIRE_EQ(redis.ask({"-a", "SESAME", "CONFIG", "SET", "requirepass", ""}), "OK");
  CHECK(stream_becomes(redis, positions));
}

TEST_CASE("RedisSubscription.AServerWithoutARedisHasNone") {
  RedisServer redis;
  RedisSubscriber stele(redis.url());
  const std::string id = stele.subscribe(to_stream());
  stele.options.environment.clear();
  stele.kill_and_restart();
  HttpClient client = stele.client();
  for (const std::string& delivery :
       {std::string(R"({"type":"redis-stream","key":"k"})"), std::string(R"({"type":"redis-pubsub","channel":"c"})")}) {
    const Json problem = check_problem(client.post("/v1/events/subscribe", R"({"delivery":)" + delivery + "}"), 422,
                                       "redis-not-configured");
    CHECK(names_pointer(problem, "/delivery/type"));
  }
  // Those that there are wait for one.
  CHECK_EQ(stele.shown(id).text("/state"), "stopped");
  const std::vector<std::string> positions = append_events(client, 3);
  stele.options.environment = {{"STELE_REDIS", redis.url()}};
  stele.kill_and_restart();
  if (stele.shown(id).text("/state") == "stopped") stele.resume(id);
  CHECK(stream_becomes(redis, positions));
}

}  // namespace stele::tests

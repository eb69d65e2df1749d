// The real binary beside a real Redis: the event bus, and folded states that are kept there.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/contract/metrics_text.h"
#include "tests/support/client_script.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"

namespace stele::tests {

namespace {

struct Bridged {
  explicit Bridged(const std::string& url, std::vector<std::string> arguments = {}) {
    options.data = folder.file("data");
    options.arguments = std::move(arguments);
    options.environment = {{"STELE_REDIS", url}};
    start();
  }
  void start() { server.emplace(ServerProcess::start(options)); }
  [[nodiscard]] HttpClient client() const { return HttpClient(server->port()); }
  [[nodiscard]] Json readiness() const {
    HttpClient asker = client();
    return get_json(asker, "/readyz");
  }
  [[nodiscard]] double metric(const std::string& name) const {
    HttpClient asker = client();
    return MetricsText(asker.get("/metrics").body).value(name);
  }
  void wait_until_connected() const {
    REQUIRE(eventually([&] { return readiness().text("/redis/state") == "connected"; }));
  }
  void wait_for_lost(std::uint64_t events) const {
    CHECK(eventually([&] { return readiness().number("/redis/lostEvents") >= events; }));
    CHECK_EQ(readiness().number("/redis/lostEvents"), events);
  }

  test::TempFolder folder;
  ServerProcess::Options options;
  std::optional<ServerProcess> server;
};

/// An independent client on all channels of the bus, which ends after so many messages.
std::unique_ptr<ChildProcess> subscriber(const RedisServer& redis, int messages) {
  auto script = start_client_script("redis_subscribe", {std::to_string(redis.port()), "*", std::to_string(messages)});
  REQUIRE_FALSE(script->wait_for_stderr("subscribed").empty());
  return script;
}

std::vector<std::string> output_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void append_to_aggregate(HttpClient& client, int events, const std::string& aggregate = "bus/1") {
  for (int i = 0; i < events; ++i) append(client, event_json(aggregate));
}

/// By a replay, which looks for a kept state once.
std::uint64_t balance_of(HttpClient& client, const std::string& aggregate) {
  const HttpResponse replayed = client.post("/v1/events/replay/" + percent(aggregate), "{}");
  REQUIRE_EQ(replayed.status, 200);
  return Json(replayed.body).number("/state/balance");
}

}  // namespace

TEST_CASE("RedisBus.PublishesWhatIsCommittedInCommitOrderAsItIsInLists") {
  RedisServer redis;
  Bridged stele(redis.url());
  stele.wait_until_connected();
  HttpClient client = stele.client();
  const auto script = subscriber(redis, 5);
  append(client, event_json("m/1", "Begun", R"({ "a" : [1,  2.50, "ä\n"] })", R"(,"tags":["t"],"metadata":{"k":1})"));
  // The store's own events are nobody else's.
  REQUIRE_EQ(client.request("PUT", "/v1/handlers/M", "({})", {{"Content-Type", "text/javascript"}}).status, 201);
  REQUIRE_EQ(client
                 .post("/v1/events", "[" + event_json("m/1", "Continued") + "," + event_json("m/2", "Begun") + "," +
                                         event_json("m/1", "Ended") + "]")
                 .status,
             201);
  append(client, event_json("m/3", "Begun"));
  CHECK_EQ(script->wait(), 0);
  const std::vector<std::string> lines = output_lines(script->out());
  const std::vector<Json> events = get_json(client, "/v1/events").list("/events");
  REQUIRE_EQ(lines.size(), 5);
  REQUIRE_EQ(events.size(), 5);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::string channel = "stele.events." + events[i].text("/eventType");
    REQUIRE(lines[i].starts_with(channel + " {"));
    const std::string message = lines[i].substr(channel.size() + 1);
    CHECK_EQ(Json(message).minified(), events[i].minified());
  }
  CHECK(lines[0].find(R"("data":{"a":[1,2.50,"ä\n"]})") != std::string::npos);
  // It is heard before it counts.
  CHECK(eventually([&] { return stele.readiness().number("/redis/publishedEvents") == 5; }));
  CHECK_EQ(stele.metric("stele_bus_published_events_total"), 5);
  CHECK_EQ(stele.metric("stele_bus_lost_events_total"), 0);
}

TEST_CASE("RedisBus.WhatIsCommittedWhileRedisIsAwayIsCountedAndNotPublishedLater") {
  RedisServer redis;
  Bridged stele(redis.url());
  stele.wait_until_connected();
  HttpClient client = stele.client();
  append_to_aggregate(client, 2);
  CHECK(eventually([&] { return stele.readiness().number("/redis/publishedEvents") == 2; }));
  redis.kill();
  REQUIRE(eventually([&] { return stele.readiness().text("/redis/state") == "away"; }));
  append_to_aggregate(client, 7);
  stele.wait_for_lost(7);
  const Json away = stele.readiness();
  CHECK(is_timestamp(away.text("/redis/since")));
  CHECK_FALSE(away.text("/redis/lastError").empty());
  CHECK(away.minified().find("Redis is away") != std::string::npos);

  redis.start();
  const auto script = subscriber(redis, 1);
  stele.wait_until_connected();
  const Json receipt = append(client, event_json("bus/1", "Back"));
  CHECK_EQ(script->wait(), 0);
  CHECK_MESSAGE(script->out().starts_with("stele.events.Back "), script->out());
  // Nor were they published before anybody listened.
  CHECK(eventually([&] { return stele.readiness().number("/redis/publishedEvents") == 3; }));
  CHECK_EQ(stele.readiness().number("/redis/lostEvents"), 7);
  CHECK_EQ(stele.metric("stele_bus_lost_events_total"), 7);
  CHECK_EQ(stele.metric("stele_redis_connects_total"), 2);
}

TEST_CASE("RedisBus.ARedisThatHangsHoldsUpNoAppend") {
  RedisServer redis;
  Bridged stele(redis.url());
  stele.wait_until_connected();
  HttpClient client = stele.client();
  redis.hang();
  // More than the kernel takes for it, and more than may wait.
  std::string list = "[";
  for (int i = 0; i < 200; ++i) {
    list += (i == 0 ? "" : ",") + event_json("big/" + std::to_string(i), "Big", "\"" + std::string(50'000, 'x') + "\"");
  }
  list += "]";
  for (int i = 0; i < 5; ++i) REQUIRE_EQ(client.post("/v1/events", list).status, 201);
  append_to_aggregate(client, 1);
  CHECK(eventually([&] { return stele.readiness().text("/redis/state") == "away"; }));
  stele.wait_for_lost(1001);
  redis.go_on();
  stele.wait_until_connected();
  const std::uint64_t published = stele.readiness().number("/redis/publishedEvents");
  append_to_aggregate(client, 1);
  CHECK(eventually([&] { return stele.readiness().number("/redis/publishedEvents") == published + 1; }));
}

TEST_CASE("RedisBus.ARedisThatWasNeverThereIsSaid") {
  Bridged stele("redis://127.0.0.1:" + std::to_string(free_port()));
  HttpClient client = stele.client();
  append_to_aggregate(client, 3);
  stele.wait_for_lost(3);
  CHECK(eventually([&] { return stele.readiness().has("/redis/lastError"); }));
  CHECK_EQ(stele.readiness().text("/redis/state"), "away");
  CHECK_EQ(client.get("/readyz").status, 200);
  CHECK_EQ(stele.server->stop(), 0);
}

TEST_CASE("RedisBus.AWrongPasswordIsSaidWithoutIt") {
  RedisServer redis({"--requirepass", "Tr0ub4dor"});
  Bridged stele("redis://:SESAME@127.0.0.1:" + std::to_string(redis.port()));
  REQUIRE(eventually([&] { return stele.readiness().has("/redis/lastError"); }));
  CHECK_EQ(stele.readiness().text("/redis/lastError"), "it refuses AUTH: WRONGPASS");
  HttpClient client = stele.client();
  append_to_aggregate(client, 1);
  stele.wait_for_lost(1);
  REQUIRE_FALSE(stele.server->process().wait_for_stderr("WRONGPASS").empty());
  CHECK_EQ(stele.server->err().find("SESAME"), std::string::npos);
  CHECK_EQ(stele.readiness().minified().find("SESAME"), std::string::npos);
  CHECK_EQ(client.get("/metrics").body.find("SESAME"), std::string::npos);

  Bridged without(redis.url());
  REQUIRE(eventually([&] { return without.readiness().has("/redis/lastError"); }));
  CHECK_EQ(without.readiness().text("/redis/lastError"), "it refuses PING: NOAUTH");
}

TEST_CASE("RedisBus.AUserWithTheNeededRightsAloneAndADatabaseAreEnough") {
  RedisServer redis;
  // Its password has to be percent-encoded.
  REQUIRE_EQ(redis.ask({"ACL", "SETUSER", "stele", "on", ">a:b@c/d %", "~stele:state:*", "&stele.events.*", "+publish",
                        "+get", "+set", "+select"}),
             "OK");
  Bridged stele("redis://stele:a%3Ab%40c%2Fd%20%25@127.0.0.1:" + std::to_string(redis.port()) + "/3");
  stele.wait_until_connected();
  HttpClient client = stele.client();
  append_to_aggregate(client, 1);
  CHECK(eventually([&] { return stele.readiness().number("/redis/publishedEvents") == 1; }));
  REQUIRE_EQ(client.get("/v1/aggregates/bus%2F1/state").status, 200);
  CHECK(eventually([&] { return redis.ask({"-n", "3", "DBSIZE"}) == "1"; }));
  CHECK_EQ(redis.ask({"DBSIZE"}), "0");

  // What it may not say is lost, and said.
  REQUIRE_EQ(redis.ask({"ACL", "SETUSER", "stele", "resetchannels"}), "OK");
  Bridged refused("redis://stele:a%3Ab%40c%2Fd%20%25@127.0.0.1:" + std::to_string(redis.port()) + "/3");
  refused.wait_until_connected();
  HttpClient other = refused.client();
  append_to_aggregate(other, 1);
  refused.wait_for_lost(1);
  CHECK_EQ(refused.readiness().text("/redis/lastError"), "it refuses PUBLISH");
}

TEST_CASE("RedisOptions.APasswordComesFromAFileAndNeverFromTheCommandLine") {
  test::TempFolder folder;
  const ProcessResult shown =
      run_stele({"serve", "--data", folder.file("data"), "--redis", "redis://:SESAME@127.0.0.1:1"});
  CHECK_EQ(shown.exit_code, 2);
  CHECK_EQ(shown.err.find("SESAME"), std::string::npos);
  CHECK(shown.err.find("--redis-password-file") != std::string::npos);
  const ProcessResult printed = run_stele({"serve", "--data", folder.file("data"), "--print-config"}, {},
                                          {{"STELE_REDIS", "redis://u:SESAME@127.0.0.1:1/2"}});
  CHECK_EQ(printed.exit_code, 0);
  CHECK_EQ(printed.out.find("SESAME"), std::string::npos);
  CHECK(printed.out.find("redis://u:***@127.0.0.1:1/2") != std::string::npos);
  for (const char* const wrong : {"http://127.0.0.1", "redis://", "redis://a:SESAME@h:0", "redis://a:SESAME%@h",
                                  "redis://h/x", "rediss://h", "redis://user@h"}) {
    const ProcessResult refused = run_stele({"serve", "--data", folder.file("data")}, {}, {{"STELE_REDIS", wrong}});
    CHECK_EQ(refused.exit_code, 2);
    CHECK_EQ(refused.err.find("SESAME"), std::string::npos);
  }

  RedisServer redis({"--requirepass", "Tr0ub4dor"});
  const std::string file = folder.file("password");
  std::ofstream(file) << "Tr0ub4dor\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_read);
  Bridged stele(redis.url(), {"--redis-password-file", file});
  stele.wait_until_connected();
  std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::others_read);
  CHECK_EQ(run_stele({"serve", "--data", folder.file("data"), "--redis", redis.url(), "--redis-password-file", file})
               .exit_code,
           1);
}

TEST_CASE("RedisStates.OutliveTheServerForAWhile") {
  RedisServer redis;
  Bridged stele(redis.url(), {"--snapshot-every", "0", "--redis-state-ttl", "30min"});
  stele.wait_until_connected();
  HttpClient client = stele.client();
  append(client, event_json("s/1", "Set", R"({"a":1})"));
  append(client, event_json("s/1", "Set", R"({"b":2})"));
  const std::string state = get_json(client, "/v1/aggregates/s%2F1/state").minified();
  REQUIRE(eventually([&] { return redis.ask({"DBSIZE"}) == "1"; }));
  const std::string key = redis.ask({"KEYS", "*"});
  CHECK(key.starts_with("stele:state:" + stele.readiness().text("/storeId") + ":"));
  CHECK_EQ(key.find("s/1"), std::string::npos);
  const int left = std::stoi(redis.ask({"TTL", key}));
  CHECK(left > 0);
  CHECK(left <= 1800);

  REQUIRE_EQ(stele.server->stop(), 0);
  stele.start();
  stele.wait_until_connected();
  HttpClient again = stele.client();
  const HttpResponse replayed = again.post("/v1/events/replay/s%2F1", "{}");
  CHECK_EQ(Json(replayed.body).number("/state/b"), 2);
  CHECK_EQ(stele.metric("stele_shared_state_cache_hits_total"), 1);
  CHECK_EQ(stele.metric("stele_shared_state_cache_errors_total"), 0);
  // From here on this process has it.
  REQUIRE_EQ(again.post("/v1/events/replay/s%2F1", "{}").status, 200);
  CHECK_EQ(stele.metric("stele_shared_state_cache_hits_total"), 1);
  CHECK_EQ(stele.metric("stele_shared_state_cache_misses_total"), 0);
}

TEST_CASE("RedisStates.WhatOthersPutThereIsNotBelieved") {
  RedisServer redis;
  Bridged stele(redis.url(), {"--snapshot-every", "0", "--state-cache-size", "0"});
  stele.wait_until_connected();
  HttpClient client = stele.client();
  append(client, event_json("s/1", "Set", R"({"balance":100})"));
  append(client, event_json("s/2", "Set", R"({"balance":200})"));
  const auto balance = [&](const std::string& aggregate) { return balance_of(client, aggregate); };
  REQUIRE_EQ(balance("s/1"), 100);
  REQUIRE(eventually([&] { return redis.ask({"DBSIZE"}) == "1"; }));
  const std::string key = redis.ask({"KEYS", "*"});
  REQUIRE_EQ(balance("s/2"), 200);
  REQUIRE(eventually([&] { return redis.ask({"DBSIZE"}) == "2"; }));
  std::string other;
  for (const std::string& name : output_lines(redis.ask({"KEYS", "*"}))) {
    if (name != key) other = name;
  }

  // One byte of it, the state of another aggregate, no state at all, another kind of entry. Each time it is put right
  // again.
  const std::string right = redis.ask({"GET", key});
  const int size = std::stoi(redis.ask({"STRLEN", key}));
  REQUIRE_EQ(stele.metric("stele_shared_state_cache_errors_total"), 0);
  int errors = 0;
  for (const std::vector<std::string>& harm : std::vector<std::vector<std::string>>{
           {"SETRANGE", key, std::to_string(size - 4), "9"},
           {"COPY", other, key, "REPLACE"},
           {"SET", key, "{}"},
           {"EVAL", "redis.call('DEL', KEYS[1]) return redis.call('LPUSH', KEYS[1], 'x')", "1", key}}) {
    CAPTURE(harm.front());
    REQUIRE(eventually([&] { return redis.ask({"GET", key}) == right; }));
    REQUIRE_EQ(redis.ask(harm).find("ERR"), std::string::npos);
    REQUIRE(redis.ask({"GET", key}) != right);
    CHECK_EQ(balance("s/1"), 100);
    CHECK_EQ(stele.metric("stele_shared_state_cache_errors_total"), ++errors);
  }
}

TEST_CASE("RedisStates.AHistoryThatWasRestoredFromABackupHasItsOwn") {
  RedisServer redis;
  Bridged stele(redis.url(), {"--snapshot-every", "0"});
  stele.wait_until_connected();
  {
    HttpClient client = stele.client();
    append(client, event_json("s/1", "Set", R"({"balance":100})"));
  }
  REQUIRE_EQ(stele.server->stop(), 0);
  const std::string backup = stele.folder.file("backup");
  std::filesystem::copy(stele.options.data, backup, std::filesystem::copy_options::recursive);
  stele.start();
  stele.wait_until_connected();
  {
    HttpClient client = stele.client();
    append(client, event_json("s/1", "Set", R"({"balance":1})"));
    REQUIRE_EQ(balance_of(client, "s/1"), 1);
    REQUIRE(eventually([&] { return redis.ask({"DBSIZE"}) == "1"; }));
  }
  REQUIRE_EQ(stele.server->stop(), 0);

  stele.options.data = backup;
  stele.start();
  stele.wait_until_connected();
  HttpClient client = stele.client();
  append(client, event_json("s/1", "Set", R"({"balance":2})"));
  CHECK_EQ(balance_of(client, "s/1"), 2);
  CHECK_EQ(stele.metric("stele_shared_state_cache_hits_total"), 1);
}

TEST_CASE("RedisStates.ARedisThatIsFullOrHangsCostsOnlyItsStates") {
  RedisServer redis({"--maxmemory", "1", "--maxmemory-policy", "noeviction"});
  Bridged stele(redis.url(), {"--snapshot-every", "0", "--state-cache-size", "0"});
  stele.wait_until_connected();
  HttpClient client = stele.client();
  append(client, event_json("s/1", "Set", R"({"balance":100})"));
  const auto balance = [&] { return balance_of(client, "s/1"); };
  CHECK_EQ(balance(), 100);
  CHECK(eventually([&] { return stele.metric("stele_shared_state_cache_errors_total") == 1; }));
  CHECK_EQ(redis.ask({"DBSIZE"}), "0");
  CHECK(eventually([&] { return stele.readiness().number("/redis/publishedEvents") == 1; }));

  redis.hang();
  const double before = stele.metric("stele_shared_state_cache_errors_total");
  for (int i = 0; i < 100; ++i) CHECK_EQ(balance(), 100);
  CHECK(stele.metric("stele_shared_state_cache_errors_total") >= before + 100);
  redis.go_on();
}

}  // namespace stele::tests

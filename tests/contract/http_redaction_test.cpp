// A body that was redacted is nowhere: not in the data folder and not in any file that the server has open, as it was
// stored, escaped or in Base64; also if the server is killed on the way.

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/base64.h"
#include "tests/contract/http_fixture.h"
#include "tests/support/process_usage.h"
#include "tests/support/redis_server.h"

namespace stele::tests {

namespace {

namespace fs = std::filesystem;

/// A server with the smallest segments.
class RedactionServer {
 public:
  explicit RedactionServer(Environment environment = {}) {
    options_.data = folder_.path() + "/data";
    options_.environment = std::move(environment);
    options_.arguments = {"--segment-size", "64KiB"};
    server_ = std::make_unique<ServerProcess>(ServerProcess::start(options_));
  }
  [[nodiscard]] HttpClient client() const { return HttpClient(server_->port()); }
  [[nodiscard]] ServerProcess& server() { return *server_; }
  [[nodiscard]] const std::string& data() const { return options_.data; }
  void kill_and_restart() {
    server_->kill();
    server_ = std::make_unique<ServerProcess>(ServerProcess::start(options_));
  }

 private:
  test::TempFolder folder_;
  ServerProcess::Options options_;
  std::unique_ptr<ServerProcess> server_;
};

std::string read_whole(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

/// In the folder, and in what the process has open, removed files too.
std::vector<std::pair<std::string, std::string>> everything(RedactionServer& api) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : fs::recursive_directory_iterator(api.data())) {
    std::error_code gone;
    if (entry.is_regular_file(gone)) files.emplace_back(entry.path(), read_whole(entry.path()));
  }
  const fs::path descriptors = "/proc/" + std::to_string(api.server().pid()) + "/fd";
  for (const auto& entry : fs::directory_iterator(descriptors)) {
    std::error_code gone;
    if (fs::is_regular_file(entry.path(), gone)) {
      files.emplace_back(fs::read_symlink(entry.path(), gone), read_whole(entry.path()));
    }
  }
  return files;
}

/// A file that was replaced must not be mapped any more.
bool maps_a_removed_segment(RedactionServer& api) {
  std::ifstream maps("/proc/" + std::to_string(api.server().pid()) + "/maps");
  std::string line;
  while (std::getline(maps, line)) {
    if (line.find(".seg (deleted)") != std::string::npos) return true;
  }
  return false;
}

/// The text as it may stand somewhere: as it is, with its quotes escaped, and in Base64 wherever in it it begins.
std::vector<std::string> forms_of(const std::string& text) {
  std::vector<std::string> forms{text};
  std::string escaped;
  for (const char c : text) escaped += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  forms.push_back(escaped);
  // What is stored is the escaped text.
  for (const std::string& bytes : {text, escaped}) {
    for (std::size_t skipped = 0; skipped < 3; ++skipped) {
      const std::size_t whole = (bytes.size() - skipped) / 3 * 3;
      forms.push_back(base64_encode(std::string_view(bytes).substr(skipped, whole)));
    }
  }
  return forms;
}

void check_nowhere(RedactionServer& api, const std::vector<std::string>& secrets) {
  const auto files = everything(api);
  REQUIRE(files.size() > 5);
  for (const std::string& secret : secrets) {
    for (const std::string& form : forms_of(secret)) {
      for (const auto& [path, contents] : files) {
        CAPTURE(path);
        CAPTURE(form);
        REQUIRE(contents.find(form) == std::string::npos);
      }
    }
  }
  CHECK_FALSE(maps_a_removed_segment(api));
}

bool is_somewhere(RedactionServer& api, const std::string& text) {
  for (const auto& [path, contents] : everything(api)) {
    if (contents.find(text) != std::string::npos) return true;
  }
  return false;
}

std::string append_secret(RedactionServer& api, const std::string& aggregate, const std::string& secret) {
  HttpClient client = api.client();
  const HttpResponse stored =
      client.post("/v1/events", event_json(aggregate, "Tested", R"({"note":)" + json_text(secret) + "}"));
  REQUIRE_MESSAGE(stored.status == 201, stored.body);
  return Json(stored.body).text("/eventId");
}

std::string ask(RedactionServer& api, const std::string& path) {
  HttpClient client = api.client();
  const HttpResponse asked = client.post(path, R"({"reason":"erasure"})");
  REQUIRE_MESSAGE(asked.status == 202, asked.body);
  return "/v1/audit/redactions/" + Json(asked.body).text("/redactionId");
}

Json wait_completed(RedactionServer& api, const std::string& location) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (true) {
    HttpClient client = api.client();
    const HttpResponse status = client.get(location);
    REQUIRE_MESSAGE(status.status == 200, status.body);
    Json json(status.body);
    if (json.text("/state") == "completed") return json;
    REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit, status.body);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// Letters that are found nowhere else, with a quote in the middle.
std::string secret_text(const std::string& name) { return "nobody may know \"" + name + "\" any more, at all"; }

}  // namespace

TEST_CASE("HttpRedaction.ABodyIsNowhereOnceItIsComplete") {
  RedactionServer api;
  const std::string secret = secret_text("one"), of_many = secret_text("many"), other = secret_text("of others");
  const std::string id = append_secret(api, "a", secret);
  for (int i = 0; i < 300; ++i) append_secret(api, "many", of_many + std::to_string(i) + std::string(300, '.'));
  append_secret(api, "a", other);
  HttpClient client = api.client();
  REQUIRE(client.post("/v1/events/snapshot/a", "{}").status == 201);
  REQUIRE(client.post("/v1/events/snapshot/many", "{}").status == 201);
  REQUIRE(is_somewhere(api, of_many.substr(0, 16)));
  const std::string root_before = Json(client.get("/v1/head").body).text("/root");
  (void)wait_completed(api, ask(api, "/v1/events/" + id + "/redact"));
  const Json many = wait_completed(api, ask(api, "/v1/aggregates/many/redact"));
  CHECK(many.number("/counts/events") == 300);
  CHECK(many.number("/counts/segments") > 1);
  check_nowhere(api, {secret, of_many});
  CHECK(is_somewhere(api, "of others"));
  const Json shown(client.get("/v1/events/" + id).body);
  CHECK(shown.at("/redacted").minified() == R"(["data"])");
  api.kill_and_restart();
  check_nowhere(api, {secret, of_many});
  CHECK(Json(api.client().get("/v1/events/" + id).body).has("/redaction/position"));
  CHECK(root_before.size() > 20);
}

TEST_CASE("HttpRedaction.OfOneMemberTheOthersStay") {
  RedactionServer api;
  const std::string kept = secret_text("kept"), gone = secret_text("gone");
  HttpClient client = api.client();
  const HttpResponse stored = client.post("/v1/events", event_json("a", "Tested", R"({"note":)" + json_text(kept) + "}",
                                                                   R"(,"metadata":{"note":)" + json_text(gone) + "}"));
  REQUIRE_MESSAGE(stored.status == 201, stored.body);
  const std::string id = Json(stored.body).text("/eventId");
  REQUIRE(is_somewhere(api, "gone"));
  const HttpResponse asked =
      client.post("/v1/events/" + id + "/redact", R"({"reason":"erasure","members":["metadata"]})");
  REQUIRE_MESSAGE(asked.status == 202, asked.body);
  (void)wait_completed(api, "/v1/audit/redactions/" + Json(asked.body).text("/redactionId"));
  check_nowhere(api, {gone});
  const Json shown(client.get("/v1/events/" + id).body);
  CHECK(shown.at("/redacted").minified() == R"(["metadata"])");
  CHECK(shown.text("/data/note") == kept);
}

TEST_CASE("HttpRedaction.ProofsFromBeforeAndAfterHold") {
  RedactionServer api;
  const test::TempFolder folder;
  const auto file = [&](const std::string& name, const std::string& content) {
    std::ofstream(folder.file(name), std::ios::binary) << content;
    return folder.file(name);
  };
  const std::string id = append_secret(api, "a", secret_text("proven"));
  const std::string proof = "/v1/events/" + id + "/proof";
  HttpClient client = api.client();
  const std::string key = get_json(client, "/log/keys").text("/keys/0/vkey");
  const Json old(client.get(proof + "?wait=checkpoint").body);
  const std::string old_tlog = client.get(proof, {{"Accept", "text/plain"}}).body;
  (void)wait_completed(api, ask(api, "/v1/events/" + id + "/redact"));
  // One that covers the redaction.
  const std::string later = append_secret(api, "b", "later");
  REQUIRE(client.get("/v1/events/" + later + "/proof?wait=checkpoint").status == 200);
  const Json now(client.get(proof + "?wait=checkpoint").body);
  REQUIRE(old.has("/leaf/members/data/bytes"));
  CHECK_FALSE(now.has("/leaf/members/data/bytes"));
  CHECK(now.has("/leaf/members/data/digest"));
  CHECK(now.text("/leaf/leafHash") == old.text("/leaf/leafHash"));
  REQUIRE(now.number("/treeSize") > old.number("/treeSize"));
  const std::string entry = file("entry", now.minified());
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"verify-proof", file("old", old.minified())},
        std::vector<std::string>{"verify-proof", file("tlog", old_tlog), "--entry", entry},
        std::vector<std::string>{"verify-proof", file("now", now.minified())}}) {
    auto with_key = arguments;
    with_key.insert(with_key.end(), {"--key", key});
    const ProcessResult verified = run_stele(with_key);
    CAPTURE(arguments[1]);
    CHECK_MESSAGE(verified.exit_code == 0, verified.err);
  }
  const std::string between =
      client
          .get("/v1/audit/consistency?from=" + old.at("/treeSize").minified() + "&to=" + now.at("/treeSize").minified())
          .body;
  const ProcessResult continues =
      run_stele({"verify-consistency", "--from", file("from", old.text("/checkpoint")), "--to",
                 file("to", now.text("/checkpoint")), "--proof", file("between", between), "--key", key});
  CHECK_MESSAGE(continues.exit_code == 0, continues.err);
}

TEST_CASE("HttpRedaction.WhatIsKilledOnTheWayIsFinishedAfterTheRestart") {
  RedactionServer api;
  std::mt19937 random(20);
  std::vector<std::string> secrets;
  for (int round = 0; round < 8; ++round) {
    CAPTURE(round);
    const std::string aggregate = "a" + std::to_string(round);
    secrets.push_back(secret_text(aggregate));
    for (int i = 0; i < 120; ++i)
      append_secret(api, aggregate, secrets.back() + std::to_string(i) + std::string(400, '-'));
    const std::string location = ask(api, "/v1/aggregates/" + aggregate + "/redact");
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    api.kill_and_restart();
    (void)wait_completed(api, location);
    check_nowhere(api, secrets);
    const Json list(api.client().get("/v1/events?aggregateId=" + aggregate + "&limit=1000").body);
    REQUIRE(list.list("/events").size() == 120);
    for (const Json& event : list.list("/events")) {
      REQUIRE(event.has("/redacted/0"));
      REQUIRE(event.has("/redaction/position"));
    }
  }
}

TEST_CASE("HttpRedaction.StatesInRedisAreDeletedOrWaitedFor") {
  RedisServer redis;
  RedactionServer api({{"STELE_REDIS", redis.url()}});
  const std::string secret = secret_text("in redis");
  const std::string id = append_secret(api, "a", secret);
  HttpClient client = api.client();
  const auto keys = [&] { return redis.ask({"KEYS", "*"}); };
  REQUIRE(eventually([&] {
    REQUIRE(client.post("/v1/events/replay/a", "{}").status == 200);
    return !keys().empty();
  }));
  redis.hang();
  const std::string location = ask(api, "/v1/events/" + id + "/redact");
  REQUIRE(eventually([&] { return client.get(location).body.find("Redis does not answer") != std::string::npos; }));
  CHECK(Json(client.get(location).body).text("/outOfReach/3/copy") == "redis");
  redis.go_on();
  (void)wait_completed(api, location);
  CHECK(keys().empty());
  const Json replayed(client.post("/v1/events/replay/a", "{}").body);
  CHECK(replayed.number("/eventsRedacted") == 1);
  check_nowhere(api, {secret});
}

}  // namespace stele::tests

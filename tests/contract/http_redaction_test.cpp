// A body that was redacted is nowhere: not in the data folder and not in any file that the server has open, as it was
// stored, escaped or in Base64.

#include <doctest/doctest.h>
#include <sys/types.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/contract/redaction_server.h"
#include "tests/support/eventually.h"
#include "tests/support/process_usage.h"
#include "tests/support/redis_server.h"

namespace stele::tests {

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
  (void)wait_completed(api, ask_redaction(api, "/v1/events/" + id + "/redact"));
  const Json many = wait_completed(api, ask_redaction(api, "/v1/aggregates/many/redact"));
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
  (void)wait_completed(api, ask_redaction(api, "/v1/events/" + id + "/redact"));
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

TEST_CASE("HttpRedaction.ProcessesThatHaveFoldedABodyAreGone") {
  // One alone, so that it is known which has folded it.
  RedactionServer api({}, {"--segment-size", "64KiB", "--handler-workers", "1"});
  const std::string secret = secret_text("in a worker");
  HttpClient client = api.client();
  const std::string script =
      "(() => { const seen = []; return ({ Tested: (state, event) => { seen.push(event.data.note); state.last = "
      "event.data.note }, $redacted: (state) => { state.gone = true } }) })()";
  const HttpResponse handler =
      client.request("PUT", "/v1/handlers/Kept", script, {{"Content-Type", "text/javascript"}});
  REQUIRE_MESSAGE(handler.status == 201, handler.body);
  const HttpResponse stored = client.post(
      "/v1/events", event_json("a", "Tested", R"({"note":)" + json_text(secret) + "}", R"(,"aggregateType":"Kept")"));
  REQUIRE_MESSAGE(stored.status == 201, stored.body);
  REQUIRE(Json(client.post("/v1/events/replay/a", "{}").body).text("/state/last") == secret);
  const std::set<pid_t> before = children_of(api.server().pid());
  REQUIRE(before.size() == 1);
  const std::string id = Json(stored.body).text("/eventId");
  (void)wait_completed(api, ask_redaction(api, "/v1/events/" + id + "/redact"));
  for (const pid_t child : children_of(api.server().pid())) CHECK_FALSE(before.contains(child));
  const Json replayed(client.post("/v1/events/replay/a", "{}").body);
  CHECK_FALSE(replayed.has("/state/last"));
  CHECK(replayed.at("/state/gone").minified() == "true");
  check_nowhere(api, {secret});
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
  const std::string location = ask_redaction(api, "/v1/events/" + id + "/redact");
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

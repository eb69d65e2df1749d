// Access control with the real binary: keys that are made and revoked beside a running server, what is refused at the
// start, and that no secret gets anywhere.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/api/access_support.h"
#include "tests/contract/http_fixture.h"
#include "tests/contract/metrics_text.h"
#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_client.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Headers bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }

/// A server with authentication, and its keys.
struct Guarded {
  test::TempFolder folder;
  ServerProcess server;

  explicit Guarded(std::vector<std::string> more = {})
      : server(ServerProcess::start(options(folder, std::move(more)))) {}

  static ServerProcess::Options options(const test::TempFolder& folder, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"--segment-size", "1MiB", "--auth", "on"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return {folder.file("data"), std::move(arguments), {}, 0};
  }
  [[nodiscard]] HttpClient client() const { return HttpClient(server.port()); }
  [[nodiscard]] std::string data() const { return folder.file("data"); }

  /// A new key; its secret.
  std::string create(const std::string& role, const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"token", "create", "--data", data(), "--role", role, "--name", name};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto made = run_stele(arguments);
    CAPTURE(made.err);
    REQUIRE(made.exit_code == 0);
    const std::string secret = trimmed(made.out);
    REQUIRE(secret.starts_with("stele_"));
    CHECK_FALSE(contains(made.err, secret));
    return secret;
  }
  /// The lines of `stele token list`.
  [[nodiscard]] std::vector<Json> list() const {
    const auto listed = run_stele({"token", "list", "--data", data(), "--format", "ndjson"});
    REQUIRE(listed.exit_code == 0);
    std::vector<Json> keys;
    for (std::size_t at = 0; at < listed.out.size();) {
      const std::size_t end = listed.out.find('\n', at);
      keys.emplace_back(listed.out.substr(at, end - at));
      at = end + 1;
    }
    return keys;
  }
};

}  // namespace

TEST_CASE("Token.KeysMadeAndRevokedBesideARunningServerCountAtOnce") {
  Guarded guarded;
  HttpClient client = guarded.client();
  CHECK(client.get("/healthz").status == 200);
  check_problem(client.get("/v1/head"), 401, "credentials-required");
  const std::string reader = guarded.create("reader", "ada");
  CHECK(client.get("/v1/head", bearer(reader)).status == 200);
  check_problem(client.post("/v1/events", event_json("a"), "application/json", bearer(reader)), 403,
                "insufficient-role");
  const std::string writer =
      guarded.create("writer", "bob", {"--aggregate-type", "Order", "--aggregate-type", "Bill", "--expires-in", "1d"});
  const auto order = event_json("a", "T", "1", R"(,"aggregateType":"Order")");
  CHECK(Json(client.post("/v1/events", order, "application/json", bearer(writer)).body).text("/userId") == "bob");
  check_problem(client.post("/v1/events", event_json("b"), "application/json", bearer(writer)), 403,
                "aggregate-type-not-allowed");

  const auto keys = guarded.list();
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].text("/name") == "ada");
  CHECK(keys[0].text("/role") == "reader");
  CHECK(keys[0].text("/state") == "good");
  CHECK_FALSE(keys[0].has("/expires"));
  CHECK(keys[1].at("/aggregateTypes").minified() == R"(["Bill","Order"])");
  CHECK(is_timestamp(keys[1].text("/expires")));
  const auto table = run_stele({"token", "list", "--data", guarded.data()});
  CHECK(contains(table.out, "bob [Bill,Order]"));

  const auto revoked = run_stele({"token", "revoke", "--data", guarded.data(), keys[0].text("/id")});
  CHECK(revoked.exit_code == 0);
  check_problem(client.get("/v1/head", bearer(reader)), 401, "invalid-credentials");
  CHECK(client.get("/v1/head", bearer(writer)).status == 200);
  CHECK(guarded.list()[0].text("/state") == "revoked");
  CHECK(run_stele({"token", "revoke", "--data", guarded.data(), "nonsense"}).exit_code == 1);
}

TEST_CASE("Token.KeysOutliveTheServer") {
  Guarded guarded;
  const std::string token = guarded.create("reader", "ada");
  const std::string gone = guarded.create("reader", "eve");
  REQUIRE(run_stele({"token", "revoke", "--data", guarded.data(), guarded.list()[1].text("/id")}).exit_code == 0);
  guarded.server.kill();
  guarded.server = ServerProcess::start(Guarded::options(guarded.folder, {}));
  HttpClient client = guarded.client();
  CHECK(client.get("/v1/head", bearer(token)).status == 200);
  CHECK(client.get("/v1/head", bearer(gone)).status == 401);
}

TEST_CASE("Token.AnExpiredKeyIsRefused") {
  Guarded guarded;
  const std::string token = guarded.create("reader", "ada", {"--expires-in", "3s"});
  HttpClient client = guarded.client();
  const auto began = std::chrono::steady_clock::now();
  while (client.get("/v1/head", bearer(token)).status == 200) {
    REQUIRE(std::chrono::steady_clock::now() - began < std::chrono::seconds(60));
  }
  check_problem(client.get("/v1/head", bearer(token)), 401, "invalid-credentials");
  CHECK(guarded.list()[0].text("/state") == "expired");
}

TEST_CASE("Token.AnEndOfAKeyCountsToItsLastDigit") {
  const test::TempFolder folder;
  const std::string keys = folder.file("keys");
  for (const char* const end : {"2099-01-01T00:00:00.123456789Z", "9999-12-31T23:59:59.9999999Z"}) {
    const auto made =
        run_stele({"token", "create", "--key-store", keys, "--name", "ada", "--role", "reader", "--expires-at", end});
    CAPTURE(made.err);
    CHECK(made.exit_code == 0);
  }
  const auto listed = run_stele({"token", "list", "--key-store", keys});
  CAPTURE(listed.out);
  CHECK(listed.exit_code == 0);
  CHECK(contains(listed.out, "2099-01-01T00:00:00.123457Z"));
  CHECK(contains(listed.out, "9999-12-31T23:59:59.999999Z"));
}

TEST_CASE("Token.ManyAtOnceLoseNoKey") {
  Guarded guarded;
  std::vector<std::unique_ptr<ChildProcess>> makers;
  for (int i = 0; i < 12; ++i) {
    makers.push_back(ChildProcess::start({stele_binary(), "token", "create", "--data", guarded.data(), "--role",
                                          "reader", "--name", "n" + std::to_string(i)}));
  }
  HttpClient client = guarded.client();
  for (const auto& maker : makers) {
    CHECK(maker->wait() == 0);
    CHECK(client.get("/v1/head", bearer(trimmed(maker->out()))).status == 200);
  }
  CHECK(guarded.list().size() == 12);
}

TEST_CASE("Token.KeysThatHaveEndedMakeRoomForNewOnes") {
  const test::TempFolder folder;
  const std::string place = folder.file("keys");
  const auto store = api::KeyStore::open(posix_file_system(), place, api::KeyStore::IfMissing::Create);
  REQUIRE(store);
  std::vector<api::ApiKey> keys(api::kApiKeysMax);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i].id = "key" + std::to_string(i);
    keys[i].principal.name = "ada";
    keys[i].hash = api::hash_of_secret(keys[i].id);
  }
  keys[7].expires = Timestamp{2'000'000};
  keys[8].revoked = Timestamp{1'000'000};
  keys[9].expires = Timestamp{4'102'444'800'000'000};  // 2100
  REQUIRE(api::write_api_keys(*store, keys));
  const auto create = [&] {
    return run_stele({"token", "create", "--key-store", place, "--name", "eve", "--role", "reader"});
  };
  const auto has = [&](const std::string& id) {
    const auto now = api::read_api_keys(*store);
    REQUIRE(now);
    CHECK(now->size() == api::kApiKeysMax);
    return std::any_of(now->begin(), now->end(), [&](const api::ApiKey& key) { return key.id == id; });
  };
  CHECK(create().exit_code == 0);
  CHECK_FALSE(has("key8"));
  CHECK(has("key7"));
  CHECK(create().exit_code == 0);
  CHECK_FALSE(has("key7"));
  const auto full = create();
  CHECK(full.exit_code == 1);
  CHECK(contains(full.err, "10,000 keys"));
  CHECK(has("key9"));
}

TEST_CASE("Token.ASecretThatCannotBeWrittenIsAFailure") {
  const test::TempFolder folder;
  const auto created = run_process({"/bin/sh", "-c", R"("$0" "$@" > /dev/full)", stele_binary(), "token", "create",
                                    "--key-store", folder.file("keys"), "--name", "ada", "--role", "reader"});
  CHECK(created.exit_code == 1);
  CHECK(contains(created.err, "is lost"));
}

TEST_CASE("Token.AKeyStoreThatIsMadeIsSaid") {
  const TempFolder folder;
  for (const bool first : {true, false}) {
    const auto made =
        run_stele({"token", "create", "--data", folder.file("typo"), "--name", "ada", "--role", "reader"});
    CHECK(made.exit_code == 0);
    CHECK_MESSAGE(contains(made.err, folder.file("typo") + "/keys: a new one was made") == first, made.err);
  }
}

TEST_CASE("Token.WrongUsageIsNamed") {
  const test::TempFolder folder;
  const auto refused = [&](std::vector<std::string> arguments, const char* why) {
    arguments.insert(arguments.begin(), "token");
    const auto result = run_stele(arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(contains(result.err, why));
    CHECK(result.out.empty());
  };
  const std::string data = folder.file("data");
  refused({}, "Actions");
  refused({"destroy"}, "destroy");
  refused({"create", "--data", data, "--name", "a"}, "--role");
  refused({"create", "--data", data, "--role", "reader"}, "--name");
  refused({"create", "--name", "a", "--role", "reader"}, "--data or --key-store");
  refused({"create", "--data", data, "--name", "a", "--role", "root"}, "root");
  refused({"create", "--data", data, "--name", "$a", "--role", "reader"}, "--name");
  refused({"create", "--data", data, "--name", "a\tb", "--role", "reader"}, "--name");
  refused({"create", "--data", data, "--name", "a", "--role", "reader", "--aggregate-type", "$x"}, "--aggregate-type");
  refused({"create", "--data", data, "--name", "a", "--role", "reader", "--expires-in", "soon"}, "--expires-in");
  refused({"create", "--data", data, "--name", "a", "--role", "reader", "--expires-at", "2020-01-01T00:00:00Z"},
          "expired");
  refused({"create", "--data", data, "--name", "a", "--role", "reader", "--expires-at", "tomorrow"}, "RFC 3339");
  refused(
      {"create", "--data", data, "--name", "a", "--role", "reader", "--expires-at", "2099-01-01T00:00:00.1234567890Z"},
      "nine fractional digits");
  refused({"list"}, "--data or --key-store");
  refused({"revoke", "--data", data}, "ID");
  CHECK_FALSE(std::filesystem::exists(data));
  CHECK(run_stele({"token", "list", "--data", data}).exit_code == 1);
  for (const char* action : {"create", "list", "revoke"}) {
    const auto help = run_stele({"token", action, "--help"});
    CHECK(help.exit_code == 0);
    CHECK(contains(help.out, "Usage: stele token " + std::string(action)));
  }
}

TEST_CASE("Token.AKeyStoreThatOthersCanReadIsRefused") {
  const test::TempFolder folder;
  const std::string keys = folder.file("keys");
  const std::vector<std::string> create = {"token", "create", "--key-store", keys, "--name", "a", "--role", "reader"};
  REQUIRE(run_stele(create).exit_code == 0);
  struct stat about {};
  REQUIRE(::stat(keys.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0700);
  for (const auto& entry : std::filesystem::directory_iterator(keys)) {
    if (entry.path().filename() == "lock") continue;
    REQUIRE(::stat(entry.path().c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
  }
  const std::vector<std::string> serve = {
      "serve",       "--data", folder.file("data"), "--segment-size", "1MiB", "--listen", "127.0.0.1:0", "--auth", "on",
      "--key-store", keys};
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& remedy) {
    const auto result = run_stele(arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    CHECK(contains(result.err, remedy));
  };
  REQUIRE(::chmod(keys.c_str(), 0750) == 0);
  refused(create, "chmod 700 " + keys);
  refused(serve, "chmod 700 " + keys);
  REQUIRE(::chmod(keys.c_str(), 0700) == 0);
  REQUIRE(::chmod((keys + "/api-keys.json").c_str(), 0644) == 0);
  refused(create, "chmod 600 " + keys + "/api-keys.json");
  refused(serve, "chmod 600 " + keys + "/api-keys.json");
}

TEST_CASE("Serve.AccessFlagsThatContradictEachOtherAreRefused") {
  const test::TempFolder folder;
  const auto refused = [&](std::vector<std::string> more, const char* why) {
    std::vector<std::string> arguments = {"serve", "--data", folder.file("data"), "--listen", "127.0.0.1:0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = run_stele(arguments);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(contains(result.err, why));
  };
  refused({"--auth", "maybe"}, "maybe");
  refused({"--jwks", "x"}, "--auth on");
  refused({"--auth", "on", "--jwks", "x"}, "go together");
  refused({"--auth", "on", "--jwt-issuer", "x", "--jwt-audience", "y"}, "go together");
  // Authentication alone does not make the network safe.
  for (const char* auth : {"on", "off"}) refused({"--auth", auth, "--listen", "0.0.0.0:0"}, "--insecure");
  CHECK_FALSE(std::filesystem::exists(folder.file("data")));
  const auto missing =
      run_stele({"serve", "--data", folder.file("data"), "--segment-size", "1MiB", "--listen", "127.0.0.1:0", "--auth",
                 "on", "--jwks", folder.file("none"), "--jwt-issuer", "i", "--jwt-audience", "a"});
  CHECK(missing.exit_code == 1);
  CHECK(contains(missing.err, folder.file("none")));
}

TEST_CASE("Serve.SaysWhenKeysAreThereButAuthenticationIsOff") {
  const test::TempFolder folder;
  REQUIRE(run_stele({"token", "create", "--data", folder.file("data"), "--name", "a", "--role", "reader"}).exit_code ==
          0);
  auto server = ServerProcess::start({folder.file("data"), {"--segment-size", "1MiB"}, {}, 0});
  CHECK(contains(server.err(), "authentication is off"));
  CHECK(HttpClient(server.port()).get("/v1/head").status == 200);
  auto other = ServerProcess::start({folder.file("other"), {"--segment-size", "1MiB", "--auth", "on"}, {}, 0});
  CHECK(contains(other.err(), "stele token create"));
}

TEST_CASE("Access.JwtsAreTakenFromTheConfiguredIssuer") {
  const test::TempFolder folder;
  const api::test::SigningKey key(api::test::SigningKey::Kind::P256, "k1");
  write_file(folder.file("jwks.json"), api::test::jwks({key.jwk()}));
  Guarded guarded(
      {"--jwks", folder.file("jwks.json"), "--jwt-issuer", "https://issuer.example", "--jwt-audience", "stele"});
  HttpClient client = guarded.client();
  const auto token = [&](const std::string& issuer) {
    return key.token(R"({"iss":")" + issuer + R"(","aud":"stele","sub":"ada","stele_role":"writer","exp":4102444800})");
  };
  const std::string good = token("https://issuer.example");
  const HttpResponse stored = client.post("/v1/events", event_json("a"), "application/json", bearer(good));
  REQUIRE(stored.status == 201);
  CHECK(Json(stored.body).text("/userId") == "ada");
  CHECK(client.get("/v1/head", bearer(good)).status == 200);
  check_problem(client.get("/v1/head", bearer(token("https://elsewhere.example"))), 401, "invalid-credentials");
  const MetricsText metrics(client.get("/metrics", bearer(guarded.create("auditor", "eve"))).body);
  CHECK(metrics.value("stele_jwt_cache_hits_total") == 1);
  CHECK(metrics.value("stele_jwt_cache_misses_total") == 2);
  const api::test::SigningKey next(api::test::SigningKey::Kind::Ed25519, "k2");
  write_file(folder.file("jwks.json"), api::test::jwks({next.jwk()}));
  const auto began = std::chrono::steady_clock::now();
  while (client.get("/v1/head", bearer(token("https://issuer.example"))).status == 200) {
    REQUIRE(std::chrono::steady_clock::now() - began < std::chrono::seconds(60));
  }
  check_problem(client.get("/v1/head", bearer(token("https://issuer.example"))), 401, "invalid-credentials");
}

TEST_CASE("Access.BadCredentialsAreSlowedDownByAddress") {
  Guarded guarded;
  const std::string good = guarded.create("reader", "ada");
  HttpClient client = guarded.client();
  HttpResponse last;
  for (int i = 0; i < 200 && last.status != 429; ++i) {
    last = client.get("/v1/head", bearer("stele_guess" + std::to_string(i)));
    if (last.status != 429) REQUIRE(last.status == 401);
  }
  check_problem(last, 429, "too-many-requests");
  CHECK(std::stoi(last.header("Retry-After")) >= 1);
  CHECK(client.get("/v1/head", bearer(good)).status == 200);
}

TEST_CASE("Access.ClientCommandsSendTheirToken") {
  Guarded guarded;
  const std::string writer = guarded.create("writer", "ada");
  write_file(guarded.folder.file("token"), writer + "\n");
  const std::string url = guarded.server.url();
  const std::vector<std::string> query = {"query", "--url", url};
  const auto with_file = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--url", url, "--token-file", guarded.folder.file("token")});
    return arguments;
  };
  const auto refused = run_stele(query);
  CHECK(refused.exit_code == 1);
  CHECK(contains(refused.err, "401"));
  CHECK(run_stele(with_file({"append", "--type", "T", "--aggregate", "a", "--data", "1"})).exit_code == 0);
  write_file(guarded.folder.file("events"), event_json("b") + "\n");
  CHECK(run_stele(with_file({"import", guarded.folder.file("events")})).exit_code == 0);
  const auto found = run_stele(query, {}, {{"STELE_TOKEN", writer}});
  CHECK(found.exit_code == 0);
  CHECK(contains(found.out, R"("userId":"ada")"));
  // The file beats the environment.
  CHECK(run_stele(with_file({"query"}), {}, {{"STELE_TOKEN", "stele_x"}}).exit_code == 0);
  for (const char* bad : {"", " ", "two words", "a\nb", "\xFF"}) {
    write_file(guarded.folder.file("bad"), bad);
    CHECK(run_stele({"query", "--url", url, "--token-file", guarded.folder.file("bad")}).exit_code == 2);
  }
  CHECK(run_stele({"query", "--url", url, "--token-file", guarded.folder.file("none")}).exit_code == 2);
}

TEST_CASE("Access.TheLogsSayWhoAsked") {
  const test::TempFolder folder;
  Guarded guarded({"--access-log", folder.file("access.log"), "--log-format", "json"});
  HttpClient client = guarded.client();
  const std::string reader = guarded.create("reader", "ada");
  CHECK(client.get("/v1/head", bearer(reader)).status == 200);
  CHECK(client.post("/v1/events", event_json("a"), "application/json", bearer(reader)).status == 403);
  CHECK(client.get("/v1/head", bearer("stele_wrong")).status == 401);
  CHECK(guarded.server.stop() == 0);
  std::ifstream in(folder.file("access.log"), std::ios::binary);
  std::vector<Json> lines;
  for (std::string line; std::getline(in, line);) lines.emplace_back(line);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].text("/principal") == "ada");
  CHECK(lines[1].text("/principal") == "ada");
  CHECK(lines[1].number("/status") == 403);
  CHECK_FALSE(lines[2].has("/principal"));
  std::istringstream log(guarded.server.err());
  std::vector<Json> denied;
  for (std::string line; std::getline(log, line);) {
    const Json entry(line);
    if (contains(entry.text("/message"), "denied")) denied.push_back(entry);
  }
  REQUIRE(denied.size() == 2);
  CHECK(denied[0].text("/principal") == "ada");
  CHECK_FALSE(denied[1].has("/principal"));
}

TEST_CASE("Access.WhoLeavesBeforeTheEndOfAnAnswerIsLoggedToo") {
  const test::TempFolder folder;
  Guarded guarded({"--access-log", folder.file("access.log"), "--log-format", "json"});
  HttpClient client = guarded.client();
  const std::string admin = guarded.create("admin", "ada");
  const std::string event = event_json("a", "T", '"' + std::string(500'000, 'd') + '"');
  for (int i = 0; i < 20; ++i) {
    REQUIRE(client.post("/v1/events", event, "application/json", bearer(admin)).status == 201);
  }
  for (const char* const accept : {"application/x-ndjson", "application/json"}) {
    RawClient thief(guarded.server.port(), RawClient::Options{.receive_buffer = 4096});
    REQUIRE(thief.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + admin +
                       "\r\nAccept: " + accept + "\r\n\r\n"));
    REQUIRE(thief.wait_for_bytes(1000));
    thief.reset();
  }
  const auto cut = [&] {
    return MetricsText(client.get("/metrics", bearer(admin)).body).value("stele_http_answers_cut_total");
  };
  wait_until([&] { return cut() == 2; });
  CHECK(guarded.server.stop() == 0);
  std::ifstream in(folder.file("access.log"), std::ios::binary);
  int found = 0;
  for (std::string line; std::getline(in, line);) {
    const Json entry(line);
    if (entry.text("/method") != "GET" || entry.text("/path") != "/v1/events") {
      CHECK_FALSE(entry.has("/cut"));
      continue;
    }
    ++found;
    CHECK(entry.at("/cut").minified() == "true");
    CHECK(entry.text("/principal") == "ada");
    CHECK(entry.number("/status") == 200);
    CHECK(entry.number("/bytes") > 0);
    CHECK(entry.number("/bytes") < 10'000'000);
  }
  CHECK(found == 2);
}

TEST_CASE("Access.NoSecretGetsAnywhere") {
  const test::TempFolder folder;
  const api::test::SigningKey key(api::test::SigningKey::Kind::Ed25519, "k1");
  write_file(folder.file("jwks.json"), api::test::jwks({key.jwk()}));
  const std::string jwt = key.token(R"({"iss":"i","aud":"a","sub":"ada","stele_role":"admin","exp":4102444800})");
  const std::vector<std::string> flags = {
      "--jwks",       folder.file("jwks.json"),  "--jwt-issuer", "i",    "--jwt-audience", "a",
      "--access-log", folder.file("access.log"), "--log-level",  "trace"};
  Guarded guarded(flags);
  const std::string admin = guarded.create("admin", "root");
  const std::string guessed = "stele_guessed-secret-guessed-secret-guessed-secret";
  const std::string tampered = jwt.substr(0, jwt.size() - 4) + "AAAA";
  const std::vector<std::string> secrets = {admin, jwt, guessed, tampered};

  std::string shown;
  HttpClient client = guarded.client();
  for (const std::string& token : secrets) {
    for (const char* target : {"/v1/head", "/v1/events?includeSystem=true", "/readyz", "/metrics", "/openapi.json",
                               "/problems", "/v1/events?limit=0", "/nothing"}) {
      const HttpResponse response = client.get(target, bearer(token));
      shown += response.body;
      for (const auto& [name, value] : response.headers) shown += name + value;
    }
    shown += client.post("/v1/events", event_json("a"), "application/json", bearer(token)).body;
    shown += client.get("/v1/head", {{"Authorization", "Basic " + token}}).body;
    write_file(folder.file("token"), token);
    const auto queried = run_stele({"query", "--url", guarded.server.url(), "--token-file", folder.file("token")});
    shown += queried.out + queried.err;
    const auto unreachable = run_stele({"query", "--url", "http://127.0.0.1:1"}, {}, {{"STELE_TOKEN", token}});
    shown += unreachable.out + unreachable.err;
  }
  shown += run_stele({"token", "list", "--data", guarded.data()}).out;
  shown += run_stele({"token", "list", "--data", guarded.data(), "--format", "ndjson"}).out;
  std::vector<std::string> print = {"serve", "--data", guarded.data(), "--auth", "on", "--print-config"};
  print.insert(print.end(), flags.begin(), flags.end());
  shown += run_stele(print, {}, {{"STELE_TOKEN", admin}}).out;
  CHECK(guarded.server.stop() == 0);
  shown += guarded.server.err() + read_file(folder.file("access.log"));
  REQUIRE(contains(shown, "/v1/head"));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(guarded.data())) {
    if (!entry.is_regular_file()) continue;
    shown += read_file(entry.path());
    ++files;
  }
  REQUIRE(files > 2);
  for (const std::string& secret : secrets) {
    CHECK_FALSE(contains(shown, secret));
    CHECK_FALSE(contains(shown, std::string_view(secret).substr(secret.size() - 20)));
  }
  // Nor does what is kept of it leave the key store.
  const std::string hash =
      stele::base64url_encode({reinterpret_cast<const char*>(api::hash_of_secret(admin).data()), 32});
  const std::size_t at = shown.find(hash);
  REQUIRE(at != std::string::npos);  // in the key store itself, which lies in the data folder here
  CHECK(shown.find(hash, at + 1) == std::string::npos);
}

}  // namespace stele::tests

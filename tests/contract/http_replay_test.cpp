// Replays, handlers and snapshots of the real binary, with scripts in real workers.

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/contract/http_fixture.h"
#include "tests/contract/metrics_text.h"
#include "tests/support/environment.h"
#include "tests/support/eventually.h"
#include "tests/support/process_usage.h"

using namespace stele::tests;
using stele::test::number_from;

namespace {

HttpResponse put_handler(HttpClient& client, const std::string& path, std::string_view source) {
  return client.request("PUT", "/v1/handlers/" + path, source, {{"Content-Type", "text/javascript"}});
}

HttpResponse replay(HttpClient& client, const std::string& aggregate, std::string_view body = "{}") {
  return client.post("/v1/events/replay/" + percent(aggregate), body);
}

/// Through a script on trial.
std::string trial(std::string_view source) { return R"({"handler":{"source":)" + json_text(source) + "}}"; }

std::string typed(const std::string& aggregate, const std::string& type, const std::string& event_type,
                  const std::string& data) {
  return event_json(aggregate, event_type, data, R"(,"aggregateType":")" + type + '"');
}

constexpr std::string_view kAccount = R"js(({
  $init: () => ({ balance: 0, seen: [], kinds: {} }),
  Paid: (state, event) => { state.balance += event.data.amount; },
  Drawn: (state, event) => ({ ...state, balance: state.balance - event.data.amount, last: event.sequenceNumber }),
  $any: (state, event) => { state.kinds[event.eventType] = (state.kinds[event.eventType] || 0) + 1; state.seen = state.seen.concat(event.position).slice(-3); },
}))js";

/// Keeps what it counts outside the state.
constexpr std::string_view kClosure = R"js((() => { let n = 0; return { $any: () => { n++; return { n }; } }; })())js";

}  // namespace

TEST_CASE("HttpReplay.FoldsThroughAScriptAtAnyMoment") {
  Api api;
  HttpClient client = api.client();
  const std::string a = "account/1";
  append(client, typed(a, "Account", "Paid", R"({"amount":10})"));
  append(client, typed(a, "Account", "Drawn", R"({"amount":3})"));
  const Json noted = append(client, typed(a, "Account", "Noted", R"({"text":"ü"})"));
  const HttpResponse put = put_handler(client, "Account", kAccount);
  REQUIRE_MESSAGE(put.status == 201, put.body);
  const Json now(replay(client, a).body);
  CHECK(now.at("/state").minified() ==
        R"({"balance":7,"seen":[)" + std::to_string(noted.number("/position")) + R"(],"kinds":{"Noted":1},"last":2})");
  CHECK(now.text("/handler/name") == "default");
  CHECK(Json(replay(client, a, R"({"toSequence":1,"compareTo":3})").body).number("/state/balance") == 10);
  CHECK(put_handler(client, "Account", kAccount).status == 200);
  const Json broken = check_problem(put_handler(client, "Account", "({\n  Paid: (s => s\n})"), 422, "invalid-handler");
  CHECK(broken.number("/line") >= 2);
  CHECK(put_handler(client, "Account", "({ Paid(s, e) { throw new RangeError('no ' + e.data.amount) } })").status ==
        201);
  const Json failed = check_problem(replay(client, a), 422, "handler-failed");
  CHECK(failed.number("/sequenceNumber") == 1);
  CHECK(failed.text("/eventType") == "Paid");
  CHECK(failed.text("/scriptMessage").find("no 10") != std::string::npos);
  CHECK(Json(replay(client, a, R"({"handler":{"name":"default","version":1}})").body).number("/state/balance") == 7);
  const Json map =
      check_problem(replay(client, a, trial("({ $any: (s) => ({ a: [1, new Map()] }) })")), 422, "handler-failed");
  CHECK(map.text("/pointer") == "/a/1");
  // It is there after a restart.
  api.kill_and_restart();
  HttpClient again = api.client();
  check_problem(replay(again, a), 422, "handler-failed");
}

TEST_CASE("HttpReplay.AHandlerThatKeepsStateOutsideIsFoundOut") {
  Api api;
  HttpClient client = api.client();
  std::string list = "[";
  for (int i = 0; i < 20; ++i) list += (i == 0 ? "" : ",") + typed("c", "Closed", "E", "{}");
  append(client, list + "]");
  REQUIRE(put_handler(client, "Closed", kClosure).status == 201);
  CHECK(Json(replay(client, "c").body).number("/state/n") == 20);
  check_problem(client.post("/v1/events/snapshot/c", ""), 422, "handler-impure");
  const Json shown = get_json(client, "/v1/handlers/Closed/default");
  CHECK(shown.at("/versions/0/pure").minified() == "false");
  CHECK(shown.has("/versions/0/impureSince"));
  CHECK(Json(replay(client, "c").body).number("/state/n") == 20);
}

TEST_CASE("HttpReplay.AHandlerKnowsEventTypesByTheirAliases") {
  Api api;
  HttpClient client = api.client();
  append(client, typed("n", "Named", "Old", "{}"));
  append(client, typed("n", "Named", "New", "{}"));
  REQUIRE(put_handler(client, "Named",
                      "({ $init: () => ({}), Old: s => { s.old = (s.old || 0) + 1; },"
                      " New: (s, e) => { s.now = (s.now || 0) + 1; s.stored = e.storedEventType; } })")
              .status == 201);
  // Kept, and used for as long as it holds.
  REQUIRE(client.post("/v1/events/snapshot/n", "").status == 201);
  CHECK(Json(replay(client, "n").body).at("/state").minified() == R"({"old":1,"now":1})");
  const auto set_alias = [&](const char* type) {
    return client.request("PUT", std::string("/v1/event-types/") + type + "/alias", R"({"to":"New"})",
                          {{"Content-Type", "application/json"}});
  };
  REQUIRE(set_alias("Unrelated").status == 201);
  CHECK(Json(replay(client, "n").body).has("/snapshot/sequenceNumber"));
  REQUIRE(set_alias("Old").status == 201);
  const Json replayed(replay(client, "n").body);
  CHECK(replayed.at("/state").minified() == R"({"now":2})");
  CHECK(replayed.at("/snapshot").minified() == "null");
  append(client, typed("n", "Named", "Old", "{}"));
  CHECK(Json(replay(client, "n").body).at("/state").minified() == R"({"now":3,"stored":"Old"})");
}

TEST_CASE("HttpReplay.ScriptsThatGoTooFarEndAndNothingElseSuffers") {
  Api api({"--handler-workers", "2", "--handler-memory-max", "64MiB"});
  HttpClient client = api.client();
  append(client, typed("h", "Hostile", "E", R"({"x":1})"));
  struct Case {
    std::string_view source;
    int status;
    std::string_view slug;
  };
  const std::vector<Case> cases = {
      {"({ $any() { for (;;); } })", 422, "handler-limit"},
      {"({ $any() { for (;;) { try { for (;;); } finally { continue; } } } })", 422, "handler-limit"},
      {"({ $any() { const s = 'a'.repeat(1 << 28), t = 'a'.repeat(1 << 14) + 'b'; return { n: s.indexOf(t) }; } })",
       422, "handler-limit"},
      {"({ $any() { /^(a+)+$/.test('a'.repeat(60) + 'b'); } })", 422, "handler-limit"},
      {"({ $any() { const keep = []; for (;;) keep.push(new Uint8Array(1 << 20)); } })", 422, "handler-limit"},
      {"({ $any() { const keep = []; for (;;) { try { keep.push('x'.repeat(1 << 22) + keep.length); } catch (e) {} } } "
       "})",
       422, "handler-limit"},
      {"({ $any() { throw { toString() { for (;;); } } } })", 422, "handler-failed"},
      {"({ $any() { JSON.parse('['.repeat(1e6)); } })", 422, ""},
      {"({ $any: () => ({ toJSON() { for (;;); } }) })", 422, "handler-failed"},
      {"({ $any: () => ({ get a() { for (;;); } }) })", 422, "handler-failed"},
      {"({ $any: () => new Proxy({}, { ownKeys() { for (;;); } }) })", 422, "handler-failed"},
      {"({ $any: async () => ({}) })", 422, "handler-failed"},
      {"({ *$any() { yield 1; } })", 422, "handler-failed"},
      {"({ $any: () => ({ n: Date.now() }) })", 422, "handler-failed"},
      {"({ $any: () => ({ n: Math.random() }) })", 422, "handler-failed"},
      {"({ $any: () => ({ n: eval('1') }) })", 422, "handler-failed"},
      {"({ $any: () => ({ n: (() => {}).constructor('return 1')() }) })", 422, "handler-failed"},
      {"for (;;);", 422, "handler-limit"},
      {"({ $init() { for (;;); } })", 422, "handler-limit"},
      {"({ $any: (s) => { Object.prototype.polluted = 1; return {}; } })", 200, ""},
  };
  for (const Case& each : cases) {
    CAPTURE(each.source);
    const HttpResponse answer = replay(client, "h", trial(each.source));
    CAPTURE(answer.body);
    CHECK(answer.status == each.status);
    if (!each.slug.empty()) check_problem(answer, each.status, each.slug);
    CHECK(client.post("/v1/events", event_json(fresh("beside"))).status == 201);
    const HttpResponse good = replay(client, "h", trial("({ $any: (s, e) => ({ x: e.data.x, p: {}.polluted }) })"));
    CAPTURE(good.body);
    REQUIRE(good.status == 200);
    CHECK(Json(good.body).at("/state").minified() == R"({"x":1})");
  }
}

TEST_CASE("HttpReplay.FromASnapshotIsAsFromTheFirstEvent") {
  const auto rounds = static_cast<int>(number_from("STELE_REPLAY_ROUNDS", 3));
  const std::uint64_t seed = number_from("STELE_REPLAY_SEED", std::random_device{}());
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  // Snapshots are written soon, so that kills meet them.
  Api api({"--snapshot-every", "7", "--segment-size", "256KiB", "--index-run-records", "64", "--replays-max", "8"});
  const std::vector<std::string> handlers = {std::string(kAccount), std::string(kClosure),
                                             "({ $any: (s, e) => { s.l = (s.l || []).concat([e.data]).slice(-5); } })"};
  int compared = 0, from_snapshots = 0;
  for (int round = 0; round < rounds; ++round) {
    HttpClient client = api.client();
    for (int step = 0; step < 200; ++step) {
      const std::string aggregate = "p" + std::to_string(random() % 4);
      const std::string type = "P" + std::string(1, aggregate[1]);
      switch (random() % 40) {
        case 0:
          CHECK(put_handler(client, type, handlers[random() % handlers.size()]).status / 100 == 2);
          break;
        case 1:
          CHECK(client.request("PUT", "/v1/snapshot-policies/" + type,
                               R"({"everyEvents":)" + std::to_string(random() % 20) + R"(,"keep":)" +
                                   std::to_string(1 + random() % 4) + "}",
                               {{"Content-Type", "application/json"}})
                        .status /
                    100 ==
                2);
          break;
        case 2:
        case 3: {
          const int status = client.post("/v1/events/snapshot/" + aggregate, "").status;
          CHECK((status == 201 || status == 404 || status == 422));
          break;
        }
        case 4:
        case 5:
        case 6:
        case 7:
        case 8:
        case 9: {
          const HttpResponse head = client.get("/v1/aggregates/" + aggregate);
          if (head.status != 200) break;
          const std::uint64_t last = Json(head.body).number("/sequenceNumber");
          const std::string to = R"({"toSequence":)" + std::to_string(random() % 2 == 0 ? last : random() % (last + 1));
          const HttpResponse kept = replay(client, aggregate, to + "}");
          const HttpResponse whole = replay(client, aggregate, to + R"(,"useSnapshot":false})");
          CAPTURE(kept.body);
          REQUIRE(kept.status == 200);
          REQUIRE(whole.status == 200);
          CHECK(Json(kept.body).at("/state").minified() == Json(whole.body).at("/state").minified());
          ++compared;
          if (!Json(kept.body).is_null("/snapshot")) ++from_snapshots;
          break;
        }
        default: {
          std::string list = "[";
          for (std::uint64_t i = random() % 6 + 1; i > 0; --i) {
            const std::string data = R"({"amount":)" + std::to_string(random() % 100) + R"(,"k)" +
                                     std::to_string(random() % 5) + R"(":{"n":[1.50,null],"gone":null}})";
            list += typed(aggregate, type,
                          random() % 3 == 0   ? "Paid"
                          : random() % 2 == 0 ? "Drawn"
                                              : "Noted",
                          data) +
                    (i > 1 ? "," : "]");
          }
          append(client, list);
        }
      }
    }
    if (round + 1 < rounds) api.kill_and_restart();
  }
  MESSAGE(compared << " replays compared, " << from_snapshots << " of them from kept states");
  CHECK(from_snapshots > 0);
}

TEST_CASE("HttpReplay.AWorkerThatIsKilledIsReplaced") {
  Api api({"--handler-workers", "1", "--handler-call-timeout", "20s"});
  HttpClient client = api.client();
  append(client, typed("k", "Killed", "E", "{}"));
  REQUIRE(put_handler(client, "Killed", "({ $any: () => ({ ok: true }) })").status == 201);
  const std::string slow = trial("({ $any() { for (;;); } })");
  HttpClient second = api.client();
  REQUIRE(second.connect());
  REQUIRE(
      second.send_raw("POST /v1/events/replay/k HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                      "Content-Length: " +
                      std::to_string(slow.size()) + "\r\n\r\n" + slow));
  REQUIRE(eventually([&] { return MetricsText(client.get("/metrics").body).value("stele_workers_busy") == 1; }));
  // One that has served before may be on its way out.
  const std::set<pid_t> workers = children_of(api.server().pid());
  REQUIRE_FALSE(workers.empty());
  for (const pid_t worker : workers) (void)::kill(worker, SIGKILL);
  const HttpResponse died = second.read_response();
  CHECK(died.status == 503);
  check_problem(died, 503, "worker-died");
  CHECK(Json(replay(client, "k").body).at("/state").minified() == R"({"ok":true})");
}

TEST_CASE("HttpReplay.SnapshotsThatAreDamagedOrGoneCostSpeedOnly") {
  Api api({"--state-cache-size", "0"});
  {
    HttpClient client = api.client();
    append(client, event_json("s", "E", R"({"x":1})"));
    append(client, event_json("s", "E", R"({"y":2.0})"));
    REQUIRE(client.post("/v1/events/snapshot/s", "").status == 201);
    CHECK(Json(replay(client, "s").body).number("/snapshot/sequenceNumber") == 2);
  }
  const auto check = [&](bool kept) {
    HttpClient client = api.client();
    const Json answer(replay(client, "s").body);
    CHECK(answer.at("/state").minified() == R"({"x":1,"y":2.0})");
    CHECK(answer.is_null("/snapshot") == !kept);
  };
  const std::string folder = api.data() + "/snapshots";
  const auto snapshot_file = [&] {
    std::string found;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == ".snap") found = entry.path();
    }
    REQUIRE(!found.empty());
    return found;
  };
  api.kill_and_restart();
  check(true);

  // Every byte of it, so that whichever is read is a wrong one.
  const std::string file = snapshot_file();
  api.server().kill();
  {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    std::string all((std::istreambuf_iterator<char>(bytes)), {});
    for (std::size_t i = all.size() / 2; i < all.size(); ++i) all[i] = static_cast<char>(~all[i]);
    bytes.clear();
    bytes.seekp(0);
    bytes.write(all.data(), static_cast<std::streamsize>(all.size()));
  }
  api.kill_and_restart();
  check(false);
  {
    HttpClient client = api.client();
    CHECK(get_json(client, "/readyz").at("/warnings").minified().find("snapshot") != std::string::npos);
    REQUIRE(client.post("/v1/events/snapshot/s", "").status == 201);
  }
  check(true);

  api.server().kill();
  std::filesystem::remove_all(folder);
  api.kill_and_restart();
  check(false);
}

// Every action that the registry has is left by something, and found again by its name: what leaves it is told here.

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/endpoint/audited_action.h"
#include "tests/contract/http_fixture.h"
#include "tests/support/build_paths.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_client.h"
#include "tests/support/text.h"

namespace stele::tests {

namespace {

/// What leaves an action. A request is `METHOD target body`; `{NAME}` in it stands for what an earlier answer had.
/// Another text names a step of the test itself.
struct Leaver {
  std::string_view action;
  std::string_view outcome;
  std::string_view by;
  std::string_view keep{};  ///< `NAME=/pointer` into the answer
};

/// In this order.
constexpr Leaver kLeavers[] = {
    {"log.begin", "done", "start"},
    {"server.start", "done", "start"},
    {"key.add", "done", "start"},
    {"access.keys-read", "done", "start"},
    {"access.keys-changed", "done", "stele token create"},
    {"auth.denied", "refused", "a stranger"},
    {"request.refused", "refused", "GET /v1/nothing"},

    {"event.append", "done",
     R"(POST /v1/events {"eventType":"A","aggregateId":"a","aggregateType":"T","data":{"n":1}})", "EVENT=/eventId"},
    {"event.append", "refused", "POST /v1/events {}"},
    {"event.append", "done", R"(POST /v1/events {"eventType":"B","aggregateId":"b","data":[]})", "OTHER=/eventId"},
    {"event.show", "done", "GET /v1/events/{EVENT}"},
    {"event.data", "done", "GET /v1/events/{EVENT}/data"},
    {"event.proof", "done", "GET /v1/events/{EVENT}/proof?wait=checkpoint"},
    {"event.deliveries", "done", "GET /v1/events/{EVENT}/deliveries"},
    {"events.query", "done", "GET /v1/events"},
    {"events.stream", "done", "a stream"},
    {"stream.end", "done", "a stream"},
    {"aggregates.list", "done", "GET /v1/aggregates"},
    {"aggregate.show", "done", "GET /v1/aggregates/a"},
    {"aggregate.state", "done", "GET /v1/aggregates/a/state"},
    {"aggregate.replay", "done", "POST /v1/events/replay/a {}"},
    {"log.head", "done", "GET /v1/head"},
    {"log.checkpoint", "done", "GET /log/checkpoint"},
    {"log.keys", "done", "GET /log/keys"},
    {"log.tile", "done", "GET /log/tile/0/000.p/2"},
    {"log.entries", "done", "GET /log/tile/entries/000.p/2"},
    {"audit.search", "done", "GET /v1/events/audit?limit=1"},
    {"audit.inclusion", "done", "GET /v1/audit/inclusion?position=0&treeSize=2"},
    {"audit.consistency", "done", "GET /v1/audit/consistency?from=1&to=2"},

    {"snapshot.create", "done", "POST /v1/events/snapshot/a {}"},
    {"snapshot.show", "done", "GET /v1/events/snapshot/a"},
    {"snapshot.store", "done", R"(POST /v1/events/snapshot/a {"state":{},"sequenceNumber":1})"},
    {"snapshot-policy.set", "done", R"(PUT /v1/snapshot-policies/T {"everyEvents":2,"keep":1})"},
    {"snapshot-policy.show", "done", "GET /v1/snapshot-policies/T"},
    {"snapshot-policies.list", "done", "GET /v1/snapshot-policies"},
    {"handler.register", "done", "PUT /v1/handlers/T ({ $any: (state) => { state.n = 1 } })"},
    {"handler.show", "done", "GET /v1/handlers/T/default"},
    {"handlers.list", "done", "GET /v1/handlers"},
    {"handler.check", "done", R"(POST /v1/events {"eventType":"A","aggregateId":"a","aggregateType":"T","data":{}})"},
    {"snapshot-policy.remove", "done", "DELETE /v1/snapshot-policies/T"},

    {"schema.candidate", "done", R"(POST /v1/schemas/A {"schema":{"type":"object"}})"},
    {"schema.register", "done", R"(POST /v1/schemas/A?active=false {"schema":{"type":"object","title":"2"}})"},
    {"schema.activate", "done", "POST /v1/schemas/A/versions/2/activate"},
    {"schema.register", "done", R"(POST /v1/schemas/A?active=false {"schema":{"type":"object","title":"3"}})"},
    {"schema.withdraw", "done", "DELETE /v1/schemas/A/versions/3"},
    {"schema.drop-candidate", "done", R"(POST /v1/schemas/B {"schema":{"type":"object"}})"},
    {"schema.check", "done", R"(POST /v1/schemas/B/check {"schema":{"type":"array"}})"},
    {"schema.show", "done", "GET /v1/schemas/A"},
    {"schemas.list", "done", "GET /v1/schemas"},
    {"schema.configure", "done", R"(PUT /v1/schemas/A/config {"compatibility":"NONE"})"},
    {"alias.set", "done", R"(PUT /v1/event-types/Old/alias {"to":"New"})"},
    {"alias.show", "done", "GET /v1/event-types/Old/alias"},
    {"aliases.list", "done", "GET /v1/event-types/aliases"},
    {"alias.remove", "done", "DELETE /v1/event-types/Old/alias"},

    {"subscription.create", "done",
     R"(POST /v1/events/subscribe {"eventTypes":["A"],"from":"beginning","retry":{"maxAttempts":1},"delivery":)"
     R"({"type":"webhook","url":"http://127.0.0.1:1/"}})",
     "HOOK=/subscriptionId"},
    {"subscription.dead-letters", "done", "deliveries that fail"},
    {"dead-letters.list", "done", "GET /v1/subscriptions/{HOOK}/dead-letters", "DEAD=/deadLetters/0/position"},
    {"dead-letter.drop", "done", "DELETE /v1/subscriptions/{HOOK}/dead-letters/{DEAD}"},
    {"dead-letters.redrive", "done", "POST /v1/subscriptions/{HOOK}/dead-letters/redrive {}"},
    {"deliveries.list", "done", "GET /v1/subscriptions/{HOOK}/deliveries"},
    {"subscription.show", "done", "GET /v1/subscriptions/{HOOK}"},
    {"subscriptions.list", "done", "GET /v1/subscriptions"},
    {"subscription.test", "done", "POST /v1/subscriptions/{HOOK}/test"},
    {"subscription.rotate-secret", "done", "POST /v1/subscriptions/{HOOK}/rotate-secret"},
    {"subscription.update", "done", R"(PATCH /v1/subscriptions/{HOOK} {"onDeadLetter":"park"})"},
    {"subscription.state", "done", "POST /v1/subscriptions/{HOOK}/pause"},
    {"subscription.seek", "done", R"(POST /v1/subscriptions/{HOOK}/seek {"from":"now"})"},
    {"subscription.state", "done", "POST /v1/subscriptions/{HOOK}/resume"},
    {"subscription.pause", "refused", "POST /v1/subscriptions/none/pause"},
    {"subscription.resume", "refused", "POST /v1/subscriptions/none/resume"},
    {"subscription.pull", "refused", "POST /v1/subscriptions/{HOOK}/pull {}"},

    {"hold.place", "done", R"(PUT /v1/audit/holds/suit {"aggregateIds":["held"],"reason":"a suit"})"},
    {"hold.show", "done", "GET /v1/audit/holds/suit"},
    {"holds.list", "done", "GET /v1/audit/holds"},
    {"hold.release", "done", "DELETE /v1/audit/holds/suit"},
    {"retention.set", "done", R"(PUT /v1/audit/retention {"read":"90d"})"},
    {"retention.show", "done", "GET /v1/audit/retention"},
    {"event.redact", "refused", R"(POST /v1/events/01a207b1-c5f4-7ddc-ac17-39586db6ffe5/redact {"reason":"erasure"})"},
    {"aggregate.redact", "refused", R"(POST /v1/aggregates/nothing/redact {"reason":"erasure"})"},
    {"redaction.request", "done", R"(POST /v1/events/{OTHER}/redact {"reason":"erasure"})", "REDACTION=/redactionId"},
    {"redaction.show", "done", "GET /v1/audit/redactions/{REDACTION}"},
    {"redaction.complete", "done", "the redaction"},

    {"server.reload", "done", "SIGHUP"},
    {"server.stop", "done", "stop and start"},
    {"subscription.deliveries", "done", "stop and start"},
    {"subscription.delete", "done", "DELETE /v1/subscriptions/{HOOK}"},
    {"key.retire", "done", "stele key rotate"},
};

/// What takes a clock or a crowd, and the test of tests/api that has them.
struct ByUnitTest {
  std::string_view action;
  std::string_view test;
};
constexpr ByUnitTest kByUnitTest[] = {
    {"audit.beyond", "ActionRecorder.WritesAllThatItWasToldAndThenTheEnd"},
    {"audit.lost", "ActionRecorder.WhatDoesNotFitIsCountedAndTheLossRecorded"},
    {"stream.continue", "Audit.ALiveStreamIsRecordedAtItsStartEachHourAndAtItsEnd"},
    {"subscription.breaker", "Audit.ABreakerThatOpensIsRecorded"},
    {"subscription.checkpoint", "SubscriptionRoom.TheLogIsToldOfThePlaceOnceAnHour"},
};

std::string trimmed_end(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class RegistryServer {
 public:
  RegistryServer() { admin_ = create_key("ada"); }

  /// A new key of an administrator.
  std::string create_key(const std::string& name) {
    const ProcessResult made =
        run_stele({"token", "create", "--data", options_.data, "--role", "admin", "--name", name});
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    return trimmed_end(made.out);
  }
  HttpResponse ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    Headers headers = bearer();
    if (!body.empty()) headers.emplace_back("Content-Type", body[0] == '(' ? "text/javascript" : "application/json");
    return HttpClient(server_.port()).request(method, target, body, headers);
  }
  /// The records of an action.
  std::vector<Json> records(std::string_view action, std::string_view outcome) {
    const HttpResponse found =
        ask("GET", "/v1/events/audit?order=desc&action=" + std::string(action) + "&outcome=" + std::string(outcome));
    REQUIRE_MESSAGE(found.status == 200, found.body);
    return Json(found.body).list("/records");
  }

  /// Does what leaves it, unless it was done for an earlier one.
  void leave(const Leaver& what) {
    const std::string by = with_known(what.by);
    const std::size_t space = by.find(' ');
    static const std::set<std::string> kMethods{"GET", "POST", "PUT", "PATCH", "DELETE"};
    if (!kMethods.contains(by.substr(0, space))) return step(by);
    const std::size_t body = by.find(' ', space + 1);
    const std::string target = by.substr(space + 1, body == std::string::npos ? std::string::npos : body - space - 1);
    const HttpResponse answer =
        ask(by.substr(0, space), target, body == std::string::npos ? std::string() : by.substr(body + 1));
    CAPTURE(answer.body);
    // A registration that is refused has its candidate dropped.
    CHECK((answer.status >= 400) == (what.outcome == "refused" || what.action == "schema.drop-candidate"));
    if (what.keep.empty()) return;
    const std::size_t equals = what.keep.find('=');
    const Json value = Json(answer.body).at(what.keep.substr(equals + 1));
    std::string text = value.minified();
    if (text.starts_with('"')) text = text.substr(1, text.size() - 2);
    known_[std::string(what.keep.substr(0, equals))] = text;
  }

 private:
  [[nodiscard]] Headers bearer() const { return {{"Authorization", "Bearer " + admin_}}; }

  [[nodiscard]] std::string with_known(std::string_view text) const {
    std::string all(text);
    for (const auto& [name, value] : known_) {
      const std::string mark = "{" + name + "}";
      for (auto at = all.find(mark); at != std::string::npos; at = all.find(mark)) all.replace(at, mark.size(), value);
    }
    return all;
  }

  void step(const std::string& name) {
    if (!done_.insert(name).second || name == "start" || name == "the redaction") return;
    if (name == "stele token create") {
      (void)create_key("bob");
    } else if (name == "a stranger") {
      CHECK(HttpClient(server_.port()).get("/v1/head").status == 401);
    } else if (name == "a stream") {
      RawClient stream(server_.port());
      REQUIRE(
          stream.send("GET /v1/events/stream?start=beginning HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
                      admin_ + "\r\n\r\n"));
      REQUIRE(stream.wait_for("caught-up"));
      stream.reset();
    } else if (name == "deliveries that fail") {
      REQUIRE(eventually([&] {
        const HttpResponse shown = ask("GET", with_known("/v1/subscriptions/{HOOK}"));
        return shown.status == 200 && Json(shown.body).number("/deadLetters") == 2;
      }));
    } else if (name == "SIGHUP") {
      server_.process().signal(SIGHUP);
    } else if (name == "stop and start") {
      CHECK(server_.stop() == 0);
      server_ = ServerProcess::start(options_);
    } else if (name == "stele key rotate") {
      const ProcessResult rotated = run_stele({"key", "rotate", "--data", options_.data});
      REQUIRE_MESSAGE(rotated.exit_code == 0, rotated.err);
      CHECK(server_.stop() == 0);
      server_ = ServerProcess::start(options_);
    } else {
      FAIL("there is no step of that name: " << name);
    }
  }

  test::TempFolder folder_;
  ServerProcess::Options options_{
      folder_.file("data"),
      {"--segment-size", "1MiB", "--auth", "on", "--audit-reads", "all", "--access-log", folder_.file("access.log"),
       "--allow-callback-net", "127.0.0.1/32", "--key-overlap", "1s"},
      {},
      0};
  ServerProcess server_ = ServerProcess::start(options_);
  std::string admin_;
  std::map<std::string, std::string> known_;
  std::set<std::string> done_;
};

}  // namespace

TEST_CASE("AuditActions.EachOfTheRegistryIsLeftBySomethingAndFoundByItsName") {
  std::set<std::string_view> told;
  for (const Leaver& leaver : kLeavers) told.insert(leaver.action);
  for (const ByUnitTest& other : kByUnitTest) CHECK_MESSAGE(told.insert(other.action).second, other.action);
  for (const api::AuditedAction& action : api::audited_actions())
    CHECK_MESSAGE(told.contains(action.name), action.name);
  CHECK(told.size() == api::audited_actions().size());

  RegistryServer server;
  for (const Leaver& leaver : kLeavers) {
    CAPTURE(leaver.action);
    CAPTURE(leaver.by);
    const std::size_t before = leaver.by == "start" ? 0 : server.records(leaver.action, leaver.outcome).size();
    server.leave(leaver);
    // What a search leaves is there whatever was left.
    const bool is_repeated = before > 0 && leaver.action != "event.append" && leaver.action != "subscription.state";
    CHECK(eventually([&] {
      const std::vector<Json> found = server.records(leaver.action, leaver.outcome);
      return is_repeated ? !found.empty() : found.size() > before || (before == 100 && found.size() == 100);
    }));
    for (const Json& record : server.records(leaver.action, leaver.outcome)) {
      CHECK(record.text("/action") == leaver.action);
      CHECK(record.text("/outcome") == leaver.outcome);
      CHECK(!record.text("/timestamp").empty());
      CHECK(record.has("/details"));
    }
  }
}

TEST_CASE("AuditActions.TheTestsExistThatReachTheOthers") {
  std::string tests;
  for (const auto& file : std::filesystem::directory_iterator(source_path("tests/api"))) {
    std::ifstream in(file.path());
    tests.append(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  for (const ByUnitTest& other : kByUnitTest) {
    CHECK_MESSAGE(contains(tests, "TEST_CASE(\"" + std::string(other.test) + "\")"), other.test);
  }
}

}  // namespace stele::tests

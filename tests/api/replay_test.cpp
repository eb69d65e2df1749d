// Replays, states, snapshots and handlers over the service.

#include <doctest/doctest.h>

#include <future>
#include <string>

#include "tests/api/access_support.h"
#include "tests/api/fake_scripts.h"
#include "tests/api/support.h"
#include "tests/support/eventually.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

using Headers = TestService::Headers;

struct Fixture {
  FakeScripts scripts;
  std::optional<TestService> owned;
  TestService& service;

  explicit Fixture(ServiceOptions options = {})
      : service(owned.emplace([&] {
          options.scripts = &scripts;
          return std::move(options);
        }())) {}

  /// Events of type `T` with these data, of an aggregate of type `M`.
  void append(const std::string& aggregate, const std::vector<std::string>& data, const std::string& more = "") {
    for (const std::string& each : data) {
      const Answer answer = service.post(event(aggregate, each, R"("aggregateType":"M")" + more));
      REQUIRE(answer.status == 201);
      times.push_back(answer.text("/timestamp"));
    }
  }
  void append_many(const std::string& aggregate, int count) {
    std::string list = "[";
    for (int i = 0; i < count; ++i) {
      list += (i == 0 ? "" : ",") + event(aggregate, R"({"n":)" + std::to_string(i) + "}", R"("aggregateType":"M")");
    }
    REQUIRE(service.post(list + "]").status == 201);
  }
  Answer replay(const std::string& aggregate, const std::string& body = "", const Headers& headers = {}) {
    Headers all = headers;
    all.emplace("Content-Type", "application/json");
    return service.send(Method::Post, "/v1/events/replay/" + aggregate, body, all);
  }
  Answer snapshot(const std::string& aggregate, const std::string& body = "") {
    return service.send(Method::Post, "/v1/events/snapshot/" + aggregate, body, {{"Content-Type", "application/json"}});
  }
  Answer put_handler(const std::string& path, const std::string& source, const Headers& headers = {}) {
    Headers all = headers;
    all.emplace("Content-Type", "text/javascript; charset=utf-8");
    return service.send(Method::Put, "/v1/handlers/" + path, source, all);
  }
  Answer put_policy(const std::string& type, const std::string& body) {
    return service.send(Method::Put, "/v1/snapshot-policies/" + type, body, {{"Content-Type", "application/json"}});
  }
  /// Waits until the background has taken or failed at so many.
  void wait_for_background(const std::string& metric, int count) {
    const std::string line = "\n" + metric + " " + std::to_string(count) + "\n";
    const bool has_come = eventually([&] { return service.get("/metrics").body.find(line) != std::string::npos; });
    REQUIRE_MESSAGE(has_come, "never: " << line);
  }

  std::vector<std::string> times;
};

}  // namespace

TEST_CASE("Replay.GivesTheStateNowAndAtAnyMomentBefore") {
  Fixture f;
  f.append("a", {R"({"x":1,"y":{"z":2.50}})", R"({"x":null,"y":{"w":1e2}})", R"({"x":3})"});
  const Answer now = f.replay("a");
  CHECK(now.status == 200);
  CHECK(now.body.find(R"("state":{"y":{"z":2.50,"w":1e2},"x":3},)") != std::string::npos);
  CHECK(now.at("/sequenceNumber") == "3");
  CHECK(now.at("/eventsApplied") == "3");
  CHECK(now.at("/aggregateType") == "\"M\"");
  CHECK(now.text("/timestamp") == f.times[2]);
  CHECK(now.at("/handler") == R"({"name":"merge","version":null,"pure":true})");
  CHECK(now.at("/snapshot") == "null");

  const Answer second = f.replay("a", R"({"toSequence":2})");
  CHECK(second.body.find(R"("state":{"y":{"z":2.50,"w":1e2}},)") != std::string::npos);
  CHECK(second.text("/timestamp") == f.times[1]);
  CHECK(f.replay("a", R"({"toTimestamp":")" + f.times[0] + "\"}").at("/sequenceNumber") == "1");
  // Finer digits of an inclusive bound are cut.
  const std::string finer = f.times[0].substr(0, f.times[0].size() - 1) + "999Z";
  CHECK(f.replay("a", R"({"toTimestamp":")" + finer + "\"}").at("/sequenceNumber") == "1");
  CHECK(f.replay("a", R"({"toTimestamp":"2999-01-01T00:00:00Z"})").at("/sequenceNumber") == "3");
  for (const char* const none : {R"({"toSequence":0})", R"({"toTimestamp":"1999-01-01T00:00:00Z"})",
                                 R"({"toOccurredAt":"1999-01-01T00:00:00Z"})"}) {
    const Answer initial = f.replay("a", none);
    CHECK(initial.at("/state") == "{}");
    CHECK(initial.at("/sequenceNumber") == "0");
    CHECK(initial.at("/timestamp") == "null");
  }
  CHECK(f.replay("a", R"({"handler":{"name":"last"}})").at("/state") == R"({"x":3})");
}

TEST_CASE("Replay.ByTheTimeInTheDomainFoldsLateEntriesInTheirOrder") {
  Fixture f;
  f.append("a", {R"({"a":1})"}, R"(,"occurredAt":"2020-01-03T00:00:00Z")");
  f.append("a", {R"({"b":2})"}, R"(,"occurredAt":"2020-01-01T00:00:00Z")");
  f.append("a", {R"({"c":3})"});
  CHECK(f.replay("a", R"({"toOccurredAt":"2020-01-02T00:00:00Z"})").at("/state") == R"({"b":2})");
  const Answer both = f.replay("a", R"({"toOccurredAt":"2020-01-03T00:00:00Z"})");
  CHECK(both.at("/state") == R"({"a":1,"b":2})");
  CHECK(both.at("/sequenceNumber") == "2");
  CHECK(f.replay("a", R"({"toOccurredAt":"2999-01-01T00:00:00Z"})").at("/state") == R"({"a":1,"b":2,"c":3})");
}

TEST_CASE("Replay.ComparesTwoMoments") {
  Fixture f;
  f.append("a", {R"({"x":1,"y":1})", R"({"x":2})", R"({"y":null})"});
  CHECK(f.replay("a", R"({"compareTo":1})").at("/diff") ==
        R"([{"op":"replace","path":"/x","value":2},{"op":"remove","path":"/y"}])");
  CHECK(f.replay("a", R"({"toSequence":2,"compareTo":2})").at("/diff") == "[]");
  CHECK(f.replay("a", R"({"compareTo":4})").slug() == "sequence-beyond-head");
}

TEST_CASE("Replay.RefusesWhatCannotBeMeant") {
  Fixture f;
  f.append("a", {"{}"});
  CHECK(f.replay("nobody").slug() == "aggregate-not-found");
  const Answer beyond = f.replay("a", R"({"toSequence":2})");
  CHECK(beyond.status == 422);
  CHECK(beyond.slug() == "sequence-beyond-head");
  CHECK(beyond.at("/currentSequenceNumber") == "1");
  CHECK(f.replay("a", "[]").slug() == "invalid-request");
  CHECK(f.replay("a", "{").slug() == "malformed-json");
  const auto where = [&](const std::string& body) {
    const Answer answer = f.replay("a", body);
    CHECK(answer.status == 422);
    CHECK(answer.slug() == "invalid-request");
    return answer.text("/errors/0/pointer");
  };
  CHECK(where(R"({"toSequence":1,"toTimestamp":"2999-01-01T00:00:00Z"})") == "/toSequence");
  CHECK(where(R"({"toSequence":-1})") == "/toSequence");
  CHECK(where(R"({"toTimestamp":"yesterday"})") == "/toTimestamp");
  CHECK(where(R"({"tosequence":1})") == "/tosequence");
  CHECK(where(R"({"handler":{}})") == "/handler/name");
  CHECK(where(R"({"handler":{"name":"x","source":"y"}})") == "/handler/source");
  CHECK(where(R"({"handler":{"name":"x","version":0}})") == "/handler/version");
  CHECK(where(R"({"useSnapshot":1})") == "/useSnapshot");
  CHECK(where(R"({"useSnapshot":true,"useSnapshot":true})") == "/useSnapshot");
  CHECK(f.replay("a", R"({"handler":{"name":"nobody"}})").slug() == "handler-not-found");
  CHECK(f.replay("a", R"({"handler":{"name":"merge","version":1}})").slug() == "handler-not-found");
}

TEST_CASE("Replay.NoMoreThanTheLimitRunAtOnce") {
  ServiceOptions options;
  options.replay.replays_max = 1;
  Fixture f(options);
  f.append("a", {"{}"});
  std::promise<void> inside, go_on;
  f.scripts.on_begin = [&] {
    inside.set_value();
    go_on.get_future().wait();
  };
  auto first = f.service.begin(Method::Post, "/v1/events/replay/a", R"({"handler":{"source":"count"}})",
                               {{"Content-Type", "application/json"}});
  inside.get_future().wait();
  const Answer second = f.replay("a");
  CHECK(second.status == 429);
  CHECK(second.slug() == "busy-replays");
  CHECK(second.header("Retry-After") == "1");
  go_on.set_value();
  CHECK(first.get().status == 200);
  f.scripts.on_begin = nullptr;
}

TEST_CASE("Replay.EndsWhenNobodyWaitsForIt") {
  Fixture f;
  f.append_many("a", 5000);
  const auto request =
      std::make_shared<TestRequest>(Method::Post, "/v1/events/replay/a", R"({"handler":{"source":"count"}})",
                                    Headers{{"Content-Type", "application/json"}}, f.service.scheduler());
  f.scripts.on_begin = [&] { request->is_abandoned = true; };
  const Answer answer = f.service.begin(request).get();
  CHECK(answer.status == 503);
  CHECK(answer.slug() == "unavailable");
  CHECK(f.scripts.folded < 5000);
}

TEST_CASE("Replay.OneTrialOfACallerAtATime") {
  Fixture f;
  f.append("a", {"{}"});
  std::promise<void> inside, go_on;
  f.scripts.on_begin = [&] {
    inside.set_value();
    go_on.get_future().wait();
  };
  auto first = f.service.begin(Method::Post, "/v1/events/replay/a", R"({"handler":{"source":"count"}})",
                               {{"Content-Type", "application/json"}});
  inside.get_future().wait();
  CHECK(f.replay("a", R"({"handler":{"source":"count"}})").slug() == "busy-replays");
  CHECK(f.replay("a").status == 200);
  go_on.set_value();
  const Answer answer = first.get();
  CHECK(answer.at("/handler") == R"({"name":"trial","version":null,"pure":null})");
  f.scripts.on_begin = nullptr;
  CHECK(f.replay("a", R"({"handler":{"source":"count"}})").at("/state") == "1");
}

TEST_CASE("Handlers.AreVersionedAndOutliveARestart") {
  Fixture f;
  f.append("a", {"{}", "{}"});
  const Answer first = f.put_handler("M", "count");
  CHECK(first.status == 201);
  CHECK(first.header("Location") == "/v1/handlers/M/default/versions/1");
  CHECK(first.body == R"({"aggregateType":"M","name":"default","version":1})");
  CHECK(f.put_handler("M", "count").status == 200);
  CHECK(f.replay("a").at("/state") == "2");
  CHECK(f.put_handler("M", "throws 2").status == 201);
  const Answer failed = f.replay("a");
  CHECK(failed.status == 422);
  CHECK(failed.slug() == "handler-failed");
  CHECK(failed.at("/sequenceNumber") == "2");
  CHECK(failed.at("/eventType") == "\"T\"");
  CHECK(failed.at("/line") == "1");
  CHECK(failed.at("/scriptMessage") == "\"no\"");
  CHECK(f.replay("a", R"({"toSequence":1})").status == 200);
  // Old versions stay usable.
  CHECK(f.replay("a", R"({"handler":{"name":"default","version":1}})").at("/state") == "2");
  CHECK(f.replay("a", R"({"handler":{"name":"default","version":3}})").slug() == "handler-not-found");
  CHECK(f.put_handler("M/other", "count").status == 201);

  const auto check = [&](Service& service) {
    TestScheduler scheduler;
    TestRequest request(Method::Get, "/v1/handlers", "", {}, scheduler);
    std::promise<std::string> body;
    service.handle(request, [&](Response response) { body.set_value(std::move(response.body)); });
    return body.get_future().get();
  };
  const std::string before = check(f.service.service());
  CHECK(before.find(R"("name":"default","version":2,"versions":2)") != std::string::npos);
  CHECK(before.find(R"("name":"other","version":1,"versions":1)") != std::string::npos);
  ServiceOptions options;
  options.scripts = &f.scripts;
  Service again(f.service.store(), f.service.scheduler(), options);
  CHECK(check(again) == before);
  const Answer version = f.service.get("/v1/handlers/M/default/versions/2");
  CHECK(version.at("/source") == "\"throws 2\"");
  CHECK(f.service.get("/v1/handlers/M/default/versions/3").slug() == "handler-not-found");
  CHECK(f.service.get("/v1/handlers/M/default/versions/x").slug() == "handler-not-found");
  CHECK(f.service.get("/v1/handlers/M/default").at("/versions/1/version") == "2");
  // Its events are the store's own.
  CHECK(f.service.get("/v1/events?aggregateId=$handler/M&includeSystem=true").at("/events/0/eventType") ==
        "\"$HandlerRegistered\"");
  CHECK(f.service.get("/v1/events?aggregateId=$handler/M").at("/events") == "[]");
}

TEST_CASE("Handlers.ThatAreNoneAreRefused") {
  Fixture f;
  const Answer broken = f.put_handler("M", "broken");
  CHECK(broken.status == 422);
  CHECK(broken.slug() == "invalid-handler");
  CHECK(broken.at("/line") == "3");
  CHECK(broken.at("/column") == "7");
  CHECK(f.put_handler("M/merge", "count").slug() == "invalid-path");
  CHECK(f.put_handler("$M", "count").slug() == "invalid-path");
  CHECK(f.put_handler("M/" + std::string(129, 'a'), "count").slug() == "invalid-path");
  CHECK(f.put_handler("M", "\xFF").slug() == "invalid-handler");
  CHECK(f.put_handler("M", std::string((256U << 10) + 1, ' ')).status == 413);
  CHECK(f.service.send(Method::Put, "/v1/handlers/M", "count", {{"Content-Type", "application/json"}}).status == 415);
  f.scripts.failing = FoldFailure{.kind = FoldFailure::Kind::Unavailable, .message = "no seccomp here"};
  const Answer unavailable = f.put_handler("M", "count");
  CHECK(unavailable.slug() == "handlers-unavailable");
  CHECK(unavailable.text("/detail").find("no seccomp here") != std::string::npos);
  f.scripts.failing = FoldFailure{.kind = FoldFailure::Kind::Limit, .limit = "call-time"};
  CHECK(f.put_handler("M", "count").at("/limit") == "\"call-time\"");
  f.scripts.failing = FoldFailure{.kind = FoldFailure::Kind::Died};
  CHECK(f.put_handler("M", "count").status == 503);
  CHECK(f.service.get("/v1/handlers").at("/handlers") == "[]");
}

TEST_CASE("Snapshots.LetAReplayBeginWhereTheyEnd") {
  ServiceOptions options;
  options.replay.state_cache_bytes_max = 0;
  Fixture f(options);
  f.append("a", {R"({"x":1})", R"({"y":2})"});
  const Answer taken = f.snapshot("a");
  CHECK(taken.status == 201);
  CHECK(taken.at("/state") == R"({"x":1,"y":2})");
  CHECK(taken.header("Location") == "/v1/events/snapshot/a?sequenceNumber=2");
  f.append("a", {R"({"z":3})"});
  const Answer rest = f.replay("a");
  CHECK(rest.at("/eventsApplied") == "1");
  CHECK(rest.at("/snapshot") == R"({"sequenceNumber":2,"source":"store"})");
  CHECK(rest.at("/state") == R"({"x":1,"y":2,"z":3})");
  const Answer whole = f.replay("a", R"({"useSnapshot":false})");
  CHECK(whole.at("/eventsApplied") == "3");
  CHECK(whole.at("/state") == rest.at("/state"));
  CHECK(f.replay("a", R"({"toSequence":1})").at("/snapshot") == "null");
  CHECK(f.replay("a", R"({"toSequence":2})").at("/eventsApplied") == "0");
  // Those of one handler are nothing to another.
  CHECK(f.replay("a", R"({"handler":{"name":"last"}})").at("/snapshot") == "null");
  CHECK(f.service.get("/v1/events/snapshot/a").at("/sequenceNumber") == "2");
  CHECK(f.service.get("/v1/events/snapshot/a?sequenceNumber=1").slug() == "snapshot-not-found");
  CHECK(f.service.get("/v1/events/snapshot/nobody").slug() == "aggregate-not-found");
  CHECK(f.service.get("/v1/events/snapshot/a?source=x").slug() == "invalid-parameter");
}

TEST_CASE("Snapshots.OfAClientAreGivenBackAndNeverFoldedFrom") {
  Fixture f;
  f.append("a", {R"({"x":1})", R"({"x":2})"});
  const Answer stored = f.snapshot("a", R"({"state": {"mine": [1, 2.0]}, "sequenceNumber": 1})");
  CHECK(stored.status == 201);
  CHECK(stored.header("Location") == "/v1/events/snapshot/a?sequenceNumber=1&source=client");
  CHECK(f.snapshot("a", R"({"state":"later","sequenceNumber":2})").status == 201);
  CHECK(f.service.get("/v1/events/snapshot/a?source=client").at("/state") == "\"later\"");
  const Answer earlier = f.service.get("/v1/events/snapshot/a?source=client&sequenceNumber=1");
  CHECK(earlier.at("/state") == R"({"mine":[1,2.0]})");
  CHECK(earlier.at("/source") == "\"client\"");
  CHECK(f.service.get("/v1/events/snapshot/a").slug() == "snapshot-not-found");
  CHECK(f.replay("a").at("/snapshot") == "null");
  CHECK(f.snapshot("a", R"({"state":1,"sequenceNumber":3})").slug() == "sequence-beyond-head");
  CHECK(f.snapshot("a", R"({"state":1})").text("/errors/0/pointer") == "/sequenceNumber");
  CHECK(f.snapshot("a", R"({"sequenceNumber":1})").text("/errors/0/pointer") == "/state");
  CHECK(f.snapshot("a", R"({"sequenceNumber":1,"state":")" + std::string(1U << 20, 'a') + "\"}").status == 422);
  const std::string long_id(255, 'b');
  f.append(long_id, {"1"});
  CHECK(f.snapshot(long_id, R"({"state":1,"sequenceNumber":1})").status == 201);
  CHECK(f.service.get("/v1/events/snapshot/" + long_id + "?source=client").at("/state") == "1");
}

TEST_CASE("Snapshots.AreTakenInTheBackgroundByPolicy") {
  ServiceOptions options;
  options.replay.snapshot_every_events = 100;
  options.replay.state_cache_bytes_max = 0;
  Fixture f(options);
  CHECK(f.put_policy("M", R"({"everyEvents":10,"keep":3})").status == 201);
  CHECK(f.put_policy("M", R"({"everyEvents":10,"keep":3})").status == 200);
  f.append_many("a", 9);
  f.append("a", {R"({"last":1})"});
  f.wait_for_background("stele_snapshots_taken_total", 1);
  f.append("a", {R"({"last":2})"});
  const Answer rest = f.replay("a");
  CHECK(rest.at("/snapshot/sequenceNumber") == "10");
  CHECK(rest.at("/eventsApplied") == "1");
  CHECK(rest.at("/state") == R"({"n":8,"last":2})");
  CHECK(f.service.get("/v1/snapshot-policies").body ==
        R"({"default":{"everyEvents":100,"keep":2},"policies":[{"aggregateType":"M","everyEvents":10,"keep":3}]})");
  CHECK(f.service.get("/v1/snapshot-policies/M").at("/keep") == "3");
  CHECK(f.service.get("/v1/snapshot-policies/N").slug() == "policy-not-found");
  CHECK(f.service.send(Method::Delete, "/v1/snapshot-policies/M").status == 204);
  CHECK(f.service.send(Method::Delete, "/v1/snapshot-policies/M").status == 404);
  CHECK(f.put_policy("M", R"({"keep":3})").text("/errors/0/pointer") == "/everyEvents");
  CHECK(f.put_policy("M", R"({"everyEvents":1,"keep":17})").text("/errors/0/pointer") == "/keep");
  CHECK(f.put_policy("M", R"({"everyEvents":0})").status == 201);
  f.append_many("a", 200);
  ServiceOptions again;
  Service restarted(f.service.store(), f.service.scheduler(), again);
  CHECK(f.service.get("/v1/snapshot-policies/M").at("/everyEvents") == "0");
}

TEST_CASE("Purity.IsCheckedBeforeAnythingIsFoldedFromAKeptState") {
  Fixture f;
  f.append_many("a", 10);
  CHECK(f.put_handler("M", "count").status == 201);
  CHECK(f.replay("a").at("/handler/pure") == "null");
  CHECK(f.replay("a").at("/snapshot") == "null");
  CHECK(f.snapshot("a").at("/handler/pure") == "true");
  f.append("a", {"{}"});
  const Answer rest = f.replay("a");
  CHECK(rest.at("/handler/pure") == "true");
  CHECK(rest.at("/snapshot/sequenceNumber") == "10");
  CHECK(rest.at("/state") == "11");
  // The engine is part of what a state is by.
  f.scripts.engine = "fake/2";
  CHECK(f.replay("a").at("/snapshot") == "null");
  f.scripts.engine = "fake/1";

  CHECK(f.put_handler("M", "closure").status == 201);
  const Answer refused = f.snapshot("a");
  CHECK(refused.status == 422);
  CHECK(refused.slug() == "handler-impure");
  const Answer whole = f.replay("a");
  CHECK(whole.at("/handler/pure") == "false");
  CHECK(whole.at("/snapshot") == "null");
  CHECK(whole.at("/state") == "11");
  const Answer listed = f.service.get("/v1/handlers/M");
  CHECK(listed.at("/handlers/0/pure") == "false");
  // The newest event that was folded when it was found out: genesis, ten events, three about the handler, one event.
  CHECK(listed.at("/handlers/0/impureSince") == "13");
  CHECK(f.snapshot("a").slug() == "handler-impure");
  // The old version goes on as it was.
  CHECK(f.replay("a", R"({"handler":{"name":"default","version":1}})").at("/snapshot/sequenceNumber") == "10");
}

TEST_CASE("State.IsWhatServicesPoll") {
  Fixture f;
  f.append("a", {R"({"x":1})"});
  const Answer first = f.service.get("/v1/aggregates/a/state");
  CHECK(first.status == 200);
  CHECK(first.at("/state") == R"({"x":1})");
  const std::string etag = first.header("ETag");
  CHECK(etag.starts_with("\"1-"));
  const Answer again = f.service.get("/v1/aggregates/a/state");
  CHECK(again.at("/snapshot/source") == "\"cache\"");
  CHECK(again.at("/eventsApplied") == "0");
  for (const std::string& field : {etag, "W/" + etag, "\"x\", " + etag, std::string("*")}) {
    const Answer same = f.service.get("/v1/aggregates/a/state", {{"If-None-Match", field}});
    CHECK(same.status == 304);
    CHECK(same.body.empty());
    CHECK(same.header("ETag") == etag);
  }
  f.append("a", {R"({"x":2})"});
  const Answer next = f.service.get("/v1/aggregates/a/state", {{"If-None-Match", etag}});
  CHECK(next.status == 200);
  CHECK(next.at("/state") == R"({"x":2})");
  CHECK(next.at("/eventsApplied") == "1");
  CHECK(f.service.get("/v1/aggregates/nobody/state").slug() == "aggregate-not-found");
  // Another handler is another state, though no event was added.
  CHECK(f.put_handler("M", "count").status == 201);
  const Answer counted = f.service.get("/v1/aggregates/a/state", {{"If-None-Match", next.header("ETag")}});
  CHECK(counted.status == 200);
  CHECK(counted.at("/state") == "2");
}

TEST_CASE("Replay.ShowsACallerWhatItMaySeeAndNothingElse") {
  TestKeys keys;
  const std::string limited = keys.add(Role::Admin, "limited", {"N"}), reader = keys.add(Role::Reader, "reader"),
                    service = keys.add(Role::Service, "service"), admin = keys.add(Role::Admin, "admin");
  ServiceOptions options;
  options.authenticator = keys.open({});
  Fixture f(options);
  const auto as = [](const std::string& token) { return Headers{{"Authorization", "Bearer " + token}}; };
  REQUIRE(f.service.post(event("a", "{}", R"("aggregateType":"M")"), as(admin)).status == 201);
  CHECK(f.replay("a", "", as(reader)).status == 200);
  CHECK(f.replay("a", "", as(limited)).slug() == "aggregate-not-found");
  CHECK(f.service.get("/v1/aggregates/a/state", as(limited)).slug() == "aggregate-not-found");
  CHECK(f.service.get("/v1/events/snapshot/a", as(limited)).slug() == "aggregate-not-found");
  const std::string trial = R"({"handler":{"source":"count"}})";
  CHECK(f.replay("a", trial, as(reader)).slug() == "insufficient-role");
  CHECK(f.replay("a", trial, as(service)).status == 200);
  CHECK(f.put_handler("N", "count", as(limited)).slug() == "limit-forbids");
  CHECK(f.put_handler("M", "count", as(admin)).status == 201);
  CHECK(f.service.get("/v1/handlers", as(limited)).at("/handlers") == "[]");
  CHECK(f.service.get("/v1/handlers/M/default", as(limited)).slug() == "handler-not-found");
  CHECK(f.service.get("/v1/handlers", as(reader)).at("/handlers/0/name") == "\"default\"");
  // Who registered it stands in the log.
  CHECK(f.service.get("/v1/events?aggregateId=$handler/M&includeSystem=true", as(admin)).at("/events/0/userId") ==
        "\"admin\"");
}

// States are folded from events in the newest version of their schema, whatever was kept before.

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/api/fake_scripts.h"
#include "tests/api/support.h"
#include "tests/support/environment.h"

using namespace stele;
using namespace stele::api;
using namespace stele::api::test;

namespace {

const TestService::Headers kReplayJsonHeaders{{"Content-Type", "application/json"}};

struct UpcastReplayFixture {
  FakeScripts scripts;
  TestService service;

  UpcastReplayFixture()
      : service([this] {
          ServiceOptions options;
          options.scripts = &scripts;
          return options;
        }()) {}

  Answer append(const std::string& type, const std::string& data, int version = 1) {
    const Answer stored =
        service.send(Method::Post, "/v1/events",
                     R"({"eventType":")" + type + R"(","aggregateId":"a","aggregateType":"M","version":)" +
                         std::to_string(version) + R"(,"data":)" + data + "}",
                     kReplayJsonHeaders);
    REQUIRE(stored.status == 201);
    return stored;
  }
  void register_version(const std::string& type, const std::string& upcaster = "") {
    const std::string more = upcaster.empty() ? R"(,"compatibility":"NONE")" : R"(,"upcaster":)" + upcaster;
    // Another text each time, or it would be the same version.
    const std::string schema = R"({"title":")" + std::to_string(++schemas) + R"("})";
    const Answer done =
        service.send(Method::Post, "/v1/schemas/" + type, R"({"schema":)" + schema + more + "}", kReplayJsonHeaders);
    CAPTURE(done.body);
    REQUIRE(done.status == 201);
  }
  Answer replay(const std::string& body = "") {
    return service.send(Method::Post, "/v1/events/replay/a", body, kReplayJsonHeaders);
  }
  Answer snapshot() { return service.send(Method::Post, "/v1/events/snapshot/a", "", kReplayJsonHeaders); }

  int schemas = 0;
};

const std::string kRenameName = R"({"from":1,"operations":[{"op":"rename","path":"/name","to":"title"}]})";

}  // namespace

TEST_CASE("UpcastReplay.FoldsEventsInTheNewestVersion") {
  UpcastReplayFixture f;
  f.register_version("T");
  f.append("T", R"({"name":"Ada","n":1.5})");
  CHECK(f.replay().at("/state") == R"({"name":"Ada","n":1.5})");
  f.register_version("T", kRenameName);
  f.append("T", R"({"title":"Countess"})", 2);
  f.append("T", R"({"name":"Lovelace"})", 1);
  CHECK(f.replay(R"({"toSequence":1})").at("/state") == R"({"title":"Ada","n":1.5})");
  CHECK(f.replay().at("/state") == R"({"title":"Lovelace","n":1.5})");
  CHECK(f.replay(R"({"handler":{"name":"last"}})").at("/state") == R"({"title":"Lovelace"})");
  CHECK(f.service.get("/v1/aggregates/a/state").at("/state") == R"({"title":"Lovelace","n":1.5})");
}

TEST_CASE("UpcastReplay.AnEventThatCannotBeUpcastIsNamed") {
  UpcastReplayFixture f;
  f.register_version("T");
  f.append("T", R"({"name":"Ada"})");
  f.register_version("T", kRenameName);
  const Answer offender = f.append("T", "7", 1);
  const Answer failed = f.replay();
  CHECK(failed.status == 422);
  CHECK(failed.slug() == "upcast-failed");
  CHECK(failed.at("/position") == offender.at("/position"));
  CHECK(failed.at("/sequenceNumber") == "2");
  CHECK(failed.at("/eventType") == R"("T")");
  CHECK(failed.at("/detail").find("Operation 0 (rename)") != std::string::npos);
  CHECK(f.replay(R"({"toSequence":1})").at("/state") == R"({"title":"Ada"})");
  CHECK(f.snapshot().slug() == "upcast-failed");
}

TEST_CASE("UpcastReplay.OnlyWhatChangesTheEventsOfASnapshotMakesItUnusable") {
  UpcastReplayFixture f;
  f.register_version("T");
  f.append("T", R"({"name":"Ada"})");
  REQUIRE(f.snapshot().status == 201);
  const auto base = [&] { return f.replay().at("/snapshot/sequenceNumber"); };
  const auto etag = [&] { return f.service.get("/v1/aggregates/a/state").header("ETag"); };
  CHECK(base() == "1");
  const std::string before = etag();

  f.register_version("Other");
  f.register_version("Other", kRenameName);
  CHECK(base() == "1");
  f.register_version("T", kRenameName);
  CHECK(base() == "none");
  CHECK(etag() != before);
  CHECK(f.replay().at("/state") == R"({"title":"Ada"})");
  REQUIRE(f.snapshot().status == 201);
  CHECK(base() == "1");
  // Another number alone is nothing that the built-in folds could tell.
  f.register_version("T");
  CHECK(base() == "1");
  CHECK(f.service.get("/v1/events/snapshot/a").at("/state") == R"({"title":"Ada"})");

  // What was kept in another process of before, and is read again.
  Service restarted(f.service.store(), f.service.scheduler(), {});
  auto request =
      std::make_shared<TestRequest>(Method::Post, "/v1/events/replay/a", "", kReplayJsonHeaders, f.service.scheduler());
  std::promise<Response> promise;
  restarted.handle(*request, [&](Response response) { promise.set_value(std::move(response)); });
  auto answer = promise.get_future();
  const std::string body = f.service.get_in_time(answer, request->path()).body;
  CHECK(body.find(R"("state":{"title":"Ada"})") != std::string::npos);
  CHECK(body.find(R"("snapshot":{"sequenceNumber":1)") != std::string::npos);
  restarted.begin_shutdown();
}

TEST_CASE("UpcastReplay.AScriptSeesTheNumberOfTheVersion") {
  UpcastReplayFixture f;
  REQUIRE(f.service.send(Method::Put, "/v1/handlers/M", "count", {{"Content-Type", "text/javascript"}}).status == 201);
  f.register_version("T");
  f.append("T", "1");
  f.append("T", "2");
  REQUIRE(f.snapshot().status == 201);
  CHECK(f.replay().at("/snapshot/sequenceNumber") == "2");
  f.register_version("T");
  CHECK(f.replay().at("/snapshot") == "null");
}

TEST_CASE("UpcastReplay.FromASnapshotIsAsFromTheFirstEvent") {
  const std::uint64_t seed = stele::test::number_from("STELE_UPCAST_SEED", std::random_device{}());
  MESSAGE("seed " << seed);
  std::mt19937 random(static_cast<std::uint32_t>(seed));
  const auto any = [&](int end) { return static_cast<int>(random() % static_cast<unsigned>(end)); };
  UpcastReplayFixture f;
  const std::vector<std::string> types{"T", "U"};
  std::vector<int> versions{1, 1};
  for (const std::string& type : types) f.register_version(type);
  f.append("T", R"({"m0":0})");
  int bases = 0;
  for (int i = 0; i < 120; ++i) {
    const auto which = static_cast<std::size_t>(any(2));
    const int action = any(10);
    if (action < 6) {
      f.append(types[which], R"({"m)" + std::to_string(any(4)) + R"(":)" + std::to_string(i) + "}",
               1 + any(versions[which]));
    } else if (action < 8) {
      CHECK(f.snapshot().status == 201);
    } else {
      const std::string from = std::to_string(any(4)), to = std::to_string(any(4));
      const std::string upcaster = R"({"from":)" + std::to_string(versions[which]) +
                                   R"(,"operations":[{"op":"rename","path":"/m)" + from + R"(","to":"m)" + to +
                                   R"("},{"op":"default","path":"/d/)" + to + R"(","value":)" + from + "}]}";
      f.register_version(types[which], any(3) == 0 ? "" : upcaster);
      ++versions[which];
    }
    const Answer kept = f.replay();
    const Answer whole = f.replay(R"({"useSnapshot":false})");
    REQUIRE(kept.status == 200);
    REQUIRE(kept.at("/state") == whole.at("/state"));
    if (kept.at("/snapshot") != "null") ++bases;
  }
  CHECK(bases > 0);
}

// Appends whose look-ups have to wait for the disk do so on the read pool.

#include <doctest/doctest.h>

#include <thread>

#include "api/http/compressor.h"
#include "engine/base/uuid.h"
#include "tests/api/access_support.h"
#include "tests/api/support.h"
#include "tests/support/cold_file_system.h"

namespace stele::api::test {
namespace {

using stele::test::ColdFileSystem;

/// A service whose store has runs of the index, with nothing of them in memory.
struct ColdService {
  explicit ColdService(ServiceOptions options = {}) : service(std::move(options), &files, fill) {
    REQUIRE(service.store().health().index_runs > 0);
    files.chill();
  }
  static void fill(Store& store) {
    for (int i = 0; i < 16; ++i) {
      Proposal made;
      RecordDraft& draft = made.events.emplace_back();
      draft.event_id = make_uuid_v7(system_clock());
      draft.aggregate_id = "old-" + std::to_string(i % 4);
      draft.aggregate_type = i % 2 == 0 ? "A" : "B";
      draft.event_type = "T";
      draft.data = "1";
      draft.seal();
      REQUIRE(store.append_and_wait(std::move(made)).kind == AppendOutcome::Kind::Stored);
    }
  }
  [[nodiscard]] bool waited_here() const { return files.has_waited(std::this_thread::get_id()); }

  ColdFileSystem files;
  TestService service;
};

}  // namespace

TEST_CASE("ColdAppend.LookUpsOnTheDiskHappenOnTheReadPool") {
  ColdService cold;
  CHECK(cold.service.post(event("old-1")).status == 201);
  CHECK(cold.service.post("[" + event("old-1") + "," + event("fresh") + "]").status == 201);
  CHECK_FALSE(cold.waited_here());
}

TEST_CASE("ColdAppend.AFullReadPoolIsBusy") {
  ColdService cold;
  cold.service.scheduler().full = true;
  const std::string body =
      R"({"events":[)" + event("fresh") + R"(],"condition":{"failIfEventsMatch":[{"eventTypes":["Nothing"]}]}})";
  const Answer refused = cold.service.post(body);
  CHECK(refused.status == 503);
  CHECK(refused.slug() == "busy");
  CHECK(refused.header("Retry-After") == "1");
  CHECK_FALSE(cold.waited_here());
  cold.service.scheduler().full = false;
  CHECK(cold.service.post(body).status == 201);
  CHECK_FALSE(cold.waited_here());
}

TEST_CASE("ColdAppend.WhatIsInMemoryNeedsNoReadPool") {
  ColdService cold;
  cold.files.warm_up();
  cold.service.scheduler().full = true;
  CHECK(cold.service.post(event("old-1")).status == 201);
  CHECK(cold.service.post(event("fresh")).status == 201);
}

TEST_CASE("ColdAppend.TheTypesOfALimitedKeyAreLookedUpOnTheReadPool") {
  TestKeys keys;
  const auto bearer = [](const std::string& secret) {
    return TestService::Headers{{"Authorization", "Bearer " + secret}};
  };
  const auto limited = bearer(keys.add(Role::Writer, "limited", {"A"}));
  const auto sent = [&](const std::string& body, const char* type) {
    ServiceOptions options;
    options.authenticator = keys.open();
    ColdService cold(std::move(options));
    TestService::Headers headers = limited;
    headers["Content-Type"] = type;
    Answer answer = cold.service.send(Method::Post, "/v1/events", body, headers);
    CHECK_FALSE(cold.waited_here());
    return answer;
  };
  // The aggregates' types are not in the bodies.
  CHECK(sent(event("old-0"), "application/json").status == 201);
  CHECK(sent(event("old-1"), "application/json").slug() == "aggregate-type-not-allowed");
  // In NDJSON the refusal says the line, from the body that has waited as well.
  const Answer refused = sent(event("old-0") + "\n\n" + event("old-3") + "\n", "application/x-ndjson");
  CHECK(refused.slug() == "aggregate-type-not-allowed");
  CHECK(refused.at("/errors/0/line") == "3");
}

TEST_CASE("ColdAppend.ACompressedBodyWaitsToo") {
  ColdService cold;
  const std::string body = compress(ContentCoding::Gzip, event("old-1"));
  CHECK(cold.service.post(body, {{"Content-Encoding", "gzip"}}).status == 201);
  CHECK_FALSE(cold.waited_here());
}

}  // namespace stele::api::test

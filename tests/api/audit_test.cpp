// What is recorded of calls, and how it is found again.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "api/audit/action_draft.h"
#include "api/audit/action_recorder.h"
#include "api/audit/audit_search.h"
#include "engine/base/uuid.h"
#include "tests/api/audit_support.h"
#include "tests/api/support.h"
#include "tests/support/build_paths.h"

namespace stele::api::test {

TEST_CASE("AuditedActions.AreInOrderAndEachEndpointAndOwnEventHasOne") {
  const auto actions = audited_actions();
  CHECK(std::is_sorted(actions.begin(), actions.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  const auto events = own_event_actions();
  CHECK(std::is_sorted(events.begin(), events.end(),
                       [](const auto& a, const auto& b) { return a.event_type < b.event_type; }));
  for (const OwnEventAction& own : events) CHECK_MESSAGE(find_action(own.action) != nullptr, own.event_type);

  TestService service;
  for (const Endpoint& line : service.service().endpoints().endpoints()) {
    if (line.permission == Permission::Open || line.pattern == "/metrics") continue;
    CHECK_MESSAGE(line.action != nullptr, line.pattern);
  }
}

TEST_CASE("AuditedActions.EveryEventTypeOfTheStoreIsShownUnderOne") {
  constexpr std::string_view kMark = "\"$";
  std::size_t seen = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(tests::source_path("api"))) {
    const std::string extension = file.path().extension().string();
    if (extension != ".h" && extension != ".cpp") continue;
    std::ifstream in(file.path());
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    for (auto at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at + 1)) {
      const std::string name = text.substr(at + 1, text.find('"', at + 1) - at - 1);
      const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
      if (name.size() < 3 || name[1] > 'Z' || !std::all_of(name.begin() + 1, name.end(), is_letter)) continue;
      RecordHeader header;
      header.aggregate_id = "$x";
      header.event_type = name;
      CHECK_MESSAGE(action_name(header) != header.event_type, name);
      ++seen;
    }
  }
  CHECK(seen > 10);
}

TEST_CASE("AuditedActions.AreListedInTheDescription") {
  TestService service;
  const std::string description = service.get("/openapi.json").body;
  Answer answer;
  answer.body = description;
  std::string names = "[";
  std::string descriptions;
  for (const AuditedAction& action : audited_actions()) {
    names += (names.size() > 1 ? "," : "") + ('"' + std::string(action.name) + '"');
    descriptions += R"(\n- `)" + std::string(action.name) + "`: " + std::string(action.description);
  }
  CHECK(answer.at("/components/schemas/AuditedAction/enum") == names + "]");
  const std::string text = answer.text("/components/schemas/AuditedAction/description");
  CHECK(text.substr(std::min(text.size(), text.find(R"(\n-)"))) == descriptions + R"(\n)");
}

TEST_CASE("Audit.ReadsAndRefusalsAreFoundAgainAndAppendsAreThemselves") {
  TestService service(audited());
  CHECK(service.post(event("mission/1", "1", R"("userId":"ada","correlationId":"flight")")).status == 201);
  CHECK(service.get("/v1/events?aggregateId=mission%2F1", {{"X-Correlation-Id", "reading"}}).status == 200);
  CHECK(service.get("/v1/aggregates/mission%2F1").status == 200);
  CHECK(service.post("{}").status == 422);
  CHECK(service.get("/nowhere").status == 404);
  CHECK(service.get("/healthz").status == 200);
  CHECK(service.get("/metrics").status == 200);

  const auto append = records_of(service, "?action=event.append&outcome=done");
  REQUIRE(append.size() == 1);
  CHECK(text_at(append[0], "/resource") == "aggregate:mission/1");
  CHECK(text_at(append[0], "/userId") == "ada");
  CHECK(text_at(append[0], "/correlationId") == "flight");
  CHECK(text_at(append[0], "/details/eventType") == "T");
  CHECK(text_at(append[0], "/leafHash").size() == 44);

  const auto query = wait_for_records(service, "?action=events.query", 1);
  CHECK(text_at(query[0], "/resource") == "route:/v1/events");
  CHECK(text_at(query[0], "/outcome") == "done");
  CHECK(text_at(query[0], "/correlationId") == "reading");
  CHECK(text_at(query[0], "/remoteAddress") == "127.0.0.1");
  CHECK(text_at(query[0], "/details/count") == "1");
  CHECK(text_at(query[0], "/details/filters/0") == "aggregateId=mission%2F1");
  CHECK(text_at(query[0], "/details/lowestPosition") == text_at(append[0], "/position"));

  const auto shown = wait_for_records(service, "?resource=aggregate:mission/1", 2);
  CHECK(text_at(shown[1], "/action") == "aggregate.show");
  const auto refused = wait_for_records(service, "?action=event.append&outcome=refused", 1);
  CHECK(text_at(refused[0], "/details/statuses/422") == "1");
  CHECK(wait_for_records(service, "?action=request.refused", 1).size() == 1);
  for (const std::string& record : records_of(service, "")) {
    CHECK_FALSE(is_in(record, "healthz"));
    CHECK_FALSE(is_in(record, "metrics"));
  }
  // The searches are there too.
  CHECK(wait_for_records(service, "?action=audit.search", 1).size() >= 1);
  CHECK(text_at(records_of(service, "")[1], "/action") == "server.start");
  CHECK(text_at(records_of(service, "")[0], "/action") == "log.begin");
}

TEST_CASE("Audit.OnlySensitiveReadsOrNoneIfThatIsWanted") {
  for (const AuditedReads reads : {AuditedReads::Sensitive, AuditedReads::None}) {
    AuditSettings settings;
    settings.reads = reads;
    TestService service(audited(settings));
    CHECK(service.get("/v1/events").status == 200);
    CHECK(service.get("/v1/snapshot-policies").status == 200);
    CHECK(service.get("/v1/events?limit=0").status == 400);
    CHECK(wait_for_records(service, "?action=events.query&outcome=refused", 1).size() == 1);
    CHECK(records_of(service, "?action=events.query&outcome=done").empty());
    if (reads == AuditedReads::Sensitive) {
      CHECK(wait_for_records(service, "?action=snapshot-policies.list", 1).size() == 1);
    } else {
      CHECK(records_of(service, "?action=snapshot-policies.list").empty());
    }
  }
}

TEST_CASE("Audit.ADurableReadIsRecordedBeforeItIsAnswered") {
  AuditSettings settings;
  settings.durable_reads = true;
  TestService service(audited(settings));
  for (int i = 1; i <= 5; ++i) {
    CHECK(service.get("/v1/head").status == 200);
    // It is held until it is there; what counts it is a search that did not wait for anything.
    const auto found = records_of(service, "?action=log.head");
    std::uint64_t calls = 0;
    for (const std::string& record : found) calls += std::stoull(text_at(record, "/details/count"));
    CHECK(calls == static_cast<std::uint64_t>(i));
  }
}

TEST_CASE("Audit.WhatCannotBeRecordedIsServedOrRefused") {
  for (const bool refuses : {false, true}) {
    AuditSettings settings;
    settings.durable_reads = true;
    settings.refuses_unwritten = refuses;
    TestService service(audited(settings));
    CHECK(service.get("/v1/head").status == 200);
    REQUIRE(service.store().close());
    const Answer answer = service.get("/v1/head", {{"X-Correlation-Id", "kept"}});
    CHECK(answer.status == (refuses ? 503 : 200));
    if (refuses) CHECK(answer.slug() == "audit-unavailable");
    CHECK(answer.header("X-Correlation-Id") == "kept");
    CHECK(service.get("/v1/head").status == (refuses ? 503 : 200));
    CHECK(service.get("/healthz").status == 200);
    CHECK(is_in(service.get("/readyz").body, "actions cannot be recorded"));
  }
}

TEST_CASE("ActionRecorder.WritesAllThatItWasToldAndThenTheEnd") {
  TestService service;
  {
    AuditSettings settings;
    settings.window = std::chrono::hours(1);
    settings.server_settings = {{"audit-reads", "all"}};
    ActionRecorder recorder(service.store(), settings, nullptr);
    const auto start = records_of(service, "?action=server.start");
    REQUIRE(start.size() == 1);
    CHECK(text_at(start[0], "/details/audit-reads") == "all");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&recorder, t] {
        for (int i = 0; i < 5'000; ++i) {
          const std::string address = std::to_string(t) + "." + std::to_string(i);
          AnsweredCall call{.action = audited_as("events.query")};
          call.remote_address = address;
          recorder.note(call);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    recorder.record(*audited_as("subscription.deliveries"), "subscription:s", R"({"delivered":3})");
  }
  std::uint64_t sum = 0;
  const auto reads = records_of(service, "?action=events.query");
  for (const std::string& record : reads) sum += std::stoull(text_at(record, "/details/count"));
  CHECK(reads.size() == 100);
  const auto beyond = records_of(service, "?action=audit.beyond");
  REQUIRE(beyond.size() == 1);
  CHECK(sum + std::stoull(text_at(beyond[0], "/details/count")) == 20'000);
  CHECK(records_of(service, "?resource=subscription:s").size() == 1);
  const auto all = records_of(service, "");
  CHECK(text_at(all.back(), "/action") == "server.stop");
}

TEST_CASE("ActionRecorder.WhatDoesNotFitIsCountedAndTheLossRecorded") {
  TestService service;
  {
    AuditSettings settings;
    settings.window = std::chrono::hours(1);
    settings.queue_bytes_max = 2'000;
    ActionRecorder recorder(service.store(), settings, nullptr);
    for (int i = 0; i < 50; ++i) {
      const std::string address = std::to_string(i);
      AnsweredCall call{.action = audited_as("events.query")};
      call.remote_address = address;
      recorder.note(call);
    }
  }
  const std::size_t kept = records_of(service, "?action=events.query").size();
  CHECK(kept >= 1);
  const auto lost = records_of(service, "?action=audit.lost");
  REQUIRE(lost.size() == 1);
  CHECK(kept + std::stoull(text_at(lost[0], "/details/count")) == 50);
}

TEST_CASE("AuditSearch.RefusesWhatItDoesNotKnow") {
  TestService service;
  for (const std::string query : {"?action=nothing", "?outcome=perhaps", "?order=up", "?limit=0", "?cursor=x",
                                  "?from=yesterday", "?aggregateId=a", "?action=$SubscriptionCreated"}) {
    CAPTURE(query);
    CHECK(service.get(std::string(kAuditSearch) + query).status == 400);
  }
  const std::string cursor = service.post(event("a")).status == 201
                                 ? service.get(std::string(kAuditSearch) + "?limit=1").text("/nextCursor")
                                 : std::string();
  CHECK(service.get(std::string(kAuditSearch) + "?limit=1&cursor=" + cursor).status == 200);
  CHECK(service.get(std::string(kAuditSearch) + "?limit=1&outcome=done&cursor=" + cursor).status == 400);
  CHECK(service.get("/v1/events?limit=1&cursor=" + cursor).status == 400);
}

TEST_CASE("AuditSearch.FindsWhatAScanOfTheWholeLogFinds") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](unsigned n) { return random() % n; };
  const auto fill = [&](Store& store) {
    const auto sealed = [](RecordDraft draft) {
      draft.event_id = make_uuid_v7(system_clock());
      draft.seal();
      return draft;
    };
    for (int i = 0; i < 600; ++i) {
      Proposal proposal;
      RecordDraft draft;
      if (below(2) == 0) draft.user_id = "user-" + std::to_string(below(4));
      if (below(2) == 0) draft.principal = "key-" + std::to_string(below(3));
      if (below(2) == 0) draft.correlation_id = "c-" + std::to_string(below(5));
      switch (below(4)) {
        case 0: {  // also with a name that is an action's, or that of an event of the store
          const char* const types[] = {"T", "events.query", "event.append"};
          draft.aggregate_id = "mission/" + std::to_string(below(5));
          draft.event_type = types[below(3)];
          draft.data = "{}";
          proposal.events.push_back(sealed(std::move(draft)));
          break;
        }
        case 1: {
          const char* const types[] = {"$SubscriptionCreated", "$SubscriptionDeleted", "$HandlerRegistered"};
          draft.aggregate_id = "$subscription/" + std::to_string(below(3));
          draft.event_type = types[below(3)];
          draft.data = "{}";
          proposal.events.push_back(sealed(std::move(draft)));
          break;
        }
        default: {
          const char* const names[] = {"events.query", "event.append", "subscription.create", "log.head"};
          draft.kind = RecordKind::Action;
          draft.aggregate_id = "$audit/read";
          draft.event_type = names[below(4)];
          draft.outcome = static_cast<ActionOutcome>(below(3));
          draft.retention_class = 1;
          if (below(2) == 0) draft.resource = "subscription:" + std::to_string(below(3));
          if (below(4) == 0) draft.resource = "aggregate:mission/" + std::to_string(below(5));
          draft.data = R"({"count":1})";
          proposal.attached.push_back(sealed(std::move(draft)));
        }
      }
      REQUIRE(store.append_and_wait(std::move(proposal)).kind == AppendOutcome::Kind::Stored);
    }
  };
  TestService service({}, nullptr, fill);
  const std::vector<std::string> all = records_of(service, "");
  REQUIRE(all.size() == 601);
  const auto one = [&](const char* name, std::vector<std::string> values) -> std::pair<std::string, std::string> {
    if (below(3) != 0) return {name, ""};
    return {name, values[below(static_cast<unsigned>(values.size()))]};
  };
  for (int round = 0; round < 120; ++round) {
    std::vector<std::pair<std::string, std::string>> filters{
        one("userId", {"user-0", "user-1", "user-3", "key-0"}),
        one("principal", {"key-0", "key-2"}),
        one("correlationId", {"c-0", "c-4"}),
        one("outcome", {"done", "refused", "failed"}),
        one("action", {"events.query", "event.append", "subscription.create", "subscription.delete", "log.begin",
                       "handler.register", "server.start"}),
        one("resource", {"subscription:1", "aggregate:mission/2", "aggregate:$subscription/1", "store"}),
    };
    const std::string from = below(4) == 0 ? text_at(all[below(601)], "/timestamp") : "";
    const std::string to = below(4) == 0 ? text_at(all[below(601)], "/timestamp") : "";
    std::string query = "?limit=7";
    for (const auto& [name, value] : filters) {
      if (!value.empty()) query += "&" + name + "=" + value;
    }
    if (!from.empty()) query += "&from=" + from;
    if (!to.empty()) query += "&to=" + to;
    const bool descending = below(2) == 0;
    if (descending) query += "&order=desc";
    CAPTURE(query);
    std::vector<std::string> wanted;
    for (const std::string& record : all) {
      bool good =
          (from.empty() || text_at(record, "/timestamp") >= from) && (to.empty() || text_at(record, "/timestamp") < to);
      for (const auto& [name, value] : filters) {
        if (value.empty()) continue;
        const std::string has = text_at(record, "/" + name);
        // An aggregate of the store's own may also be named as one.
        good = good && (has == value || (value == "aggregate:$subscription/1" && has == "subscription:1" &&
                                         text_at(record, "/details/eventId") != "none"));
      }
      if (good) wanted.push_back(record);
    }
    if (descending) std::reverse(wanted.begin(), wanted.end());
    CHECK(records_of(service, query.size() > 8 ? "?" + query.substr(9) : "") == wanted);
    // The same in pages.
    std::vector<std::string> paged;
    std::string cursor;
    do {
      const Answer page = service.get(std::string(kAuditSearch) + query + (cursor.empty() ? "" : "&cursor=" + cursor));
      REQUIRE(page.status == 200);
      for (int i = 0; page.at("/records/" + std::to_string(i)) != "none"; ++i) {
        paged.push_back(page.at("/records/" + std::to_string(i)));
      }
      cursor = page.at("/nextCursor") == "null" ? "" : page.text("/nextCursor");
    } while (!cursor.empty());
    CHECK(paged == wanted);
  }
}

}  // namespace stele::api::test

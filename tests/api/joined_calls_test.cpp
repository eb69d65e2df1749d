// How answered calls become few records, whatever comes.

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "api/audit/action_draft.h"
#include "api/audit/joined_calls.h"
#include "api/endpoint/endpoint_table.h"

namespace stele::api::test {

namespace {

const Route& one_route() {
  static const Route route{.pattern = "/v1/events", .parameters = {}, .label = "/v1/events", .allow = {}};
  return route;
}

AnsweredCall call_of(std::string_view principal, std::string_view address) {
  AnsweredCall call{.action = audited_as("events.query"), .route = &one_route()};
  call.principal = principal;
  call.remote_address = address;
  return call;
}

}  // namespace

TEST_CASE("JoinedCalls.OfOneKindAreOneRecord") {
  JoinedCalls joined(100);
  const std::vector<std::string> filters{"limit=1", "limit=2", "limit=1", "limit=3", "limit=4",  "limit=5",
                                         "limit=6", "limit=7", "limit=8", "limit=9", "limit=10", "limit=2"};
  std::int64_t now = 1'000'000;
  for (std::size_t i = 0; i < filters.size(); ++i) {
    AnsweredCall call = call_of("reader", "10.0.0.1");
    call.filters = filters[i];
    call.correlation_id = "c";
    call.resource = i == 3 ? "aggregate:b" : "aggregate:a";
    call.shown.add(Position{20 - i});
    joined.add(call, Timestamp{now += 10});
  }
  AnsweredCall refused = call_of("reader", "10.0.0.1");
  refused.outcome = ActionOutcome::Refused;
  refused.status = 400;
  joined.add(refused, Timestamp{now += 10});

  const std::vector<JoinedCall> taken = joined.take();
  REQUIRE(taken.size() == 2);
  const JoinedCall& reads = taken[0];
  CHECK(reads.count == 12);
  CHECK(reads.first == Timestamp{1'000'010});
  CHECK(reads.last == Timestamp{1'000'120});
  CHECK(reads.shown.lowest == Position{9});
  CHECK(reads.shown.highest == Position{20});
  CHECK(reads.filters.size() == kJoinedFiltersMax);
  CHECK(reads.with_other_filters == 2);
  CHECK(reads.correlation_id == "c");
  CHECK_FALSE(reads.resource);
  CHECK(taken[1].outcome == ActionOutcome::Refused);
  CHECK(joined.take().empty());
}

TEST_CASE("JoinedCalls.TwentyThousandKindsAreAHundredAndOne") {
  JoinedCalls joined(100);
  constexpr int kThreads = 4;
  constexpr int kEach = 5'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&joined, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string address = "10.0." + std::to_string(t) + "." + std::to_string(i);
        joined.add(call_of("reader", address), Timestamp{i});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(joined.has_room());
  const std::vector<JoinedCall> taken = joined.take();
  CHECK(taken.size() == 101);
  std::uint64_t sum = 0;
  for (const JoinedCall& call : taken) sum += call.count;
  CHECK(sum == kThreads * kEach);
  CHECK(taken.back().action->name == "audit.beyond");
  CHECK(taken.back().count == kThreads * kEach - 100);
  // Without a refill there are no records of their own any more.
  joined.add(call_of("reader", "10.1.0.1"), Timestamp{1});
  REQUIRE(joined.take().size() == 1);
  joined.refill();
  joined.add(call_of("reader", "10.1.0.1"), Timestamp{1});
  CHECK(joined.take()[0].action->name == "events.query");
}

TEST_CASE("JoinedCalls.RefusalsOfStrangersAreOneRecordWithNothingOfTheirs") {
  JoinedCalls joined(100);
  for (int i = 0; i < 1'000; ++i) {
    const std::string address = "10.0.0." + std::to_string(i);
    AnsweredCall call = call_of("", address);
    call.outcome = ActionOutcome::Refused;
    call.status = 401;
    call.is_stranger = true;
    call.filters = "secret=1";
    call.correlation_id = "forged";
    joined.add(call, Timestamp{i});
  }
  const std::vector<JoinedCall> taken = joined.take();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].count == 1'000);
  CHECK(joined.has_room());
  const RecordDraft draft = action_draft(taken[0], system_clock());
  CHECK(draft.event_type == "auth.denied");
  CHECK(draft.aggregate_id == "$audit/refusal");
  CHECK_FALSE(draft.correlation_id);
  CHECK_FALSE(draft.principal);
  CHECK_FALSE(draft.private_fields);
  CHECK(draft.data->find("secret") == std::string::npos);
  CHECK(draft.data->find(R"("statuses":{"401":1000})") != std::string::npos);
}

TEST_CASE("ActionDraft.HoldsWhatWasSentOnlyWhereItIsSafe") {
  JoinedCalls joined(100);
  AnsweredCall call = call_of("reader", "10.0.0.1");
  const std::string long_name = "aggregate:" + std::string(400, 'x');
  call.resource = long_name;
  call.filters = "a=\xFF\"";
  joined.add(call, Timestamp{1});
  AnsweredCall with_controls = call_of("writer", "10.0.0.1");
  with_controls.resource = "aggregate:\n";
  joined.add(with_controls, Timestamp{2});
  const std::vector<JoinedCall> taken = joined.take();
  REQUIRE(taken.size() == 2);
  for (const JoinedCall& each : taken) {
    const RecordDraft draft = action_draft(each, system_clock());
    CHECK(draft.resource == "route:/v1/events");
    CHECK(draft.aggregate_id == "$audit/read");
    CHECK(draft.private_fields == R"({"remoteAddress":"10.0.0.1"})");
  }
  CHECK(action_draft(taken[0], system_clock()).data->find(R"("filters":["a=?\""])") != std::string::npos);
}

}  // namespace stele::api::test

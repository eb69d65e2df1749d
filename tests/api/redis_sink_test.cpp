#include "api/subscriptions/redis_sink.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/records/event_notes.h"
#include "tests/api/fake_redis_sender.h"
#include "tests/support/sample_parcel.h"

namespace stele::api::test {

namespace {

using stele::test::sample_batch;
using stele::test::sample_parcel;

AttemptOutcome attempt_at(DeliverySink& sink, DeliveryBatchToSend batch) {
  std::vector<AttemptOutcome> outcomes;
  sink.attempt(std::move(batch), [&](AttemptOutcome outcome) { outcomes.push_back(std::move(outcome)); });
  REQUIRE_EQ(outcomes.size(), 1);
  return outcomes.front();
}

/// In one line: what a subscription goes by.
std::string summary(const AttemptOutcome& outcome) {
  if (outcome.delivered) return "delivered";
  if (outcome.abandoned) return "abandoned";
  using Kind = DeliveryFailure::Kind;
  const Kind kind = outcome.failure.kind;
  const std::string name = kind == Kind::Retry      ? "retry "
                           : kind == Kind::Stop     ? "stop "
                           : kind == Kind::TooLarge ? "too large "
                                                    : "final ";
  return name + outcome.failure.error + (outcome.is_outage ? ", an outage" : "");
}

}  // namespace

TEST_CASE("RedisStreamSink.AnEntryIsAnEventAsInListsWithItsPositionAsItsId") {
  FakeRedisSender sender;
  RedisStreamSink sink(sender, "stream");
  DeliveryBatchToSend batch{"sub_1_4",
                            {sample_parcel(4, R"({ "a" : [1,  2.50, "x y"] })", true), sample_parcel(300, "null")}};
  CHECK_EQ(summary(attempt_at(sink, batch)), "delivered");
  CHECK_EQ(sender.name, "stream");
  REQUIRE_EQ(sender.added.size(), 2);
  CHECK(sender.added[0].id == RedisEntryId{4, 0});
  CHECK(sender.added[1].id == RedisEntryId{300, 0});
  const auto& fields = sender.added[0].fields;
  REQUIRE_EQ(fields.size(), 4);
  CHECK(fields[0] == std::pair<std::string, std::string>{"eventId", "00000000-0000-0000-0000-000000000004"});
  CHECK(fields[1] == std::pair<std::string, std::string>{"eventType", "Moved"});
  CHECK(fields[2] == std::pair<std::string, std::string>{"aggregateId", "m/1"});
  CHECK_EQ(fields[3].first, "event");
  CHECK_EQ(fields[3].second,
           R"({"eventId":"00000000-0000-0000-0000-000000000004","eventType":"Moved","aggregateId":"m/1",)"
           R"("sequenceNumber":4,"position":4,"timestamp":"1970-01-01T00:00:00.000000Z","version":1,)"
           R"("data":{"a":[1,2.50,"x y"]},"replay":true})");
  CHECK_EQ(sender.added[1].fields[3].second.find("replay"), std::string::npos);
}

TEST_CASE("RedisStreamSink.AnEntryIsShownUnderItsAliasInTheVersionThatIsWanted") {
  FakeRedisSender sender;
  RedisStreamSink sink(sender, "stream");
  EventNotes notes;
  AliasTable aliases;
  aliases.set("Moved", "Sent");
  notes.aliases.change(std::move(aliases));
  Parcel parcel = sample_parcel(4, R"({"a":1})");
  parcel.notes = &notes;
  Upcast upcast;
  upcast.version = 2;
  upcast.data = R"({"b":1})";
  parcel.upcast = std::make_shared<const Upcast>(std::move(upcast));
  CHECK_EQ(summary(attempt_at(sink, {"sub_1_4", {parcel}})), "delivered");
  const auto& fields = sender.added[0].fields;
  CHECK(fields[1] == std::pair<std::string, std::string>{"eventType", "Sent"});
  CHECK_NE(fields[3].second.find(R"("eventType":"Sent","storedEventType":"Moved")"), std::string::npos);
  CHECK_NE(fields[3].second.find(R"("version":2,"storedVersion":1,"data":{"b":1}})"), std::string::npos);
}

TEST_CASE("RedisChannelSink.AMessageIsAnEventAsInLists") {
  FakeRedisSender sender;
  RedisChannelSink sink(sender, "channel");
  CHECK_EQ(summary(attempt_at(sink, {"sub_1_4", {sample_parcel(4, "[ 1 ]"), sample_parcel(5, "2", true)}})),
           "delivered");
  CHECK_EQ(sender.name, "channel");
  REQUIRE_EQ(sender.published.size(), 2);
  CHECK(sender.published[0].ends_with(R"("data":[1]})"));
  CHECK(sender.published[1].ends_with(R"("data":2,"replay":true})"));
}

TEST_CASE("RedisSinks.WhatRedisSaysDecidesWhatComesNext") {
  using Outcome = RedisAnswer::Outcome;
  const std::vector<std::pair<RedisAnswer, std::string>> cases{
      {{Outcome::CarriedOut, {}, {}}, "delivered"},
      {{Outcome::Refused, "WRONGTYPE", "w"}, "stop wrong-type"},
      {{Outcome::Refused, "NOPERM", "w"}, "stop no-permission"},
      {{Outcome::Refused, "MOVED", "w"}, "stop cluster"},
      {{Outcome::Refused, "ASK", "w"}, "stop cluster"},
      {{Outcome::Refused, "NOAUTH", "w"}, "retry not-authenticated, an outage"},
      {{Outcome::Refused, "WRONGPASS", "w"}, "retry not-authenticated, an outage"},
      {{Outcome::Refused, "OOM", "w"}, "retry out-of-memory, an outage"},
      {{Outcome::Refused, "LOADING", "w"}, "retry loading, an outage"},
      {{Outcome::Refused, "READONLY", "w"}, "retry read-only, an outage"},
      {{Outcome::Refused, "MISCONF", "w"}, "retry redis-error, an outage"},
      {{Outcome::Refused, "ERR", "w"}, "retry redis-error"},
      {{Outcome::Refused, "NEVERHEARDOF", "w"}, "retry redis-error"},
      {{Outcome::TooLarge, {}, "w"}, "too large too-large"},
      {{Outcome::Away, {}, "w"}, "retry no-connection, an outage"},
      {{Outcome::Unanswered, {}, "w"}, "retry no-answer, an outage"},
      {{Outcome::Busy, {}, "w"}, "abandoned"},
      {{Outcome::Cancelled, {}, "w"}, "abandoned"}};
  FakeRedisSender sender;
  RedisStreamSink stream(sender, "stream");
  RedisChannelSink channel(sender, "channel");
  for (const auto& [answer, expected] : cases) {
    sender.addition = {answer};
    for (DeliverySink* const sink : {static_cast<DeliverySink*>(&stream), static_cast<DeliverySink*>(&channel)}) {
      const AttemptOutcome outcome = attempt_at(*sink, sample_batch({4}));
      CHECK_EQ(summary(outcome), expected);
      CHECK_EQ(outcome.detail, answer.detail);
    }
  }
}

TEST_CASE("RedisStreamSink.ARefusalIsARepeatIfTheStreamHoldsItOrEndsWithThisBatch") {
  FakeRedisSender sender;
  RedisStreamSink sink(sender, "stream");
  const auto entry = [](std::uint64_t position, std::uint64_t event) {
    return RedisEntry{
        {position, 0},
        {{"eventType", "Moved"}, {"eventId", "00000000-0000-0000-0000-00000000000" + std::to_string(event)}}};
  };
  const auto outcome = [&](std::size_t repeats, RedisEntryId end, const std::vector<RedisEntry>& found) {
    sender.addition.repeats = repeats;
    sender.addition.stream_end = end;
    sender.addition.found = found;
    return summary(attempt_at(sink, sample_batch({4, 6, 9})));
  };
  const std::string foreign = "stop foreign-entries";
  // It holds what was refused.
  CHECK_EQ(outcome(3, {9, 0}, {entry(4, 4), entry(6, 6), entry(9, 9)}), "delivered");
  CHECK_EQ(outcome(1, {9, 0}, {entry(4, 4)}), "delivered");
  CHECK_EQ(outcome(3, {70, 1}, {entry(4, 4), entry(6, 6), entry(9, 9)}), "delivered");
  // Whoever reads it may take entries away.
  CHECK_EQ(outcome(3, {9, 0}, {}), "delivered");
  CHECK_EQ(outcome(3, {9, 0}, {entry(9, 9)}), "delivered");
  // Somebody else has been there.
  CHECK_EQ(outcome(3, {9, 1}, {}), foreign);
  CHECK_EQ(outcome(3, {10, 0}, {entry(6, 6), entry(9, 9)}), foreign);
  CHECK_EQ(outcome(3, {~0ULL, ~0ULL}, {}), foreign);
  CHECK_EQ(outcome(3, {9, 0}, {entry(4, 4), entry(6, 7), entry(9, 9)}), foreign);
  CHECK_EQ(outcome(3, {9, 0}, {RedisEntry{{9, 0}, {}}}), foreign);
  CHECK_EQ(outcome(1, {9, 0}, {}), foreign);
  CHECK_EQ(outcome(2, {9, 0}, {entry(6, 6)}), foreign);
  // In places that are nobody's.
  CHECK_EQ(outcome(2, {9, 0}, {entry(4, 4), entry(5, 6)}), foreign);
}

}  // namespace stele::api::test

#include "api/subscriptions/subscription_event.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "api/subscriptions/delivery_trace.h"
#include "api/subscriptions/subscription_status.h"
#include "engine/commit/proposal.h"

using namespace stele;
using namespace stele::api;

namespace {

/// A record as the log gives it.
void make_record(Record& to, std::string_view event_type, std::string_view data) {
  RecordHeader header;
  header.aggregate_id = "$subscription/sub_1";
  header.aggregate_type = kSubscriptionType;
  header.event_type = event_type;
  header.data_length = static_cast<std::uint32_t>(data.size());
  RecordBody body;
  body.data = data;
  std::string bytes;
  append_record(bytes, header, Seed{}, body);
  const auto room = to.prepare(bytes.size());
  std::copy(bytes.begin(), bytes.end(), room.begin());
  REQUIRE(to.decode());
}

std::optional<SubscriptionEventData> read_back(std::string_view event_type, std::string_view data) {
  Record record;
  make_record(record, event_type, data);
  return parse_subscription_event(record);
}

SubscriptionDefinition sample_definition(DeliveryKind kind) {
  SubscriptionDefinition made;
  made.id = "sub_0123456789abcdef0123456789abcdef";
  made.owner = {"ada \"x\"", true, Role::Service, {"Mission", "Order"}};
  made.created = Timestamp{1'700'000'000'123'456};
  made.event_types = {"A", "$SubscriptionCreated"};
  made.aggregate_types = {"Mission"};
  made.aggregate_ids = {"m/1", "\xC3\xBC"};
  made.tags = {"t"};
  made.replay_until = Position{0};
  made.kind = kind;
  made.attempts_max = 3;
  made.initial_delay = std::chrono::milliseconds{250};
  made.delay_max = std::chrono::hours{24};
  made.on_dead_letter = OnDeadLetter::Park;
  if (kind == DeliveryKind::Webhook) {
    made.url = "https://a.example/?q=\"";
    made.header_names = {"Authorization", "X-b"};
    made.has_ca = made.has_client_certificate = true;
    made.timeout = std::chrono::milliseconds{1};
  }
  if (is_redis(kind)) made.redis_name = "orders";
  if (kind != DeliveryKind::Pull) made.batch_events = 1000;
  if (kind != DeliveryKind::Pull) made.per_second_max = 7;
  if (!is_redis(kind)) made.in_flight_max = 5;
  return made;
}

}  // namespace

TEST_CASE("SubscriptionEvent.ADefinitionComesBackAsItWas") {
  for (const DeliveryKind kind :
       {DeliveryKind::Webhook, DeliveryKind::Pull, DeliveryKind::RedisStream, DeliveryKind::RedisChannel}) {
    CAPTURE(name_of(kind));
    SubscriptionEventData data;
    data.place = {7, Position{4711}, Timestamp{1'700'000'000'000'001}};
    data.definition = sample_definition(kind);
    for (const std::string_view type : {subscription_event::kCreated, subscription_event::kChanged}) {
      const auto read = read_back(type, to_json(data));
      REQUIRE(read);
      CHECK(read->definition == data.definition);
      CHECK(read->place.generation == 7);
      CHECK(read->place.end == Position{4711});
      CHECK(read->place.end_time == data.place.end_time);
      CHECK_FALSE(read->standing);
    }
  }
  SubscriptionEventData plain;
  plain.definition.emplace();
  plain.definition->id = "sub_1";
  const auto read = read_back(subscription_event::kCreated, to_json(plain));
  REQUIRE(read);
  CHECK(read->definition == plain.definition);
  CHECK(read->place.end_time == Timestamp{});
}

TEST_CASE("SubscriptionEvent.StatesPlacesAndDeadLettersComeBackAsTheyWere") {
  SubscriptionEventData data;
  data.place = {2, Position{9}, {}};
  for (const std::string_view type : {subscription_event::kSought, subscription_event::kSecretRotated,
                                      subscription_event::kCheckpoint, subscription_event::kDeleted}) {
    const auto read = read_back(type, to_json(data));
    REQUIRE(read);
    CHECK(read->place.end == Position{9});
  }
  for (const SubscriptionState state :
       {SubscriptionState::Active, SubscriptionState::Paused, SubscriptionState::Stopped, SubscriptionState::Stalled,
        SubscriptionState::Suspended, SubscriptionState::Disabled}) {
    data.standing = SubscriptionStanding{state, "because \"so\"", {}};
    const auto read = read_back(subscription_event::kStateChanged, to_json(data));
    REQUIRE(read);
    REQUIRE(read->standing);
    CHECK(read->standing->state == state);
    CHECK(read->standing->reason == "because \"so\"");
    CHECK(read->standing->since == Timestamp{});
  }
  data.standing->since = Timestamp{1'700'000'000'000'001};
  CHECK(read_back(subscription_event::kStateChanged, to_json(data))->standing->since == data.standing->since);
  std::string untimely = to_json(data);
  untimely.replace(untimely.find("\"since\":\"") + 9, 4, "last");
  CHECK_FALSE(read_back(subscription_event::kStateChanged, untimely));
  data.standing.reset();
  data.added = {{Position{3}, {"m/1", 10, Timestamp{1'700'000'000'000'000}, "timed-out", 0}},
                {Position{5}, {"m/\"2\"", 1, Timestamp{1'700'000'000'000'000}, "status", 599}}};
  data.removed = {Position{1}, Position{2}};
  const auto read = read_back(subscription_event::kDeadLetters, to_json(data));
  REQUIRE(read);
  REQUIRE(read->added.size() == 2);
  CHECK(read->added[0].position == Position{3});
  CHECK(read->added[0].letter == data.added[0].letter);
  CHECK(read->added[1].letter == data.added[1].letter);
  CHECK(read->removed == data.removed);
}

TEST_CASE("SubscriptionEvent.WhatCannotBeUnderstoodIsNone") {
  SubscriptionEventData whole;
  whole.definition = sample_definition(DeliveryKind::Webhook);
  const std::string good = to_json(whole);
  REQUIRE(read_back(subscription_event::kCreated, good));
  const auto replaced = [&](std::string_view what, std::string_view by) {
    std::string text = good;
    const std::size_t at = text.find(what);
    REQUIRE_MESSAGE(at != std::string::npos, what);
    return text.replace(at, what.size(), by);
  };
  for (const auto& [what, by] : std::vector<std::pair<std::string, std::string>>{
           {"\"generation\":1", "\"generation\":-1"},
           {"\"end\":0", "\"end\":\"0\""},
           {"\"definition\"", "\"other\""},
           {"\"subscriptionId\"", "\"id\""},
           {"\"role\":\"service\"", "\"role\":\"root\""},
           {"\"aggregateTypes\":[\"Mission\",\"Order\"]", "\"aggregateTypes\":[]"},
           {"\"aggregateTypes\":[\"Mission\",\"Order\"]", "\"aggregateTypes\":[7]"},
           {"\"type\":\"webhook\"", "\"type\":\"x\""},
           {"\"url\"", "\"uri\""},
           {"\"batchSize\":1000", "\"batchSize\":4294967296"},
           {"\"onDeadLetter\":\"park\"", "\"onDeadLetter\":\"x\""},
           {"\"created\":\"", "\"created\":\"x"},
           {"\"replayUntil\":0", "\"replayUntil\":-1"},
           {"\"delivery\"", "\"d\""},
           {"\"retry\"", "\"r\""},
           {"\"owner\"", "\"o\""},
       }) {
    CAPTURE(what);
    CHECK_FALSE(read_back(subscription_event::kCreated, replaced(what, by)));
  }
  CHECK_FALSE(read_back(subscription_event::kStateChanged, good));
  CHECK_FALSE(read_back(subscription_event::kDeadLetters, good));
  CHECK_FALSE(read_back("SubscriptionCreated", good));
  CHECK_FALSE(read_back(subscription_event::kCreated, "7"));
  CHECK_FALSE(read_back(subscription_event::kCreated, "{"));
}

TEST_CASE("SubscriptionDefinition.TheQueryIsNarrowedByTheOwnersLimit") {
  SubscriptionDefinition definition;
  definition.event_types = {"A"};
  definition.aggregate_ids = {"m/1"};
  definition.tags = {"t"};
  EventQuery query = query_of(definition, Position{5});
  CHECK(query.event_types == definition.event_types);
  CHECK(query.aggregate_ids == definition.aggregate_ids);
  CHECK(query.tags == definition.tags);
  CHECK(query.after == Position{5});
  CHECK(query.aggregate_types.empty());
  CHECK_FALSE(query.include_system);
  CHECK_FALSE(query.before);

  definition.owner.aggregate_types = {"Mission", "Order"};
  CHECK(query_of(definition, std::nullopt).aggregate_types == definition.owner.aggregate_types);
  definition.aggregate_types = {"Order", "Other"};
  CHECK(query_of(definition, std::nullopt).aggregate_types == std::vector<std::string>{"Order"});
  definition.aggregate_types = {"Other"};
  query = query_of(definition, std::nullopt);
  CHECK(query.before == Position{0});
  definition.owner.aggregate_types.clear();
  query = query_of(definition, std::nullopt);
  CHECK(query.aggregate_types == std::vector<std::string>{"Other"});
  CHECK_FALSE(query.before);

  definition.event_types = {"A", "$HandlerRegistered"};
  CHECK(query_of(definition, std::nullopt).include_system);
}

TEST_CASE("SubscriptionDefinition.RedisIsServedOneByOneAndAPullSaysItsOwnSize") {
  SubscriptionDefinition definition;
  definition.batch_events = 7;
  definition.in_flight_max = 3;
  definition.attempts_max = 2;
  definition.on_dead_letter = OnDeadLetter::Park;
  DeliverySettings settings = settings_of(definition, {});
  CHECK(settings.batch_events_max == 7);
  CHECK(settings.in_flight_max == 3);
  CHECK(settings.attempts_max == 2);
  CHECK(settings.initial_delay == definition.initial_delay);
  CHECK(settings.delay_max == definition.delay_max);
  CHECK(settings.on_dead_letter == OnDeadLetter::Park);
  CHECK_FALSE(settings.one_by_one);
  definition.kind = DeliveryKind::Pull;
  CHECK(settings_of(definition, {}).batch_events_max == 1000);
  for (const DeliveryKind kind : {DeliveryKind::RedisStream, DeliveryKind::RedisChannel}) {
    definition.kind = kind;
    settings = settings_of(definition, {});
    CHECK(settings.one_by_one);
    CHECK(settings.on_dead_letter == OnDeadLetter::Stop);
    CHECK(settings.batch_events_max == 7);
  }
}

TEST_CASE("SubscriptionDefinition.NamesAreThereAndBack") {
  for (const DeliveryKind kind :
       {DeliveryKind::Webhook, DeliveryKind::Pull, DeliveryKind::RedisStream, DeliveryKind::RedisChannel}) {
    CHECK(delivery_kind_of(name_of(kind)) == kind);
  }
  for (const OnDeadLetter choice : {OnDeadLetter::Skip, OnDeadLetter::Park, OnDeadLetter::Stop}) {
    CHECK(on_dead_letter_of(name_of(choice)) == choice);
  }
  CHECK_FALSE(delivery_kind_of(""));
  CHECK_FALSE(on_dead_letter_of("Skip"));
  CHECK_FALSE(subscription_state_of("gone"));
  CHECK(name_of(DeliveryFate::NotMatching) == "not-matching");
}

TEST_CASE("DeliveryTrace.KeepsTheNewestWithinItsBounds") {
  const auto attempt = [](std::uint32_t number, std::size_t answer_bytes) {
    TracedAttempt made;
    made.attempt = number;
    made.answer.assign(answer_bytes, 'x');
    return made;
  };
  DeliveryTrace trace;
  for (std::uint32_t i = 1; i <= 250; ++i) trace.add(attempt(i, 0));
  CHECK(trace.attempts().size() == DeliveryTrace::kAttemptsMax);
  CHECK(trace.attempts().front().attempt == 151);
  CHECK(trace.attempts().back().attempt == 250);
  for (std::uint32_t i = 1; i <= 100; ++i) trace.add(attempt(i, 1024));
  CHECK(trace.attempts().size() < 64);
  CHECK(trace.attempts().size() > 40);
  CHECK(trace.attempts().back().attempt == 100);
  // One that is larger than all may be is kept all the same: it is the newest.
  trace.add(attempt(7, DeliveryTrace::kBytesMax));
  CHECK(trace.attempts().size() == 1);
  trace.add(attempt(8, 10));
  CHECK(trace.attempts().size() == 1);
  CHECK(trace.attempts().back().attempt == 8);
}

// What was taken out of a log is explained by an order in it, and by no other one.

#include "tools/offline/log_trust.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "api/audit/redaction_event.h"
#include "api/endpoint/own_events.h"
#include "engine/base/keyed_hash.h"

namespace stele::tools {
namespace {

constexpr BodyMemberSet kData{1}, kMetadata{2};

struct OrderedLog {
  LogTrust trust{std::nullopt};

  void take(const api::RedactionOrder& order, std::string_view type = api::kRedactionRequested) {
    const std::string id = std::string(api::kRedactionPrefix) + order.id;
    const std::string data = api::to_json(order);
    RecordHeader header;
    header.position = Position{1000};
    header.sequence = SequenceNumber{1};
    header.aggregate_id = id;
    header.aggregate_type = api::kRedactionType;
    header.event_type = type;
    header.data_length = static_cast<std::uint32_t>(data.size());
    std::string bytes;
    append_record(bytes, header, Seed{}, RecordBody{.data = data});
    Record record;
    std::copy(bytes.begin(), bytes.end(), record.prepare(bytes.size()).data());
    REQUIRE(record.decode());
    trust.take(record);
  }
  [[nodiscard]] bool explains(std::uint64_t position, const std::string& aggregate, BodyMemberSet members) const {
    return trust.explains({Position{position}, keyed_hash(aggregate), members});
  }
};

api::RedactionOrder order_of(std::optional<Position> record, Position through, BodyMemberSet members) {
  api::RedactionOrder order;
  order.id = "018f3c00-0000-7000-8000-000000000001";
  order.reason = "erasure";
  order.aggregate_id = "a";
  order.record = record;
  order.through = through;
  order.members = members;
  return order;
}

}  // namespace

TEST_CASE("LogTrust.AnOrderExplainsItsRecordAndItsMembers") {
  OrderedLog log;
  CHECK_FALSE(log.explains(5, "a", kData));
  log.take(order_of(Position{5}, {}, kData));
  CHECK(log.explains(5, "a", kData));
  CHECK_FALSE(log.explains(6, "a", kData));
  CHECK_FALSE(log.explains(4, "a", kData));
  CHECK_FALSE(log.explains(5, "a", kMetadata));
  CHECK_FALSE(log.explains(5, "a", kData.with(kMetadata)));
  log.take(order_of(Position{5}, {}, kMetadata));
  CHECK(log.explains(5, "a", kData.with(kMetadata)));
}

TEST_CASE("LogTrust.AnOrderOfAnAggregateReachesAsFarAsItSays") {
  OrderedLog log;
  log.take(order_of(std::nullopt, Position{9}, kData));
  CHECK(log.explains(9, "a", kData));
  CHECK_FALSE(log.explains(10, "a", kData));
  CHECK_FALSE(log.explains(9, "a", kMetadata));
  CHECK_FALSE(log.explains(9, "b", kData));
  log.take(order_of(std::nullopt, Position{20}, kMetadata));
  CHECK_FALSE(log.explains(10, "a", kData));
  CHECK(log.explains(10, "a", kMetadata));
  CHECK(log.explains(9, "a", kData.with(kMetadata)));
  log.take(order_of(std::nullopt, Position{7}, kMetadata));  // takes nothing back
  CHECK(log.explains(20, "a", kMetadata));
}

TEST_CASE("LogTrust.AnOrderOfAnAggregateBeginsWhereItSays") {
  OrderedLog log;
  api::RedactionOrder order = order_of(std::nullopt, Position{20}, kData);
  order.after = Position{10};
  log.take(order);
  CHECK_FALSE(log.explains(10, "a", kData));
  CHECK(log.explains(11, "a", kData));
  order.after = Position{20};
  order.through = Position{30};
  log.take(order);
  CHECK(log.explains(30, "a", kData));
  CHECK_FALSE(log.explains(10, "a", kData));
  order.after = Position{2};
  order.through = Position{4};
  log.take(order);
  CHECK(log.explains(3, "a", kData));
  CHECK_FALSE(log.explains(5, "a", kData));
  CHECK(log.explains(12, "a", kData));
}

TEST_CASE("LogTrust.StatesOfClientsGoWithTheEvents") {
  OrderedLog log;
  const std::string states = api::own_aggregate_id("$snapshot/", "a");
  CHECK_FALSE(log.explains(99, states, BodyMemberSet::all()));
  log.take(order_of(Position{5}, {}, kData));
  CHECK(log.explains(99, states, BodyMemberSet::all()));
  CHECK_FALSE(log.explains(99, api::own_aggregate_id("$snapshot/", "b"), kData));
}

TEST_CASE("LogTrust.WhatIsNoOrderExplainsNothing") {
  OrderedLog log;
  log.take(order_of(Position{5}, {}, kData), api::kRedactionCompleted);
  CHECK_FALSE(log.explains(5, "a", kData));
}

}  // namespace stele::tools

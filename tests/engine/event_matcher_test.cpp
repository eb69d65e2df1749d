#include "engine/commit/event_matcher.h"
#include "engine/log/record_extensions.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>
#include <vector>

#include "tests/engine/test_index.h"

using namespace stele;

namespace {

struct Stored {
  std::string type, aggregate;
  std::optional<std::string> aggregate_type, user;
  std::set<std::string> tags;
  std::string extensions;
};

bool meets(const std::vector<std::string>& wanted, const std::optional<std::string>& value) {
  return wanted.empty() || (value && std::find(wanted.begin(), wanted.end(), *value) != wanted.end());
}

/// What the words of Condition say, one record and one entry at a time.
bool matches(const Condition& condition, const Stored& record) {
  return std::any_of(
      condition.fail_if_events_match.begin(), condition.fail_if_events_match.end(), [&](const EventMatch& match) {
        const auto& types = match.aggregate_types.empty() ? condition.default_aggregate_types : match.aggregate_types;
        return meets(match.event_types, record.type) && meets(types, record.aggregate_type) &&
               meets(match.aggregate_ids, record.aggregate) && meets(match.user_ids, record.user) &&
               std::all_of(match.tags.begin(), match.tags.end(),
                           [&](const std::string& tag) { return record.tags.contains(tag); });
      });
}

}  // namespace

TEST_CASE("EventMatcher.FindsInMemoryWhatALookAtEachRecordFinds") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](unsigned bound) { return static_cast<unsigned>(random() % bound); };
  const auto word = [&](const char* prefix, unsigned kinds) { return prefix + std::to_string(below(kinds)); };
  for (int round = 0; round < 200; ++round) {
    std::deque<Stored> records;
    std::vector<RecordHeader> headers;
    const unsigned count = below(40);
    for (unsigned i = 0; i <= count; ++i) {
      Stored& made = records.emplace_back(Stored{word("t", 3), word("a", 5), std::nullopt, std::nullopt, {}, {}});
      if (below(3) > 0) made.aggregate_type = "A" + made.aggregate.substr(1, 1);
      if (below(2) > 0) made.user = word("u", 3);
      RecordHeader& header = headers.emplace_back();
      header.kind = RecordKind::Event;
      header.position = Position{i};
      header.sequence = SequenceNumber{i + 1};
      header.event_id.bytes[0] = static_cast<std::uint8_t>(i + 1);
      header.event_type = made.type;
      header.aggregate_id = made.aggregate;
      header.aggregate_type = made.aggregate_type;
      header.user_id = made.user;
      for (unsigned n = below(4); n > 0; --n) made.tags.insert(word("u", 5));
      made.extensions = encode_extensions(std::vector<std::string>(made.tags.begin(), made.tags.end()));
      header.extensions = made.extensions;
      REQUIRE(read_extensions(header));
    }
    Condition condition;
    for (unsigned i = 0; i <= below(3); ++i) {
      EventMatch& match = condition.fail_if_events_match.emplace_back();
      for (unsigned n = below(3); n > 0; --n) match.event_types.push_back(word("t", 4));
      for (unsigned n = below(3); n > 0; --n) match.aggregate_types.push_back(word("A", 6));
      for (unsigned n = below(3); n > 0; --n) match.aggregate_ids.push_back(word("a", 6));
      for (unsigned n = below(3); n > 0; --n) match.user_ids.push_back(word("u", 4));
      for (unsigned n = below(2) * below(4); n > 0; --n) match.tags.push_back(word("u", 5));
    }
    if (below(3) == 0) condition.default_aggregate_types = {"A0", "A3"};
    const Position begin{below(count + 3)};
    const std::size_t limit = 1 + below(12);
    std::vector<Position> wanted;
    for (std::size_t i = begin.value(); i < records.size() && wanted.size() < limit; ++i) {
      if (matches(condition, records[i])) wanted.push_back(Position{i});
    }
    const EventMatcher matcher(condition);
    std::vector<Position> found;
    matcher.find(headers, begin, limit, found);
    CHECK(found == wanted);
    // In parts of the index: the first link is where the proposer looked.
    test::TestIndex index(1 + below(20));
    const auto newest = index.snapshot().newest;
    for (const RecordHeader& header : headers) index.insert({&header, 1});
    found.clear();
    matcher.find(*newest, begin, limit, found);
    CHECK(found == wanted);
  }
}

TEST_CASE("EventMatcher.AnEntryWantsAllOfItsTags") {
  const std::vector<std::string> tags{"course:1", "student:2"};
  const std::string extensions = encode_extensions(tags);
  RecordHeader record;
  record.event_type = "Subscribed";
  record.aggregate_id = "a";
  record.extensions = extensions;
  REQUIRE(read_extensions(record));
  const auto found = [&](EventMatch match) {
    Condition condition;
    condition.fail_if_events_match.push_back(std::move(match));
    std::vector<Position> positions;
    EventMatcher(condition).find({&record, 1}, Position{0}, 10, positions);
    return !positions.empty();
  };
  CHECK(found({.tags = {"course:1"}}));
  CHECK(found({.tags = {"student:2", "course:1"}}));
  CHECK(found({.tags = {"course:1", "course:1"}}));
  CHECK(found({.event_types = {"Other", "Subscribed"}, .tags = tags}));
  CHECK_FALSE(found({.tags = {"course:1", "student:3"}}));
  CHECK_FALSE(found({.tags = {"course"}}));
  CHECK_FALSE(found({.event_types = {"Other"}, .tags = tags}));
  CHECK_FALSE(found({.user_ids = {"course:1"}}));
  record.tags = {};
  CHECK_FALSE(found({.tags = {"course:1"}}));
  CHECK(found({}));
}

TEST_CASE("EventMatcher.WhatIsNoEventNeverMatches") {
  RecordHeader genesis;
  genesis.kind = RecordKind::Genesis;
  genesis.event_type = "$genesis";
  Condition condition;
  condition.fail_if_events_match.emplace_back();
  std::vector<Position> found;
  EventMatcher(condition).find({&genesis, 1}, Position{0}, 10, found);
  CHECK(found.empty());
}

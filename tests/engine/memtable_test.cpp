#include "engine/index/memtable.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

#include "engine/base/bytes.h"
#include "engine/base/uuid.h"
#include "engine/log/record_extensions.h"
#include "tests/engine/sample_records.h"
#include "tests/engine/test_index.h"

using namespace stele;
using stele::test::ok;
using stele::test::SampleRecords;
using stele::test::TestIndex;
using namespace std::string_literals;

namespace {

std::vector<Position> collect(const IndexPart& part, const IndexKey& key, Position at, Direction direction,
                              std::size_t limit) {
  std::vector<Position> found;
  const auto reader = ok(part.postings(key));
  if (reader) REQUIRE(reader->collect(at, direction, limit, found));
  return found;
}

/// Calls `check` with the part itself and with a run written from it.
template <class Check>
void in_memory_and_as_a_run(const Memtable& part, Check check) {
  SUBCASE("in memory") { check(part); }
  SUBCASE("as a run") {
    TestIndex index(1);
    check(*ok(write_run(index.files(), part, nullptr)));
  }
}

}  // namespace

TEST_CASE("Memtable.AnEmptyPartFindsNothing") {
  const Memtable part(Position{7});
  CHECK(part.first() == Position{7});
  CHECK(part.end() == Position{7});
  CHECK_FALSE(part.find(Uuid{}));
  CHECK_FALSE(ok(part.aggregate("a")));
  CHECK_FALSE(part.find_head("a"));
  CHECK_FALSE(ok(part.position_of("a", SequenceNumber{1})));
  CHECK(ok(part.aggregate_ids({}, "", "", 10)).empty());
  CHECK(collect(part, {KeyKind::EventType, "t"}, Position{0}, Direction::Ascending, 10).empty());
  CHECK(collect(part, {KeyKind::EventType, "t"}, Position{100}, Direction::Descending, 10).empty());
}

TEST_CASE("IndexPart.AnswersLikeASearchThroughTheRecords") {
  std::random_device device;
  const std::uint64_t seed = device();
  CAPTURE(seed);
  SampleRecords samples(seed);
  constexpr std::size_t kBefore = 150, kRecords = 600;
  for (std::size_t i = 0; i < kBefore + kRecords; ++i) samples.add();
  const std::span<const RecordHeader> records = std::span(samples.headers()).subspan(kBefore);
  Memtable newest(Position{kBefore});
  for (std::size_t at = 0; at < records.size();) {
    const std::size_t count = std::min<std::size_t>(1 + samples.below(20), records.size() - at);
    newest.insert(records.subspan(at, count), {});
    at += count;
    REQUIRE(newest.end() == Position{kBefore + at});
  }
  in_memory_and_as_a_run(newest, [&](const IndexPart& part) {
    CHECK(part.first() == newest.first());
    CHECK(part.end() == newest.end());

    std::set<std::string, std::less<>> ids;
    for (const RecordHeader& record : records) {
      CHECK(ok(part.find_event(record.event_id)) == record.position);
      ids.emplace(record.aggregate_id);
    }
    CHECK_FALSE(ok(part.find_event(samples.headers()[0].event_id)));
    CHECK(ok(part.aggregate_ids({}, "", "", 1000)) == std::vector<std::string>(ids.begin(), ids.end()));

    for (const std::string& id : ids) {
      std::vector<const RecordHeader*> own;
      for (const RecordHeader& record : records) {
        if (record.aggregate_id == id) own.push_back(&record);
      }
      const auto summary = ok(part.aggregate(id));
      REQUIRE(summary);
      CHECK(summary->aggregate_id == id);
      CHECK(summary->aggregate_type == own[0]->aggregate_type);
      CHECK(summary->count == own.size());
      CHECK(summary->last_sequence == own.back()->sequence);
      CHECK(summary->first_time == own[0]->time);
      CHECK(summary->last_time == own.back()->time);
      CHECK(summary->last_position == own.back()->position);
      const auto head = ok(part.head(id));
      REQUIRE(head);
      CHECK(head->last_sequence == own.back()->sequence);
      CHECK(head->aggregate_type == own[0]->aggregate_type);
      for (std::uint64_t number = 0; number <= own.back()->sequence.value() + 1; ++number) {
        const auto wanted = std::find_if(own.begin(), own.end(), [&](const RecordHeader* record) {
          return record->sequence >= SequenceNumber{number};
        });
        const auto found = ok(part.position_of(id, SequenceNumber{number}));
        CHECK(found == (wanted == own.end() ? std::nullopt : std::optional((*wanted)->position)));
      }
    }

    for (std::int64_t first = -5; first < 5; ++first) {
      std::set<std::int64_t> wanted;
      std::uint64_t count = 0;
      for (const RecordHeader& record : records) {
        const auto day = record.occurred_at ? std::optional(day_of(*record.occurred_at)) : std::nullopt;
        if (!day || *day < first || first + 2 < *day) continue;
        wanted.insert(*day);
        ++count;
      }
      const auto found = ok(part.occurred_days(first, first + 2));
      REQUIRE(found);
      CHECK(found->days.size() == wanted.size());
      CHECK(std::set<std::int64_t>(found->days.begin(), found->days.end()) == wanted);
      CHECK(found->records == count);
    }

    for (int i = 0; i < 500; ++i) {
      const RecordHeader& some = records[samples.below(records.size())];
      IndexKey key{KeyKind::EventType, std::string(some.event_type)};
      if (i % 8 == 7) key = {KeyKind::Principal, std::string(some.principal.value_or("none"))};
      if (i % 8 == 1) key = {KeyKind::Aggregate, std::string(some.aggregate_id)};
      if (i % 8 == 2) key = {KeyKind::AggregateType, std::string(some.aggregate_type.value_or("none"))};
      if (i % 8 == 3) key = {KeyKind::User, std::string(some.user_id.value_or("none"))};
      if (i % 8 == 4) key = {KeyKind::Correlation, std::string(some.correlation_id.value_or("none"))};
      if (i % 8 == 5) key = {KeyKind::Tag, some.tags.empty() ? "none" : std::string(*some.tags.begin())};
      if (i % 8 == 6) key = occurred_day_key(some.occurred_at ? day_of(*some.occurred_at) : 99);
      const auto has = [&](const RecordHeader& record) {
        switch (key.kind) {
          case KeyKind::EventType:
            return record.event_type == key.text;
          case KeyKind::Aggregate:
            return record.aggregate_id == key.text;
          case KeyKind::AggregateType:
            return record.aggregate_type == key.text;
          case KeyKind::User:
            return record.user_id == key.text;
          case KeyKind::Correlation:
            return record.correlation_id == key.text;
          case KeyKind::Tag:
            return record.tags.contains(key.text);
          case KeyKind::OccurredDay:
            return record.occurred_at && occurred_day_key(day_of(*record.occurred_at)).text == key.text;
          case KeyKind::Principal:
            return record.principal == key.text;
          case KeyKind::System:
            break;
        }
        return false;
      };
      const Position at{samples.below(kBefore + kRecords + 50)};
      const std::size_t limit = samples.below(30);
      std::vector<Position> wanted;
      for (const RecordHeader& record : records) {
        if (has(record)) wanted.push_back(record.position);
      }
      const bool ascending = i % 2 == 0;
      if (!ascending) std::reverse(wanted.begin(), wanted.end());
      std::erase_if(wanted, [&](Position p) { return ascending ? p < at : p > at; });
      if (wanted.size() > limit) wanted.resize(limit);
      CHECK(collect(part, key, at, ascending ? Direction::Ascending : Direction::Descending, limit) == wanted);
    }

    for (int i = 0; i < 200; ++i) {
      const Timestamp time{static_cast<std::int64_t>(samples.below(1000))};
      const auto bounds = ok(part.time_bounds(time));
      Position first = part.end();
      for (auto it = records.rbegin(); it != records.rend() && it->time >= time; ++it) first = it->position;
      CHECK(bounds.begin <= first);
      CHECK(bounds.end >= first);
      CHECK(bounds.end.since(bounds.begin) <= 64);
    }
  });
}

TEST_CASE("IndexPart.TimesAreBoundedBySamplesAtEveryPlaceOfManyRecords") {
  // More samples than are read at once, and many that are alike.
  constexpr std::uint64_t kMany = 20'000;
  Memtable newest(Position{100});
  std::vector<RecordHeader> records;
  for (std::uint64_t i = 0; i < kMany; ++i) {
    RecordHeader header;
    header.position = Position{100 + i};
    header.sequence = SequenceNumber{i + 1};
    header.aggregate_id = "a";
    header.event_type = "t";
    for (std::size_t b = 0; b < 8; ++b) header.event_id.bytes[b] = static_cast<std::uint8_t>(i >> (8 * b));
    header.time = Timestamp{static_cast<std::int64_t>(i < kMany / 2 ? 10 + i : 10 + kMany / 2 + i / 1000)};
    records.push_back(header);
  }
  newest.insert(records, {});
  in_memory_and_as_a_run(newest, [&](const IndexPart& part) {
    for (std::int64_t time = 0; time < 10 + static_cast<std::int64_t>(kMany) / 2 + 30; time += 7) {
      CAPTURE(time);
      const auto bounds = ok(part.time_bounds(Timestamp{time}));
      const auto found = std::partition_point(
          records.begin(), records.end(), [&](const RecordHeader& record) { return record.time < Timestamp{time}; });
      const Position first = found == records.end() ? part.end() : found->position;
      REQUIRE(bounds.begin <= first);
      REQUIRE(bounds.end >= first);
      REQUIRE(bounds.end.since(bounds.begin) <= 64);
    }
  });
}

TEST_CASE("IndexPart.AggregateIdsGoByPrefixStartAndLimit") {
  Memtable newest(Position{0});
  std::vector<RecordHeader> records;
  const std::string ids[] = {"b", "a/2", "a/10", "a", "a/1", "\xC3\xA4", "a0"};
  for (const std::string& id : ids) {
    RecordHeader header;
    header.position = Position{records.size()};
    header.sequence = SequenceNumber{1};
    header.aggregate_id = id;
    header.event_type = "t";
    header.event_id.bytes[0] = static_cast<std::uint8_t>(records.size());
    records.push_back(header);
  }
  newest.insert(records, {});
  using Ids = std::vector<std::string>;
  in_memory_and_as_a_run(newest, [&](const IndexPart& part) {
    CHECK(ok(part.aggregate_ids({}, "", "", 10)) == Ids{"a", "a/1", "a/10", "a/2", "a0", "b", "\xC3\xA4"});
    CHECK(ok(part.aggregate_ids({}, "a/", "", 10)) == Ids{"a/1", "a/10", "a/2"});
    CHECK(ok(part.aggregate_ids({}, "a/", "a/1\0"s, 10)) == Ids{"a/10", "a/2"});
    CHECK(ok(part.aggregate_ids({}, "a/", "b", 10)).empty());
    CHECK(ok(part.aggregate_ids({}, "a", "", 2)) == Ids{"a", "a/1"});
    CHECK(ok(part.aggregate_ids({}, "", "", 0)).empty());
  });
}

TEST_CASE("IndexPart.AggregatesOfATypeAreListedWhereTheyBegin") {
  Memtable newest(Position{0});
  std::vector<RecordHeader> records;
  struct Sample {
    std::string id;
    std::optional<std::string> type;
    std::uint64_t sequence;
  };
  const std::string longest(255, 'x');
  const Sample samples[] = {{"b", "T", 1},       {"a/2", "T", 1},    {"a/1", "T", 1},
                            {"a/1", "T", 2},     {"other", "TT", 1}, {"none", std::nullopt, 1},
                            {"earlier", "T", 7}, {"$own", "T", 1},   {longest, longest, 1}};
  for (const Sample& sample : samples) {
    RecordHeader header;
    header.position = Position{records.size()};
    header.sequence = SequenceNumber{sample.sequence};
    header.aggregate_id = sample.id;
    header.aggregate_type = sample.type;
    header.event_type = "t";
    header.event_id.bytes[0] = static_cast<std::uint8_t>(records.size());
    records.push_back(header);
  }
  newest.insert(records, {});
  using Ids = std::vector<std::string>;
  in_memory_and_as_a_run(newest, [&](const IndexPart& part) {
    CHECK(ok(part.aggregate_ids("T", "", "", 10)) == Ids{"$own", "a/1", "a/2", "b"});
    CHECK(ok(part.aggregate_ids("T", "a/", "", 10)) == Ids{"a/1", "a/2"});
    CHECK(ok(part.aggregate_ids("T", "", "a/1\0"s, 10)) == Ids{"a/2", "b"});
    CHECK(ok(part.aggregate_ids("T", "", "", 2)) == Ids{"$own", "a/1"});
    CHECK(ok(part.aggregate_ids("T", "c", "", 10)).empty());
    CHECK(ok(part.aggregate_ids("TT", "", "", 10)) == Ids{"other"});
    CHECK(ok(part.aggregate_ids(longest, "", "", 10)) == Ids{longest});
    CHECK(ok(part.aggregate_ids(longest + "x", "", "", 10)).empty());
    CHECK(ok(part.aggregate_ids("", "", "", 10)).empty());
  });
}

TEST_CASE("IndexPart.TheStoresOwnRecordsAreListedApart") {
  Memtable newest(Position{0});
  const std::string resource(kResourceBytesMax, 'r');
  const std::string action_extensions = encode_extensions({}, resource);
  const std::string event_extensions = encode_extensions(std::vector<std::string>{"tag"});
  std::vector<RecordHeader> records(3);
  for (std::size_t i = 0; i < records.size(); ++i) {
    RecordHeader& header = records[i];
    header.position = Position{i};
    header.sequence = SequenceNumber{1};
    header.event_id.bytes[0] = static_cast<std::uint8_t>(i);
    header.aggregate_id = i == 0 ? "mission-7" : i == 1 ? "$audit/read" : "$schema/Noted";
    header.event_type = "Noted";
    header.user_id = header.correlation_id = header.principal = "ada";
    header.extensions = i == 1 ? action_extensions : event_extensions;
    if (i != 1) header.aggregate_type = "T";
    if (i == 1) header.kind = RecordKind::Action;
    if (i == 1) header.outcome = ActionOutcome::Failed;
    header.occurred_at = Timestamp{0};
    REQUIRE(read_extensions(header));
  }
  newest.insert(records, {});
  in_memory_and_as_a_run(newest, [&](const IndexPart& part) {
    const auto positions = [&](const IndexKey& key) {
      return collect(part, key, Position{0}, Direction::Ascending, 10);
    };
    using Positions = std::vector<Position>;
    const Positions event{Position{0}}, action{Position{1}}, schema{Position{2}}, own{Position{1}, Position{2}};
    CHECK(positions({KeyKind::EventType, "Noted"}) == event);
    CHECK(positions({KeyKind::AggregateType, "T"}) == event);
    CHECK(positions({KeyKind::User, "ada"}) == event);
    CHECK(positions({KeyKind::Correlation, "ada"}) == event);
    CHECK(positions({KeyKind::Principal, "ada"}) == event);
    CHECK(positions({KeyKind::Tag, "tag"}) == event);
    CHECK(positions(occurred_day_key(0)) == event);
    CHECK(positions({KeyKind::Aggregate, "$audit/read"}) == action);
    CHECK(positions(system_key(SystemKey::All)) == own);
    CHECK(positions(system_key(SystemKey::EventType, "Noted")) == own);
    CHECK(positions(system_key(SystemKey::AggregateType, "T")) == schema);
    CHECK(positions(system_key(SystemKey::User, "ada")) == own);
    CHECK(positions(system_key(SystemKey::Correlation, "ada")) == own);
    CHECK(positions(system_key(SystemKey::Principal, "ada")) == own);
    CHECK(positions(system_key(SystemKey::Tag, "tag")) == schema);
    CHECK(positions(system_key(SystemKey::Resource, resource)) == action);
    CHECK(positions(system_key(SystemKey::Resource, resource + "r")).empty());
    CHECK(positions(system_key(SystemKey::Outcome, "failed")) == action);
    CHECK(positions(system_key(SystemKey::Outcome, "done")).empty());
    CHECK(ok(part.head("$schema/Noted"))->aggregate_type == "T");
  });
}

TEST_CASE("Memtable.IdsThatDifferOnlyInTheirLastBytesAreAllFound") {
  Memtable part(Position{0});
  std::vector<RecordHeader> records;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    RecordHeader header;
    header.position = Position{i};
    header.sequence = SequenceNumber{i + 1};
    header.aggregate_id = "a";
    header.event_type = "t";
    header.event_id = *parse_uuid("11111111-2222-4333-8444-000000000000");
    header.event_id.bytes[14] = static_cast<std::uint8_t>(i >> 8);
    header.event_id.bytes[15] = static_cast<std::uint8_t>(i);
    records.push_back(header);
  }
  part.insert(records, {});
  for (const RecordHeader& record : records) CHECK(part.find(record.event_id) == record.position);
}

TEST_CASE("IndexPart.KeysOfTheGreatestLengthAreFound") {
  const std::string longest(255, 'x');
  RecordHeader header;
  header.sequence = SequenceNumber{1};
  header.aggregate_id = header.event_type = longest;
  header.aggregate_type = header.user_id = header.correlation_id = longest;
  const std::vector<std::string> tags{longest.substr(0, kTagBytesMax)};
  const std::string extensions = encode_extensions(tags);
  header.extensions = extensions;
  REQUIRE(read_extensions(header));
  Memtable newest(Position{0});
  newest.insert({&header, 1}, {});
  in_memory_and_as_a_run(newest, [&](const IndexPart& part) {
    for (const KeyKind kind :
         {KeyKind::Aggregate, KeyKind::EventType, KeyKind::AggregateType, KeyKind::User, KeyKind::Correlation}) {
      CHECK(collect(part, {kind, longest}, Position{0}, Direction::Ascending, 10) == std::vector{Position{0}});
      CHECK(collect(part, {kind, longest + "x"}, Position{0}, Direction::Ascending, 10).empty());
    }
    CHECK(collect(part, {KeyKind::Tag, tags[0]}, Position{0}, Direction::Ascending, 10) == std::vector{Position{0}});
    for (const std::string& other : {tags[0] + "x", tags[0].substr(1), longest, longest + "x"}) {
      CHECK(collect(part, {KeyKind::Tag, other}, Position{0}, Direction::Ascending, 10).empty());
    }
  });
}

TEST_CASE("IndexPart.ARecordIsFoundByEachOfItsTags") {
  std::vector<std::string> tags;
  for (std::size_t i = 0; i < kTagsMax; ++i) tags.push_back("tag" + std::string(1, static_cast<char>('a' + i)));
  const std::string all = encode_extensions(tags), one = encode_extensions({tags.data() + 3, 1});
  std::vector<RecordHeader> records(3);
  for (std::size_t i = 0; i < records.size(); ++i) {
    RecordHeader& header = records[i];
    header.position = Position{i};
    header.sequence = SequenceNumber{i + 1};
    header.event_id.bytes[0] = static_cast<std::uint8_t>(i);
    header.aggregate_id = header.event_type = tags[5];  // keys of other kinds are not taken for tags
    header.aggregate_type = header.user_id = header.correlation_id = tags[5];
    header.occurred_at = Timestamp{0};
    if (i == 0) header.extensions = all;
    if (i == 2) header.extensions = one;
    REQUIRE(read_extensions(header));
  }
  Memtable newest(Position{0});
  newest.insert(records, {});
  in_memory_and_as_a_run(newest, [&](const IndexPart& part) {
    for (std::size_t i = 0; i < tags.size(); ++i) {
      CAPTURE(i);
      std::vector<Position> wanted{Position{0}};
      if (i == 3) wanted.push_back(Position{2});
      CHECK(collect(part, {KeyKind::Tag, tags[i]}, Position{0}, Direction::Ascending, 10) == wanted);
    }
  });
}

TEST_CASE("DayOf.RoundsDownOnBothSidesOfTheEpoch") {
  constexpr std::int64_t kDay = 86'400'000'000;
  CHECK(day_of(Timestamp{0}) == 0);
  CHECK(day_of(Timestamp{kDay - 1}) == 0);
  CHECK(day_of(Timestamp{kDay}) == 1);
  CHECK(day_of(Timestamp{-1}) == -1);
  CHECK(day_of(Timestamp{-kDay}) == -1);
  CHECK(day_of(Timestamp{-kDay - 1}) == -2);
}

#include "engine/index/index_set.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "tests/engine/sample_records.h"
#include "tests/engine/test_index.h"
#include "tests/support/one_thread.h"

using namespace stele;
using stele::test::IndexShape;
using stele::test::kIndexShapes;
using stele::test::ok;
using stele::test::SampleRecords;
using stele::test::TestIndex;

namespace {

using Model = std::map<std::string, std::vector<RecordHeader>, std::less<>>;

void check_summary(const AggregateSummary& summary, const std::string& id, const std::vector<RecordHeader>& own) {
  CHECK(summary.aggregate_id == id);
  CHECK(summary.aggregate_type == own.front().aggregate_type);
  CHECK(summary.count == own.size());
  CHECK(summary.last_sequence == own.back().sequence);
  CHECK(summary.first_time == own.front().time);
  CHECK(summary.last_time == own.back().time);
  CHECK(summary.last_position == own.back().position);
}

}  // namespace

TEST_CASE("IndexSet.TinyPartsAnswerLikeAMap") {
  std::random_device device;
  const std::uint64_t seed = device();
  CAPTURE(seed);
  IndexShape shape = IndexShape::Memory;
  SUBCASE("in memory") { shape = IndexShape::Memory; }
  SUBCASE("in runs") { shape = IndexShape::Runs; }
  SUBCASE("in compacted runs") { shape = IndexShape::CompactedRuns; }
  SampleRecords samples(seed);
  for (int i = 0; i < 300; ++i) samples.add();
  const std::span<const RecordHeader> records = samples.headers();
  TestIndex index(3, shape);
  Model model;
  for (std::size_t at = 0; at < records.size();) {
    const std::size_t count = std::min<std::size_t>(1 + samples.below(7), records.size() - at);
    index.insert(records.subspan(at, count));
    for (const RecordHeader& record : records.subspan(at, count)) {
      model[std::string(record.aggregate_id)].push_back(record);
    }
    at += count;
    const auto view = index.view();
    CHECK(view->newest().end() == Position{at});
    CHECK(view->newest().size() < 3);
    // The parts lie one behind the other.
    Position end{0};
    for (std::size_t i = 0; i < view->part_count(); ++i) {
      CHECK(view->part(i).first() == end);
      end = view->part(i).end();
    }
    CHECK(view->sealed_end() == view->newest().first());
  }

  const auto view = index.view();
  for (const RecordHeader& record : records) {
    CHECK(ok(view->find_event(record.event_id)) == record.position);
    const bool sealed = record.position < view->sealed_end();
    CHECK(ok(view->find_sealed_event(record.event_id)) == (sealed ? std::optional(record.position) : std::nullopt));
  }
  CHECK_FALSE(ok(view->find_event(Uuid{})));
  CHECK_FALSE(ok(view->aggregate("unknown")));
  CHECK_FALSE(ok(view->sealed_head("unknown")));
  for (const auto& [id, own] : model) {
    const auto summary = ok(view->aggregate(id));
    REQUIRE(summary);
    check_summary(*summary, id, own);
    std::optional<SequenceNumber> sealed;
    for (const RecordHeader& record : own) {
      if (record.position < view->sealed_end()) sealed = record.sequence;
    }
    const auto head = ok(view->sealed_head(id));
    REQUIRE(head.has_value() == sealed.has_value());
    if (head) {
      CHECK(head->last_sequence == *sealed);
      CHECK(head->aggregate_type == own.front().aggregate_type);
    }
    for (std::uint64_t number = 0; number <= own.size() + 1; ++number) {
      const auto found = ok(view->position_of(id, SequenceNumber{number}));
      const std::size_t i = number == 0 ? 0 : number - 1;
      CHECK(found == (i < own.size() ? std::optional(own[i].position) : std::nullopt));
    }
  }
}

TEST_CASE("IndexSet.AViewKeepsItsPartsWhileTheIndexGrows") {
  SampleRecords samples(1);
  for (int i = 0; i < 20; ++i) samples.add();
  const std::span<const RecordHeader> records = samples.headers();
  TestIndex index(4);
  index.insert(records.first(5));
  const auto early = index.view();
  const Position sealed_end = early->sealed_end();
  index.insert(records.subspan(5));
  CHECK(early->sealed_end() == sealed_end);
  CHECK(early->part_count() == 2);
  CHECK(ok(early->find_event(records[0].event_id)) == Position{0});
  CHECK(ok(index.view()->find_event(records[19].event_id)) == Position{19});
}

TEST_CASE("IndexCompactor.AMergeIsDueUntilItIsDone") {
  SampleRecords samples(1);
  constexpr int kPartRecords = 4;
  for (std::size_t i = 0; i < kPartRecords * kCompactionFanout; ++i) samples.add();
  TestIndex index(kPartRecords, IndexShape::Runs);
  const auto insert_part = [&](std::size_t part) {
    index.insert(std::span(samples.headers()).subspan(part * kPartRecords, kPartRecords));
  };
  for (std::size_t part = 0; part + 1 < kCompactionFanout; ++part) insert_part(part);
  CHECK_FALSE(index.keeper().compaction_due());
  insert_part(kCompactionFanout - 1);
  CHECK(index.keeper().compaction_due());
  index.keeper().work_off();
  CHECK_FALSE(index.keeper().compaction_due());
  CHECK(index.view()->runs().size() == 1);
}

TEST_CASE("IndexView.AggregatesPageThroughManyPartsInByteOrder" * tests::one_thread()) {
  IndexShape shape = IndexShape::Memory;
  SUBCASE("in memory") { shape = IndexShape::Memory; }
  SUBCASE("in compacted runs") { shape = IndexShape::CompactedRuns; }
  std::mt19937_64 random(3);
  std::deque<std::string> texts;
  TestIndex index(150, shape);
  Model model;
  // More ids than one step of the merge takes, spread over the parts.
  for (std::uint64_t i = 0; i < 2500; ++i) {
    RecordHeader header;
    header.position = Position{i};
    const std::uint64_t number = random() % 900;
    header.aggregate_id = texts.emplace_back((number % 10 == 0  ? "$"
                                              : number % 3 == 0 ? "even/"
                                                                : "odd/") +
                                             std::to_string(number));
    auto& own = model[std::string(header.aggregate_id)];
    header.sequence = SequenceNumber{own.size() + 1};
    if (number % 4 != 0) header.aggregate_type = texts.emplace_back("type" + std::to_string(number % 4));
    header.event_type = "t";
    header.time = Timestamp{static_cast<std::int64_t>(i)};
    header.event_id.bytes[0] = static_cast<std::uint8_t>(i);
    header.event_id.bytes[8] = static_cast<std::uint8_t>(i >> 8);
    own.push_back(header);
    index.insert({&header, 1});
  }
  const auto view = index.view();
  for (const std::string prefix : {"", "e", "even/", "odd/5", "$", "none"}) {
    for (const auto& type : {std::optional<std::string>(), std::optional<std::string>("type2")}) {
      for (const bool system : {false, true}) {
        for (const std::size_t limit : {1, 7, 100, 256, 257, 5000}) {
          CAPTURE(prefix);
          CAPTURE(system);
          CAPTURE(limit);
          std::vector<std::string> wanted;
          for (const auto& [id, own] : model) {
            if (!id.starts_with(prefix) || (!system && id.starts_with('$'))) continue;
            if (type && own.front().aggregate_type != type) continue;
            wanted.push_back(id);
          }
          AggregateQuery query{
              .aggregate_type = type, .prefix = prefix, .after = std::nullopt, .include_system = system};
          std::vector<std::string> found;
          const std::size_t pages_max = limit == 1 ? 20 : 10'000;
          for (std::size_t page = 0; page < pages_max; ++page) {
            const auto some = ok(view->aggregates(query, limit)).found;
            CHECK(some.size() <= limit);
            for (const AggregateSummary& summary : some) {
              check_summary(summary, summary.aggregate_id, model.find(summary.aggregate_id)->second);
              found.push_back(summary.aggregate_id);
            }
            if (some.size() < limit) break;
            query.after = found.back();
          }
          if (limit == 1 && wanted.size() > 20) wanted.resize(20);
          CHECK(found == wanted);
        }
      }
    }
  }
}

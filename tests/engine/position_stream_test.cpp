#include "engine/index/position_stream.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "tests/engine/sample_records.h"
#include "tests/engine/test_index.h"

using namespace stele;
using stele::test::IndexShape;
using stele::test::kIndexShapes;
using stele::test::ok;
using stele::test::SampleRecords;
using stele::test::TestIndex;

namespace {

/// A stream and the positions it must give, ascending.
struct Sample {
  std::unique_ptr<PositionStream> stream;
  std::vector<Position> positions;
};

class Generator {
 public:
  Generator(SampleRecords& samples, StreamRange range) : samples_(samples), range_(range) {}

  Sample make(int depth) {
    switch (depth == 0 ? samples_.below(8) : samples_.below(10)) {
      case 0:
        return one(KeyKind::Aggregate, [](const RecordHeader& h) { return std::optional(h.aggregate_id); });
      case 1:
        return one(KeyKind::EventType, [](const RecordHeader& h) { return std::optional(h.event_type); });
      case 2:
        return one(KeyKind::User, [](const RecordHeader& h) { return h.user_id; });
      case 3:
        return one(KeyKind::AggregateType, [](const RecordHeader& h) { return h.aggregate_type; });
      case 4:
        return one(KeyKind::Correlation, [](const RecordHeader& h) { return h.correlation_id; });
      case 5: {
        Sample sample{all_positions(range_), {}};
        for (const RecordHeader& header : samples_.headers()) {
          if (range_.contains(header.position)) sample.positions.push_back(header.position);
        }
        return sample;
      }
      case 6: {
        const std::int64_t first = static_cast<std::int64_t>(samples_.below(8)) - 4;
        const std::int64_t last = samples_.below(2) == 0 ? std::numeric_limits<std::int64_t>::max() : first + 2;
        return days(first, last);
      }
      case 7:
        return tagged();
      default:
        break;
    }
    const bool is_union = samples_.below(2) == 0;
    std::vector<std::unique_ptr<PositionStream>> streams;
    std::vector<Position> positions;
    const std::uint64_t count = 1 + samples_.below(4);
    for (std::uint64_t i = 0; i < count; ++i) {
      Sample part = make(depth - 1);
      streams.push_back(std::move(part.stream));
      std::vector<Position> joined;
      if (i == 0) {
        joined = part.positions;
      } else if (is_union) {
        std::set_union(positions.begin(), positions.end(), part.positions.begin(), part.positions.end(),
                       std::back_inserter(joined));
      } else {
        std::set_intersection(positions.begin(), positions.end(), part.positions.begin(), part.positions.end(),
                              std::back_inserter(joined));
      }
      positions = std::move(joined);
    }
    return {is_union ? union_of(range_.direction, std::move(streams)) : intersection_of(range_, std::move(streams)),
            std::move(positions)};
  }

 private:
  template <class KeyOf>
  Sample one(KeyKind kind, KeyOf key_of) {
    const auto& headers = samples_.headers();
    const auto key = key_of(headers[samples_.below(headers.size())]);
    const std::string text(key.value_or("unknown"));
    Sample sample{positions_with(range_, IndexKey{kind, text}), {}};
    for (const RecordHeader& header : headers) {
      const auto own = key_of(header);
      if (own && *own == text && range_.contains(header.position)) sample.positions.push_back(header.position);
    }
    return sample;
  }

  Sample tagged() {
    const std::string tag = "tag-" + std::to_string(samples_.below(10));
    Sample sample{positions_with(range_, IndexKey{KeyKind::Tag, tag}), {}};
    for (const RecordHeader& header : samples_.headers()) {
      if (header.tags.contains(tag) && range_.contains(header.position)) sample.positions.push_back(header.position);
    }
    return sample;
  }

  /// A part of which most is wanted comes whole.
  Sample days(std::int64_t first, std::int64_t last) {
    Sample sample{positions_of_days(range_, first, last), {}};
    for (std::size_t i = 0; i < range_.view->part_count(); ++i) {
      const IndexPart& part = range_.view->part(i);
      std::vector<Position> all, wanted;
      for (std::uint64_t at = part.first().value(); at < part.end().value(); ++at) {
        const RecordHeader& header = samples_.headers()[at];
        all.push_back(header.position);
        if (!header.occurred_at) continue;
        const std::int64_t day = day_of(*header.occurred_at);
        if (first <= day && day <= last) wanted.push_back(header.position);
      }
      for (const Position position : wanted.size() > all.size() / 2 ? all : wanted) {
        if (range_.contains(position)) sample.positions.push_back(position);
      }
    }
    return sample;
  }

  SampleRecords& samples_;
  StreamRange range_;
};

void check_streams(std::uint64_t seed, std::uint64_t part_records_max, int records, IndexShape shape) {
  CAPTURE(seed);
  CAPTURE(static_cast<int>(shape));
  CAPTURE(part_records_max);
  SampleRecords samples(seed);
  for (int i = 0; i < records; ++i) samples.add();
  TestIndex index(part_records_max, shape);
  for (const RecordHeader& header : samples.headers()) index.insert({&header, 1});
  const auto view = index.view();
  for (int i = 0; i < 300; ++i) {
    CAPTURE(i);
    const auto end = samples.headers().size();
    StreamRange range{view.get(), Position{samples.below(end)}, Position{samples.below(end + 1)},
                      i % 2 == 0 ? Direction::Ascending : Direction::Descending};
    if (i % 3 == 0) range.begin = Position{0};
    if (i % 5 == 0) range.end = Position{end};
    Sample sample = Generator(samples, range).make(2);
    if (range.begin >= range.end) {
      CHECK_FALSE(ok(sample.stream->seek(range.begin)));
      continue;
    }
    std::vector<Position> wanted = sample.positions;
    const bool ascending = range.direction == Direction::Ascending;
    if (!ascending) std::reverse(wanted.begin(), wanted.end());
    Position at = ascending ? range.begin : Position{range.end.value() - 1};
    auto next = wanted.begin();
    for (;;) {
      next = std::find_if(next, wanted.end(), [&](Position p) { return ascending ? p >= at : p <= at; });
      const auto found = ok(sample.stream->seek(at));
      REQUIRE(found == (next == wanted.end() ? std::nullopt : std::optional(*next)));
      if (!found) break;
      // What is known ahead is what follows.
      const std::span<const Position> ahead = sample.stream->ahead();
      REQUIRE(ahead.size() < static_cast<std::size_t>(wanted.end() - next));
      REQUIRE(std::equal(ahead.begin(), ahead.end(), next + 1));
      // Mostly one step, sometimes a jump.
      const std::uint64_t step = samples.below(5) == 0 ? samples.below(40) + 1 : 1;
      if (!ascending && found->value() < step) break;
      at = ascending ? found->plus(step) : Position{found->value() - step};
    }
  }
}

}  // namespace

TEST_CASE("PositionStream.AgreesWithBruteForceOverManySmallParts") {
  for (const IndexShape shape : kIndexShapes) check_streams(std::random_device()(), 7, 400, shape);
}

TEST_CASE("PositionStream.AgreesWithBruteForceOverFewParts") {
  for (const IndexShape shape : kIndexShapes) check_streams(std::random_device()(), 1000, 2500, shape);
}

TEST_CASE("PositionStream.AgreesWithBruteForceInOnePart") {
  for (const IndexShape shape : {IndexShape::Memory, IndexShape::Runs})
    check_streams(std::random_device()(), 3000, 3000, shape);
}

TEST_CASE("PositionStream.EndsAtItsRangeWhileTheNewestPartGrows") {
  SampleRecords samples(5);
  for (int i = 0; i < 100; ++i) samples.add();
  const std::span<const RecordHeader> records = samples.headers();
  TestIndex index(1000);
  index.insert(records.first(50));
  const auto view = index.view();
  const StreamRange range{view.get(), Position{0}, Position{50}, Direction::Ascending};
  const StreamRange back{view.get(), Position{0}, Position{50}, Direction::Descending};
  const auto stream = positions_with(range, {KeyKind::EventType, std::string(records[0].event_type)});
  const auto reverse = positions_with(back, {KeyKind::EventType, std::string(records[0].event_type)});
  index.insert(records.subspan(50));
  std::uint64_t count = 0, reverse_count = 0;
  for (auto at = ok(stream->seek(Position{0})); at; at = ok(stream->seek(at->next())), ++count)
    CHECK(*at < Position{50});
  for (auto at = ok(reverse->seek(Position{49})); at; ++reverse_count) {
    CHECK(*at < Position{50});
    if (*at == Position{0}) {
      ++reverse_count;
      break;
    }
    at = ok(reverse->seek(Position{at->value() - 1}));
  }
  CHECK(count > 0);
  CHECK(count == reverse_count);
}

namespace {

/// Records whose keys meet nowhere: one has the user, the next the type.
void fill_apart(TestIndex& index, std::uint64_t records) {
  for (std::uint64_t i = 0; i < records; ++i) {
    RecordHeader header;
    header.position = Position{i};
    header.aggregate_id = "a";
    header.sequence = SequenceNumber{i + 1};
    header.event_type = i % 2 == 0 ? "even" : "odd";
    header.user_id = i % 2 == 0 ? "one" : "two";
    header.occurred_at = Timestamp{static_cast<std::int64_t>(i) * 86'400'000'000};
    header.event_id.bytes[0] = static_cast<std::uint8_t>(i);
    header.event_id.bytes[1] = static_cast<std::uint8_t>(i >> 8);
    index.insert({&header, 1});
  }
}

}  // namespace

TEST_CASE("PositionStream.ABudgetEndsASearchAmongKeysThatNeverMeet") {
  constexpr std::uint64_t kRecords = 20'000;
  for (const IndexShape shape : {IndexShape::Memory, IndexShape::Runs}) {
    TestIndex index(1000, shape);
    fill_apart(index, kRecords);
    const auto view = index.view();
    for (const Direction direction : {Direction::Ascending, Direction::Descending}) {
      const bool ascending = direction == Direction::Ascending;
      Position at = ascending ? Position{0} : Position{kRecords - 1};
      int searches = 0;
      for (;; ++searches) {
        ReadBudget budget(ReadLimits{.records = 100, .time = std::chrono::hours{1}});
        const StreamRange range{view.get(), Position{0}, Position{kRecords}, direction, &budget};
        std::vector<std::unique_ptr<PositionStream>> terms;
        terms.push_back(positions_with(range, {KeyKind::EventType, "even"}));
        terms.push_back(positions_with(range, {KeyKind::User, "two"}));
        const auto got_to = ok(intersection_of(range, std::move(terms))->seek(at));
        if (!got_to) break;
        REQUIRE(budget.used_up());
        REQUIRE((ascending ? at < *got_to : *got_to < at));
        at = *got_to;
      }
      CHECK(searches > 5);
      CHECK(searches < 1000);
    }
  }
}

TEST_CASE("PositionStream.APartWithVeryManyDaysComesWhole") {
  constexpr std::uint64_t kRecords = 2000;
  for (const IndexShape shape : {IndexShape::Memory, IndexShape::Runs}) {
    TestIndex index(1000, shape);
    fill_apart(index, kRecords);
    const auto view = index.view();
    const StreamRange range{view.get(), Position{0}, Position{kRecords}, Direction::Ascending};
    const auto count = [&](std::int64_t first, std::int64_t last) {
      const auto stream = positions_of_days(range, first, last);
      std::uint64_t found = 0;
      for (auto at = ok(stream->seek(Position{0})); at; at = ok(stream->seek(at->next()))) ++found;
      return found;
    };
    CHECK(count(100, 199) == 100);
    CHECK(count(900, 1099) == 200);
    CHECK(count(300, 799) == 500);
    CHECK(count(1900, std::numeric_limits<std::int64_t>::max()) == 100);
    CHECK(count(std::numeric_limits<std::int64_t>::min(), -1) == 0);
    CHECK(count(100, 600) == 1000);  // more than half of the part: all of it, and nothing of the next
  }
}

#include "engine/index/index_run.h"

#include <algorithm>
#include <array>
#include <span>

#include "engine/base/bytes.h"
#include "engine/base/check.h"
#include "engine/table/varint.h"

namespace stele {
namespace {

constexpr std::size_t kTimeSampleBytes = 16;

}  // namespace

Result<std::shared_ptr<const IndexRun>> IndexRun::open(FileSystem& file_system, const std::string& path,
                                                       const Uuid& store_id) {
  STELE_ASSIGN(std::unique_ptr<PageFile> file, PageFile::open(file_system, path, kRunFile, store_id));
  auto directory = RunDirectory::decode(file->directory());
  if (!directory) {
    directory.error().file = path;
    return directory.error();
  }
  std::shared_ptr<const IndexRun> run(new IndexRun(std::move(file), std::move(*directory)));
  if (!run->directory_fits()) return run->corrupt("the directory of an index run leads out of the file");
  return run;
}

bool IndexRun::directory_fits() const {
  const std::uint64_t bytes = file_->body_end();
  const auto inside = [&](std::uint64_t offset, std::uint64_t count, std::uint64_t each) {
    return offset <= bytes && count <= (bytes - offset) / each;
  };
  return inside(directory_.times_offset, directory_.times_count, kTimeSampleBytes) &&
         inside(directory_.tail_offset, directory_.end.since(directory_.tail_first), sizeof(std::uint32_t)) &&
         std::all_of(tables_.begin(), tables_.end(), [](const Table& table) { return table.fits(); });
}

IndexRun::IndexRun(std::unique_ptr<PageFile> file, RunDirectory directory)
    : file_(std::move(file)), directory_(std::move(directory)) {
  for (std::size_t i = 0; i < kRunTables; ++i) tables_[i] = Table(*file_, directory_.tables[i], directory_.filter_seed);
}

Error IndexRun::corrupt(const char* what) const {
  file_->mark_damaged();
  return Error{.kind = ErrorKind::Corrupt, .message = what, .file = file_->path()};
}

Result<Position> IndexRun::position_at(std::uint64_t ordinal) const {
  if (ordinal >= size()) return corrupt("an index run refers to a record behind its end");
  return directory_.first.plus(ordinal);
}

Result<std::vector<std::uint32_t>> IndexRun::tail_offsets() const {
  std::vector<std::uint32_t> offsets(directory_.end.since(directory_.tail_first));
  STELE_TRY(file_->read(directory_.tail_offset,
                        {reinterpret_cast<char*>(offsets.data()), offsets.size() * sizeof(std::uint32_t)}));
  return offsets;
}

Status IndexRun::time_samples(std::uint64_t first, std::span<TimeSample> to) const {
  STELE_CHECK(to.size() <= kTimeSamplesAtOnce);
  std::array<char, kTimeSamplesAtOnce * kTimeSampleBytes> bytes;
  STELE_TRY(file_->read(directory_.times_offset + first * kTimeSampleBytes,
                        std::span(bytes).first(to.size() * kTimeSampleBytes)));
  const char* from = bytes.data();
  for (TimeSample& sample : to) {
    sample = {get_at<std::uint64_t>(from), Timestamp{get_at<std::int64_t>(from + 8)}};
    from += kTimeSampleBytes;
  }
  return {};
}

void IndexRun::prefetch_event(const Uuid& event_id) const { tables_[kEventIdTable].prefetch(as_bytes(event_id)); }

void IndexRun::prefetch_aggregate(std::string_view id) const { tables_[kAggregateTable].prefetch(id); }

Result<std::optional<Position>> IndexRun::find_event(const Uuid& event_id, DiskWait wait) const {
  STELE_ASSIGN(const std::optional<std::string> value, tables_[kEventIdTable].find(as_bytes(event_id), wait));
  if (!value) return std::optional<Position>{};
  std::string_view rest = *value;
  std::uint64_t ordinal = 0;
  if (!take_varint(rest, ordinal)) return corrupt("an index run has a malformed event id");
  STELE_ASSIGN(const Position position, position_at(ordinal));
  return std::optional(position);
}

Result<bool> IndexRun::find_aggregate(std::string_view id, std::string& bytes, StoredAggregate& to,
                                      std::string_view& list, DiskWait wait) const {
  if (id.size() > kStringBytesMax) return false;
  STELE_ASSIGN(std::optional<std::string> value, tables_[kAggregateTable].find(id, wait));
  if (!value) return false;
  bytes = std::move(*value);
  list = bytes;
  if (!StoredAggregate::decode(list, to)) return corrupt("an index run has a malformed aggregate");
  return true;
}

Result<std::optional<AggregateSummary>> IndexRun::aggregate(std::string_view id) const {
  std::string bytes;
  std::string_view list;
  StoredAggregate stored;
  STELE_ASSIGN(const bool found, find_aggregate(id, bytes, stored, list));
  if (!found) return std::optional<AggregateSummary>{};
  STELE_ASSIGN(const Position last, position_at(stored.last_ordinal));
  AggregateSummary summary{.aggregate_id = std::string(id),
                           .last_sequence = stored.last_sequence,
                           .count = stored.last_sequence.since(stored.first_sequence) + 1,
                           .first_time = stored.first_time,
                           .last_time = stored.last_time,
                           .last_position = last};
  if (stored.type) summary.aggregate_type = std::string(*stored.type);
  return std::optional(std::move(summary));
}

Result<std::optional<AggregateHead>> IndexRun::head(std::string_view id, DiskWait wait) const {
  std::string bytes;
  std::string_view list;
  StoredAggregate stored;
  STELE_ASSIGN(const bool found, find_aggregate(id, bytes, stored, list, wait));
  if (!found) return std::optional<AggregateHead>{};
  AggregateHead head{stored.last_sequence, std::nullopt};
  if (stored.type) head.aggregate_type = std::string(*stored.type);
  return std::optional(std::move(head));
}

Result<std::optional<Position>> IndexRun::position_of(std::string_view id, SequenceNumber sequence) const {
  std::string bytes;
  std::string_view list;
  StoredAggregate stored;
  STELE_ASSIGN(const bool found, find_aggregate(id, bytes, stored, list));
  if (!found || stored.last_sequence < sequence) return std::optional<Position>{};
  STELE_ASSIGN(StoredPostings postings, StoredPostings::open(*file_, list));
  // Sequence numbers of an aggregate are contiguous, so a number is an index into its list.
  const std::uint64_t index = sequence <= stored.first_sequence ? 0 : sequence.since(stored.first_sequence);
  STELE_ASSIGN(const std::uint32_t ordinal, postings.at(index));
  STELE_ASSIGN(const Position position, position_at(ordinal));
  return std::optional(position);
}

Result<std::vector<std::string>> IndexRun::aggregate_ids(const std::optional<std::string>& type,
                                                         std::string_view prefix, std::string_view from,
                                                         std::size_t limit) const {
  std::vector<std::string> ids;
  if (type && type->size() > kStringBytesMax) return ids;
  const std::string front = type ? typed_aggregate_key(*type, {}) : std::string();
  const std::string wanted = front + std::string(prefix);
  Table::Cursor cursor(tables_[type ? kTypedAggregateTable : kAggregateTable]);
  STELE_TRY(cursor.seek(front + std::string(std::max(prefix, from))));
  while (cursor.valid() && ids.size() < limit && cursor.key().starts_with(wanted)) {
    ids.push_back(cursor.key().substr(front.size()));
    STELE_TRY(cursor.next());
  }
  return ids;
}

class IndexRun::Reader final : public PostingReader {
 public:
  Reader(const IndexRun& part, StoredPostings list) : part_(part), list_(std::move(list)) {}

  Status collect(Position at, Direction direction, std::size_t limit, std::vector<Position>& to) override {
    const Position first = part_.first();
    if (at < first && direction == Direction::Descending) return {};
    ordinals_.clear();
    STELE_TRY(list_.collect(at > first ? at.since(first) : 0, direction, limit, ordinals_));
    for (const std::uint32_t ordinal : ordinals_) {
      STELE_ASSIGN(const Position position, part_.position_at(ordinal));
      to.push_back(position);
    }
    return {};
  }

 private:
  const IndexRun& part_;
  StoredPostings list_;
  std::vector<std::uint32_t> ordinals_;
};

Result<std::unique_ptr<PostingReader>> IndexRun::postings(const IndexKey& key) const {
  using Reading = std::unique_ptr<PostingReader>;
  std::string bytes;
  std::string_view list;
  if (key.kind == KeyKind::Aggregate) {
    StoredAggregate stored;
    STELE_ASSIGN(const bool found, find_aggregate(key.text, bytes, stored, list));
    if (!found) return Reading{};
  } else {
    if (key.text.size() > kIndexTextBytesMax) return Reading{};
    char buffer[kIndexKeyBytesMax];
    STELE_ASSIGN(std::optional<std::string> value,
                 tables_[static_cast<std::size_t>(key.kind)].find(stored_key(key.kind, key.text, buffer)));
    if (!value) return Reading{};
    bytes = std::move(*value);
    list = bytes;
  }
  STELE_ASSIGN(StoredPostings postings, StoredPostings::open(*file_, list));
  return Reading(std::make_unique<Reader>(*this, std::move(postings)));
}

Result<std::optional<IndexPart::OccurredDays>> IndexRun::occurred_days(std::int64_t first, std::int64_t last) const {
  const Table& table = tables_[static_cast<std::size_t>(KeyKind::OccurredDay)];
  if (table.root().keys > kOccurredDaysMax) return std::optional<OccurredDays>{};
  OccurredDays found;
  Table::Cursor cursor(table);
  STELE_TRY(cursor.seek({}));
  for (std::size_t seen = 0; cursor.valid(); ++seen) {
    if (seen == kOccurredDaysMax) return std::optional<OccurredDays>{};
    std::string_view list = cursor.value();
    std::uint64_t count = 0;
    if (cursor.key().size() != sizeof(std::int64_t) || !StoredPostings::take_count(list, count)) {
      return corrupt("an index run has a malformed day");
    }
    const std::int64_t day = day_of_key(cursor.key());
    if (first <= day && day <= last) {
      found.days.push_back(day);
      found.records += count;
    }
    STELE_TRY(cursor.next());
  }
  return std::optional(std::move(found));
}

Result<IndexPart::TimeBounds> IndexRun::time_bounds(Timestamp time) const {
  // [0, low) are samples before `time`, [high, count) at or behind it. The first is looked at first: of the parts that
  // are asked, from the newest on, most are behind `time` as a whole. The last ones are read at once.
  std::uint64_t low = 0, high = directory_.times_count;
  TimeBounds bounds{first(), end()};
  std::array<TimeSample, kTimeSamplesAtOnce> samples;
  std::uint64_t at = 0, count = 1;
  while (low < high) {
    const std::span<TimeSample> read = std::span(samples).first(count);
    STELE_TRY(time_samples(at, read));
    for (const TimeSample& sample : read) {
      STELE_ASSIGN(const Position position, position_at(sample.ordinal));
      if (sample.time >= time) {
        high = at;
        bounds.end = position;
        break;
      }
      low = ++at;
      bounds.begin = position.next();
    }
    const bool few = high - low <= kTimeSamplesAtOnce;
    at = few ? low : (low + high) / 2;
    count = few ? high - low : 1;
  }
  return bounds;
}

}  // namespace stele

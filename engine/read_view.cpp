#include "engine/read_view.h"

#include <algorithm>
#include <chrono>
#include <span>

#include "engine/index/position_stream.h"

namespace stele {
namespace {

/// Longer ranges of occurredAt are filtered while reading instead of being put together from the lists of their days.
constexpr std::int64_t kDaysMax = 62;
/// No record in memory takes so long, and few that a disk has to bring are faster.
constexpr std::chrono::microseconds kSlowRead{100};
constexpr std::size_t kAheadMax = 128;
constexpr std::size_t kTimedEvery = 8;

class QueryStream final : public EventStream {
 public:
  QueryStream(EventQuery query, std::shared_ptr<const SegmentList> segments, std::shared_ptr<const IndexView> index)
      : query_(std::move(query)), segments_(std::move(segments)), index_(std::move(index)) {}

  void start(StreamRange range, std::unique_ptr<PositionStream> positions) {
    positions_ = std::move(positions);
    empty_ = range.begin >= range.end;
    if (empty_) return;
    at_ = query_.direction == Direction::Ascending ? range.begin : Position{range.end.value() - 1};
  }

  Result<bool> next(Record& to) override {
    while (!empty_) {
      STELE_ASSIGN(const std::optional<Position> found, positions_->seek(at_));
      if (!found) break;
      advance(*found);
      // Records of one aggregate lie far apart: while this one is decoded the next comes from memory, and where the one after it is.
      const std::span<const Position> ahead = positions_->ahead();
      if (ahead.size() > 0) prefetch_record(*segments_, ahead[0]);
      if (ahead.size() > 1) prefetch_offset(*segments_, ahead[1]);
      STELE_TRY(read(*found, ahead, to));
      if (wanted(to.header())) return true;
    }
    empty_ = true;
    return false;
  }

 private:
  void advance(Position from) {
    if (query_.direction == Direction::Ascending) {
      at_ = from.next();
    } else if (from == Position{0}) {
      empty_ = true;
    } else {
      at_ = Position{from.value() - 1};
    }
  }

  /// A disk takes its time for one record, but hardly more for many at once: after a record that was slow to come, those behind it
  /// are asked for together. Only now and then is the time taken, since that costs as much as a tenth of a record in memory.
  Status read(Position position, std::span<const Position> ahead, Record& to) {
    if (not_timed_ > 0) {
      --not_timed_;
      return read_record(*segments_, position, to);
    }
    const auto begin = std::chrono::steady_clock::now();
    STELE_TRY(read_record(*segments_, position, to));
    if (std::chrono::steady_clock::now() - begin < kSlowRead) {
      not_timed_ = kTimedEvery - 1;
    } else {
      not_timed_ = std::min(ahead.size(), kAheadMax);
      read_ahead(*segments_, ahead.first(not_timed_));
    }
    return {};
  }

  /// What the streams of positions do not decide.
  [[nodiscard]] bool wanted(const RecordHeader& header) const {
    if (!query_.include_system && is_system(header)) return false;
    if (query_.from_sequence && header.sequence < *query_.from_sequence) return false;
    if (query_.to_sequence && header.sequence > *query_.to_sequence) return false;
    if (query_.occurred_from && (!header.occurred_at || *header.occurred_at < *query_.occurred_from)) return false;
    if (query_.occurred_to && (!header.occurred_at || *header.occurred_at >= *query_.occurred_to)) return false;
    return true;
  }

  const EventQuery query_;
  const std::shared_ptr<const SegmentList> segments_;
  const std::shared_ptr<const IndexView> index_;
  std::unique_ptr<PositionStream> positions_;
  Position at_;
  bool empty_ = false;
  std::size_t not_timed_ = 0;  // the next so many records
};

class StoreView final : public ReadView {
 public:
  StoreView(std::shared_ptr<const SegmentList> segments, std::shared_ptr<const IndexView> index, Position end)
      : segments_(std::move(segments)), index_(std::move(index)), end_(end) {}

  Position end() const override { return end_; }

  Status read(Position position, Record& to) const override {
    if (position >= end_) return Error{.kind = ErrorKind::NotFound, .message = "no record at this position"};
    return read_record(*segments_, position, to);
  }

  Result<std::optional<Position>> find_event(const Uuid& event_id) const override {
    STELE_ASSIGN(const std::optional<Position> found, index_->find_event(event_id));
    return found && *found < end_ ? found : std::nullopt;
  }

  Result<std::optional<AggregateSummary>> aggregate(std::string_view aggregate_id) const override {
    STELE_ASSIGN(std::optional<AggregateSummary> summary, index_->aggregate(aggregate_id));
    if (!summary) return summary;
    STELE_ASSIGN(const bool exists, bound(*summary));
    if (!exists) summary.reset();
    return summary;
  }

  Result<std::vector<AggregateSummary>> aggregates(const AggregateQuery& query, std::size_t limit) const override {
    std::vector<AggregateSummary> found;
    AggregateQuery rest = query;
    while (found.size() < limit) {
      const std::size_t wanted = limit - found.size();
      STELE_ASSIGN(std::vector<AggregateSummary> more, index_->aggregates(rest, wanted));
      const bool last = more.size() < wanted;
      if (!more.empty()) rest.after = more.back().aggregate_id;
      for (AggregateSummary& summary : more) {
        STELE_ASSIGN(const bool exists, bound(summary));
        if (exists) found.push_back(std::move(summary));
      }
      if (last) break;
    }
    return found;
  }

  Result<std::unique_ptr<EventStream>> query(const EventQuery& query) const override {
    STELE_ASSIGN(const StreamRange range, range_of(query));
    auto stream = std::make_unique<QueryStream>(query, segments_, index_);
    stream->start(range, terms_of(query, range));
    return std::unique_ptr<EventStream>(std::move(stream));
  }

 private:
  /// Takes back what the newest part of the index has learned since this view was taken; false if nothing is left.
  [[nodiscard]] Result<bool> bound(AggregateSummary& summary) const {
    if (summary.last_position < end_) return true;
    EventQuery newest_first{.aggregate_id = summary.aggregate_id, .include_system = true};
    newest_first.direction = Direction::Descending;
    Record record;
    STELE_ASSIGN(const std::unique_ptr<EventStream> stream, query(newest_first));
    STELE_ASSIGN(const bool found, stream->next(record));
    if (!found) return false;
    summary.last_sequence = record.header().sequence;
    summary.count = summary.last_sequence.value();  // numbers begin at 1 and have no gaps
    summary.last_time = record.header().time;
    summary.last_position = record.header().position;
    return true;
  }

  [[nodiscard]] Result<StreamRange> range_of(const EventQuery& query) const {
    StreamRange range{index_.get(), Position{0}, end_, query.direction};
    if (query.after) range.begin = *query.after >= end_ ? end_ : query.after->next();
    if (query.before) range.end = std::min(range.end, *query.before);
    if (query.aggregate_id && query.from_sequence) {
      STELE_ASSIGN(const std::optional<Position> first,
                   index_->position_of(*query.aggregate_id, *query.from_sequence));
      range.begin = std::max(range.begin, first.value_or(end_));
    }
    if (query.aggregate_id && query.to_sequence) {
      STELE_ASSIGN(const std::optional<Position> behind,
                   index_->position_of(*query.aggregate_id, query.to_sequence->next()));
      if (behind) range.end = std::min(range.end, *behind);
    }
    if (query.from) {
      STELE_ASSIGN(const Position first, first_since(*query.from));
      range.begin = std::max(range.begin, first);
    }
    if (query.to) {
      STELE_ASSIGN(const Position behind, first_since(*query.to));
      range.end = std::min(range.end, behind);
    }
    if (range.begin > range.end) range.begin = range.end;
    return range;
  }

  /// The first position whose record's time is at least `time`, end_ if there is none: the index tells within which few records.
  [[nodiscard]] Result<Position> first_since(Timestamp time) const {
    STELE_ASSIGN(const IndexPart::TimeBounds bounds, index_->time_bounds(time));
    const Position begin = std::min(bounds.begin, end_);
    return first_at_or_after(*segments_, begin, std::clamp(bounds.end, begin, end_), time);
  }

  static std::unique_ptr<PositionStream> terms_of(const EventQuery& query, StreamRange range) {
    std::vector<std::unique_ptr<PositionStream>> terms;
    const auto add = [&](KeyKind kind, const std::optional<std::string>& key) {
      if (key) terms.push_back(positions_with(range, IndexKey{kind, *key}));
    };
    add(KeyKind::Aggregate, query.aggregate_id);
    add(KeyKind::Correlation, query.correlation_id);
    add(KeyKind::User, query.user_id);
    add(KeyKind::AggregateType, query.aggregate_type);
    const auto add_any = [&](KeyKind kind, const std::vector<std::string>& keys) {
      if (keys.empty()) return;
      std::vector<std::unique_ptr<PositionStream>> choices;
      for (const std::string& key : keys) choices.push_back(positions_with(range, IndexKey{kind, key}));
      terms.push_back(union_of(range.direction, std::move(choices)));
    };
    add_any(KeyKind::AggregateType, query.aggregate_types);
    add_any(KeyKind::EventType, query.event_types);
    if (query.occurred_from && query.occurred_to && *query.occurred_from < *query.occurred_to) {
      const std::int64_t first = day_of(*query.occurred_from), last = day_of(*query.occurred_to);
      if (last - first < kDaysMax) {
        std::vector<std::unique_ptr<PositionStream>> days;
        for (std::int64_t day = first; day <= last; ++day) days.push_back(positions_with(range, occurred_day_key(day)));
        terms.push_back(union_of(range.direction, std::move(days)));
      }
    }
    return terms.empty() ? all_positions(range) : intersection_of(range.direction, std::move(terms));
  }

  const std::shared_ptr<const SegmentList> segments_;
  const std::shared_ptr<const IndexView> index_;
  const Position end_;
};

}  // namespace

bool is_system(const RecordHeader& header) {
  return header.kind != RecordKind::Event || header.aggregate_id.starts_with('$') || header.event_type.starts_with('$');
}

std::shared_ptr<const ReadView> make_read_view(std::shared_ptr<const SegmentList> segments,
                                               std::shared_ptr<const IndexView> index, Position end) {
  return std::make_shared<const StoreView>(std::move(segments), std::move(index), end);
}

}  // namespace stele

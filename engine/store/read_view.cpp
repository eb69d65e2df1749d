#include "engine/store/make_read_view.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <span>

#include "engine/index/event_filter.h"
#include "engine/index/position_stream.h"

namespace stele {
namespace {

/// Of longer ranges of occurredAt the index is asked first which days there are.
constexpr std::int64_t kDaysAskedMax = 62;
/// No record in memory takes so long, and few that a disk has to bring are faster.
constexpr std::chrono::microseconds kSlowRead{100};
constexpr std::size_t kAheadMax = 128;
constexpr std::size_t kTimedEvery = 8;

class QueryStream final : public EventStream {
 public:
  QueryStream(EventQuery query, std::shared_ptr<const SegmentList> segments, std::shared_ptr<const IndexView> index,
              ReadBudget* budget)
      : query_(std::move(query)), segments_(std::move(segments)), index_(std::move(index)), budget_(budget) {}

  void start(StreamRange range, std::unique_ptr<PositionStream> positions) {
    positions_ = std::move(positions);
    empty_ = range.begin >= range.end;
    if (empty_) return;
    at_ = query_.direction == Direction::Ascending ? range.begin : Position{range.end.value() - 1};
  }

  Result<bool> next(Record& to) override {
    while (!empty_ && !rest_behind_) {
      if (has_examined_ && used_up()) {
        stop_at(at_);
        return false;
      }
      STELE_ASSIGN(const std::optional<Position> found, positions_->seek(at_));
      if (!found) break;
      // Only what stands where it was looked for is known to match the terms now.
      if (*found != at_ && used_up()) {
        stop_at(*found);
        return false;
      }
      advance(*found);
      // Records of one aggregate lie far apart: while this one is decoded the next comes from memory, and where the one
      // after it is.
      const std::span<const Position> ahead = positions_->ahead();
      if (ahead.size() > 0) prefetch_record(*segments_, ahead[0]);
      if (ahead.size() > 1) prefetch_offset(*segments_, ahead[1]);
      STELE_TRY(read(*found, ahead, to));
      has_examined_ = true;
      if (budget_ != nullptr) budget_->spend();
      if (wanted(to.header())) return true;
    }
    empty_ = true;
    return false;
  }

  std::optional<Position> rest_behind() const override { return rest_behind_; }

 private:
  [[nodiscard]] bool used_up() const { return budget_ != nullptr && budget_->used_up(); }
  /// What is not examined begins at `at`, which is not the first of the range.
  void stop_at(Position at) {
    rest_behind_ = query_.direction == Direction::Ascending ? Position{at.value() - 1} : at.next();
  }

  void advance(Position from) {
    if (query_.direction == Direction::Ascending) {
      at_ = from.next();
    } else if (from == Position{0}) {
      empty_ = true;
    } else {
      at_ = Position{from.value() - 1};
    }
  }

  /// A disk takes its time for one record, but hardly more for many at once: after a record that was slow to come,
  /// those behind it are asked for together. Only now and then is the time taken, since that costs as much as a tenth
  /// of a record in memory.
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
      if (budget_ != nullptr) budget_->look_soon();
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
    if (query_.outcome && header.outcome != *query_.outcome) return false;
    if (!is_about_any(header, query_.resources)) return false;
    if (query_.choice && !is_chosen(header, *query_.choice)) return false;
    if (query_.occurred_to && (!header.occurred_at || *header.occurred_at >= *query_.occurred_to)) return false;
    return true;
  }

  const EventQuery query_;
  const std::shared_ptr<const SegmentList> segments_;
  const std::shared_ptr<const IndexView> index_;
  ReadBudget* const budget_;
  std::unique_ptr<PositionStream> positions_;
  Position at_;
  bool empty_ = false;
  bool has_examined_ = false;
  std::optional<Position> rest_behind_;
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
    STELE_ASSIGN(const bool exists, bound(*summary, nullptr));
    if (!exists) summary.reset();
    return summary;
  }

  Result<AggregateList> aggregates(const AggregateQuery& query, std::size_t limit, ReadBudget* budget) const override {
    AggregateList list;
    AggregateQuery rest = query;
    while (list.found.size() < limit) {
      const std::size_t wanted = limit - list.found.size();
      STELE_ASSIGN(AggregateList more, index_->aggregates(rest, wanted, budget));
      const bool last = more.found.size() < wanted && !more.rest_behind;
      if (more.rest_behind) {
        rest.after = more.rest_behind->aggregate_id;
      } else if (!more.found.empty()) {
        rest.after = more.found.back().aggregate_id;
      }
      for (AggregateSummary& summary : more.found) {
        STELE_ASSIGN(const bool exists, bound(summary, budget));
        if (exists) list.found.push_back(std::move(summary));
      }
      if (last) break;
      if (!more.rest_behind) continue;
      // What is not there yet in this view is no place to go on from.
      STELE_ASSIGN(const bool exists, bound(*more.rest_behind, budget));
      if (!exists) continue;
      list.rest_behind = std::move(more.rest_behind);
      break;
    }
    return list;
  }

  Result<std::unique_ptr<EventStream>> query(const EventQuery& query, ReadBudget* budget) const override {
    STELE_ASSIGN(StreamRange range, range_of(query));
    range.budget = budget;
    auto stream = std::make_unique<QueryStream>(query, segments_, index_, budget);
    stream->start(range, terms_of(query, range));
    return std::unique_ptr<EventStream>(std::move(stream));
  }

 private:
  /// Takes back what the memtable has learned since this view was taken; false if nothing is left.
  [[nodiscard]] Result<bool> bound(AggregateSummary& summary, ReadBudget* budget) const {
    if (summary.last_position < end_) return true;
    if (budget != nullptr) budget->spend(index_->part_count());
    EventQuery newest_first{.aggregate_id = summary.aggregate_id, .include_system = true};
    newest_first.direction = Direction::Descending;
    Record record;
    STELE_ASSIGN(const std::unique_ptr<EventStream> stream, query(newest_first, nullptr));
    STELE_ASSIGN(const bool found, stream->next(record));
    if (!found) return false;
    summary.last_sequence = record.header().sequence;
    summary.count = summary.last_sequence.value();  // numbers begin at 1 and have no gaps
    summary.last_time = record.header().time;
    summary.last_position = record.header().position;
    return true;
  }

  /// Nothing lies between two bounds of which the lower is the higher one.
  static bool matches_nothing(const EventQuery& query) {
    return (query.occurred_from && query.occurred_to && *query.occurred_from >= *query.occurred_to) ||
           (query.from_sequence && query.to_sequence && *query.from_sequence > *query.to_sequence);
  }

  [[nodiscard]] Result<StreamRange> range_of(const EventQuery& query) const {
    StreamRange range{index_.get(), Position{0}, end_, query.direction};
    if (matches_nothing(query)) range.end = range.begin;
    if (query.after) range.begin = *query.after >= end_ ? end_ : query.after->next();
    if (query.before) range.end = std::min(range.end, *query.before);
    if (query.aggregate_id && query.from_sequence) {
      STELE_ASSIGN(const std::optional<Position> first, index_->position_of(*query.aggregate_id, *query.from_sequence));
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

  /// The first position whose record's time is at least `time`, end_ if there is none: the index tells within which few
  /// records.
  [[nodiscard]] Result<Position> first_since(Timestamp time) const {
    STELE_ASSIGN(const IndexPart::TimeBounds bounds, index_->time_bounds(time));
    const Position begin = std::min(bounds.begin, end_);
    return first_at_or_after(*segments_, begin, std::clamp(bounds.end, begin, end_), time);
  }

  static std::unique_ptr<PositionStream> any_of(StreamRange range, std::vector<IndexKey> keys) {
    std::vector<std::unique_ptr<PositionStream>> choices;
    for (IndexKey& key : keys) choices.push_back(positions_with(range, std::move(key)));
    return union_of(range.direction, std::move(choices));
  }

  static std::unique_ptr<PositionStream> chosen_positions(const RecordChoice& choice, StreamRange range) {
    std::vector<std::unique_ptr<PositionStream>> choices;
    for (const std::string& type : choice.system_types) {
      choices.push_back(positions_with(range, system_key(SystemKey::EventType, type)));
    }
    if (choice.client_events) choices.push_back(visible_positions(range));
    return union_of(range.direction, std::move(choices));
  }

  static std::unique_ptr<PositionStream> terms_of(const EventQuery& query, StreamRange range) {
    std::vector<std::unique_ptr<PositionStream>> terms;
    const auto add = [&](KeyKind kind, SystemKey system, std::span<const std::string> texts) {
      if (texts.empty()) return;
      std::vector<IndexKey> keys;
      for (const std::string& text : texts) keys.push_back(IndexKey{kind, text});
      if (query.include_system) {
        for (const std::string& text : texts) keys.push_back(system_key(system, text));
      }
      terms.push_back(any_of(range, std::move(keys)));
    };
    const auto one = [](const std::optional<std::string>& text) {
      return text ? std::span(&*text, 1) : std::span<const std::string>();
    };
    if (query.aggregate_id) terms.push_back(positions_with(range, IndexKey{KeyKind::Aggregate, *query.aggregate_id}));
    if (!query.aggregate_ids.empty()) {
      std::vector<IndexKey> keys;
      for (const std::string& id : query.aggregate_ids) keys.push_back(IndexKey{KeyKind::Aggregate, id});
      terms.push_back(any_of(range, std::move(keys)));
    }
    add(KeyKind::Correlation, SystemKey::Correlation, one(query.correlation_id));
    add(KeyKind::User, SystemKey::User, one(query.user_id));
    add(KeyKind::Principal, SystemKey::Principal, one(query.principal));
    for (const std::string& tag : query.tags) add(KeyKind::Tag, SystemKey::Tag, {&tag, 1});
    add(KeyKind::AggregateType, SystemKey::AggregateType, one(query.aggregate_type));
    add(KeyKind::AggregateType, SystemKey::AggregateType, query.aggregate_types);
    add(KeyKind::EventType, SystemKey::EventType, query.event_types);
    if (!query.resources.empty()) {
      std::vector<IndexKey> keys;
      for (const std::string& resource : query.resources) {
        keys.push_back(system_key(SystemKey::Resource, resource));
        if (resource.starts_with(kAggregateResource)) {
          keys.push_back(IndexKey{KeyKind::Aggregate, resource.substr(kAggregateResource.size())});
        }
      }
      terms.push_back(any_of(range, std::move(keys)));
    }
    if (query.choice) terms.push_back(chosen_positions(*query.choice, range));
    if (query.outcome && *query.outcome != ActionOutcome::Done) {
      terms.push_back(positions_with(range, system_key(SystemKey::Outcome, outcome_name(*query.outcome))));
    }
    if (query.occurred_from || query.occurred_to) {
      std::vector<std::unique_ptr<PositionStream>> choices;
      choices.push_back(occurred_positions(query, range));
      if (query.include_system) choices.push_back(positions_with(range, system_key(SystemKey::All)));
      terms.push_back(union_of(range.direction, std::move(choices)));
    }
    if (!terms.empty()) return intersection_of(range, std::move(terms));
    return query.include_system ? all_positions(range) : visible_positions(range);
  }

  static std::unique_ptr<PositionStream> occurred_positions(const EventQuery& query, StreamRange range) {
    using Days = std::numeric_limits<std::int64_t>;
    const std::int64_t first = query.occurred_from ? day_of(*query.occurred_from) : Days::min();
    const std::int64_t last = query.occurred_to ? day_of(*query.occurred_to) : Days::max();
    const bool is_short = query.occurred_from && query.occurred_to && last - first < kDaysAskedMax;
    if (!is_short) return positions_of_days(range, first, last);
    std::vector<IndexKey> days;
    for (std::int64_t day = first; day <= last; ++day) days.push_back(occurred_day_key(day));
    return any_of(range, std::move(days));
  }

  const std::shared_ptr<const SegmentList> segments_;
  const std::shared_ptr<const IndexView> index_;
  const Position end_;
};

}  // namespace

std::shared_ptr<const ReadView> make_read_view(std::shared_ptr<const SegmentList> segments,
                                               std::shared_ptr<const IndexView> index, Position end) {
  return std::make_shared<const StoreView>(std::move(segments), std::move(index), end);
}

}  // namespace stele

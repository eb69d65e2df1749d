#include "engine/index/position_stream.h"

#include <algorithm>

namespace stele {
namespace {

// Work in terms of examined records, which take a quarter of a microsecond and more each.
constexpr std::uint64_t kLookUpWork = 8;   // a key in a part
constexpr std::uint64_t kCollectWork = 2;  // some of a list's positions
constexpr std::uint64_t kStepsAWork = 16;  // of an intersection

void spend(const StreamRange& range, std::uint64_t work) {
  if (range.budget != nullptr) range.budget->spend(work);
}
bool used_up(const StreamRange& range) { return range.budget != nullptr && range.budget->used_up(); }

bool precedes(Direction direction, Position a, Position b) { return direction == Direction::Ascending ? a < b : b < a; }

/// `of` is not position 0 if the direction is descending.
Position neighbour(Direction direction, Position of) {
  return direction == Direction::Ascending ? of.next() : Position{of.value() - 1};
}

class AllPositions final : public PositionStream {
 public:
  explicit AllPositions(StreamRange range) : range_(range) {}

  Result<std::optional<Position>> seek(Position at) override {
    if (range_.begin >= range_.end) return std::optional<Position>{};
    if (range_.direction == Direction::Ascending) {
      at = std::max(at, range_.begin);
    } else {
      at = std::min(at, Position{range_.end.value() - 1});
    }
    return range_.contains(at) ? std::optional(at) : std::optional<Position>{};
  }

 private:
  StreamRange range_;
};

class KeyPositions final : public PositionStream {
 public:
  KeyPositions(StreamRange range, IndexKey key)
      : range_(range), key_(std::move(key)), readers_(range_.view->part_count()), asked_(readers_.size()) {}

  Result<std::optional<Position>> seek(Position at) override {
    const auto behind = [&](Position p) { return precedes(range_.direction, p, at); };
    if (next_ < buffer_.size() && behind(buffer_[next_])) ++next_;  // step by step
    if (next_ < buffer_.size() && behind(buffer_[next_])) {
      next_ = static_cast<std::size_t>(
          std::partition_point(buffer_.begin() + static_cast<std::ptrdiff_t>(next_), buffer_.end(), behind) -
          buffer_.begin());
    }
    if (next_ == buffer_.size() && !exhausted_) {
      // Whoever jumps on wants single positions, whoever goes step by step wants the next ones as well.
      if (!buffer_.empty() && at != neighbour(range_.direction, buffer_.back())) chunk_ = kChunkMin;
      STELE_ASSIGN(const std::optional<Position> got_to, refill(at));
      if (got_to) return got_to;
      exhausted_ = buffer_.empty();
    }
    if (next_ == buffer_.size()) return std::optional<Position>{};
    return std::optional(buffer_[next_]);
  }

  std::span<const Position> ahead() const override {
    return std::span(buffer_).subspan(std::min(next_ + 1, buffer_.size()));
  }

 private:
  static constexpr std::size_t kChunkMin = 16, kChunkMax = 1024;

  /// How far it got if the budget ended it with parts to go.
  Result<std::optional<Position>> refill(Position at) {
    constexpr std::optional<Position> kDone;
    buffer_.clear();
    next_ = 0;
    const IndexView& view = *range_.view;
    const std::size_t parts = view.part_count();
    if (range_.direction == Direction::Ascending) {
      at = std::max(at, range_.begin);
      for (std::size_t i = 0; i < parts && buffer_.empty(); ++i) {
        if (i + 1 < parts && view.part(i).end() <= at) continue;
        const Position first = view.part(i).first();
        if (first >= range_.end) break;
        if (first > at && used_up(range_)) return std::optional(first);
        STELE_TRY(collect(i, at));
      }
    } else {
      if (range_.end == Position{0}) return kDone;
      at = std::min(at, Position{range_.end.value() - 1});
      for (std::size_t i = parts; i-- > 0 && buffer_.empty();) {
        if (view.part(i).first() > at) continue;
        if (i + 1 < parts && view.part(i).end() <= range_.begin) break;
        if (i + 1 < parts && view.part(i).end() <= at && used_up(range_)) {
          return std::optional(Position{view.part(i).end().value() - 1});
        }
        STELE_TRY(collect(i, at));
      }
    }
    chunk_ = std::min(chunk_ * 4, kChunkMax);
    while (!buffer_.empty() && !range_.contains(buffer_.back())) buffer_.pop_back();
    return kDone;
  }

  Status collect(std::size_t part, Position at) {
    if (!asked_[part]) {
      spend(range_, kLookUpWork);
      STELE_ASSIGN(readers_[part], range_.view->part(part).postings(key_));
      asked_[part] = true;
    }
    if (!readers_[part]) return {};
    spend(range_, kCollectWork);
    return readers_[part]->collect(at, range_.direction, chunk_, buffer_);
  }

  StreamRange range_;
  IndexKey key_;
  std::vector<std::unique_ptr<PostingReader>> readers_;  // one a part, once asked for; null: the part has no list
  std::vector<bool> asked_;
  std::vector<Position> buffer_;
  std::size_t next_ = 0;
  std::size_t chunk_ = kChunkMin;
  bool exhausted_ = false;  // a union asks on
};

class Union final : public PositionStream {
 public:
  Union(Direction direction, std::vector<std::unique_ptr<PositionStream>> streams) : direction_(direction) {
    for (auto& stream : streams) choices_.push_back(Choice{std::move(stream), std::nullopt, false});
  }

  Result<std::optional<Position>> seek(Position at) override {
    std::optional<Position> nearest;
    for (Choice& choice : choices_) {
      // What was found for an earlier place is still the next one, unless it has been passed.
      if (!choice.asked || (choice.next && precedes(direction_, *choice.next, at))) {
        STELE_ASSIGN(choice.next, choice.stream->seek(at));
        choice.asked = true;
      }
      if (choice.next && (!nearest || precedes(direction_, *choice.next, *nearest))) nearest = choice.next;
    }
    return nearest;
  }

 private:
  struct Choice {
    std::unique_ptr<PositionStream> stream;
    std::optional<Position> next;
    bool asked;
  };
  Direction direction_;
  std::vector<Choice> choices_;
};

class Intersection final : public PositionStream {
 public:
  Intersection(StreamRange range, std::vector<std::unique_ptr<PositionStream>> streams)
      : range_(range), streams_(std::move(streams)) {}

  Result<std::optional<Position>> seek(Position at) override {
    const Position from = at;
    std::size_t agreed = 0;
    for (std::size_t i = 0; agreed < streams_.size(); i = (i + 1) % streams_.size()) {
      if (at != from && used_up(range_)) return std::optional(at);
      STELE_ASSIGN(const std::optional<Position> found, streams_[i]->seek(at));
      if (!found) return found;
      agreed = *found == at ? agreed + 1 : 1;
      at = *found;
      if (++steps_ % kStepsAWork == 0) spend(range_, 1);
    }
    return std::optional(at);
  }

 private:
  StreamRange range_;
  std::vector<std::unique_ptr<PositionStream>> streams_;
  std::uint64_t steps_ = 0;
};

/// What it passes over is work; that there is nothing to pass over is not.
class VisiblePositions final : public PositionStream {
 public:
  explicit VisiblePositions(StreamRange range)
      : range_(range), all_(range), hidden_(without_budget(range), system_key(SystemKey::All)) {}

  Result<std::optional<Position>> seek(Position at) override {
    const Position from = at;
    for (;;) {
      STELE_ASSIGN(const std::optional<Position> found, all_.seek(at));
      if (!found || (*found != from && used_up(range_))) return found;
      if (!sought_ || (next_hidden_ && precedes(range_.direction, *next_hidden_, *found))) {
        STELE_ASSIGN(next_hidden_, hidden_.seek(*found));
        sought_ = true;
      }
      if (next_hidden_ != found) return found;
      if (range_.direction == Direction::Descending && *found == Position{0}) return std::optional<Position>{};
      at = neighbour(range_.direction, *found);
      if (++steps_ % kStepsAWork == 0) spend(range_, 1);
    }
  }

 private:
  static StreamRange without_budget(StreamRange range) {
    range.budget = nullptr;
    return range;
  }

  StreamRange range_;
  AllPositions all_;
  KeyPositions hidden_;
  bool sought_ = false;
  std::optional<Position> next_hidden_;  // from where was last sought; none = no more
  std::uint64_t steps_ = 0;
};

/// Goes through the parts one after another, and asks each which days it has. A part with too many of them comes whole.
class DayPositions final : public PositionStream {
 public:
  DayPositions(StreamRange range, std::int64_t first, std::int64_t last)
      : range_(range), first_(first), last_(last), parts_left_(range.view->part_count()) {}

  Result<std::optional<Position>> seek(Position at) override {
    for (;;) {
      if (stream_) {
        STELE_ASSIGN(const std::optional<Position> found, stream_->seek(at));
        if (found) return found;
        stream_.reset();
      }
      if (parts_left_ == 0) return std::optional<Position>{};
      const bool ascending = range_.direction == Direction::Ascending;
      const IndexView& view = *range_.view;
      const std::size_t part = ascending ? view.part_count() - parts_left_ : parts_left_ - 1;
      StreamRange own = range_;
      own.begin = std::max(own.begin, view.part(part).first());
      if (part + 1 < view.part_count()) own.end = std::min(own.end, view.part(part + 1).first());
      if (own.begin >= own.end || (ascending ? own.end <= at : own.begin > at)) {
        --parts_left_;
        continue;
      }
      const Position next = ascending ? own.begin : Position{own.end.value() - 1};
      if (precedes(range_.direction, at, next) && used_up(range_)) return std::optional(next);
      --parts_left_;
      STELE_TRY(open(part, own));
    }
  }

 private:
  static constexpr std::size_t kListsMax = 512;
  static constexpr std::uint64_t kDaysAWork = 4;

  Status open(std::size_t part, StreamRange own) {
    const IndexPart& index = range_.view->part(part);
    STELE_ASSIGN(const auto found, index.occurred_days(first_, last_));
    spend(range_, kLookUpWork);
    // Reading all is cheaper than putting together most of it.
    if (!found || found->days.size() > kListsMax || found->records > index.end().since(index.first()) / 2) {
      stream_ = all_positions(own);
      return {};
    }
    spend(range_, found->days.size() / kDaysAWork);
    std::vector<std::unique_ptr<PositionStream>> lists;
    for (const std::int64_t day : found->days) lists.push_back(positions_with(own, occurred_day_key(day)));
    if (!lists.empty()) stream_ = union_of(range_.direction, std::move(lists));
    return {};
  }

  StreamRange range_;
  std::int64_t first_, last_;
  std::size_t parts_left_;                  // not begun
  std::unique_ptr<PositionStream> stream_;  // of the part at hand; null: it has nothing
};

}  // namespace

std::unique_ptr<PositionStream> all_positions(StreamRange range) { return std::make_unique<AllPositions>(range); }

std::unique_ptr<PositionStream> visible_positions(StreamRange range) {
  return std::make_unique<VisiblePositions>(range);
}

std::unique_ptr<PositionStream> positions_with(StreamRange range, IndexKey key) {
  return std::make_unique<KeyPositions>(range, std::move(key));
}

std::unique_ptr<PositionStream> positions_of_days(StreamRange range, std::int64_t first, std::int64_t last) {
  return std::make_unique<DayPositions>(range, first, last);
}

std::unique_ptr<PositionStream> union_of(Direction direction, std::vector<std::unique_ptr<PositionStream>> streams) {
  if (streams.size() == 1) return std::move(streams.front());
  return std::make_unique<Union>(direction, std::move(streams));
}

std::unique_ptr<PositionStream> intersection_of(StreamRange range,
                                                std::vector<std::unique_ptr<PositionStream>> streams) {
  if (streams.size() == 1) return std::move(streams.front());
  return std::make_unique<Intersection>(range, std::move(streams));
}

}  // namespace stele

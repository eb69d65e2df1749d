#include "engine/index/position_stream.h"

#include <algorithm>

namespace stele {
namespace {

bool precedes(Direction direction, Position a, Position b) {
  return direction == Direction::Ascending ? a < b : b < a;
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
      if (!buffer_.empty() && at != neighbour(buffer_.back())) chunk_ = kChunkMin;
      STELE_TRY(refill(at));
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

  [[nodiscard]] Position neighbour(Position of) const {
    return range_.direction == Direction::Ascending ? of.next() : Position{of.value() - 1};
  }

  Status refill(Position at) {
    buffer_.clear();
    next_ = 0;
    const IndexView& view = *range_.view;
    const std::size_t parts = view.part_count();
    if (range_.direction == Direction::Ascending) {
      at = std::max(at, range_.begin);
      for (std::size_t i = 0; i < parts && buffer_.empty(); ++i) {
        if (i + 1 < parts && view.part(i).end() <= at) continue;
        if (view.part(i).first() >= range_.end) break;
        STELE_TRY(collect(i, at));
      }
    } else {
      if (range_.end == Position{0}) return {};
      at = std::min(at, Position{range_.end.value() - 1});
      for (std::size_t i = parts; i-- > 0 && buffer_.empty();) {
        if (view.part(i).first() > at) continue;
        if (i + 1 < parts && view.part(i).end() <= range_.begin) break;
        STELE_TRY(collect(i, at));
      }
    }
    chunk_ = std::min(chunk_ * 4, kChunkMax);
    while (!buffer_.empty() && !range_.contains(buffer_.back())) buffer_.pop_back();
    return {};
  }

  Status collect(std::size_t part, Position at) {
    if (!asked_[part]) {
      STELE_ASSIGN(readers_[part], range_.view->part(part).postings(key_));
      asked_[part] = true;
    }
    return readers_[part] ? readers_[part]->collect(at, range_.direction, chunk_, buffer_) : Status{};
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
  Union(Direction direction, std::vector<std::unique_ptr<PositionStream>> streams)
      : direction_(direction), streams_(std::move(streams)) {}

  Result<std::optional<Position>> seek(Position at) override {
    std::optional<Position> nearest;
    for (const auto& stream : streams_) {
      STELE_ASSIGN(const std::optional<Position> found, stream->seek(at));
      if (found && (!nearest || precedes(direction_, *found, *nearest))) nearest = found;
    }
    return nearest;
  }

 private:
  Direction direction_;
  std::vector<std::unique_ptr<PositionStream>> streams_;
};

class Intersection final : public PositionStream {
 public:
  Intersection(Direction, std::vector<std::unique_ptr<PositionStream>> streams) : streams_(std::move(streams)) {}

  Result<std::optional<Position>> seek(Position at) override {
    std::size_t agreed = 0;
    for (std::size_t i = 0; agreed < streams_.size(); i = (i + 1) % streams_.size()) {
      STELE_ASSIGN(const std::optional<Position> found, streams_[i]->seek(at));
      if (!found) return found;
      agreed = *found == at ? agreed + 1 : 1;
      at = *found;
    }
    return std::optional(at);
  }

 private:
  std::vector<std::unique_ptr<PositionStream>> streams_;
};

}  // namespace

std::unique_ptr<PositionStream> all_positions(StreamRange range) { return std::make_unique<AllPositions>(range); }

std::unique_ptr<PositionStream> positions_with(StreamRange range, IndexKey key) {
  return std::make_unique<KeyPositions>(range, std::move(key));
}

std::unique_ptr<PositionStream> union_of(Direction direction, std::vector<std::unique_ptr<PositionStream>> streams) {
  if (streams.size() == 1) return std::move(streams.front());
  return std::make_unique<Union>(direction, std::move(streams));
}

std::unique_ptr<PositionStream> intersection_of(Direction direction,
                                                std::vector<std::unique_ptr<PositionStream>> streams) {
  if (streams.size() == 1) return std::move(streams.front());
  return std::make_unique<Intersection>(direction, std::move(streams));
}

}  // namespace stele

#pragma once
// The followers at the head by what they ask for, so that a record finds those that match it without looking at the
// others.

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/base/keyed_hash.h"
#include "engine/index/index_part.h"
#include "engine/live/follower_seat.h"

namespace stele {

/// Each follower stands in the lists of one term of its query, the one that is likely to be the rarest; or, without
/// any, in a list that every record is compared with. Not thread-safe.
class FollowerIndex {
 public:
  using Seats = std::vector<std::shared_ptr<FollowerSeat>>;

  /// Throws for want of memory, and has not added it then.
  void add(const std::shared_ptr<FollowerSeat>& seat);
  /// One that was added. Takes no memory.
  void remove(const std::shared_ptr<FollowerSeat>& seat);
  void clear();
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t size() const { return count_; }

  /// Appends those whose query matches, each once.
  void find(const RecordHeader& header, Seats& to) const;

 private:
  void put_in(const std::shared_ptr<FollowerSeat>& seat);

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return keyed_hash(text); }
  };
  using Lists = std::unordered_map<std::string, Seats, Hash, std::equal_to<>>;

  std::array<Lists, kKeyKinds> by_term_;  // by KeyKind
  Seats by_nothing_;
  std::size_t count_ = 0;
};

}  // namespace stele

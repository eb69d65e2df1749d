#pragma once
// The last sequence number of each aggregate, told apart by a keyed hash of its id: 16 bytes an aggregate, twice that
// at most with the room that is free.

#include <cstdint>
#include <vector>

namespace stele {

/// One thread.
class SequenceTable {
 public:
  /// Takes the number of an aggregate's next record. False if it does not follow the one before, or is not 1 for the
  /// first.
  [[nodiscard]] bool take(std::uint64_t aggregate, std::uint64_t number) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    Slot& slot = find(aggregate);
    const bool is_new = slot.number == 0;
    if (is_new) {
      slot.aggregate = aggregate;
      ++used_;
    }
    const bool follows = is_new ? number == 1 || has_gap_ : number == slot.number + 1;
    const bool may_follow = follows || (has_gap_ && number > slot.number);
    slot.number = number == 0 ? 1 : number;
    return may_follow && number != 0;
  }

  /// Records are missing: from here on numbers may be left out.
  void gap() { has_gap_ = true; }

 private:
  struct Slot {
    std::uint64_t aggregate = 0;
    std::uint64_t number = 0;  ///< 0 = free
  };

  [[nodiscard]] Slot& find(std::uint64_t aggregate) {
    std::size_t at = aggregate & (slots_.size() - 1);
    while (slots_[at].number != 0 && slots_[at].aggregate != aggregate) at = (at + 1) & (slots_.size() - 1);
    return slots_[at];
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 1024 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number != 0) find(slot.aggregate) = slot;
    }
  }

  std::vector<Slot> slots_;  // a power of two
  std::size_t used_ = 0;
  bool has_gap_ = false;
};

}  // namespace stele

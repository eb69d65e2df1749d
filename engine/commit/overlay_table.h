#pragma once
// Hash table for what one group adds: filled and emptied thousands of times a second, so it keeps its memory and clears
// only what was used. Open addressing with linear probing over 32-bit entry numbers.

#include <cstdint>
#include <utility>
#include <vector>

namespace stele {

/// One thread. `Hash` must be keyed if keys are chosen by clients (keyed_hash.h).
template <class Key, class Value, class Hash>
class OverlayTable {
 public:
  [[nodiscard]] bool empty() const { return entries_.empty(); }

  [[nodiscard]] const Value* find(const Key& key) const {
    if (entries_.empty()) return nullptr;
    const std::uint32_t number = slots_[probe(key, Hash{}(key))];
    return number == 0 ? nullptr : &entries_[number - 1].value;
  }

  void set(const Key& key, Value value) {
    if ((entries_.size() + 1) * 2 > slots_.size()) grow();
    const std::uint64_t hash = Hash{}(key);
    const std::size_t slot = probe(key, hash);
    if (slots_[slot] != 0) {
      entries_[slots_[slot] - 1].value = std::move(value);
      return;
    }
    entries_.push_back(Entry{key, std::move(value), hash, slot});
    slots_[slot] = static_cast<std::uint32_t>(entries_.size());
  }

  void clear() {
    // What an unusually big group took is given back.
    if (entries_.capacity() > kKeptEntriesMax) {
      entries_ = {};
      slots_ = {};
      return;
    }
    for (const Entry& entry : entries_) slots_[entry.slot] = 0;
    entries_.clear();
  }

 private:
  static constexpr std::size_t kKeptEntriesMax = 64 * 1024;

  struct Entry {
    Key key;
    Value value;
    std::uint64_t hash;
    std::size_t slot;
  };

  /// The slot that holds `key`, or the empty one where it would go.
  [[nodiscard]] std::size_t probe(const Key& key, std::uint64_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at] != 0) {
      const Entry& entry = entries_[slots_[at] - 1];
      if (entry.hash == hash && entry.key == key) break;
      at = (at + 1) & mask;
    }
    return at;
  }

  void grow() {
    slots_.assign(slots_.empty() ? 64 : slots_.size() * 2, 0);
    std::uint32_t number = 0;
    for (Entry& entry : entries_) {
      entry.slot = entry.hash & (slots_.size() - 1);
      while (slots_[entry.slot] != 0) entry.slot = (entry.slot + 1) & (slots_.size() - 1);
      slots_[entry.slot] = ++number;
    }
  }

  std::vector<std::uint32_t> slots_;  // entry number, 0 = empty; a power of two
  std::vector<Entry> entries_;
};

}  // namespace stele

#pragma once
// Hash table from byte strings (less than 64 KiB) to values: open addressing with linear probing over 32-bit entry numbers. It exists
// because the committer inserts several keys an event, and a node and a string for each (std::unordered_map) was the larger part of its
// time. Keys of up to 23 bytes, which are most of them, live in their entry, so that a comparison touches no other cache line; longer
// ones in an arena that never moves.

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/keyed_hash.h"

namespace stele {

/// One writer, or any number of readers; the owner locks. Entries keep their address for the life of the table.
template <class Value>
class KeyTable {
 public:
  class Entry {
   public:
    [[nodiscard]] std::string_view key() const { return {size_ <= sizeof near_ ? near_ : far_, size_}; }

   private:
    friend class KeyTable;
    union {
      char near_[23];
      const char* far_;
    };
    std::uint16_t size_ = 0;
    std::uint32_t hash_ = 0;

   public:
    Value value{};
  };

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const std::deque<Entry>& entries() const { return entries_; }

  [[nodiscard]] const Value* find(std::string_view key) const {
    if (entries_.empty()) return nullptr;
    const auto hash = static_cast<std::uint32_t>(keyed_hash(key));
    const std::uint32_t slot = slots_[probe(key, hash)];
    return slot == 0 ? nullptr : &entries_[slot - 1].value;
  }

  /// The value of `key`, and whether it was inserted by this call.
  std::pair<Entry*, bool> insert(std::string_view key) {
    if ((entries_.size() + 1) * 2 > slots_.size()) grow();
    const auto hash = static_cast<std::uint32_t>(keyed_hash(key));
    std::uint32_t& slot = slots_[probe(key, hash)];
    if (slot != 0) return {&entries_[slot - 1], false};
    Entry& entry = entries_.emplace_back();
    store(key, entry);
    entry.hash_ = hash;
    slot = static_cast<std::uint32_t>(entries_.size());
    return {&entries_.back(), true};
  }

 private:
  static constexpr std::size_t kArenaBlockBytes = 64 * 1024;

  /// The slot that holds `key`, or the empty one where it would go.
  [[nodiscard]] std::size_t probe(std::string_view key, std::uint32_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at] != 0) {
      const Entry& entry = entries_[slots_[at] - 1];
      if (entry.hash_ == hash && entry.key() == key) break;
      at = (at + 1) & mask;
    }
    return at;
  }

  void grow() {
    const std::size_t size = slots_.empty() ? 16 : slots_.size() * 2;
    slots_.assign(size, 0);
    std::uint32_t number = 0;
    for (const Entry& entry : entries_) {
      std::size_t at = entry.hash_ & (size - 1);
      while (slots_[at] != 0) at = (at + 1) & (size - 1);
      slots_[at] = ++number;
    }
  }

  void store(std::string_view key, Entry& entry) {
    STELE_CHECK(key.size() <= UINT16_MAX);
    entry.size_ = static_cast<std::uint16_t>(key.size());
    if (key.size() <= sizeof entry.near_) {
      std::memcpy(entry.near_, key.data(), key.size());
      return;
    }
    if (arena_.empty() || arena_left_ < key.size()) {
      arena_.push_back(std::make_unique<char[]>(kArenaBlockBytes));
      arena_left_ = kArenaBlockBytes;
    }
    char* const to = arena_.back().get() + (kArenaBlockBytes - arena_left_);
    std::memcpy(to, key.data(), key.size());
    arena_left_ -= key.size();
    entry.far_ = to;
  }

  std::vector<std::uint32_t> slots_;  // entry number + 1; 0 = empty; a power of two
  std::deque<Entry> entries_;
  std::vector<std::unique_ptr<char[]>> arena_;
  std::size_t arena_left_ = 0;
};

}  // namespace stele

#pragma once
// Hash table from byte strings (less than 64 KiB) to values: open addressing with linear probing. It exists because the
// committer inserts several keys an event, and a node and a string for each (std::unordered_map) was the larger part of
// its time. A slot holds the hash beside the entry's number, so that other keys and growing touch no entry; keys of up
// to 23 bytes, which are most of them, live in their entry, longer ones in an arena. Entries and arena never move. All
// keys of a batch can be prefetched before they are inserted.

#include <cstdint>
#include <cstring>
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
  /// A large one begins with a cache line.
  class alignas(sizeof(Value) > 32 ? 64 : alignof(Value)) Entry {
   public:
    [[nodiscard]] std::string_view key() const { return {size_ <= sizeof near_ ? near_ : far_, size_}; }

   private:
    friend class KeyTable;
    union {
      char near_[23];
      const char* far_;
    };
    std::uint16_t size_ = 0;

   public:
    Value value{};
  };

  [[nodiscard]] std::size_t size() const { return size_; }
  /// In the order of insertion.
  [[nodiscard]] const Entry& entry(std::size_t number) const { return blocks_[number / kBlock][number % kBlock]; }
  /// Room for so many keys without growing on the way.
  void reserve(std::size_t keys) {
    std::size_t slots = slots_.empty() ? kSlotsMin : slots_.size();
    while (!fits(keys, slots)) slots *= 2;
    if (slots > slots_.size()) grow(slots);
  }

  [[nodiscard]] static std::uint32_t hash_of(std::string_view key) {
    return static_cast<std::uint32_t>(keyed_hash(key));
  }

  [[nodiscard]] const Value* find(std::string_view key) const { return find(key, hash_of(key)); }
  [[nodiscard]] const Value* find(std::string_view key, std::uint32_t hash) const {
    if (size_ == 0) return nullptr;
    const std::uint32_t number = slots_[probe(key, hash)].number;
    return number == 0 ? nullptr : &entry(number - 1).value;
  }

  /// The value of `key`, and whether it was inserted by this call.
  std::pair<Entry*, bool> insert(std::string_view key) { return insert(key, hash_of(key)); }
  std::pair<Entry*, bool> insert(std::string_view key, std::uint32_t hash) {
    if (!fits(size_ + 1, slots_.size())) grow(slots_.empty() ? kSlotsMin : slots_.size() * 2);
    Slot& slot = slots_[probe(key, hash)];
    if (slot.number != 0) return {&entry_at(slot.number - 1), false};
    if (size_ % kBlock == 0) blocks_.push_back(std::make_unique<Entry[]>(kBlock));
    Entry& made = entry_at(size_);
    store(key, made);
    slot = Slot{hash, static_cast<std::uint32_t>(++size_)};
    return {&made, true};
  }

  // For whoever looks up many keys: first all slots, then all entries, then the keys.
  void prefetch_slot(std::uint32_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
  }
  void prefetch_entry(std::uint32_t hash) const {
    if (slots_.empty()) return;
    const Slot& slot = slots_[hash & (slots_.size() - 1)];
    if (slot.number == 0) return;
    const auto* at = reinterpret_cast<const char*>(&entry(slot.number - 1));
    __builtin_prefetch(at);
    if constexpr (sizeof(Entry) > 64) __builtin_prefetch(at + sizeof(Entry) - 1);
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t number = 0;  ///< of the entry, from 1; 0 = empty
  };
  static constexpr std::size_t kBlock = 128;
  static constexpr std::size_t kSlotsMin = 16;
  static constexpr std::size_t kArenaBlockBytes = 64 * 1024;

  [[nodiscard]] static bool fits(std::size_t keys, std::size_t slots) { return keys * 4 <= slots * 3; }
  [[nodiscard]] Entry& entry_at(std::size_t number) { return blocks_[number / kBlock][number % kBlock]; }

  /// The slot that holds `key`, or the empty one where it would go.
  [[nodiscard]] std::size_t probe(std::string_view key, std::uint32_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].number != 0 && (slots_[at].hash != hash || entry(slots_[at].number - 1).key() != key)) {
      at = (at + 1) & mask;
    }
    return at;
  }

  void grow(std::size_t size) {
    std::vector<Slot> old(size);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number == 0) continue;
      std::size_t at = slot.hash & (size - 1);
      while (slots_[at].number != 0) at = (at + 1) & (size - 1);
      slots_[at] = slot;
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

  std::vector<Slot> slots_;  // a power of two
  std::vector<std::unique_ptr<Entry[]>> blocks_;
  std::size_t size_ = 0;
  std::vector<std::unique_ptr<char[]>> arena_;
  std::size_t arena_left_ = 0;
};

}  // namespace stele

#pragma once
// Whether new records meet a condition's failIfEventsMatch, for the committer: a record costs a few look-ups in one
// hash table, however many values the condition has, and a value that no new record has costs one look-up.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/base/keyed_hash.h"
#include "engine/commit/overlay_table.h"
#include "engine/commit/proposal.h"
#include "engine/index/index_set.h"
#include "engine/log/record.h"

namespace stele {

/// Made by the proposer. Borrows the texts of the condition, which must stay where they are; moving the proposal moves
/// none of them.
class EventMatcher {
 public:
  explicit EventMatcher(const Condition& condition);

  // Append the positions from `begin` on that match, ascending, until there are `limit` in `to`.
  /// Of records that no index holds yet.
  void find(std::span<const RecordHeader> records, Position begin, std::size_t limit, std::vector<Position>& to) const;
  /// Of the parts in memory from `newest` on. Inserting thread.
  void find(const MemoryLink& newest, Position begin, std::size_t limit, std::vector<Position>& to) const;

 private:
  struct Key {
    KeyKind kind;
    std::string_view text;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const { return keyed_hash(key.text) + static_cast<std::size_t>(key.kind); }
  };
  struct Value {
    Key key;
    std::vector<std::uint32_t> entries;  ///< those that have it
    bool is_default_type = false;        ///< of Condition::default_aggregate_types
  };
  struct Entry {
    std::uint32_t lists = 0;  ///< how many of its lists are not empty; each of its tags is one
    bool has_default_types = false;
  };
  struct Scan;

  [[nodiscard]] Value& value(KeyKind kind, std::string_view text);
  void add(const EventMatch& match, bool has_default_types);

  std::vector<Value> values_;
  OverlayTable<Key, std::uint32_t, KeyHash> numbers_;  // places in values_
  std::vector<Entry> entries_;
  bool all_match_ = false;            // an entry without any list
  bool default_types_match_ = false;  // an entry without any list but that of the default types
};

}  // namespace stele

#pragma once
// One file of the snapshot store, written once and never changed: the bytes of states, and a sorted table that says
// which they are and where they lie. Bytes and names: format-spec.md ("Snapshot file").

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/table/sorted_table.h"

namespace stele {

/// Longest aggregate id, and longest name.
inline constexpr std::size_t kSnapshotIdBytesMax = 255;
/// How many states of one key a file can hold.
inline constexpr std::uint32_t kSnapshotKeepMax = 16;

/// What a file stands for. Files are numbered in the order in which they are written; a merged one takes the place of
/// all it was made of.
struct SnapshotFileName {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  /// It holds deletions. In the name, so that it is known even if nothing else of the file can be read.
  bool deletions = false;

  bool operator==(const SnapshotFileName&) const = default;
  [[nodiscard]] std::string text() const;
  /// Under which it is written until it is whole.
  [[nodiscard]] std::string temporary() const;
  /// None if `text` is not exactly what text() gives for some name.
  [[nodiscard]] static std::optional<SnapshotFileName> parse(std::string_view text);
};

// Keys of the table. All of one aggregate have its deletion key as their prefix, no other key has, and the deletion key
// itself is the first of them. Ids and names are 1 .. kSnapshotIdBytesMax bytes.
[[nodiscard]] std::string deletion_key(std::string_view aggregate_id);
[[nodiscard]] std::string states_key(std::string_view aggregate_id, std::string_view name);
struct SplitSnapshotKey {
  std::string_view deletion_key;
  std::string_view name;  ///< empty: it is the deletion key
};
/// None if it is no key.
[[nodiscard]] std::optional<SplitSnapshotKey> split_key(std::string_view key);

/// All of a state but its bytes.
struct StoredState {
  SequenceNumber sequence;
  Digest fingerprint{};
  Timestamp time;
  std::uint32_t keep = 0;    ///< of the key's states up to this one the newest so many are kept, 1 .. kSnapshotKeepMax
  std::uint64_t offset = 0;  ///< in the file
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;  ///< XXH3 of the bytes
};
/// States of one key, the greatest sequence number first.
using StoredStates = std::vector<StoredState>;

[[nodiscard]] std::string encode_states(const StoredStates& states);
[[nodiscard]] std::optional<StoredStates> decode_states(std::string_view value);

/// Adds a state of the same key. Of two with the same sequence number the one that is there stays, unless the added one
/// `replaces` it; the smaller of their keeps stays in either case.
template <class States>
void add_state(States& states, typename States::value_type state, bool replaces) {
  auto at = states.begin();
  while (at != states.end() && at->sequence > state.sequence) ++at;
  if (at == states.end() || at->sequence != state.sequence) {
    states.insert(at, std::move(state));
    return;
  }
  const std::uint32_t keep = std::min(at->keep, state.keep);
  if (replaces) *at = std::move(state);
  at->keep = keep;
}

/// Leaves the states that are kept. What goes from a part of a key's states would go from all of them as well: states
/// that are added later can only make more of them superseded.
template <class States>
void drop_superseded(States& states) {
  std::uint32_t left = kSnapshotKeepMax;
  for (auto at = states.begin(); at != states.end(); ++at, --left) {
    left = std::min(left, at->keep);
    if (left == 0) {
      states.erase(at, states.end());
      return;
    }
  }
}

/// Writes one file under its temporary name. One thread.
class SnapshotFileWriter {
 public:
  /// `keys_max`: an upper bound of the keys that will be added.
  [[nodiscard]] static Result<std::unique_ptr<SnapshotFileWriter>> create(FileSystem& file_system,
                                                                          const std::string& folder,
                                                                          SnapshotFileName name, const Uuid& store_id,
                                                                          std::uint64_t keys_max, RateLimiter* limiter);

  /// Where append() puts the next byte.
  [[nodiscard]] std::uint64_t offset() const { return pages_->offset(); }
  /// Bytes of states, before the add_states() that refers to them.
  [[nodiscard]] Status append(std::string_view bytes);
  /// Keys of both in ascending order.
  [[nodiscard]] Status add_deletion(std::string_view key);
  [[nodiscard]] Status add_states(std::string_view key, const StoredStates& states);
  /// The file is durable under its temporary name. Says what it is to be called.
  [[nodiscard]] Result<SnapshotFileName> finish();

 private:
  SnapshotFileWriter(std::unique_ptr<PageFileWriter> pages, SnapshotFileName name, const Uuid& store_id,
                     std::uint64_t keys_max);

  const std::unique_ptr<PageFileWriter> pages_;
  SnapshotFileName name_;
  const Uuid store_id_;
  TableWriter table_;
  std::uint64_t deletions_ = 0;
};

/// An open file, or one that could not be opened and only keeps its place among the others. Thread-safe. A failed read
/// makes the file unusable for good.
class SnapshotFile {
 public:
  /// `path` may be the temporary one.
  [[nodiscard]] static Result<std::shared_ptr<SnapshotFile>> open(FileSystem& file_system, const std::string& path,
                                                                  SnapshotFileName name, const Uuid& store_id);
  [[nodiscard]] static std::shared_ptr<SnapshotFile> unreadable(SnapshotFileName name);

  [[nodiscard]] const SnapshotFileName& name() const { return name_; }
  [[nodiscard]] bool usable() const { return pages_ != nullptr && !pages_->damaged(); }
  void mark_damaged() const {
    if (pages_ != nullptr) pages_->mark_damaged();
  }
  /// 0 if it could not be opened.
  [[nodiscard]] std::uint64_t file_bytes() const { return pages_ != nullptr ? pages_->file_bytes() : 0; }
  [[nodiscard]] std::uint64_t keys() const { return table_.root().keys; }

  // Only of a usable file. Every error means that it no longer is one.
  /// States by their key; empty if there are none.
  [[nodiscard]] Result<StoredStates> find(std::string_view key) const;
  /// Whether it deletes what older files hold of an aggregate.
  [[nodiscard]] Result<bool> deletes(std::string_view deletion_key) const;
  /// The bytes of a state of this file, verified.
  [[nodiscard]] Status read(const StoredState& state, std::string& to) const;
  /// Some of them, verified by their pages only.
  [[nodiscard]] Status read_part(const StoredState& state, std::uint64_t from, std::span<char> to) const;
  [[nodiscard]] Table::Cursor cursor() const { return Table::Cursor(table_); }
  /// An entry of the table that cursor() stands on.
  [[nodiscard]] Result<StoredStates> decode(std::string_view value) const;

  /// True for the first caller only: damage is to be noted once.
  [[nodiscard]] bool note_once() const { return !noted_.exchange(true); }

 private:
  SnapshotFile() = default;
  [[nodiscard]] Error corrupt(const char* what) const;

  SnapshotFileName name_;
  std::unique_ptr<PageFile> pages_;
  Table table_;
  mutable std::atomic<bool> noted_{false};
};

/// All files, oldest first.
using SnapshotFiles = std::vector<std::shared_ptr<SnapshotFile>>;

/// How many of the oldest files must not be used, because one of them may have held deletions that cannot be read any
/// more.
[[nodiscard]] std::size_t untrusted_count(const SnapshotFiles& files);

}  // namespace stele

#include "engine/snapshots/snapshot_compaction.h"

#include "engine/base/digest.h"

namespace stele {
namespace {

constexpr std::uint64_t kTierBytes = 128ULL << 10;  // what the lowest tier holds
constexpr std::uint64_t kTierFactor = 4;
constexpr std::size_t kTierFiles = 4;
constexpr std::uint64_t kCopyBytes = 1ULL << 20;

std::uint32_t tier_of(std::uint64_t bytes) {
  std::uint32_t tier = 0;
  for (std::uint64_t limit = kTierBytes; bytes > limit; limit *= kTierFactor) ++tier;
  return tier;
}

/// An input and the place in it.
struct StateSource {
  const SnapshotFile* file;
  Table::Cursor cursor;
};

/// A state and the file it is in.
struct Candidate : StoredState {
  const SnapshotFile* file;
};

class Merge {
 public:
  Merge(const SnapshotCompactionContext& context, const SnapshotFiles& inputs, bool with_oldest)
      : context_(context), with_oldest_(with_oldest) {
    const std::size_t untrusted = untrusted_count(inputs);
    // The deletions of these would be forgotten, and what they deleted in files still older come back.
    forgets_deletions_ = untrusted > 0 && !with_oldest;
    for (std::size_t i = inputs.size(); i-- > untrusted;) {
      if (inputs[i]->usable()) sources_.push_back({inputs[i].get(), inputs[i]->cursor()});
    }
  }

  [[nodiscard]] Result<SnapshotFileName> run(SnapshotFileName name) {
    if (forgets_deletions_) return Error{.kind = ErrorKind::Corrupt, .message = "deletions cannot be read any more"};
    std::uint64_t keys_max = 0;
    for (StateSource& source : sources_) {
      keys_max += source.file->keys();
      if (!source.cursor.seek("")) return unusable(source.file);
    }
    STELE_ASSIGN(const auto writer, SnapshotFileWriter::create(*context_.file_system, context_.folder, name,
                                                               context_.store_id, keys_max, context_.limiter));
    while (true) {
      std::string key;
      for (const StateSource& source : sources_) {
        if (source.cursor.valid() && (key.empty() || source.cursor.key() < key)) key = source.cursor.key();
      }
      if (key.empty()) break;
      STELE_TRY(take(key, *writer));
      if (context_.between) context_.between();
    }
    for (const StateSource& source : sources_) {
      if (source.cursor.valid()) return unusable(source.file);  // an empty key: not one of ours
    }
    return writer->finish();
  }

 private:
  [[nodiscard]] static Error unusable(const SnapshotFile* file) {
    file->mark_damaged();
    return Error{.kind = ErrorKind::Corrupt, .message = "a snapshot file cannot be read", .file = file->name().text()};
  }

  /// Writes what remains of `key`, the least key of all sources, and moves them behind it.
  [[nodiscard]] Status take(const std::string& key, SnapshotFileWriter& writer) {
    const auto split = split_key(key);
    if (!split || split->deletion_key != aggregate_) {
      aggregate_ = split ? split->deletion_key : std::string_view();
      deleted_from_ = sources_.size();
    }
    candidates_.clear();
    bool deletion = false;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      StateSource& source = sources_[i];
      if (!source.cursor.valid() || source.cursor.key() != key) continue;
      if (!split) return unusable(source.file);
      if (split->name.empty()) {
        // The newest deletion is the one that counts: it hides what all older files have of the aggregate.
        if (!deletion) deleted_from_ = std::min(deleted_from_, i + 1);
        deletion = true;
      } else if (i < deleted_from_) {
        auto states = source.file->decode(source.cursor.value());
        if (!states) return unusable(source.file);
        for (const StoredState& state : *states) add_state(candidates_, Candidate{state, source.file}, false);
      }
      // In a damaged tree the same page could come again and again.
      if (!source.cursor.next() || (source.cursor.valid() && source.cursor.key() <= key)) return unusable(source.file);
    }
    if (deletion) return with_oldest_ ? Status{} : writer.add_deletion(key);
    if (candidates_.empty() || (context_.unwanted && context_.unwanted(split->name))) return {};
    return write(key, writer);
  }

  [[nodiscard]] Status write(const std::string& key, SnapshotFileWriter& writer) {
    drop_superseded(candidates_);
    StoredStates states;
    for (const Candidate& candidate : candidates_) {
      StoredState state = candidate;
      state.offset = writer.offset();
      Xxh3 checksum;
      for (std::uint64_t at = 0; at < state.bytes; at += kCopyBytes) {
        copy_.resize(std::min(kCopyBytes, state.bytes - at));
        if (!candidate.file->read_part(candidate, at, copy_)) return unusable(candidate.file);
        checksum.add(copy_);
        STELE_TRY(writer.append(copy_));
      }
      // A bad state must not make the file unusable that is made of good ones.
      if (checksum.value() != state.checksum) return unusable(candidate.file);
      states.push_back(state);
    }
    return writer.add_states(key, states);
  }

  const SnapshotCompactionContext& context_;
  const bool with_oldest_;
  bool forgets_deletions_ = false;
  std::vector<StateSource> sources_;  // newest first
  std::string aggregate_;             // deletion key of the aggregate at hand
  std::size_t deleted_from_ = 0;      // sources from this one on are deleted as far as the aggregate goes
  std::vector<Candidate> candidates_;
  std::string copy_;
};

}  // namespace

std::optional<SnapshotCompactionRange> pick_snapshot_compaction(const SnapshotFiles& files) {
  if (const std::size_t untrusted = untrusted_count(files); untrusted > 0)
    return SnapshotCompactionRange{0, untrusted - 1};
  // A file counts as at least as large as any newer one, so that the tiers are in order and a tier is one stretch of
  // files.
  std::uint32_t tier = 0;
  std::size_t end = files.size();  // of the stretch
  for (std::size_t i = files.size(); i-- > 0;) {
    const std::uint32_t own = tier_of(files[i]->file_bytes());
    if (own > tier) {
      if (end - i - 1 >= kTierFiles) return SnapshotCompactionRange{i + 1, end - 1};
      tier = own;
      end = i + 1;
    }
  }
  if (end >= kTierFiles) return SnapshotCompactionRange{0, end - 1};
  return std::nullopt;
}

Result<SnapshotFileName> compact_snapshot_files(const SnapshotCompactionContext& context, const SnapshotFiles& inputs,
                                                bool with_oldest) {
  return Merge(context, inputs, with_oldest).run({inputs.front()->name().low, inputs.back()->name().high, false});
}

}  // namespace stele

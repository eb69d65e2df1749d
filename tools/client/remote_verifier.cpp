#include "tools/client/remote_verifier.h"

#include <algorithm>
#include <map>
#include <utility>

#include "api/audit/event_proof.h"
#include "api/audit/key_trust.h"
#include "api/endpoint/own_events.h"
#include "engine/audit/merkle_frontier.h"
#include "engine/audit/merkle_proof.h"
#include "engine/audit/note_key.h"
#include "engine/audit/tile_files.h"
#include "engine/base/digest.h"

namespace stele::tools {

namespace {

/// Whether the log goes on from the checkpoint that it shows to a later one. It does where a server shows what
/// witnesses have cosigned, and proves with what it has signed since. To a caller that sees no proofs it is enough that
/// there are so many leaves: the root of all of them is compared later.
Result<bool> goes_on_to(RemoteLog& log, const Checkpoint& shown, const Checkpoint& later) {
  const auto path = log.consistency(shown.size, later.size);
  if (!path && path.error().kind == ErrorKind::NotFound) return false;  // it is not that long
  if (!path) return path.error();
  if (*path) return verify_consistency(shown.size, later.size, **path, shown.root, later.root).has_value();
  const std::uint64_t last = later.size - 1;
  const auto leaves = log.leaves(last / kTileWidth, last % kTileWidth + 1);
  if (!leaves && leaves.error().kind != ErrorKind::NotFound) return leaves.error();
  return leaves.has_value();
}

/// What the log says of its keys, beginning with one that is trusted.
class RemoteKeys {
 public:
  explicit RemoteKeys(const NoteVerifier& trusted) : trust_(trusted) {}

  /// Takes the events of keys that the server shows, as far as a tree of `size` leaves holds them. Corrupt says what
  /// does not hold of them by themselves; that they stand in the log has to be compared().
  Status read(RemoteLog& log, const std::string& origin, std::uint64_t size) {
    STELE_ASSIGN(const auto events, log.key_events(origin));
    if (!events) return {};
    is_shown_ = !events->empty();  // who may see none of them gets a list without any
    Record record;
    std::uint64_t sequence = 0;
    for (const api::EventProof& event : *events) {
      if (!event.leaf) return Error{.kind = ErrorKind::Corrupt, .message = "a proof has no leaf"};
      STELE_ASSIGN(const Digest leaf, api::leaf_of(*event.leaf, record));
      const RecordHeader& header = record.header();
      const auto& data = event.leaf->members[0];
      if (header.kind != RecordKind::Event || header.position.value() != event.index ||
          header.sequence.value() != ++sequence ||
          header.aggregate_id != api::own_aggregate_id(api::kKeyAggregatePrefix, origin) || !data || data->digest) {
        return Error{.kind = ErrorKind::Corrupt,
                     .message = "what the server shows for number " + std::to_string(sequence) +
                                " of the events of the log's keys is another record"};
      }
      if (event.index >= size) break;
      if (!leaves_.empty() && event.index <= leaves_.rbegin()->first)
        return Error{.kind = ErrorKind::Corrupt, .message = "the events of the log's keys are not in order"};
      leaves_.emplace(event.index, leaf);
      trust_.take(header, data->bytes);
    }
    return {};
  }

  /// Whether the leaf at that position is the one of the event that the server has shown, if it has shown one.
  [[nodiscard]] bool agrees(std::uint64_t position, const Digest& leaf) const {
    const auto found = leaves_.find(position);
    return found == leaves_.end() || found->second == leaf;
  }
  /// An event of keys that the server has not shown as one.
  [[nodiscard]] bool is_withheld(std::uint64_t position, const std::string& entry) {
    if (!is_shown_ || leaves_.contains(position) || entry.find(api::kKeyAggregatePrefix) == std::string::npos)
      return false;
    if (!api::leaf_of({.preimage = entry, .members = {}}, entry_)) return false;
    return entry_.header().kind == RecordKind::Event &&
           entry_.header().aggregate_id.starts_with(api::kKeyAggregatePrefix);
  }

  [[nodiscard]] std::vector<NoteVerifier> keys_at(std::uint64_t size) const { return trust_.keys_at(size); }
  [[nodiscard]] bool is_shown() const { return is_shown_; }
  [[nodiscard]] bool names_trusted() const { return trust_.names_trusted(); }

 private:
  api::KeyTrust trust_;
  std::map<std::uint64_t, Digest> leaves_;  // of the events that were taken, by position
  bool is_shown_ = false;
  Record entry_;
};

/// Adds what is found of `since` and of how the newer checkpoint continues it, or it the newer one; that becomes
/// `head`, and the other one `on_the_way`: the tree has its root where it is of that size.
Status verify_since(RemoteLog& log, const RemoteKeys& keys, const CheckpointFile& since, Checkpoint& head,
                    std::optional<Checkpoint>& on_the_way, Findings& findings) {
  const Checkpoint newest = head;
  const Checkpoint& old = since.checkpoint;
  if (const Status is_signed = api::verify_checkpoint_note(since.note, old, keys.keys_at(old.size)); !is_signed) {
    findings.add({.verdict = Verdict::Forged,
                  .text = "the checkpoint that was given is not to be trusted: " + is_signed.error().message});
    return {};
  }
  if (old.origin != newest.origin) {
    findings.add({.verdict = Verdict::Forged, .text = "the checkpoint that was given is of another log"});
    return {};
  }
  if (old.size > newest.size) {
    STELE_ASSIGN(const bool goes_on, goes_on_to(log, newest, old));
    if (goes_on) {
      head = old;
      on_the_way = newest;
      return {};
    }
    findings.add({.verdict = Verdict::RolledBack,
                  .text = "the log has " + std::to_string(newest.size) + " records that are signed, and had " +
                          std::to_string(old.size) + " when the checkpoint that was given was made",
                  .position = Position{newest.size}});
    return {};
  }
  on_the_way = old;
  std::optional<std::vector<Digest>> path(std::in_place);
  if (old.size < newest.size && old.size > 0) {
    STELE_ASSIGN(path, log.consistency(old.size, newest.size));
  }
  const Status continues =
      old.size == 0 || !path ? Status{} : verify_consistency(old.size, newest.size, *path, old.root, newest.root);
  if (!continues) {
    findings.add({.verdict = Verdict::Rewritten,
                  .text = "the log does not continue the checkpoint that was given, of size " +
                          std::to_string(old.size) + ": " + continues.error().message});
  }
  return {};
}

}  // namespace

Result<RemoteVerification> verify_remote_log(
    RemoteLog& log, const NoteVerifier& key, const std::optional<CheckpointFile>& since,
    const std::function<void(std::uint64_t records, std::uint64_t size)>& on_progress) {
  RemoteVerification seen;
  STELE_ASSIGN(seen.checkpoint, log.checkpoint());
  const Checkpoint& newest = seen.checkpoint.checkpoint;
  RemoteKeys keys(key);
  if (Status read = keys.read(log, newest.origin, std::max(newest.size, since ? since->checkpoint.size : 0)); !read) {
    if (read.error().kind != ErrorKind::Corrupt) return std::move(read).error();
    seen.findings.add({.verdict = Verdict::Forged, .text = read.error().message});
    return seen;
  }
  if (!keys.is_shown()) {
    seen.notes.emplace_back("the server does not show what it says of its keys to this caller: no other key counted");
  }
  const std::vector<NoteVerifier> signing = keys.keys_at(newest.size);
  if (const Status is_signed = api::verify_checkpoint_note(seen.checkpoint.note, newest, signing); !is_signed) {
    seen.findings.add({.verdict = Verdict::Forged,
                       .text = "the server's checkpoint is not to be trusted: " + is_signed.error().message});
    return seen;
  }
  if (keys.is_shown() && !keys.names_trusted()) {
    seen.notes.emplace_back("the log does not name the key that was given");
  } else if (keys.is_shown() && std::find(signing.begin(), signing.end(), key) == signing.end()) {
    seen.notes.push_back("the key that was given signs no more; it has vouched for " + signing.back().vkey());
  }
  // Their keys are not known here; where there is none it need not be judged.
  const auto& signatures = seen.checkpoint.note.signatures;
  seen.cosignatures =
      static_cast<std::uint64_t>(std::count_if(signatures.begin(), signatures.end(), [](const NoteSignature& one) {
        return cosignature_seconds(one.signature) != 0;
      }));
  if (seen.cosignatures == 0) seen.notes.emplace_back("the server's checkpoint was not witnessed");
  Checkpoint head = newest;
  std::optional<Checkpoint> on_the_way;
  if (since) STELE_TRY(verify_since(log, keys, *since, head, on_the_way, seen.findings));

  MerkleFrontier tree;
  bool shows_entries = true;
  const auto take = [&](const Digest& leaf, const std::string* entry) {
    const std::uint64_t position = tree.size();
    if (!keys.agrees(position, leaf) || (entry != nullptr && keys.is_withheld(position, *entry))) {
      seen.findings.add({.verdict = Verdict::Forged,
                         .text = "the log has another record here than the server shows among the events of its keys",
                         .position = Position{position}});
    }
    tree.append(leaf);
    if (on_the_way && tree.size() == on_the_way->size && tree.root() != on_the_way->root) {
      seen.findings.add(
          {.verdict = Verdict::Rewritten,
           .text = "the first " + std::to_string(tree.size()) +
                   " records that the server shows are not those that the checkpoint of that size is of"});
    }
  };
  while (tree.size() < head.size) {
    const std::uint64_t tile = tree.size() / kTileWidth;
    const std::uint64_t width = std::min(kTileWidth, head.size - tree.size());
    std::optional<std::vector<std::string>> entries;
    if (shows_entries) {
      STELE_ASSIGN(entries, log.entries(tile, width));
      shows_entries = entries.has_value();
    }
    if (entries) {
      seen.entries += width;
      for (const std::string& entry : *entries) take(sha256({std::string_view("\0", 1), entry}), &entry);
    } else {
      STELE_ASSIGN(const std::vector<Digest> leaves, log.leaves(tile, width));
      for (const Digest& leaf : leaves) take(leaf, nullptr);
    }
    on_progress(tree.size(), head.size);
  }
  seen.leaves = tree.size();
  if (!shows_entries) {
    seen.notes.emplace_back("the server does not show entries to this caller: its root was computed from its tiles");
    if (keys.is_shown()) seen.notes.emplace_back("that it leaves out no event of a key cannot be told without them");
  }
  if (tree.root() != head.root) {
    seen.findings.add({.verdict = Verdict::Rewritten,
                       .text = "the records that the server shows are not those that its checkpoint is of"});
  }
  return seen;
}

}  // namespace stele::tools

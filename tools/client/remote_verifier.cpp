#include "tools/client/remote_verifier.h"

#include <algorithm>
#include <span>
#include <utility>

#include "api/audit/event_proof.h"
#include "engine/audit/merkle_frontier.h"
#include "engine/audit/merkle_proof.h"
#include "engine/audit/tile_files.h"

namespace stele::tools {

namespace {

/// Whether the log goes on from the checkpoint that it shows to a later one. It does where a server shows what
/// witnesses have cosigned, and proves with what it has signed since.
Result<bool> goes_on_to(RemoteLog& log, const Checkpoint& shown, const Checkpoint& later) {
  const auto path = log.consistency(shown.size, later.size);
  if (!path && path.error().kind == ErrorKind::NotFound) return false;  // it is not that long
  if (!path) return path.error();
  return verify_consistency(shown.size, later.size, *path, shown.root, later.root).has_value();
}

/// Adds what is found of `since` and of how the newer checkpoint continues it, or it the newer one; that becomes
/// `head`.
Status verify_since(RemoteLog& log, const NoteVerifier& key, const CheckpointFile& since, Checkpoint& head,
                    Findings& findings) {
  const Checkpoint newest = head;
  const Checkpoint& old = since.checkpoint;
  if (const Status is_signed = api::verify_checkpoint_note(since.note, old, std::span(&key, 1)); !is_signed) {
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
      return {};
    }
    findings.add({.verdict = Verdict::RolledBack,
                  .text = "the log has " + std::to_string(newest.size) + " records that are signed, and had " +
                          std::to_string(old.size) + " when the checkpoint that was given was made",
                  .position = Position{newest.size}});
    return {};
  }
  std::vector<Digest> path;
  if (old.size < newest.size && old.size > 0) {
    STELE_ASSIGN(path, log.consistency(old.size, newest.size));
  }
  const Status continues =
      old.size == 0 ? Status{} : verify_consistency(old.size, newest.size, path, old.root, newest.root);
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
  if (const Status is_signed = api::verify_checkpoint_note(seen.checkpoint.note, newest, std::span(&key, 1));
      !is_signed) {
    seen.findings.add({.verdict = Verdict::Forged,
                       .text = "the server's checkpoint is not to be trusted: " + is_signed.error().message});
    return seen;
  }
  Checkpoint head = newest;
  if (since) STELE_TRY(verify_since(log, key, *since, head, seen.findings));

  MerkleFrontier tree;
  bool shows_entries = true;
  while (tree.size() < head.size) {
    const std::uint64_t tile = tree.size() / kTileWidth;
    const std::uint64_t width = std::min(kTileWidth, head.size - tree.size());
    std::optional<std::vector<Digest>> leaves;
    if (shows_entries) {
      STELE_ASSIGN(leaves, log.leaves_of_entries(tile, width));
      shows_entries = leaves.has_value();
    }
    if (leaves) {
      seen.entries += width;
    } else {
      STELE_ASSIGN(leaves, log.leaves(tile, width));
    }
    for (const Digest& leaf : *leaves) tree.append(leaf);
    on_progress(tree.size(), head.size);
  }
  seen.leaves = tree.size();
  if (!shows_entries) {
    seen.notes.emplace_back("the server does not show entries to this caller: its root was computed from its tiles");
  }
  if (tree.root() != head.root) {
    seen.findings.add({.verdict = Verdict::Rewritten,
                       .text = "the records that the server shows are not those that its checkpoint is of"});
  }
  return seen;
}

}  // namespace stele::tools

#include "engine/verify/checkpoint_check.h"

#include <algorithm>
#include <system_error>
#include <thread>
#include <utility>

namespace stele {

namespace {

constexpr std::uint64_t kNoSize = UINT64_MAX;

std::string name_of_checkpoint(std::uint64_t size, bool is_held) {
  return std::string(is_held ? "the checkpoint that was given, of size " : "the kept checkpoint of size ") +
         std::to_string(size);
}

}  // namespace

CheckpointCheck::CheckpointCheck(std::vector<KeptCheckpoint> kept, const std::optional<SignedNote>& held,
                                 Checkpoint held_checkpoint) {
  entries_.reserve(kept.size() + 1);
  for (KeptCheckpoint& one : kept) {
    Entry& entry = entries_.emplace_back();
    entry.kept = std::move(one);
  }
  if (held) {
    Entry& entry = entries_.emplace_back();
    entry.kept.checkpoint = std::move(held_checkpoint);
    entry.kept.note = *held;
    entry.is_held = true;
  }
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& one, const Entry& other) {
    return one.kept.checkpoint.size < other.kept.checkpoint.size;
  });
  next_size_ = entries_.empty() ? kNoSize : entries_.front().kept.checkpoint.size;
  if (next_size_ == 0) compare();
}

void CheckpointCheck::compare() {
  const Digest root = tree_.root();
  for (; compared_ < entries_.size() && entries_[compared_].kept.checkpoint.size == tree_.size(); ++compared_) {
    Entry& entry = entries_[compared_];
    const bool agrees = entry.kept.checkpoint.root == root;
    if (agrees) {
      entry.tree = Tree::Agrees;
    } else if (!is_supposed_) {
      entry.tree = Tree::Differs;
    } else {
      is_broken_ = true;  // it may be that leaf that is wrong
    }
  }
  next_size_ = compared_ == entries_.size() ? kNoSize : entries_[compared_].kept.checkpoint.size;
}

void CheckpointCheck::judge(Entry& entry, const Ending& ending) {
  const KeptCheckpoint& kept = entry.kept;
  if (!ending.origin.empty() && kept.checkpoint.origin != ending.origin) {
    entry.complaint = "it is of the log \"" + kept.checkpoint.origin + "\", this one is \"" + ending.origin + "\"";
    return;
  }
  if (!ending.notices.has_keys()) return;
  const auto signers = verified_by(kept.note, ending.notices.keys_at(kept.checkpoint.size));
  if (!signers) {
    entry.complaint = signers.error().message;
  } else if (signers->empty()) {
    entry.complaint = "no key that is trusted and valid there has signed it";
    entry.is_unknown = true;
  }
}

void CheckpointCheck::judge_signatures(const Ending& ending) {
  const std::size_t threads = std::clamp<std::size_t>(ending.threads, 1, 64);
  const auto judge_every = [&](std::size_t first) {
    for (std::size_t i = first; i < entries_.size(); i += threads) judge(entries_[i], ending);
  };
  std::vector<std::thread> others;
  others.reserve(threads);
  std::size_t i = 1;
  try {
    for (; i < threads && i < entries_.size(); ++i) others.emplace_back(judge_every, i);
  } catch (const std::system_error&) {
    // The shares of those that cannot be had are done here.
  }
  judge_every(0);
  for (; i < threads && i < entries_.size(); ++i) judge_every(i);
  for (std::thread& other : others) other.join();
}

CheckpointCheck::Outcome CheckpointCheck::finish(const Ending& ending, Findings& findings) {
  judge_signatures(ending);
  Outcome outcome;
  outcome.checkpoints = entries_.size();
  const auto is_signed = [](const Entry& entry) { return entry.complaint.empty(); };
  for (const Entry& entry : entries_) {
    if (!is_signed(entry) || entry.tree != Tree::Agrees) continue;
    ++outcome.agreeing;
    if (entry.kept.witnessed) ++outcome.witnessed;
    outcome.proven = entry.kept.checkpoint.size;
  }
  const auto agrees_from = [&](std::uint64_t size) { return outcome.proven && *outcome.proven >= size; };

  std::uint64_t good = 0;  // the tree up to here was signed
  bool is_rewritten = false;
  const Entry* beyond = nullptr;
  for (const Entry& entry : entries_) {
    const std::uint64_t size = entry.kept.checkpoint.size;
    const std::string name = name_of_checkpoint(size, entry.is_held);
    if (entry.is_unknown && entry.tree == Tree::Agrees && agrees_from(size)) {
      // An earlier key, say: whoever has signed it, it is the tree that a trusted key has signed.
      ++outcome.agreeing;
    } else if (!is_signed(entry)) {
      findings.add({.verdict = Verdict::Forged, .text = name + " is not to be trusted: " + entry.complaint});
    } else if (entry.tree == Tree::Agrees) {
      good = size;
    } else if (entry.tree == Tree::Differs && !entry.is_held && agrees_from(size)) {
      findings.add({.verdict = Verdict::Forged,
                    .text = name + " is signed, and contradicts one of size " + std::to_string(*outcome.proven) +
                            ", which is signed too and agrees with the log"});
    } else if (entry.tree == Tree::Differs) {
      // Once the tree differs it does so for ever.
      if (is_rewritten && !entry.is_held) continue;
      is_rewritten = true;
      std::string text = "the records before position " + std::to_string(size) +
                         " are not those that were signed: " + name + " has another root";
      if (good > 0) text += "; up to position " + std::to_string(good - 1) + " they are";
      if (agrees_from(size)) {
        text +=
            "; a checkpoint of this folder agrees with what is here now, so that whoever has the key has signed both";
      }
      findings.add({.verdict = Verdict::Rewritten, .text = std::move(text), .position = Position{good}});
    } else if (size > ending.end.value()) {
      if (beyond == nullptr || entry.is_held) beyond = &entry;
    } else {
      ++outcome.unjudged;
    }
  }
  if (beyond != nullptr) {
    const std::string text = "the log ends at position " + std::to_string(ending.end.value()) + ", before " +
                             name_of_checkpoint(beyond->kept.checkpoint.size, beyond->is_held);
    findings.add({.verdict = ending.was_cut ? Verdict::Damaged : Verdict::RolledBack,
                  .text = text + (ending.was_cut ? ": its end was cut off" : ": this is an older copy of it"),
                  .position = ending.end});
  }
  return outcome;
}

}  // namespace stele

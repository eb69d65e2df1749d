#pragma once
// Signs checkpoints of the log: when it has grown, once an interval at most. What is signed is durable and consistent
// with the checkpoint before; what is published is durable itself. Nothing waits for it but who asks for a checkpoint.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api/audit/log_keys.h"
#include "api/audit/signing_keys.h"
#include "api/endpoint/options.h"
#include "api/endpoint/subject_report.h"
#include "engine/audit/checkpoint_folder.h"
#include "engine/base/clock.h"
#include "engine/feed/durable_feed.h"
#include "engine/store/store.h"

namespace stele::api {

/// A checkpoint that everybody may see.
struct PublishedCheckpoint {
  Checkpoint checkpoint;
  std::string note;  ///< with the signatures
};

class CheckpointKeeper {
 public:
  /// Announces the key, which it makes if the log has none yet; may block. `store` must outlive it. What goes wrong is
  /// told by report(), and tried again.
  CheckpointKeeper(Store& store, const CheckpointSettings& settings, const Clock& clock);
  ~CheckpointKeeper();
  CheckpointKeeper(const CheckpointKeeper&) = delete;

  /// The newest one; null before the first. Any thread.
  [[nodiscard]] std::shared_ptr<const PublishedCheckpoint> newest() const;
  /// What was signed before the start is not published yet: the tree cannot tell yet that it is one of this log. Any
  /// thread.
  [[nodiscard]] bool waits_for_tree() const;
  /// Steps on to the size of each checkpoint that is published. Lives as long as the keeper.
  [[nodiscard]] DurableFeed& covered() { return covered_; }
  [[nodiscard]] std::vector<LogKey> keys() const;

  /// What a round does: looks for new keys, and signs if there is something new. One thread; without a thread of its
  /// own, the caller's. May block.
  void work();
  /// Ends the thread, after one more round. Idempotent.
  void stop();

  [[nodiscard]] SubjectReport report() const;

 private:
  void run();
  [[nodiscard]] Status round();
  [[nodiscard]] Status look_for_keys();
  [[nodiscard]] Status announce(const RecordDraft& event);
  [[nodiscard]] Status retire_old_keys();
  /// The checkpoint that was signed last is one of this log.
  [[nodiscard]] Status check_last_signed();
  [[nodiscard]] Status sign();
  void publish(const Checkpoint& checkpoint, const SignedNote& note);

  Store& store_;
  const CheckpointSettings settings_;
  const Clock& clock_;
  // Of the round.
  std::optional<SigningKeyFiles> files_;
  std::vector<FileInfo> files_seen_;
  SigningKeySet set_;
  std::vector<NoteSigner> signers_;  ///< those that sign now, the current one first
  bool last_is_checked_ = false;
  std::int64_t thinned_at_ = 0;  ///< monotonic, microseconds

  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  LogKeys keys_;
  std::shared_ptr<const PublishedCheckpoint> newest_;
  std::string trouble_;  ///< why nothing is signed; empty if it is
  bool waits_for_tree_ = false;
  std::uint64_t signed_ = 0;  ///< by this process
  bool stop_ = false;
  DurableFeed covered_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace stele::api

#pragma once
// Has checkpoints cosigned by witnesses. In each round the newest checkpoint goes to all of them that are not still
// busy with an earlier one; what they answer is kept, and when the round is over (each has answered or is given up) its
// checkpoint is what everybody is shown, and what is anchored. Signing never waits for any of that.

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/audit/anchors.h"
#include "api/audit/checkpoint_keeper.h"
#include "api/audit/witness_dialogue.h"
#include "api/endpoint/options.h"
#include "api/endpoint/subject_report.h"
#include "engine/base/clock.h"
#include "engine/store/store.h"

namespace stele::api {

class Witnesses {
 public:
  /// All must outlive it. `sender` may be null if there are no witnesses, `redis` if there is no stream. Without
  /// threads rounds are made by work().
  Witnesses(Store& store, const CheckpointKeeper& keeper, WebhookSender* sender, RedisSender* redis,
            const WitnessSettings& settings, FileSystem& files, const Clock& clock);
  ~Witnesses();
  Witnesses(const Witnesses&) = delete;

  /// The checkpoint of the last round that is over, with all cosignatures that it has; without witnesses the keeper's
  /// newest. Its size never becomes less. Null before the first. Any thread.
  [[nodiscard]] std::shared_ptr<const PublishedCheckpoint> newest() const;

  /// Takes the answers that have come, and begins a round if it is time. One thread; without a thread of its own, the
  /// caller's. May wait for the disk.
  void work();
  /// Ends the threads. Idempotent.
  void stop();

  [[nodiscard]] SubjectReport report() const;

 private:
  /// What a sender's thread leaves here; outlives an answer that nobody waits for any more.
  struct Inbox {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::optional<WebhookAnswer>> answers;  ///< by witness; a place for each, so that none gets lost
    bool has_some = false;
    bool stop = false;
  };
  /// One witness; the worker's, but for what is guarded.
  struct Known {
    WitnessDialogue dialogue;
    bool busy = false;
    std::uint64_t round = 0;  ///< that it was asked in
    SignedNote asked{};       ///< what it was asked to cosign
    std::uint64_t asked_size = 0;
    bool asked_again = false;  ///< within the round
    // Guarded by mutex_:
    std::uint64_t size = 0;       ///< of the last checkpoint that it has cosigned for this process
    std::optional<Timestamp> at;  ///< when that was
    std::int64_t well_at = 0;     ///< monotonic: when it last had nothing more to cosign
    std::uint64_t failures = 0;
    std::string trouble{};  ///< of the last attempt
    bool disputed = false;  ///< it knows of another history
  };

  void run();
  void take_answers();
  void begin_round();
  void end_round();
  void ask(std::size_t index);
  void take(std::size_t index, const WebhookAnswer& answer);
  void failed(Known& witness, std::string detail, bool disputed);
  [[nodiscard]] Status keep(const SignedNote& note, const NoteSignature& cosignature);
  [[nodiscard]] bool has_cosigned(const Known& witness, const SignedNote& note) const;
  [[nodiscard]] bool round_goes_on() const;
  void show(const SignedNote& note, const Checkpoint& checkpoint);
  void anchor_round();

  Store& store_;
  const CheckpointKeeper& keeper_;
  WebhookSender* const sender_;
  const WitnessSettings settings_;
  const Clock& clock_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  Anchors anchors_;

  // The worker's.
  std::uint64_t round_ = 0;
  Checkpoint checkpoint_;  ///< of the round
  SignedNote note_;        ///< the same, with the cosignatures it has
  bool round_is_over_ = true;
  std::optional<std::int64_t> round_began_;  ///< monotonic
  SignedNote anchored_;                      ///< what was given to the anchors last
  std::int64_t anchored_at_ = 0;

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Known>> witnesses_;
  mutable std::shared_ptr<const PublishedCheckpoint> shown_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace stele::api

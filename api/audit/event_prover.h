#pragma once
// Proofs of single records: by the tree, against the newest checkpoint.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <variant>

#include "api/audit/checkpoint_keeper.h"
#include "api/endpoint/event_proofs.h"
#include "engine/store/store.h"

namespace stele::api {

class EventProver final : public EventProofs {
 public:
  /// All must outlive it.
  EventProver(Store& store, CheckpointKeeper& keeper, Scheduler& scheduler, std::size_t waiters_max);

  [[nodiscard]] bool wait_covered(Position position, std::chrono::milliseconds at_most,
                                  PositionWaiters::Callback callback) override;
  [[nodiscard]] std::variant<std::string, Problem> proof_json(const Record& record) override;
  /// The same as a file (C2SP tlog-proof), without what the leaf is made of.
  [[nodiscard]] std::variant<std::string, Problem> proof_file(const Record& record);
  /// Ends all waiting.
  void begin_shutdown();

 private:
  struct Inclusion {
    std::shared_ptr<const PublishedCheckpoint> checkpoint;
    std::vector<Digest> path;
  };
  [[nodiscard]] std::variant<Inclusion, Problem> find_inclusion(Position position);
  /// Goes on once the tree can be asked, or at the deadline.
  void when_tree_is_ready(std::chrono::steady_clock::time_point deadline, PositionWaiters::Outcome outcome,
                          PositionWaiters::Callback callback);

  Store& store_;
  CheckpointKeeper& keeper_;
  Scheduler& scheduler_;
  const std::shared_ptr<PositionWaiters> waiters_;
  std::atomic<bool> closing_{false};
};

}  // namespace stele::api

#pragma once
// Takes snapshots: when they are asked for, and in the background when a policy says that one is due. A script's first
// snapshot of an aggregate is folded twice, to find out whether it keeps state outside what it returns.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <variant>

#include "api/http/problem.h"
#include "api/replay/handler_registry.h"
#include "api/replay/replayer.h"
#include "api/replay/snapshot_policies.h"
#include "engine/base/clock.h"
#include "engine/store/store.h"

namespace stele::api {

/// Thread-safe.
class Snapshotter {
 public:
  /// What it is made of must outlive it.
  Snapshotter(Store& store, const Replayer& replayer, HandlerRegistry& handlers, const SnapshotPolicies& policies,
              const Clock& clock);
  /// stop().
  ~Snapshotter();
  Snapshotter(const Snapshotter&) = delete;

  /// A commit was stored: remembers the aggregates for which a snapshot is due. Quick. Of those that wait, the oldest
  /// makes room when there are too many: its next one comes.
  void appended(const Proposal& proposal, const AppendOutcome& stored);

  /// Folds the aggregate and keeps the state, durable on return. The aggregate has events.
  [[nodiscard]] std::variant<Replayed, ReplayFailure> take(const AggregateSummary& aggregate,
                                                           const EventHandler& handler,
                                                           const std::function<bool()>& abandoned);

  struct Metrics {
    std::uint64_t taken = 0, failed = 0, dropped = 0, waiting = 0;
  };
  [[nodiscard]] Metrics metrics() const;

  /// Nothing more is begun in the background, and what is under way is abandoned. Idempotent.
  void begin_stop();
  /// And waits for it.
  void stop();

 private:
  [[nodiscard]] std::variant<Replayed, ReplayFailure> fold(const AggregateSummary& aggregate,
                                                           const EventHandler& handler,
                                                           const std::function<bool()>& abandoned);
  [[nodiscard]] Status keep(const AggregateSummary& aggregate, const EventHandler& handler, const Replayed& replayed);
  [[nodiscard]] bool start_thread();  ///< with mutex_ held
  void run();
  void take_due(const std::string& aggregate_id);

  Store& store_;
  const Replayer& replayer_;
  HandlerRegistry& handlers_;
  const SnapshotPolicies& policies_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::string> due_;  ///< the oldest first
  std::unordered_map<std::string_view, std::list<std::string>::iterator> is_due_;
  std::uint64_t dropped_ = 0;
  std::atomic<std::uint64_t> taken_{0}, failed_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;  ///< from when the first one is due
};

}  // namespace stele::api

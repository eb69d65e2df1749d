#pragma once
// What the endpoints about states share.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/endpoint/options.h"
#include "api/endpoint/subject_report.h"
#include "api/replay/handler_registry.h"
#include "api/replay/layered_state_cache.h"
#include "api/replay/replay_threads.h"
#include "api/replay/replayer.h"
#include "api/replay/snapshot_policies.h"
#include "api/replay/snapshotter.h"
#include "api/replay/state_cache.h"
#include "engine/store/store.h"

namespace stele::api {

/// One for a service. What it is made of must outlive it.
struct ReplayRoom {
  ReplayRoom(Store& store, const ServiceOptions& options);
  ReplayRoom(const ReplayRoom&) = delete;

  [[nodiscard]] SubjectReport report() const;

  /// Has everything let go of states that were folded from events of this aggregate, of which some were redacted, and
  /// are noted to be. What could not yet, in words; nothing: it is done. To be called again, with the same `progress`,
  /// until then. May wait for disk and network.
  struct Forgetting {
    std::optional<std::uint64_t> workers_mark{};
    bool asked_shared = false;
    bool purged_snapshots = false;
    std::chrono::steady_clock::time_point shared_at{};  ///< when it was asked first
  };
  [[nodiscard]] std::vector<std::string> forget_states(const std::string& aggregate_id,
                                                       const std::optional<std::string>& aggregate_type,
                                                       Timestamp requested, Forgetting& progress);

  Store& store;
  const ServiceOptions& options;
  const Clock& clock;
  HandlerRegistry handlers;
  SnapshotPolicies policies;
  MemoryStateCache cache;
  LayeredStateCache all_caches;
  const Replayer replayer;
  Snapshotter snapshotter;
  ReplayThreads threads;  ///< last: its work uses all of the above
};

}  // namespace stele::api

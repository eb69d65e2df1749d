#pragma once
// What the endpoints about states share.

#include <memory>

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

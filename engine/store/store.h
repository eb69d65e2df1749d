#pragma once
// The engine as its users see it: append, read, follow. What else api/ may include is listed in
// tests/engine/include_edges_test.cpp.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/commit/proposal.h"
#include "engine/deliveries/delivery_journal.h"
#include "engine/feed/durable_feed.h"
#include "engine/recovery/report.h"
#include "engine/snapshots/snapshot_store.h"
#include "engine/store/log_head.h"
#include "engine/store/read_only_store.h"
#include "engine/store/read_view.h"
#include "engine/store/store_health.h"
#include "engine/store/store_options.h"

namespace stele {

struct RedactionTarget;
struct RedactionWatch;
struct RedactionCounts;
class CheckpointFolder;
class MerkleTree;

/// One open data folder. Thread-safe. One process at a time has a folder open.
class Store {
 public:
  /// Recovers the folder, or makes a log if there is none. Locked, Corrupt, Foreign or NewerFormat change nothing of
  /// the log.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(StoreOptions options);
  /// Recovers the folder in memory and writes nothing there; see ReadOnlyStore. Corrupt, Foreign or NewerFormat as from
  /// open(). NotFound: no store. Locked: a server is only just opening it. Io, DiskFull: of the temporary folder, too.
  [[nodiscard]] static Result<std::unique_ptr<ReadOnlyStore>> open_read_only(ReadOnlyOptions options);
  virtual ~Store() = default;

  /// Proposes a commit. The callback runs when everything the answer rests on is durable. See AppendCallback for its
  /// thread. May block on a cold disk.
  virtual void append(Proposal proposal, AppendCallback callback) = 0;
  /// The same, unless what must be looked up first is on the disk: then false, and nothing has happened. append() is to
  /// be called then, where waiting for a disk is allowed.
  [[nodiscard]] virtual bool append_at_once(Proposal& proposal, AppendCallback& callback) = 0;
  /// The final outcome of a decision. May read stored events to compare a repeat: call it on the proposer's side, not
  /// in the callback.
  [[nodiscard]] virtual AppendOutcome finish(const Decision& decision) const = 0;
  /// append() and finish() in one blocking call, for tools and tests.
  [[nodiscard]] AppendOutcome append_and_wait(Proposal proposal);

  [[nodiscard]] virtual std::shared_ptr<const ReadView> view() const = 0;
  /// A view of now that shows nothing from `end` on: for who goes on with what an earlier view has shown, without
  /// keeping that.
  [[nodiscard]] virtual std::shared_ptr<const ReadView> view_until(Position end) const = 0;
  /// The type of an aggregate, which never changes; none if there is no such aggregate. It may be one of the group that
  /// is being synced.
  [[nodiscard]] virtual Result<std::optional<AggregateType>> aggregate_type(std::string_view aggregate_id,
                                                                            DiskWait wait) const = 0;
  [[nodiscard]] virtual LogHead head() const = 0;
  /// Everything before this position is durable and readable. Never decreases.
  [[nodiscard]] virtual Position durable_end() const = 0;
  /// Tells of each step of durable_end(). Lives as long as the store.
  [[nodiscard]] virtual DurableFeed& feed() = 0;

  /// Folded states of aggregates, kept in `snapshots` in the data folder. Null if they could not be opened: health()
  /// says why, and the rest of the store works. Lives as long as the store and is closed by it, by close() or as soon
  /// as the data folder is not in its place any more. Its trouble never keeps events from being appended or read.
  [[nodiscard]] virtual SnapshotStore* snapshots() = 0;

  /// How far deliveries have come, kept in `deliveries` in the data folder, which is opened, or made, by the first call
  /// that succeeds. Lives as long as the store and is closed by it. Errors as of DeliveryJournal::open(); Closed. May
  /// wait for the disk.
  [[nodiscard]] virtual Result<DeliveryJournal*> deliveries() = 0;

  /// The Merkle tree of what is durable, to be asked for proofs. Lives as long as the store. Opening, appends, reads
  /// and head() never wait for it.
  [[nodiscard]] virtual MerkleTree& tree() = 0;

  /// The checkpoints that were signed over this log, kept in `checkpoints` in the data folder; opened by the first call
  /// that succeeds. Lives as long as the store. Errors as of CheckpointFolder::open(); Closed. May wait for the disk.
  [[nodiscard]] virtual Result<CheckpointFolder*> checkpoints() = 0;

  /// Removes members of stored bodies for good: see engine/redaction/redactor.h. For a thread that may take its time;
  /// one call at a time, the others wait.
  [[nodiscard]] virtual Result<RedactionCounts> redact(std::span<const RedactionTarget> targets,
                                                       const RedactionWatch& watch) = 0;

  [[nodiscard]] virtual StoreHealth health() const = 0;
  [[nodiscard]] virtual StoreMetrics metrics() const = 0;
  [[nodiscard]] virtual const RecoveryReport& recovery() const = 0;
  [[nodiscard]] virtual const Uuid& store_id() const = 0;
  [[nodiscard]] virtual const std::string& origin() const = 0;

  /// Answers what is queued, then stops accepting; releases the folder. Idempotent. Views stay readable.
  [[nodiscard]] virtual Status close() = 0;
};

}  // namespace stele

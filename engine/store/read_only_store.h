#pragma once
// A data folder opened for reading alone, for tools: of a stopped server, or beside a running one.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/base/file_system.h"
#include "engine/base/result.h"
#include "engine/recovery/report.h"
#include "engine/store/log_head.h"
#include "engine/store/read_view.h"

namespace stele {

struct ReadOnlyOptions {
  std::string folder;
  /// Where index runs are made that the data folder lacks, in a folder of their own that goes with the store; a killed
  /// process leaves it. Nothing is made there if less than one part is lacking. Empty = $TMPDIR, or /tmp. It takes
  /// about what the folder's `index` would: a disk, not memory, holds what grows with the number of events.
  std::string temporary_folder;
  std::uint64_t index_part_records_max = 64ULL << 10;
  FileSystem* file_system = nullptr;  ///< none = posix_file_system(); must outlive the store
  /// As of StoreOptions.
  std::function<void(std::uint64_t records, std::uint64_t expected)> on_replay;
};

/// What was durable when it was opened; it does not follow the log. Nothing in the data folder is written, made,
/// removed or locked, so the right to read it is enough. Immutable: any thread. Whatever was merged or removed in the
/// folder meanwhile stays readable.
///
/// A page of the log or of an index run that cannot be read is an error of each read that needs it: the run is not made
/// again here, as an open server would do. A run that cannot even be opened is made again in the temporary folder.
///
/// Whether a server has the folder is told by its locks (FileSystem::is_locked). If somebody removed the lock file and
/// the system shows no other lock, and if that server publishes nothing while the folder is read, then the one group it
/// is just syncing may be read as well.
class ReadOnlyStore {
 public:
  ~ReadOnlyStore();
  ReadOnlyStore(const ReadOnlyStore&) = delete;

  [[nodiscard]] std::shared_ptr<const ReadView> view() const { return view_; }
  [[nodiscard]] const LogHead& head() const { return head_; }
  /// What recovery decided, and did not do.
  [[nodiscard]] const RecoveryReport& recovery() const { return recovery_; }
  [[nodiscard]] const Uuid& store_id() const { return store_id_; }
  [[nodiscard]] const std::string& origin() const { return origin_; }
  /// A server had the folder; what it had not published as durable was not read. See above for when it is not seen.
  [[nodiscard]] bool beside_owner() const { return beside_owner_; }

 private:
  class Opening;
  class TemporaryRuns;
  ReadOnlyStore();

  std::unique_ptr<TemporaryRuns> temporary_;
  std::shared_ptr<const ReadView> view_;
  LogHead head_;
  RecoveryReport recovery_;
  Uuid store_id_;
  std::string origin_;
  bool beside_owner_ = false;

  friend class Store;
};

}  // namespace stele

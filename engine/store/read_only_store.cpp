#include "engine/store/read_only_store.h"

#include <cstdlib>
#include <utility>

#include "engine/base/clock.h"
#include "engine/base/uuid.h"
#include "engine/commit/genesis.h"
#include "engine/log/state_file.h"
#include "engine/store/index_opening.h"
#include "engine/store/make_read_view.h"
#include "engine/store/store.h"

namespace stele {
namespace {

/// A server that starts, merges runs or begins a segment at the same moment may spoil one or two.
constexpr int kTries = 5;

std::string default_temporary_folder() {
  const char* const given = std::getenv("TMPDIR");
  return given != nullptr && *given != '\0' ? given : "/tmp";
}

bool same_moment(const std::optional<DurableState>& a, const std::optional<DurableState>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->store_id == b->store_id && a->end == b->end && a->segment == b->segment && a->offset == b->offset &&
         a->process_id == b->process_id && a->closed_cleanly == b->closed_cleanly;
}

}  // namespace

/// Takes the index parts that the data folder lacks, and keeps the full ones in a folder that is made when there is
/// one.
class ReadOnlyStore::TemporaryRuns final : public LogVisitor {
 public:
  TemporaryRuns(const ReadOnlyOptions& options, const Uuid& store_id, OpenedIndex& index, std::uint64_t expected)
      : files_{options.file_system,
               (options.temporary_folder.empty() ? default_temporary_folder() : options.temporary_folder) +
                   "/stele-index-" + to_string(make_uuid_v7(system_clock())),
               store_id, seed()},
        set_(*index.set),
        on_replay_(options.on_replay),
        compactor_(std::make_unique<IndexCompactor>(
            IndexCompactorOptions{files_, options.index_part_records_max, 0}, *index.set,
            [](Position, Record&) -> Status {
              return Error{.kind = ErrorKind::Closed, .message = "a damaged run is not made again for reading alone"};
            })),
        replay_(*index.set, index.frontier, *compactor_, on_replay_, expected) {}

  ~TemporaryRuns() override {
    if (!made_) return;
    if (const auto names = files_.file_system->list(files_.folder)) {
      for (const std::string& name : *names) files_.remove(files_.folder + "/" + name);
    }
    (void)files_.file_system->remove_folder(files_.folder);
  }

  Status record(const Record& record, SegmentId segment, ByteOffset offset) override {
    return replay_.record(record, segment, offset);
  }

  /// These runs go with the process, so what they are made of need not be durable.
  Status group(const LogPoint& point, bool) override {
    if (set_.full() && !made_) {
      STELE_TRY(files_.file_system->create_private_folder(files_.folder));
      made_ = true;
    }
    return replay_.group(point, true);
  }

  /// From here on only the folder is of use.
  void replayed() { compactor_.reset(); }

 private:
  static std::uint64_t seed() {
    std::uint64_t seed = 0;
    random_bytes(&seed, sizeof seed);
    return seed;
  }

  const RunFiles files_;
  IndexSet& set_;
  const std::function<void(std::uint64_t, std::uint64_t)> on_replay_;
  bool made_ = false;
  std::unique_ptr<IndexCompactor> compactor_;
  IndexReplay replay_;
};

class ReadOnlyStore::Opening {
 public:
  explicit Opening(const ReadOnlyOptions& options) : options_(options), files_(*options.file_system) {}

  Result<std::unique_ptr<ReadOnlyStore>> open() {
    for (int left = kTries - 1;; --left) {
      STELE_ASSIGN(const bool owned, files_.is_locked(lock_path_));
      const auto state = read_state(files_, state_path_);
      vanished_ = false;
      auto store = open_once(owned);
      if (vanished_ && left > 0) continue;
      // Beside an owner all that was read was durable before. Without one it must be so that none has come meanwhile.
      if (store && owned) return store;
      STELE_ASSIGN(const bool owned_now, files_.is_locked(lock_path_));
      const bool undisturbed = !owned && !owned_now && same_moment(state, read_state(files_, state_path_));
      if (undisturbed) return store;
      if (left > 0) continue;
      if (!store) return store;
      return Error{.kind = ErrorKind::Locked,
                   .message = "servers keep starting in the folder while it is read",
                   .file = options_.folder};
    }
  }

 private:
  Result<std::unique_ptr<ReadOnlyStore>> open_once(bool owned) {
    const std::string log_folder = options_.folder + "/log";
    STELE_ASSIGN(const std::optional<Uuid> stored_id, store_of_log(files_, log_folder));
    const Uuid store_id = stored_id.value_or(Uuid{});
    // The state only after the runs, which then hold nothing behind it.
    STELE_ASSIGN(OpenedIndex index, open_index(RunFiles{&files_, options_.folder + "/index", store_id, 0}, log_folder,
                                               options_.index_part_records_max, RunAccess::ReadOnly));
    vanished_ = index.vanished;
    index.known.state = read_state(files_, state_path_, owned ? kPublicationPatience : std::chrono::milliseconds{});
    const std::optional<DurableState>& state = index.known.state;
    if (owned &&
        (!state || state->store_id != store_id || state->end == Position{0} || state->end < index.known.durable_end)) {
      return Error{.kind = ErrorKind::Locked,
                   .message = "a server has the folder but does not tell yet what is durable; try again",
                   .file = state_path_};
    }
    std::unique_ptr<ReadOnlyStore> store(new ReadOnlyStore);
    store->temporary_ = std::make_unique<TemporaryRuns>(options_, store_id, index, state ? state->end.value() : 0);
    STELE_ASSIGN(RecoveredLog log, recover_log(files_, log_folder, index.known, *store->temporary_,
                                               owned ? LogAccess::BesideOwner : LogAccess::ReadOnly));
    store->temporary_->replayed();
    if (log.end.next == Position{0}) {
      return Error{.kind = ErrorKind::NotFound, .message = "there is no store", .file = options_.folder};
    }
    if (log.tail) {
      const ActiveSegment& tail = *log.tail;
      STELE_ASSIGN(std::unique_ptr<Mapping> mapping, tail.file->map(tail.file_bytes));
      log.sealed.push_back(std::make_shared<const Segment>(tail.id, tail.first, tail.file->path(), std::move(mapping),
                                                           std::shared_ptr<const OffsetTable>(tail.offsets)));
    }
    Record first;
    STELE_TRY(read_record(log.sealed, Position{0}, first));
    STELE_ASSIGN(Genesis genesis, decode_genesis(first.header()));
    if (genesis.store_id != store_id) {
      return Error{.kind = ErrorKind::Corrupt, .message = "the genesis record names another store than the segments"};
    }
    store->head_ = LogHead{index.frontier.size(), log.end.last_time, index.frontier.root()};
    store->recovery_ = std::move(log.report);
    store->recovery_.index_runs = index.runs;
    store->recovery_.replayed =
        log.end.next.since(index.known.replay_from ? index.known.replay_from->end.next : Position{0});
    store->recovery_.notes.insert(store->recovery_.notes.begin(), index.notes.begin(), index.notes.end());
    store->store_id_ = store_id;
    store->origin_ = std::move(genesis.origin);
    store->beside_owner_ = owned;
    store->view_ =
        make_read_view(std::make_shared<const SegmentList>(std::move(log.sealed)), index.set->view(), log.end.next);
    return store;
  }

  const ReadOnlyOptions& options_;
  FileSystem& files_;
  const std::string state_path_ = options_.folder + "/state";
  const std::string lock_path_ = options_.folder + "/lock";
  bool vanished_ = false;
};

ReadOnlyStore::ReadOnlyStore() = default;
ReadOnlyStore::~ReadOnlyStore() = default;

Result<std::unique_ptr<ReadOnlyStore>> Store::open_read_only(ReadOnlyOptions options) {
  if (options.folder.empty()) return Error{.kind = ErrorKind::InvalidArgument, .message = "no data folder given"};
  if (options.index_part_records_max < StoreBounds::kIndexPartRecordsMin ||
      options.index_part_records_max > StoreBounds::kIndexPartRecordsMax) {
    return Error{.kind = ErrorKind::InvalidArgument, .message = "a part of the index must have 1 to 4,194,304 records"};
  }
  if (options.file_system == nullptr) options.file_system = &posix_file_system();
  return ReadOnlyStore::Opening(options).open();
}

}  // namespace stele

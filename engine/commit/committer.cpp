// The states of the committer. `growing_` is the group that is being decided, `unsynced_` the one that is being made
// durable; with each stand the answers that rest on it.
//
//   IDLE      Nothing decided, nothing unsynced. decide() puts records and answers into growing_: GROWING.
//
//   GROWING   growing_ holds something, nothing is unsynced. begin() makes it unsynced_. A small group is written,
//             synced, indexed and settled right there: IDLE again. A large one: SYNCING.
//
//   SYNCING   syncing_: the GroupWriter's thread writes and syncs unsynced_. This thread indexes it meanwhile (readers
//             stop at the durable end) and decides the next group into growing_, on top of it: what rests on unsynced_
//             is not answered before it. finish() waits for the sync; settle() publishes the group, then answers: IDLE
//             or GROWING.
//
//   POISONED  From every state, by a failed write or sync or from outside; there is no way back. What may be stored is
//             answered OutcomeUnknown, the rest Unavailable; nothing more is decided, written or rolled.
//
// A segment is rolled only when nothing is unsynced: flush() comes before it; when the next group does not fit, or when
// seal() asks for it. While SYNCING, room_ is what unsynced_ will leave of the active segment; the LogWriter is not
// touched then.

#include "engine/commit/committer.h"

#include <sys/prctl.h>

#include <algorithm>
#include <new>

#include "engine/base/memory_reserve.h"

namespace stele {

using Kind = AppendOutcome::Kind;

namespace {

template <class List>
void make_room(List& list, std::size_t more) {
  const std::size_t needed = list.size() + more;
  if (needed > list.capacity()) list.reserve(std::max(needed, list.capacity() * 2));
}

/// Takes the memory that the commit's records need in the group before anything is decided; false if it cannot be had.
bool has_memory(Group& group, const PendingCommit& commit) {
  try {
    make_room(group.frame, commit.bytes);
    make_room(group.headers, commit.proposal.record_count());
    make_room(group.offsets, commit.proposal.record_count());
    make_room(group.leaves, commit.proposal.record_count());
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

}  // namespace

Committer::Committer(Sequencer& sequencer, CommitMachine& machine, LogWriter& writer, std::uint64_t overlap_records_min,
                     CommitterHooks hooks)
    : sequencer_(sequencer),
      machine_(machine),
      writer_(writer),
      overlap_records_min_(overlap_records_min),
      hooks_(std::move(hooks)) {}

Committer::~Committer() { join(); }

void Committer::start() {
  {
    const MutexLock lock(seals_mutex_);
    ended_ = false;
  }
  group_writer_.emplace(writer_, [this] { sequencer_.interrupt(); });
  thread_ = std::thread([this] { run(); });
}

void Committer::join() {
  if (thread_.joinable()) thread_.join();
}

std::string Committer::poison_reason() const {
  const MutexLock lock(trouble_mutex_);
  return poison_reason_;
}

std::string Committer::roll_trouble() const {
  if (writer_.preallocator().ready()) return {};
  const MutexLock lock(trouble_mutex_);
  return roll_trouble_;
}

void Committer::run() {
  // The gathering window is about as long as the default slack of timers (50 µs).
  (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  (void)prctl(PR_SET_NAME, "committer", 0UL, 0UL, 0UL);
  prepare_thread_memory();
  may_use_memory_reserve();
  Batch batch;
  while (sequencer_.take(batch, syncing_ ? TakeMode::Busy : TakeMode::Idle)) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (i + 1 < batch.size()) CommitMachine::prefetch(batch[i + 1]->proposal, batch[i + 1]->resolution);
      Decided decided;
      decided.outcome = decide(*batch[i], decided.duplicates);
      decided.commit = std::move(batch[i]);
      growing_.decided.push_back(std::move(decided));
    }
    batch.clear();
    restore_memory_reserve();
    if (syncing_ && group_writer_->is_done()) finish();
    if (!syncing_) begin();
    serve_seals();
  }
  flush();
  {
    const MutexLock lock(seals_mutex_);
    ended_ = true;
  }
  serve_seals();
  group_writer_.reset();
}

Status Committer::seal(SegmentId segment) {
  std::future<Status> done;
  {
    const MutexLock lock(seals_mutex_);
    if (ended_) return Error{.kind = ErrorKind::Closed, .message = "the store is closing"};
    done = seals_.emplace_back(SealRequest{segment, {}}).done.get_future();
  }
  sequencer_.interrupt();
  return done.get();
}

void Committer::serve_seals() {
  std::vector<SealRequest> wanted;
  {
    const MutexLock lock(seals_mutex_);
    if (seals_.empty()) return;
    wanted.swap(seals_);
  }
  for (SealRequest& request : wanted) request.done.set_value(seal_now(request.segment));
}

Status Committer::seal_now(SegmentId segment) {
  flush();
  if (poisoned()) return Error{.kind = ErrorKind::Poisoned, .message = "the store does not accept writes"};
  return writer_.active_segment() == segment ? roll() : Status{};
}

AppendOutcome Committer::decide(PendingCommit& commit, std::vector<std::optional<Position>>& duplicates) {
  if (growing_.group.empty()) {
    // Waiting must not hold up the answers of the group before.
    if (syncing_ && !hooks_.has_index_room()) finish();
    const Status room = hooks_.index_room();
    no_index_room_ = room ? std::nullopt : std::optional(room.error());
    if (!room && room.error().kind == ErrorKind::Displaced) poison(room.error());
  }
  std::optional<AppendOutcome> refused;
  if (kFrameBytes + commit.bytes > writer_.group_bytes_max()) {
    refused = AppendOutcome{.kind = Kind::TooLarge,
                            .detail = "a commit takes at most " + std::to_string(writer_.group_bytes_max()) + " bytes"};
  } else if (!commit.stamp) {
    refused = AppendOutcome{.kind = Kind::ClockJump, .detail = "the system clock jumped ahead"};
  } else if (no_index_room_) {
    const bool full = no_index_room_->kind == ErrorKind::DiskFull;
    refused = AppendOutcome{.kind = full ? Kind::DiskFull : Kind::Unavailable, .detail = "the index cannot be written"};
  } else {
    refused = make_room(commit.bytes);
    if (!refused && !has_memory(growing_.group, commit)) {
      refused = AppendOutcome{.kind = Kind::Busy, .detail = "there is no memory for the commit"};
    }
  }
  if (!refused) return machine_.apply(commit.proposal, commit.resolution, *commit.stamp, growing_.group, duplicates);
  // A repeat needs neither room nor a time.
  const bool repeat = !poisoned() && machine_.find_duplicates(commit.proposal, commit.resolution, duplicates);
  return repeat ? AppendOutcome{.kind = Kind::Repeated} : std::move(*refused);
}

std::optional<AppendOutcome> Committer::make_room(std::uint64_t bytes) {
  const std::uint64_t with_group = growing_.group.frame.size() + bytes;
  const bool group_is_full = !growing_.group.empty() && with_group > writer_.group_bytes_max();
  if (group_is_full || !(syncing_ ? room_ : writer_.room()).fits(with_group)) flush();
  if (!poisoned() && !syncing_ && !writer_.room().fits(growing_.group.frame.size() + bytes)) {
    const Status rolled = roll();
    if (!rolled && !poisoned()) {
      const bool full = rolled.error().kind == ErrorKind::DiskFull;
      return AppendOutcome{.kind = full ? Kind::DiskFull : Kind::Unavailable, .detail = "no room for another segment"};
    }
  }
  if (poisoned()) return AppendOutcome{.kind = Kind::Unavailable, .detail = "the store does not accept writes"};
  return std::nullopt;
}

Status Committer::roll() {
  auto rolled = writer_.roll();
  if (rolled) {
    hooks_.rolled(*rolled);
  } else if (writer_.poisoned() || rolled.error().kind == ErrorKind::Displaced) {
    poison(rolled.error());
  }
  const MutexLock lock(trouble_mutex_);
  roll_trouble_ = rolled ? std::string() : rolled.error().describe();
  return rolled ? Status{} : Status(rolled.error());
}

Status Committer::write_group(Group& group) {
  if (!writer_.room().fits(group.frame.size())) {
    STELE_ASSIGN(const LogWriter::Rolled rolled, writer_.roll(true));
    hooks_.rolled(rolled);
  }
  const RecordLocations places{writer_.active_segment(), writer_.active_offset(), group.offsets};
  began_nanos_ = nanos_now();
  STELE_TRY(GroupWriter::write(writer_, group));
  index(group, places);
  publish(group);
  group.clear();
  return {};
}

void Committer::begin() {
  STELE_CHECK(!syncing_);
  std::swap(growing_, unsynced_);
  if (unsynced_.group.empty() || poisoned()) return settle({});
  Group& group = unsynced_.group;
  const RecordLocations places{writer_.active_segment(), writer_.active_offset(), group.offsets};
  began_nanos_ = nanos_now();
  if (group.headers.size() < overlap_records_min_) {
    const Status written = GroupWriter::write(writer_, group);
    if (written) index(group, places);
    return settle(written);
  }
  room_ = writer_.room().behind(group.frame.size(), group.headers.size());
  syncing_ = true;
  group_writer_->start(group);
  index(group, places);
}

void Committer::finish() {
  if (!syncing_) return;
  syncing_ = false;
  settle(group_writer_->finish());
}

void Committer::flush() {
  finish();
  begin();
  finish();
}

void Committer::index(Group& group, const RecordLocations& places) {
  hooks_.index(group, places);
  machine_.group_is_indexed();
}

void Committer::publish(const Group& group) {
  hooks_.durable(group, writer_);
  metrics_.commit_nanos.record(nanos_since(began_nanos_));
  metrics_.group_records.record(group.headers.size());
  groups_.fetch_add(1, std::memory_order_relaxed);
  records_.fetch_add(group.headers.size(), std::memory_order_relaxed);
}

/// Ends unsynced_: publishes it if it was written, and answers.
void Committer::settle(const Status& written) {
  if (!written) poison(written.error());
  if (poisoned()) {
    // What the log holds now is not known: neither that these are stored, nor what the others were refused for. What
    // was decided meanwhile rests on that group too, and is not written any more.
    for (CommitGroup* const batch : {&unsynced_, &growing_}) {
      for (Decided& decided : batch->decided) {
        const Kind kind = decided.outcome.kind;
        const bool may_be_stored = kind == Kind::Stored || kind == Kind::Repeated || kind == Kind::OutcomeUnknown;
        decided.outcome = AppendOutcome{.kind = may_be_stored ? Kind::OutcomeUnknown : Kind::Unavailable,
                                        .detail = "the store stopped writing"};
        decided.duplicates.clear();
      }
    }
    growing_.group.clear();
  } else if (!unsynced_.group.empty()) {
    publish(unsynced_.group);
  }
  const std::int64_t now = unsynced_.decided.empty() ? 0 : nanos_now();
  for (Decided& decided : unsynced_.decided) {
    PendingCommit& commit = *decided.commit;
    metrics_.append_nanos.record(static_cast<std::uint64_t>(std::max<std::int64_t>(now - commit.began_nanos, 0)));
    commit.callback(Decision{std::move(commit.proposal), std::move(decided.outcome), std::move(decided.duplicates)});
  }
  unsynced_.decided.clear();
  unsynced_.group.clear();
}

void Committer::poison(const Error& error) {
  {
    const MutexLock lock(trouble_mutex_);
    const bool displaced = error.kind == ErrorKind::Displaced;
    if (poison_reason_.empty()) {
      poison_reason_ = (displaced ? "the data folder was changed from outside; see to it and restart the server: "
                                  : "a write of the log failed; restart the server: ") +
                       error.describe();
    }
  }
  poisoned_.store(true, std::memory_order_release);
}

}  // namespace stele

#include "engine/commit/committer.h"

#include <sys/prctl.h>

#include <algorithm>

namespace stele {

using Kind = AppendOutcome::Kind;

Committer::Committer(Sequencer& sequencer, CommitMachine& machine, LogWriter& writer,
                     CommitterHooks hooks)
    : sequencer_(sequencer), machine_(machine), writer_(writer), hooks_(std::move(hooks)) {}

Committer::~Committer() { join(); }

void Committer::start() {
  thread_ = std::thread([this] { run(); });
}

void Committer::join() {
  if (thread_.joinable()) thread_.join();
}

std::string Committer::poison_reason() const {
  const std::lock_guard lock(trouble_mutex_);
  return poison_reason_;
}

std::string Committer::roll_trouble() const {
  if (writer_.preparer().ready()) return {};
  const std::lock_guard lock(trouble_mutex_);
  return roll_trouble_;
}

void Committer::run() {
  // The gathering window is about as long as the default slack of timers (50 µs).
  (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  (void)prctl(PR_SET_NAME, "committer", 0UL, 0UL, 0UL);
  Batch batch;
  while (sequencer_.take(batch)) {
    for (auto& commit : batch) {
      Decided decided;
      decided.outcome = decide(*commit, decided.duplicates);
      decided.commit = std::move(commit);
      decided_.push_back(std::move(decided));
    }
    batch.clear();
    flush();
  }
}

AppendOutcome Committer::decide(PendingCommit& commit, std::vector<std::optional<Position>>& duplicates) {
  if (group_.empty()) {
    const Status room = hooks_.index_room();
    no_index_room_ = room ? std::nullopt : std::optional(room.error());
  }
  std::optional<AppendOutcome> refused;
  if (kFrameBytes + commit.bytes > writer_.group_bytes_max()) {
    refused = AppendOutcome{.kind = Kind::TooLarge,
                            .detail = "a commit takes at most " + std::to_string(writer_.group_bytes_max()) + " bytes"};
  } else if (no_index_room_) {
    const bool full = no_index_room_->kind == ErrorKind::DiskFull;
    refused = AppendOutcome{.kind = full ? Kind::DiskFull : Kind::Unavailable, .detail = "the index cannot be written"};
  } else {
    refused = make_room(commit.bytes);
  }
  if (!refused) return machine_.apply(commit.proposal, commit.resolution, commit.stamp, group_, duplicates);
  // A repeat needs no room.
  const bool repeat = !poisoned() && machine_.find_duplicates(commit.proposal, commit.resolution, duplicates);
  return repeat ? AppendOutcome{.kind = Kind::Replayed} : std::move(*refused);
}

std::optional<AppendOutcome> Committer::make_room(std::uint64_t bytes) {
  const std::uint64_t with_group = group_.frame.size() + bytes;
  if (!group_.empty() && (with_group > writer_.group_bytes_max() || !writer_.fits(with_group))) flush();
  if (!poisoned() && !writer_.fits(group_.frame.size() + bytes)) {
    auto rolled = writer_.roll();
    if (rolled) {
      hooks_.rolled(*rolled);
    } else if (writer_.poisoned()) {
      poison(rolled.error());
    }
    const std::lock_guard lock(trouble_mutex_);
    roll_trouble_ = rolled ? std::string() : rolled.error().describe();
    if (!rolled && !writer_.poisoned()) {
      const bool full = rolled.error().kind == ErrorKind::DiskFull;
      return AppendOutcome{.kind = full ? Kind::DiskFull : Kind::Unavailable, .detail = "no room for another segment"};
    }
  }
  if (poisoned()) return AppendOutcome{.kind = Kind::Unavailable, .detail = "the store does not accept writes"};
  return std::nullopt;
}

Status Committer::write_group(Group& group) {
  if (!writer_.fits(group.frame.size())) {
    STELE_ASSIGN(const LogWriter::Rolled rolled, writer_.roll(true));
    hooks_.rolled(rolled);
  }
  const std::int64_t began = nanos_now();
  STELE_TRY(writer_.append(group.frame, group.offsets, group.headers.front().time, group.headers.back().time));
  hooks_.durable(group, writer_);
  metrics_.commit_nanos.record(nanos_since(began));
  metrics_.group_records.record(group.headers.size());
  groups_.fetch_add(1, std::memory_order_relaxed);
  records_.fetch_add(group.headers.size(), std::memory_order_relaxed);
  machine_.group_is_durable();
  group.clear();
  return {};
}

void Committer::flush() {
  if (!group_.empty()) {
    if (Status written = write_group(group_); !written) {
      poison(written.error());
      // What the log holds now is not known: neither that these are stored, nor what the others were refused for.
      for (Decided& decided : decided_) {
        const bool may_be_stored = decided.outcome.kind == Kind::Stored || decided.outcome.kind == Kind::Replayed;
        decided.outcome = AppendOutcome{.kind = may_be_stored ? Kind::OutcomeUnknown : Kind::Unavailable,
                                        .detail = "writing the log failed"};
        decided.duplicates.clear();
      }
    }
  }
  const std::int64_t now = decided_.empty() ? 0 : nanos_now();
  for (Decided& decided : decided_) {
    PendingCommit& commit = *decided.commit;
    metrics_.append_nanos.record(static_cast<std::uint64_t>(std::max<std::int64_t>(now - commit.began_nanos, 0)));
    commit.callback(Decision{std::move(commit.proposal), std::move(decided.outcome), std::move(decided.duplicates)});
  }
  decided_.clear();
  group_.clear();  // also what refused proposals have left in it
}

void Committer::poison(const Error& error) {
  {
    const std::lock_guard lock(trouble_mutex_);
    poison_reason_ = error.describe();
  }
  poisoned_.store(true, std::memory_order_release);
}

}  // namespace stele

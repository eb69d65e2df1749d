#include "api/replay/snapshotter.h"

#include <exception>
#include <optional>
#include <system_error>
#include <utility>

#include "api/http/bounded_read.h"

namespace stele::api {

namespace {

constexpr std::size_t kDueMax = 10'000;
constexpr int kTriesMax = 3;

/// Another try may succeed.
bool passes(const ReplayFailure& failure) {
  return failure.fold == FoldFailure::Kind::Busy || failure.fold == FoldFailure::Kind::Died;
}

}  // namespace

Snapshotter::Snapshotter(Store& store, const Replayer& replayer, HandlerRegistry& handlers,
                         const SnapshotPolicies& policies, const Clock& clock)
    : store_(store), replayer_(replayer), handlers_(handlers), policies_(policies), clock_(clock) {}

Snapshotter::~Snapshotter() { stop(); }

void Snapshotter::appended(const Proposal& proposal, const AppendOutcome& stored) {
  for (std::size_t i = 0; i < stored.placed.size(); ++i) {
    const AppendOutcome::Placed& placed = stored.placed[i];
    const RecordDraft& event = proposal.events[i];
    const SnapshotPolicy policy =
        policies_.policy_of(event.aggregate_type ? event.aggregate_type : placed.inherited_type);
    if (!policy.due(SequenceNumber{placed.sequence.value() - 1}, placed.sequence)) continue;
    const std::lock_guard lock(mutex_);
    if (stopping_ || store_.snapshots() == nullptr || is_due_.contains(event.aggregate_id)) continue;
    if (!thread_.joinable() && !start_thread()) continue;
    if (due_.size() >= kDueMax) {
      is_due_.erase(due_.front());
      due_.pop_front();
      ++dropped_;
    }
    due_.push_back(event.aggregate_id);
    is_due_.emplace(due_.back(), std::prev(due_.end()));
    changed_.notify_one();
  }
}

bool Snapshotter::start_thread() {
  try {
    thread_ = std::thread([this] { run(); });
    return true;
  } catch (const std::system_error&) {  // there are too many: an append must not fail for it
    ++dropped_;
    return false;
  }
}

std::variant<Replayed, ReplayFailure> Snapshotter::take(const AggregateSummary& aggregate, const EventHandler& handler,
                                                        const std::function<bool()>& abandoned) {
  SnapshotStore* const snapshots = store_.snapshots();
  if (snapshots == nullptr) {
    return ReplayFailure{
        Problem("unavailable", "The snapshot store could not be opened; /readyz says why.").header("Retry-After", "5"),
        std::nullopt};
  }
  auto folded = fold(aggregate, handler, abandoned);
  if (std::holds_alternative<ReplayFailure>(folded)) return folded;
  Status kept = keep(aggregate, handler, std::get<Replayed>(folded));
  if (kept) kept = snapshots->flush();
  if (kept) return folded;
  if (kept.error().kind == ErrorKind::DiskFull) {
    return ReplayFailure{Problem("disk-full", "There is no room for the snapshot."), std::nullopt};
  }
  return ReplayFailure{Problem("unavailable", "The snapshot cannot be written now.").header("Retry-After", "1"),
                       std::nullopt};
}

std::variant<Replayed, ReplayFailure> Snapshotter::fold(const AggregateSummary& aggregate, const EventHandler& handler,
                                                        const std::function<bool()>& abandoned) {
  if (handler.pure == false) {
    return ReplayFailure{Problem("handler-impure",
                                 "The handler keeps state outside what it returns, so no state of it can be folded "
                                 "on from."),
                         std::nullopt};
  }
  const bool is_script = handler.kind == EventHandler::Kind::Script;
  const std::string name = snapshot_name(handler);
  const bool is_first = is_script && (!handler.pure || !store_.snapshots()->latest({aggregate.aggregate_id, name}));
  if (!is_first) return replayer_.replay(aggregate, handler, {}, {}, abandoned);

  const ReplayOptions from_first{.from_kept = false, .break_at = std::nullopt};
  auto whole = replayer_.replay(aggregate, handler, {}, from_first, abandoned);
  const Replayed* const state = std::get_if<Replayed>(&whole);
  // One event alone shows nothing.
  if (state == nullptr || state->state.sequence.value() < 2) return whole;
  ReplayOptions broken = from_first;
  broken.break_at = SequenceNumber{state->state.sequence.value() / 2};
  ReplayEnd end;
  end.sequence = state->state.sequence;
  const auto halves = replayer_.replay(aggregate, handler, end, broken, abandoned);
  const Replayed* const again = std::get_if<Replayed>(&halves);
  const auto* const failure = std::get_if<ReplayFailure>(&halves);
  // Whatever is not of the script itself says nothing about it.
  const bool fails_by_itself =
      failure != nullptr && (failure->fold == FoldFailure::Kind::Threw || failure->fold == FoldFailure::Kind::NoJson);
  if (again == nullptr && !fails_by_itself) return *failure;
  const bool pure = again != nullptr && again->state.json == state->state.json;
  (void)handlers_.set_purity(store_, handler, pure, state->state.position, aggregate.aggregate_id, clock_);
  if (pure) return whole;
  EventHandler found_out = handler;
  found_out.pure = false;
  return fold(aggregate, found_out, abandoned);
}

Status Snapshotter::keep(const AggregateSummary& aggregate, const EventHandler& handler, const Replayed& replayed) {
  Status kept = Error{.kind = ErrorKind::Busy, .message = "events of the aggregate are being redacted"};
  (void)replayer_.keep_unless_redacted(aggregate.aggregate_id, replayed.redactions, [&] {
    kept = store_.snapshots()->put({aggregate.aggregate_id, snapshot_name(handler)}, replayed.state.sequence,
                                   replayed.fingerprint, replayed.state.encode(),
                                   policies_.policy_of(aggregate.aggregate_type).keep);
  });
  return kept;
}

void Snapshotter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !due_.empty(); });
    if (stopping_) return;
    is_due_.erase(due_.front());
    const std::string aggregate_id = std::move(due_.front());
    due_.pop_front();
    lock.unlock();
    try {
      take_due(aggregate_id);
    } catch (const std::exception&) {  // out of memory: the next one comes
      ++failed_;
    }
    lock.lock();
  }
}

void Snapshotter::take_due(const std::string& aggregate_id) {
  const auto aggregate = store_.view()->aggregate(aggregate_id);
  if (!aggregate || !*aggregate) return;
  const EventHandler handler = handlers_.default_of((*aggregate)->aggregate_type);
  if (handler.pure == false) return;
  for (int tries = 1; !stopping_; ++tries) {
    const auto folded = fold(**aggregate, handler, [this] { return stopping_.load(); });
    if (const Replayed* const replayed = std::get_if<Replayed>(&folded)) {
      ++(keep(**aggregate, handler, *replayed) ? taken_ : failed_);
      return;
    }
    if (tries == kTriesMax || !passes(std::get<ReplayFailure>(folded))) break;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(tries), [this] { return stopping_.load(); });
  }
  ++failed_;
}

Snapshotter::Metrics Snapshotter::metrics() const {
  const std::lock_guard lock(mutex_);
  return {taken_, failed_, dropped_, due_.size()};
}

void Snapshotter::begin_stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

void Snapshotter::stop() {
  begin_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace stele::api

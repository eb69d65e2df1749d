#include "api/replay/replayer.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "api/http/bounded_read.h"
#include "api/json/hex.h"
#include "api/replay/built_in_folds.h"
#include "api/replay/fold_problem.h"
#include "api/replay/handler_registry.h"
#include "engine/base/digest.h"

namespace stele::api {

namespace {

/// A view is taken anew after so many events, so that no replay keeps old files for long.
constexpr std::uint64_t kEventsAView = 64U << 10;
/// The clock, and whether anybody waits, is asked once in so many events.
constexpr std::uint64_t kEventsALook = 512;
/// What is upcast at once.
constexpr std::size_t kBatchEvents = 256;
constexpr std::size_t kFoldBatchBytes = 1U << 20;
/// A record that was larger is not kept for the next one, or a batch of large ones would add up.
constexpr std::size_t kKeptRecordBytes = 64U << 10;

EventQuery events_of(const AggregateSummary& aggregate) {
  EventQuery query;
  query.aggregate_id = aggregate.aggregate_id;
  query.include_system = aggregate.aggregate_id.starts_with('$');
  return query;
}

ReplayFailure refused(Problem problem) { return {std::move(problem), std::nullopt}; }

}  // namespace

std::string snapshot_name(const EventHandler& handler) { return hex(as_bytes(handler.identity)); }

std::string Replayer::engine_id(const EventHandler& handler) const {
  if (handler.kind != EventHandler::Kind::Script) return "built-in";
  return parts_.scripts == nullptr ? std::string() : parts_.scripts->engine_id();
}

std::optional<Replayer::Kept> Replayer::kept_state(const AggregateSummary& aggregate, const EventHandler& handler,
                                                   SequenceNumber at_most) const {
  return kept_state(aggregate, handler, at_most, chains(), aliases_for(handler).get());
}

std::optional<Replayer::Kept> Replayer::kept_state(const AggregateSummary& aggregate, const EventHandler& handler,
                                                   SequenceNumber at_most, const Chains& chains,
                                                   const AliasTable* aliases) const {
  if (!handler.may_fold_on()) return std::nullopt;
  const RedactionNotes::Standing standing = redactions_of(aggregate.aggregate_id);
  const auto is_good = [&](const FoldedState& state, const Digest& found) {
    return state.sequence <= at_most && state.sequence <= aggregate.last_sequence &&
           found == fingerprint(handler, state.types, chains, aliases, redactions_of(aggregate.aggregate_id).events);
  };
  std::optional<Kept> best;
  if (parts_.cache != nullptr) {
    auto cached = parts_.cache->find(aggregate.aggregate_id, handler.identity);
    if (cached && is_good(cached->state, cached->fingerprint)) best = Kept{std::move(cached), "cache"};
  }
  if (best && best->state->state.sequence == at_most) return best;
  if (parts_.snapshots == nullptr) return best;
  const std::string name = snapshot_name(handler);
  auto snapshot = parts_.snapshots->at_or_before({aggregate.aggregate_id, name}, at_most);
  if (!snapshot || (best && snapshot->sequence <= best->state->state.sequence)) return best;
  auto state = FoldedState::decode(snapshot->sequence, snapshot->state);
  if (!state || !is_good(*state, snapshot->fingerprint)) return best;
  auto found = std::make_shared<const CachedState>(CachedState{*std::move(state), snapshot->fingerprint});
  // The newest state may be asked for again, and would be read from a file each time.
  if (parts_.cache != nullptr) {
    (void)keep_unless_redacted(aggregate.aggregate_id, standing,
                               [&] { parts_.cache->put(aggregate.aggregate_id, handler.identity, found); });
  }
  return Kept{std::move(found), "store"};
}

RedactionNotes::Standing Replayer::redactions_of(std::string_view aggregate_id) const {
  return parts_.redactions == nullptr ? RedactionNotes::Standing{} : parts_.redactions->standing(aggregate_id);
}

bool Replayer::holds(const EventHandler& handler, std::string_view aggregate_id, const FoldedState& state,
                     const Digest& fingerprint) const {
  return fingerprint == this->fingerprint(handler, state.types, chains(), aliases_for(handler).get(),
                                          redactions_of(aggregate_id).events);
}

std::shared_ptr<const AliasTable> Replayer::aliases_for(const EventHandler& handler) const {
  // Built-in ones fold all events alike.
  if (parts_.aliases == nullptr || handler.kind != EventHandler::Kind::Script) return nullptr;
  return parts_.aliases->now();
}

Digest Replayer::fingerprint(const EventHandler& handler, const FoldedTypes& types, const Chains& chains,
                             const AliasTable* aliases, std::uint64_t redactions) const {
  // A script sees the number of the version, the built-in folds do not.
  const FoldedVersions versions{chains.get(), handler.kind == EventHandler::Kind::Script, aliases};
  return fingerprint_of(handler.identity, engine_id(handler), types, versions, redactions);
}

bool Replayer::keep_unless_redacted(std::string_view aggregate_id, const RedactionNotes::Standing& since,
                                    const std::function<void()>& keep) const {
  if (parts_.redactions != nullptr) return parts_.redactions->keep_unless_changed(aggregate_id, since, keep);
  keep();
  return true;
}

/// The work of one replay.
class Replayer::Run {
 public:
  Run(const Replayer& replayer, const AggregateSummary& aggregate, const EventHandler& handler, const ReplayEnd& end,
      const ReplayOptions& options, const std::function<bool()>& abandoned)
      : replayer_(replayer),
        parts_(replayer.parts_),
        aggregate_(aggregate),
        handler_(handler),
        end_(end),
        options_(options),
        abandoned_(abandoned),
        chains_(replayer.chains()),
        aliases_(replayer.aliases_for(handler)),
        deadline_(std::chrono::steady_clock::now() + parts_.limits.whole_time) {}

  std::variant<Replayed, ReplayFailure> go() {
    // Before any event is read: what was read before a redaction is never taken for what is there after it.
    result_.redactions = replayer_.redactions_of(aggregate_.aggregate_id);
    auto last = last_sequence();
    if (auto* const failure = std::get_if<ReplayFailure>(&last)) return std::move(*failure);
    const SequenceNumber to = std::get<SequenceNumber>(last);
    std::optional<std::string> begin;
    if (options_.from_kept && !end_.occurred && to != SequenceNumber{}) {
      if (const auto kept = replayer_.kept_state(aggregate_, handler_, to, chains_, aliases_.get())) {
        result_.state = kept->state->state;
        result_.base = Replayed::Base{result_.state.sequence, kept->source};
        if (result_.state.sequence == to) {
          result_.fingerprint = kept->state->fingerprint;
          return std::move(result_);
        }
        begin = std::move(result_.state.json);
      }
    }
    begun_at_ = result_.state.sequence;
    if (auto failure = begin_fold(begin)) return *std::move(failure);
    begin.reset();
    if (auto failure = fold_to(to)) return *std::move(failure);
    if (auto failure = take_state()) return *std::move(failure);
    result_.fingerprint =
        replayer_.fingerprint(handler_, result_.state.types, chains_, aliases_.get(), result_.redactions.events);
    keep();
    return std::move(result_);
  }

  std::optional<ReplayFailure> try_script() {
    if (auto failure = begin_fold(std::nullopt)) return failure;
    return take_state();
  }

 private:
  std::variant<SequenceNumber, ReplayFailure> last_sequence() const {
    if (end_.sequence) {
      if (*end_.sequence <= aggregate_.last_sequence) return *end_.sequence;
      return refused(Problem("sequence-beyond-head",
                             "The aggregate has " + std::to_string(aggregate_.last_sequence.value()) + " events.")
                         .member("currentSequenceNumber", std::to_string(aggregate_.last_sequence.value())));
    }
    if (!end_.time || *end_.time >= aggregate_.last_time) return aggregate_.last_sequence;
    // Times never decrease in the order of the log.
    EventQuery query = events_of(aggregate_);
    query.to = Timestamp{end_.time->micros + 1};
    query.direction = Direction::Descending;
    const auto view = parts_.views();
    const auto stream = view->query(query);
    if (!stream) return refused(read_failed());
    Record record;
    const auto found = (*stream)->next(record);
    if (!found) return refused(read_failed());
    return *found ? record.header().sequence : SequenceNumber{};
  }

  std::optional<ReplayFailure> begin_fold(const std::optional<std::string>& state) {
    const auto begin = state ? std::optional<std::string_view>(*state) : std::nullopt;
    if (handler_.kind != EventHandler::Kind::Script) {
      fold_ = make_built_in_fold(handler_.kind, begin, parts_.limits.state_bytes_max);
      return std::nullopt;
    }
    if (parts_.scripts == nullptr) {
      return failed({.kind = FoldFailure::Kind::Unavailable, .message = "handlers are switched off"});
    }
    if (source_.empty()) {
      auto source = HandlerRegistry::source_of(handler_, *parts_.views());
      if (!source) return refused(read_failed());
      source_ = std::move(*source);
    }
    ScriptStart start;
    start.source = source_;
    start.state = begin;
    start.call_time = parts_.limits.call_time;
    start.deadline = deadline_;
    start.state_bytes_max = parts_.limits.state_bytes_max;
    start.abandoned = abandoned_;
    start.aliases = aliases_;
    auto begun = parts_.scripts->begin(start);
    if (const auto* const failure = std::get_if<FoldFailure>(&begun)) return failed(*failure);
    fold_ = std::get<std::unique_ptr<Fold>>(std::move(begun));
    return std::nullopt;
  }

  std::optional<ReplayFailure> fold_to(SequenceNumber to) {
    SequenceNumber next = result_.state.sequence.next();
    while (next <= to) {
      EventQuery query = events_of(aggregate_);
      query.from_sequence = next;
      query.to_sequence = std::min(to, next.plus(kEventsAView - 1));
      const auto view = parts_.views();
      const auto stream = view->query(query);
      if (!stream) return refused(read_failed());
      SequenceNumber expected = next;
      while (true) {
        if (waiting_ == batch_.size()) batch_.push_back(std::make_unique<Record>());
        Record& record = *batch_[waiting_];
        const auto found = (*stream)->next(record);
        if (!found) return refused(read_failed());
        if (!*found) break;
        if (record.header().sequence != expected) return refused(read_failed());
        expected = expected.next();
        if (auto failure = take_event(record)) return failure;
      }
      // Numbers have no gaps, so an event that is not found cannot be read.
      if (expected != query.to_sequence->next()) return refused(read_failed());
      next = expected;
    }
    return fold_batch();
  }

  /// Folds it, or lets it wait until there are some to be upcast together.
  std::optional<ReplayFailure> take_event(const Record& record) {
    const RecordHeader& header = record.header();
    if (++looked_ % kEventsALook == 0) {
      if (abandoned_ && abandoned_()) return failed({.kind = FoldFailure::Kind::Abandoned});
      if (std::chrono::steady_clock::now() > deadline_) {
        return failed({.kind = FoldFailure::Kind::Limit, .limit = "replay-time"});
      }
    }
    if (end_.occurred && header.occurred_at.value_or(header.time) > *end_.occurred) return std::nullopt;
    if (chains_ == nullptr) return fold_one(record, nullptr);
    waiting_bytes_ += record.body().data.value_or("").size();
    if (++waiting_ < kBatchEvents && waiting_bytes_ < kFoldBatchBytes) return std::nullopt;
    return fold_batch();
  }

  std::optional<ReplayFailure> fold_batch() {
    const std::size_t count = std::exchange(waiting_, 0);
    waiting_bytes_ = 0;
    std::vector<const Record*> records(count);
    for (std::size_t i = 0; i < count; ++i) records[i] = batch_[i].get();
    std::vector<Upcast> upcasts(count);
    UpcastTerms terms{abandoned_, deadline_};
    if (std::any_of(records.begin(), records.end(),
                    [&](const Record* each) { return chains_->needs_worker(*each, {}); })) {
      if (const auto failure = fold_->settle()) return failed(*failure);
      terms.scripts = upcast_scripts();
    }
    if (count != 0) chains_->upcast(records, {}, terms, upcasts);
    // One that cannot be upcast may have ended the process in which the others were waiting: it is named.
    for (const bool passes : {false, true}) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto& failure = upcasts[i].failure;
        if (failure && failure->passes == passes) return upcast_failed(*records[i], *failure);
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (auto failure = fold_one(*records[i], &upcasts[i])) return failure;
      if (records[i]->body().data.value_or("").size() > kKeptRecordBytes) batch_[i] = std::make_unique<Record>();
    }
    return std::nullopt;
  }

  /// In the process of the handler, or in one for the whole replay; null if none can be had.
  UpcastScripts* upcast_scripts() {
    if (UpcastScripts* const own = fold_->upcasts()) return own;
    if (scripts_ == nullptr && parts_.scripts != nullptr) {
      UpcastScriptLimits limits;
      limits.call_time = parts_.limits.call_time;
      limits.deadline = deadline_;
      limits.abandoned = abandoned_;
      auto begun = parts_.scripts->begin_upcasts(limits);
      if (auto* const scripts = std::get_if<std::unique_ptr<UpcastScripts>>(&begun)) scripts_ = std::move(*scripts);
    }
    return scripts_.get();
  }

  std::optional<ReplayFailure> fold_one(const Record& record, const Upcast* upcast) {
    const RecordHeader& header = record.header();
    if (const auto failure = fold_->apply(record, upcast)) return failed(*failure);
    FoldedState& state = result_.state;
    state.sequence = header.sequence;
    state.position = header.position;
    state.time = header.time;
    state.types.add(header.event_type);
    if (options_.break_at != header.sequence) return std::nullopt;
    if (auto failure = take_state()) return failure;
    begun_at_ = state.sequence;
    return begin_fold(std::exchange(state.json, {}));
  }

  std::optional<ReplayFailure> take_state() {
    auto folded = fold_->state();
    if (const auto* const failure = std::get_if<FoldFailure>(&folded)) return failed(*failure);
    FoldState& state = std::get<FoldState>(folded);
    result_.state.json = std::move(state.json);
    result_.applied += state.applied;
    result_.ignored += state.ignored;
    result_.redacted += state.redacted;
    fold_.reset();
    return std::nullopt;
  }

  void keep() const {
    if (parts_.cache == nullptr || end_.occurred || options_.break_at || !handler_.may_fold_on() ||
        result_.state.sequence == SequenceNumber{}) {
      return;
    }
    auto state = std::make_shared<CachedState>(CachedState{result_.state, result_.fingerprint});
    (void)replayer_.keep_unless_redacted(aggregate_.aggregate_id, result_.redactions, [&] {
      parts_.cache->put(aggregate_.aggregate_id, handler_.identity, std::move(state));
    });
  }

  ReplayFailure upcast_failed(const Record& record, const UpcastFailure& failure) const {
    if (abandoned_ && abandoned_()) return failed({.kind = FoldFailure::Kind::Abandoned});
    if (failure.passes && std::chrono::steady_clock::now() > deadline_) {
      return failed({.kind = FoldFailure::Kind::Limit, .limit = "replay-time"});
    }
    const RecordHeader& header = record.header();
    const FailedEvent event{header.position, header.sequence, shown_type(header)};
    return {upcast_problem(failure, event), failure.passes ? std::optional(FoldFailure::Kind::Busy) : std::nullopt};
  }

  ReplayFailure failed(const FoldFailure& failure) const {
    return {fold_problem(failure, failure.event ? event_given(*failure.event) : std::nullopt), failure.kind};
  }

  /// Which event it was that was given to the fold as number `index`.
  std::optional<FailedEvent> event_given(std::uint64_t index) const {
    EventQuery query = events_of(aggregate_);
    query.from_sequence = begun_at_.next();
    if (!end_.occurred) {
      query.from_sequence = query.from_sequence->plus(index);
      query.to_sequence = query.from_sequence;
      index = 0;
    }
    const auto view = parts_.views();
    const auto stream = view->query(query);
    Record record;
    while (stream) {
      const auto found = (*stream)->next(record);
      if (!found || !*found) break;
      const RecordHeader& header = record.header();
      if (end_.occurred && header.occurred_at.value_or(header.time) > *end_.occurred) continue;
      if (index-- == 0) return FailedEvent{header.position, header.sequence, shown_type(header)};
    }
    return std::nullopt;
  }

  std::string shown_type(const RecordHeader& header) const {
    const std::string* const alias = aliases_ == nullptr ? nullptr : aliases_->shown_name(header.event_type);
    return alias == nullptr ? std::string(header.event_type) : *alias;
  }

  const Replayer& replayer_;
  const Parts& parts_;
  const AggregateSummary& aggregate_;
  const EventHandler& handler_;
  const ReplayEnd& end_;
  const ReplayOptions& options_;
  const std::function<bool()>& abandoned_;
  // Of before any kept state was looked for.
  const Chains chains_;
  const std::shared_ptr<const AliasTable> aliases_;
  const std::chrono::steady_clock::time_point deadline_;
  std::string source_;
  std::unique_ptr<Fold> fold_;
  std::unique_ptr<UpcastScripts> scripts_;      ///< of a fold that is no script
  SequenceNumber begun_at_;                     ///< of the fold
  std::uint64_t looked_ = 0;                    ///< at events
  std::vector<std::unique_ptr<Record>> batch_;  ///< kept for their memory; the first `waiting_` are to be folded
  std::size_t waiting_ = 0;
  std::size_t waiting_bytes_ = 0;
  Replayed result_;
};

std::variant<Replayed, ReplayFailure> Replayer::replay(const AggregateSummary& aggregate, const EventHandler& handler,
                                                       const ReplayEnd& end, const ReplayOptions& options,
                                                       const std::function<bool()>& abandoned) const {
  return Run(*this, aggregate, handler, end, options, abandoned).go();
}

std::optional<ReplayFailure> Replayer::try_script(const EventHandler& handler,
                                                  const std::function<bool()>& abandoned) const {
  static const AggregateSummary nothing;
  static const ReplayEnd end;
  static const ReplayOptions options;
  return Run(*this, nothing, handler, end, options, abandoned).try_script();
}

}  // namespace stele::api

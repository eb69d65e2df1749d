#include "api/audit/retention_room.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "api/audit/action_draft.h"
#include "api/audit/redaction_scan.h"

namespace stele::api {

namespace {

/// After a look that has failed.
constexpr std::chrono::milliseconds kLookAgain{600'000};

}  // namespace

RetentionRoom::RetentionRoom(Store& store, RedactionRoom& redactions, const RetentionPolicy& policy,
                             const RedactionGate& gate, const RetentionSettings& settings, const Clock& clock)
    : store_(store),
      redactions_(redactions),
      policy_(policy),
      gate_(gate),
      settings_(settings),
      clock_(clock),
      thread_([this] { run(); }) {}

RetentionRoom::~RetentionRoom() {
  begin_shutdown();
  thread_.join();
}

void RetentionRoom::begin_shutdown() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

bool RetentionRoom::is_stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void RetentionRoom::run() {
  auto pause = settings_.first_pass;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, pause, [this] { return stopping_; })) return;
    }
    bool good = false;
    try {
      good = look();
    } catch (const std::exception&) {  // out of memory
    }
    pause = good ? settings_.interval : std::min(settings_.interval, kLookAgain);
  }
}

bool RetentionRoom::look() {
  const std::lock_guard looking(looking_);
  bool good = true;
  for (const ActionClass each : kActionClasses) good = look_at(each) && good;
  const std::lock_guard lock(mutex_);
  ++looks_;
  if (!good) ++failed_looks_;
  last_look_ = clock_.now();
  return good;
}

/// The newest action of a class that was recorded at `last` or before.
Result<std::optional<Position>> RetentionRoom::newest_over(const std::string& aggregate_id, Timestamp last) const {
  EventQuery query;
  query.aggregate_id = aggregate_id;
  query.include_system = true;
  query.to = Timestamp{last.micros + 1};
  query.direction = Direction::Descending;
  const auto view = store_.view();
  STELE_ASSIGN(const std::unique_ptr<EventStream> actions, view->query(query));
  Record record;
  STELE_ASSIGN(const bool found, actions->next(record));
  return found ? std::optional(record.header().position) : std::nullopt;
}

bool RetentionRoom::look_at(ActionClass retention) {
  const std::uint64_t rules = gate_.rules();
  const std::chrono::microseconds time = policy_.effective().of(retention);
  if (time == RetentionTimes::kForever) return true;
  RedactionOrder order;
  order.aggregate_id = std::string(kActionPrefix) += name_of(retention);
  if (is_stopping() || redactions_.is_under_way(order.aggregate_id)) return true;
  const auto newest = newest_over(order.aggregate_id, Timestamp{clock_.now().micros - time.count()});
  if (!newest) return false;
  if (!*newest) return true;
  const RedactionRoom::Swept swept = redactions_.swept(order.aggregate_id);
  auto& rules_of_last = rules_[static_cast<std::size_t>(retention) - 1];
  // What was left may go once the rules are others, or its time has come.
  const bool looks_at_kept = swept.first_kept && (swept.retained || rules_of_last != rules);
  order.after = swept.through;
  if (looks_at_kept) order.after = Position{swept.first_kept->value() - 1};
  order.through = std::max(**newest, swept.through.value_or(Position{}));
  order.members = BodyMemberSet::all();
  order.reason = "retention: bodies of the class " + std::string(name_of(retention)) + " are kept for " +
                 format_retention_time(time);
  if (order.after && *order.after >= order.through) return true;
  RedactionScan scan(store_, order, redactions_.kept(order));
  RedactionScan::Found found;
  std::vector<Position> seen;
  const auto targets = scan.next(found, seen, [this] { return is_stopping(); });
  if (!targets) return false;
  rules_of_last = rules;
  if (targets->empty()) return true;
  if (std::holds_alternative<Problem>(redactions_.request(std::move(order), Caller(), {}))) {
    rules_of_last.reset();
    return false;
  }
  const std::lock_guard lock(mutex_);
  ++asked_for_;
  return true;
}

SubjectReport RetentionRoom::report() const {
  SubjectReport report;
  using Metric = SubjectMetric;
  const std::uint64_t removed = redactions_.actions_removed();
  const std::lock_guard lock(mutex_);
  report.metrics = {
      {Metric::Kind::Counter,
       "stele_retention_looks_total",
       "Looks whether bodies of actions are older than their class is kept.",
       {},
       {{"", looks_}}},
      {Metric::Kind::Counter,
       "stele_retention_failed_looks_total",
       "Those of them that could not be finished; they are made again after ten minutes.",
       {},
       {{"", failed_looks_}}},
      {Metric::Kind::Counter,
       "stele_retention_redactions_total",
       "Redactions that were asked for because the time of actions was over.",
       {},
       {{"", asked_for_}}},
      {Metric::Kind::Counter,
       "stele_retention_removed_total",
       "Bodies of actions that were removed because their time was over.",
       {},
       {{"", removed}}},
  };
  if (last_look_) {
    report.metrics.push_back({Metric::Kind::Gauge,
                              "stele_retention_last_look_timestamp_seconds",
                              "When it was looked last.",
                              {},
                              {{"", static_cast<std::uint64_t>(last_look_->micros / 1'000'000)}}});
  }
  return report;
}

}  // namespace stele::api

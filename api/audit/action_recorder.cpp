#include "api/audit/action_recorder.h"

#include <algorithm>
#include <new>
#include <utility>

#include "api/audit/action_draft.h"
#include "api/http/problem.h"
#include "api/json/json_writer.h"
#include "api/json/timestamp.h"

namespace stele::api {

namespace {

using Steady = std::chrono::steady_clock;

/// Of one commit.
constexpr std::size_t kCommitRecordsMax = 128;
/// Between two groups of answers that wait for their records, once there are no more records of their own: calls are
/// joined meanwhile.
constexpr std::chrono::milliseconds kCrowdedPause{10};
/// What a record takes besides its texts, about.
constexpr std::size_t kDraftBytes = 512;

std::size_t bytes_of(const RecordDraft& draft) {
  return kDraftBytes + (draft.data ? draft.data->size() : 0) + (draft.resource ? draft.resource->size() : 0);
}

bool is_kept_header(std::string_view name) {
  return name.starts_with("X-") || name.starts_with("Access-Control-") || name == "Vary";
}

/// Instead of an answer that must not be given.
Response unrecorded(Response given) {
  Response response = Problem("audit-unavailable", "What was done could not be recorded, so its answer is kept back.")
                          .header("Retry-After", "1")
                          .response({});
  for (auto& header : given.headers) {
    if (is_kept_header(header.first)) response.headers.push_back(std::move(header));
  }
  response.route = given.route;
  response.principal = std::move(given.principal);
  return response;
}

std::string details_of_start(const AuditSettings& settings) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  for (const auto& [name, value] : settings.server_settings) json.key(name).string(printable(value));
  json.end_object();
  return text;
}

void append_moment(JsonWriter& json, std::string_view key, Timestamp time) {
  char text[kTimestampBytes];
  write_timestamp(time, text);
  json.key(key).plain({text, sizeof text});
}

}  // namespace

ActionRecorder::ActionRecorder(Store& store, AuditSettings settings, const Clock* clock)
    : store_(store),
      settings_(std::move(settings)),
      clock_(clock == nullptr ? system_clock() : *clock),
      joined_(settings_.separate_records_max) {
  {
    const MutexLock lock(mutex_);
    enqueue(action_draft(*audited_as("server.start"), {}, details_of_start(settings_), clock_), 1);
    while (!waiting_.empty() && write_some()) {
    }
  }
  thread_ = std::thread([this] { run(); });
}

ActionRecorder::~ActionRecorder() {
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool ActionRecorder::may_serve(const AuditedAction& action) const {
  return !settings_.refuses_unwritten || can_write_.load(std::memory_order_relaxed) ||
         !records(action, ActionOutcome::Done);
}

bool ActionRecorder::records(const AuditedAction& action, ActionOutcome outcome) const {
  if (outcome != ActionOutcome::Done) return true;
  if (action.done_as != DoneAs::Action || action.retention == ActionClass::Refusal) return false;
  if (action.retention != ActionClass::Read || settings_.reads == AuditedReads::All) return true;
  return settings_.reads == AuditedReads::Sensitive && action.is_sensitive;
}

void ActionRecorder::note(const AnsweredCall& call) {
  try {
    joined_.add(call, clock_.now());
  } catch (const std::bad_alloc&) {
    unrecorded_.fetch_add(1, std::memory_order_relaxed);
  }
  open_window();
}

void ActionRecorder::answer(const AnsweredCall& call, Response response, Reply reply) {
  note(call);
  if (!settings_.durable_reads || call.outcome != ActionOutcome::Done || !hold(response, reply)) {
    reply(std::move(response));
  }
}

bool ActionRecorder::hold(Response& response, Reply& reply) {
  {
    const MutexLock lock(mutex_);
    if (stop_) return false;  // nobody would write it any more
    try {
      held_.emplace_back();
    } catch (const std::bad_alloc&) {
      return false;
    }
    held_.back() = {std::move(response), std::move(reply)};
  }
  changed_.notify_all();
  return true;
}

void ActionRecorder::record(const AuditedAction& action, std::string_view resource, std::string details,
                            ActionOutcome outcome) {
  RecordDraft draft = action_draft(action, resource, std::move(details), clock_, outcome);
  {
    const MutexLock lock(mutex_);
    enqueue(std::move(draft), 1);
  }
  open_window();
}

std::uint64_t ActionRecorder::lost() const {
  const MutexLock lock(mutex_);
  return lost_ + unrecorded_.load(std::memory_order_relaxed);
}

void ActionRecorder::open_window() noexcept {
  if (has_window_.load(std::memory_order_relaxed) || has_window_.exchange(true, std::memory_order_relaxed)) return;
  {
    const MutexLock lock(mutex_);
    is_open_ = true;
  }
  changed_.notify_all();
}

void ActionRecorder::run() {
  MutexLock lock(mutex_);
  auto refilled = Steady::now();
  while (true) {
    while (!is_asked()) changed_.wait(lock);
    const auto end = Steady::now() + settings_.window;
    while (!stop_ && held_.empty() && changed_.wait_until(lock, end)) {
    }
    if (!held_.empty() && !joined_.has_room()) {
      const auto pause_end = Steady::now() + kCrowdedPause;
      while (!stop_ && changed_.wait_until(lock, pause_end)) {
      }
    }
    const bool is_last = stop_;
    flush();
    if (Steady::now() - refilled >= settings_.window) {
      joined_.refill();
      refilled = Steady::now();
    }
    if (is_last) break;
  }
  enqueue(action_draft(*audited_as("server.stop"), {}, "{}", clock_), 1);
  while (!waiting_.empty() && write_some()) {
  }
}

void ActionRecorder::flush() {
  is_open_ = false;
  has_window_.store(false, std::memory_order_relaxed);
  std::vector<Held> held;
  held.swap(held_);
  if (const std::uint64_t calls = unrecorded_.exchange(0, std::memory_order_relaxed); calls > 0) lose(calls);
  enqueue_joined();
  bool is_written = true;
  while (is_written && (!waiting_.empty() || untold_)) is_written = write_some();
  if (held.empty()) return;
  const MutexUnlock unlocked(mutex_);
  for (Held& answer : held) {
    if (!is_written && settings_.refuses_unwritten) answer.response = unrecorded(std::move(answer.response));
    answer.reply(std::move(answer.response));
  }
}

void ActionRecorder::enqueue(RecordDraft draft, std::uint64_t calls) {
  const std::size_t bytes = bytes_of(draft);
  if (waiting_bytes_ + bytes > settings_.queue_bytes_max) return lose(calls);
  waiting_.push_back({std::move(draft), bytes, calls});
  waiting_bytes_ += bytes;
}

void ActionRecorder::enqueue_joined() {
  for (const JoinedCall& call : joined_.take()) {
    try {
      enqueue(action_draft(call, clock_), call.count);
    } catch (const std::bad_alloc&) {
      lose(call.count);
    }
  }
}

void ActionRecorder::lose(std::uint64_t calls) {
  const Timestamp now = clock_.now();
  if (!untold_) untold_ = Loss{0, now, now};
  untold_->calls += calls;
  untold_->last = now;
  lost_ += calls;
}

bool ActionRecorder::write_some() {
  std::size_t count = std::min(waiting_.size(), kCommitRecordsMax);
  while (true) {
    Proposal proposal;
    const std::optional<Loss> told = untold_;
    if (told) {
      std::string details;
      JsonWriter json(details);
      json.begin_object().key("count").number(told->calls);
      append_moment(json, "firstTimestamp", told->first);
      append_moment(json, "lastTimestamp", told->last);
      json.end_object();
      proposal.attached.push_back(action_draft(*audited_as("audit.lost"), {}, std::move(details), clock_));
    }
    for (std::size_t i = 0; i < count; ++i) proposal.attached.push_back(waiting_[i].draft);
    const std::size_t records = proposal.attached.size();
    AppendOutcome outcome;
    {
      const MutexUnlock unlocked(mutex_);
      outcome = store_.append_and_wait(std::move(proposal));
    }
    using Kind = AppendOutcome::Kind;
    if (outcome.kind == Kind::TooLarge && count > 1) {
      count /= 2;
      continue;
    }
    // Of what may be there it cannot be told whether it is, and written again it would be there twice.
    const bool is_gone = outcome.kind == Kind::OutcomeUnknown || outcome.kind == Kind::TooLarge;
    can_write_.store(outcome.kind == Kind::Stored, std::memory_order_relaxed);
    if (outcome.kind != Kind::Stored && !is_gone) return false;
    std::uint64_t calls = 0;
    for (std::size_t i = 0; i < count; ++i) {
      calls += waiting_.front().calls;
      waiting_bytes_ -= waiting_.front().bytes;
      waiting_.pop_front();
    }
    if (is_gone) {
      lose(calls);
      return outcome.kind == Kind::TooLarge;
    }
    written_ += records;
    if (told) {
      untold_->calls -= told->calls;
      if (untold_->calls == 0) untold_.reset();
    }
    return true;
  }
}

SubjectReport ActionRecorder::report() const {
  const MutexLock lock(mutex_);
  const std::uint64_t lost = lost_ + unrecorded_.load(std::memory_order_relaxed);
  SubjectReport report;
  using Metric = SubjectMetric;
  report.metrics = {
      {Metric::Kind::Counter, "stele_audit_records_total", "Actions written to the log.", {}, {{"", written_}}},
      {Metric::Kind::Counter,
       "stele_audit_lost_total",
       "Calls and other actions that could not be recorded.",
       {},
       {{"", lost}}},
      {Metric::Kind::Gauge, "stele_audit_waiting_bytes", "Actions that wait for the log.", {}, {{"", waiting_bytes_}}},
  };
  if (!can_write_.load(std::memory_order_relaxed)) {
    report.warnings.push_back("actions cannot be recorded: " + std::to_string(waiting_.size()) +
                              " records wait for the log");
  }
  if (lost > 0) {
    report.warnings.push_back(std::to_string(lost) + " calls since the start are missing in the audit trail");
  }
  return report;
}

}  // namespace stele::api

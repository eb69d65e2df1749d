#include "api/audit/redaction_room.h"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

#include "api/endpoint/own_event_reader.h"
#include "api/endpoint/own_events.h"
#include "api/json/timestamp.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr std::size_t kUnfinishedMax = 1'000;
constexpr std::chrono::milliseconds kPauseMax{30'000};
/// Until it is looked again what is kept, unless the rules change before.
constexpr std::chrono::hours kRest{1};
/// A reader holds a file for as long as one page or one piece takes him.
constexpr std::chrono::milliseconds kReadersWait{1'000};

/// What of one redaction the log has, as far as it was read.
void read_event(const Record& record, std::optional<RedactionStatus>& to) {
  const RecordHeader& header = record.header();
  if (header.event_type == kRedactionRequested) {
    auto order = parse_redaction_order(record);
    if (!order) return;
    to.emplace();
    to->order = *std::move(order);
    to->position = header.position;
    to->requested = header.time;
    to->requested_by = std::string(header.principal.value_or(""));
  } else if (header.event_type == kRedactionCompleted && to) {
    to->state = RedactionState::Completed;
    to->completed = header.time;
    to->outcome = parse_redaction_outcome(record).value_or(RedactionOutcome{});
  }
}

std::string in_words(const Error& error) {
  switch (error.kind) {
    case ErrorKind::DiskFull:
      return "there is no room on the disk for a segment that is written anew";
    case ErrorKind::Poisoned:
      return "the log accepts no writes until the server is started again; /readyz says why";
    case ErrorKind::Corrupt:
      return "a segment of the log is damaged and stays as it is; /readyz says which";
    default:
      return "the log: " + without_paths(printable(error.describe()));
  }
}

/// What of an order is kept, and by what.
std::vector<std::string> in_words(const RedactionScan::Found& found) {
  std::vector<std::string> words;
  if (found.held > 0) {
    std::string holds = "a legal hold: ";
    for (const std::string& name : found.holds) {
      if (name != *found.holds.begin()) holds += ", ";
      holds += name;
    }
    words.push_back(std::move(holds));
  }
  if (found.retained > 0) {
    words.push_back("the time that actions are kept, until " + format_timestamp(*found.retained_until));
  }
  return words;
}

}  // namespace

std::string_view name_of(RedactionState state) {
  switch (state) {
    case RedactionState::Pending:
      return "pending";
    case RedactionState::Rewriting:
      return "rewriting";
    case RedactionState::Waiting:
      return "waiting";
    case RedactionState::Completed:
      break;
  }
  return "completed";
}

RedactionRoom::RedactionRoom(Store& store, RedactionNotes& notes, RedactionGate& gate, const Clock& clock,
                             RedactionReach reach)
    : store_(store), notes_(notes), gate_(gate), clock_(clock), reach_(std::move(reach)) {
  try {
    load();
  } catch (...) {
    end();  // it may have begun with one that is unfinished
    throw;
  }
}

RedactionRoom::~RedactionRoom() { end(); }

void RedactionRoom::end() {
  begin_shutdown();
  if (thread_.joinable()) thread_.join();
}

void RedactionRoom::load() {
  const std::lock_guard lock(mutex_);
  std::optional<RedactionStatus> found;
  const auto take = [&] {
    if (!found) return;
    const RedactionOrder& order = found->order;
    const RedactionNotes::Note note{found->position, found->requested};
    if (order.record) {
      notes_.requested_of_record(*order.record, order.aggregate_id, note);
    } else {
      notes_.requested_of_aggregate(order.aggregate_id, order.through, note);
    }
    if (found->state == RedactionState::Completed) {
      notes_.completed(order.aggregate_id);
      note_swept(order, found->outcome);
    } else {
      begin(*std::exchange(found, std::nullopt));
    }
    found.reset();
  };
  const Status read = each_own_event(*store_.view(), std::string(kRedactionPrefix), [&](const Record& record) {
    if (record.header().event_type == kRedactionRequested) take();  // of the one before
    read_event(record, found);
  });
  if (!read) throw std::runtime_error("cannot read the store's own events: " + read.error().describe());
  take();
}

void RedactionRoom::begin(RedactionStatus status) {
  auto work = std::make_shared<Work>();
  work->forget_states = reach_.forget_states(status.order, status.requested);
  work->status = std::move(status);
  unfinished_.emplace(work->status.order.id, work);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_all();
}

std::variant<RedactionStatus, Problem> RedactionRoom::request(RedactionOrder order, const Caller& caller,
                                                              const std::string& correlation) {
  if (unfinished() >= kUnfinishedMax) {
    return Problem("busy", "There are " + std::to_string(kUnfinishedMax) + " redactions that are not complete.")
        .header("Retry-After", "60");
  }
  RedactionStatus status;
  order.id = to_string(make_uuid_v7(clock_));
  status.requested_by = std::string(caller.name());
  auto stored = append_own_event(
      store_, own_event(own_aggregate_id(kRedactionPrefix, order.id), std::string(kRedactionType),
                        std::string(kRedactionRequested), to_json(order), caller, correlation, clock_));
  if (auto* const problem = std::get_if<Problem>(&stored)) return std::move(*problem);
  const auto& place = std::get<OwnEventPlace>(stored);
  status.position = place.position;
  status.requested = place.time;
  const RedactionNotes::Note note{place.position, place.time};
  if (order.record) {
    notes_.requested_of_record(*order.record, order.aggregate_id, note);
  } else {
    notes_.requested_of_aggregate(order.aggregate_id, order.through, note);
  }
  status.order = std::move(order);
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) begin(status);
  }
  look_around(status);
  return status;
}

/// What is not of the redaction itself.
void RedactionRoom::look_around(RedactionStatus& status) const {
  if (status.state != RedactionState::Completed) status.outcome.subscription_ids = reach_.delivered_by(status.order);
  status.redis_until = reach_.redis_until(status.requested);
}

Result<std::optional<RedactionStatus>> RedactionRoom::status(const std::string& id) const {
  std::optional<RedactionStatus> found;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = unfinished_.find(id); at != unfinished_.end()) found = at->second->status;
  }
  if (!found) {
    EventQuery query;
    query.aggregate_id = own_aggregate_id(kRedactionPrefix, id);
    query.include_system = true;
    const auto view = store_.view();
    STELE_ASSIGN(const std::unique_ptr<EventStream> events, view->query(query));
    Record record;
    while (true) {
      STELE_ASSIGN(const bool more, events->next(record));
      if (!more) break;
      if (record.header().kind == RecordKind::Event) read_event(record, found);
    }
  }
  if (!found) return found;
  look_around(*found);
  return found;
}

std::size_t RedactionRoom::unfinished() const {
  const std::lock_guard lock(mutex_);
  return unfinished_.size();
}

RedactionRoom::Swept RedactionRoom::swept(const std::string& aggregate_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = swept_.find(aggregate_id);
  return found == swept_.end() ? Swept{} : found->second;
}

void RedactionRoom::note_swept(const RedactionOrder& order, const RedactionOutcome& outcome) {
  if (!order.is_of_retention()) return;
  Swept& swept = swept_[order.aggregate_id];
  const bool is_from_the_first = !swept.first_kept || !order.after || *order.after < *swept.first_kept;
  if (is_from_the_first) {
    swept.first_kept = outcome.first_kept;
    swept.retained = outcome.retained > 0;
  }
  swept.through = std::max(swept.through, std::optional(order.through));
}

bool RedactionRoom::is_under_way(std::string_view aggregate_id) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(unfinished_.begin(), unfinished_.end(), [&](const auto& each) {
    const RedactionOrder& order = each.second->status.order;
    return !order.record && order.aggregate_id == aggregate_id;
  });
}

std::uint64_t RedactionRoom::actions_removed() const {
  const std::lock_guard lock(mutex_);
  return actions_removed_;
}

void RedactionRoom::rules_changed() {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, work] : unfinished_) {
      if (work->rests) work->not_before = {};
    }
  }
  changed_.notify_all();
}

void RedactionRoom::begin_shutdown() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

bool RedactionRoom::is_stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void RedactionRoom::tell(Work& work, RedactionState state, std::vector<std::string> waiting_for) {
  const std::lock_guard lock(mutex_);
  work.status.state = state;
  work.status.waiting_for = std::move(waiting_for);
}

void RedactionRoom::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    // Ids are in the order of time.
    const auto next = std::min_element(unfinished_.begin(), unfinished_.end(), [](const auto& a, const auto& b) {
      return a.second->not_before < b.second->not_before;
    });
    if (next == unfinished_.end()) {
      changed_.wait(lock);
      continue;
    }
    const WorkPtr work = next->second;
    if (work->not_before > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, work->not_before);
      continue;
    }
    lock.unlock();
    bool complete = false;
    try {
      complete = go_on(*work);
    } catch (const std::exception&) {  // out of memory
      tell(*work, RedactionState::Waiting, {"there is no memory for it now"});
    }
    lock.lock();
    if (complete) {
      unfinished_.erase(work->status.order.id);
      continue;
    }
    if (work->rests && gate_.rules() == work->rules) {
      work->not_before = std::chrono::steady_clock::now() + kRest;
      continue;
    }
    work->not_before = std::chrono::steady_clock::now() + work->pause;
    work->pause = std::min(work->pause * 2, kPauseMax);
  }
}

/// Why it could not be done, in words; empty if it was. Begins again when the rules change on the way.
std::string RedactionRoom::rewrite(Work& work, RedactionScan::Found& found) {
  while (true) {
    found = {};
    work.rules = gate_.rules();
    std::string trouble = rewrite_by(work.rules, work, found);
    if (trouble.empty() || gate_.rules() == work.rules || is_stopping()) return trouble;
  }
}

std::string RedactionRoom::rewrite_by(std::uint64_t rules, Work& work, RedactionScan::Found& found) {
  RedactionScan scan(store_, work.status.order, reach_.kept(work.status.order));
  std::vector<Position> seen;
  bool are_states = false;
  const RedactionWatch watch{.go_on = [this](const RedactionProgress&) { return !is_stopping(); },
                             .done = [&](const RedactionCounts& counts) { count(work, counts, are_states); },
                             .readers_wait = std::chrono::milliseconds{0},
                             .gate = &gate_,
                             .rules = rules};
  while (true) {
    const std::uint64_t states_before = found.client_states;
    const auto targets = scan.next(found, seen, [this] { return is_stopping(); });
    if (!targets) return in_words(targets.error());
    if (targets->empty()) return {};
    are_states = found.client_states > states_before;  // all of these or none
    const auto counts = store_.redact(*targets, watch);
    reach_.forget_answers(seen);  // a call that has failed has done some of it, which are no targets any more
    if (!counts) return in_words(counts.error());
  }
}

void RedactionRoom::count(Work& work, const RedactionCounts& counts, bool are_states) {
  const std::lock_guard lock(mutex_);
  RedactionOutcome& outcome = work.status.outcome;
  (are_states ? outcome.client_states : outcome.events) += counts.records;
  outcome.members += counts.members;
  outcome.bytes += counts.bytes;
  outcome.segments += counts.segments;
  if (work.status.order.is_of_retention()) actions_removed_ += counts.records;
}

bool RedactionRoom::go_on(Work& work) {
  if (!work.kept_by.empty() && (work.rests || gate_.rules() != work.rules)) {
    work.rewritten = false;
    work.forget_states = reach_.forget_states(work.status.order, clock_.now());  // what was folded meanwhile too
  }
  if (!work.rewritten) {
    tell(work, RedactionState::Rewriting, {});
    RedactionScan::Found found;
    std::string trouble = rewrite(work, found);
    {
      const std::lock_guard lock(mutex_);
      if (!work.status.order.is_of_retention()) work.kept_by = in_words(found);
      work.rests = false;
      work.status.outcome.held = found.held;
      work.status.outcome.retained = found.retained;
      work.status.outcome.first_kept = found.first_kept;
    }
    if (!trouble.empty()) {
      tell(work, RedactionState::Waiting, {std::move(trouble)});
      return false;
    }
    work.rewritten = true;
    work.pause = std::chrono::milliseconds{250};
  }
  std::vector<std::string> left = work.forget_states();
  const auto readers = store_.redact(
      {}, {.go_on = [this](const RedactionProgress&) { return !is_stopping(); }, .readers_wait = kReadersWait});
  if (!readers) {
    left.push_back(in_words(readers.error()));
  } else if (!readers->readers_gone) {
    left.emplace_back("somebody still reads from a file of before");
  }
  if (left.empty() && !work.kept_by.empty()) {
    const std::lock_guard lock(mutex_);
    work.rests = true;
  }
  left.insert(left.end(), work.kept_by.begin(), work.kept_by.end());
  if (!left.empty() || is_stopping()) {
    tell(work, RedactionState::Waiting, std::move(left));
    return false;
  }
  RedactionOutcome outcome = work.status.outcome;
  outcome.subscription_ids = reach_.delivered_by(work.status.order);
  const auto stored = append_own_event(
      store_, own_event(own_aggregate_id(kRedactionPrefix, work.status.order.id), std::string(kRedactionType),
                        std::string(kRedactionCompleted), to_json(outcome), Caller(), std::string(), clock_));
  if (std::holds_alternative<Problem>(stored)) {
    tell(work, RedactionState::Waiting, {"that it is complete cannot be stored now"});
    return false;
  }
  notes_.completed(work.status.order.aggregate_id);
  const std::lock_guard lock(mutex_);
  note_swept(work.status.order, outcome);
  return true;
}

}  // namespace stele::api

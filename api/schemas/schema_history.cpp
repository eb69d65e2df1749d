#include "api/schemas/schema_history.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "api/http/problem.h"
#include "api/schemas/schema_validation.h"
#include "engine/base/read_budget.h"
#include "engine/base/uuid.h"

namespace stele::api {

namespace {

constexpr ReadLimits kPiece{1ULL << 16, std::chrono::milliseconds(100)};
constexpr std::uint64_t kPieceWork = 100'000;
constexpr std::size_t kDataBytesPerWork = 64;
constexpr std::size_t kHistoryBatchBytes = 4U << 20;
constexpr std::chrono::seconds kBatchTime{2};

}  // namespace

Result<SchemaHistory::Outcome> SchemaHistory::look(const ReadView& view, const std::function<bool()>& abandoned) {
  if (view.end() == Position{0}) return Outcome::Whole;
  EventQuery query;
  query.event_types = {event_type_};
  query.after = after_;
  ReadBudget budget(kPiece, abandoned);
  STELE_ASSIGN(const std::unique_ptr<EventStream> events, view.query(query, &budget));
  const std::uint64_t work_end = work_ + kPieceWork;
  waiting_ = waiting_bytes_ = 0;
  while (work_ < work_end) {
    if (waiting_ == batch_.size()) batch_.push_back(std::make_unique<Record>());
    Record& record = *batch_[waiting_];
    STELE_ASSIGN(const bool found, events->next(record));
    if (!found) {
      if (const Outcome checked = check_batch(work_end, abandoned); checked != Outcome::Whole) return checked;
      const Position last = events->rest_behind().value_or(Position{view.end().value() - 1});
      after_ = std::max(after_.value_or(last), last);
      return events->rest_behind() ? Outcome::More : Outcome::Whole;
    }
    waiting_bytes_ += record.body().data.value_or("").size();
    if (++waiting_ < batch_events_max_ && waiting_bytes_ < kHistoryBatchBytes) continue;
    if (const Outcome checked = check_batch(work_end, abandoned); checked != Outcome::Whole) return checked;
  }
  return Outcome::More;
}

SchemaHistory::Outcome SchemaHistory::check_batch(std::uint64_t work_end, const std::function<bool()>& abandoned) {
  const std::size_t count = std::exchange(waiting_, 0);
  waiting_bytes_ = 0;
  std::vector<Upcast> upcasts(count);
  if (chains_ != nullptr && schema_ != nullptr && count != 0) {
    std::vector<const Record*> records;
    for (std::size_t i = 0; i < count; ++i) records.push_back(batch_[i].get());
    chains_->upcast(records, {SchemaVersionChoice::Kind::Exact, upcast_to_},
                    {abandoned, std::chrono::steady_clock::now() + kBatchTime}, upcasts);
    const bool passes = std::any_of(upcasts.begin(), upcasts.end(),
                                    [](const Upcast& each) { return each.failure && each.failure->passes; });
    batch_events_max_ = passes ? std::max<std::size_t>(batch_events_max_ / 8, 1)
                               : std::min<std::size_t>(batch_events_max_ * 2, kBatchEvents);
    if (passes) return Outcome::Busy;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (work_ >= work_end) return Outcome::More;
    check(*batch_[i], upcasts[i]);
  }
  return Outcome::Whole;
}

void SchemaHistory::check(const Record& record, Upcast& upcast) {
  const RecordHeader& header = record.header();
  after_ = header.position;
  ++seen_;
  version_max_ = std::max(version_max_, header.schema_version);
  if (version_ && header.schema_version != *version_) return;
  if (chains_ != nullptr && header.schema_version > upcast_to_) return;
  if (checked_++ == 0) first_ = header.position;
  if (schema_ == nullptr || !record.body().data) return;
  std::optional<HistoryFailure> failure;
  if (upcast.failure) {
    failure.emplace(HistoryFailure{header.position, header.event_id, std::move(upcast.failure->pointer),
                                   std::move(upcast.failure->detail)});
  } else {
    failure = failure_of(header, upcast.data ? std::string_view(*upcast.data) : *record.body().data);
  }
  if (!failure) return;
  ++failed_;
  if (failures_.size() < kFailuresMax) failures_.push_back(std::move(*failure));
}

std::optional<HistoryFailure> SchemaHistory::failure_of(const RecordHeader& header, std::string_view data) {
  work_ += 1 + data.size() / kDataBytesPerWork;
  HistoryFailure failure{header.position, header.event_id, {}, {}};
  simdjson::dom::element element;
  if (parser_.parse(std::string(data)).get(element) != simdjson::SUCCESS) {
    failure.detail = "It cannot be read as JSON.";
    return failure;
  }
  ValidationLimits limits;
  limits.violations = 1;
  SchemaVerdict verdict = validate(*schema_, element, limits);
  work_ += verdict.work;
  if (verdict.outcome == SchemaVerdict::Outcome::Valid) return std::nullopt;
  if (verdict.outcome == SchemaVerdict::Outcome::LimitReached) {
    failure.detail = "It takes too much work to validate.";
  } else if (!verdict.violations.empty()) {
    failure.pointer = std::move(verdict.violations.front().pointer);
    failure.detail = std::move(verdict.violations.front().detail);
  }
  return failure;
}

void append_failures(JsonWriter& json, const SchemaHistory& history) {
  json.begin_array();
  for (const HistoryFailure& failure : history.failures()) {
    json.begin_object().key("position").number(failure.position.value());
    json.key("eventId").plain(to_string(failure.event_id)).key("pointer").string(printable(failure.pointer));
    json.key("detail").string(printable(failure.detail)).end_object();
  }
  json.end_array();
}

void append_result(JsonWriter& json, const SchemaHistory& history) {
  json.key("checked").number(history.checked()).key("failed").number(history.failed()).key("failures");
  append_failures(json, history);
}

}  // namespace stele::api

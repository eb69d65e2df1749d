#include "api/schemas/schema_history.h"

#include <algorithm>
#include <utility>

#include "api/schemas/schema_validation.h"

namespace stele::api {

namespace {
/// What is upcast at once.
constexpr std::size_t kBatchEvents = 128;
constexpr std::size_t kBatchBytes = 4U << 20;
}  // namespace

Result<SchemaHistory::Outcome> SchemaHistory::look(const ReadView& view, const CompiledSchema* schema,
                                                   const std::function<bool()>& abandoned) {
  if (view.end() == Position{0}) return Outcome::Whole;
  EventQuery query;
  query.event_types = {event_type_};
  query.after = after_;
  STELE_ASSIGN(const std::unique_ptr<EventStream> events, view.query(query));
  waiting_ = waiting_bytes_ = 0;
  while (true) {
    if (waiting_ == batch_.size()) batch_.push_back(std::make_unique<Record>());
    Record& record = *batch_[waiting_];
    STELE_ASSIGN(const bool found, events->next(record));
    if (!found) break;
    if (++seen_ > kEventsMax) return Outcome::TooMany;
    if (abandoned && abandoned()) return Outcome::Abandoned;
    const RecordHeader& header = record.header();
    version_max_ = std::max(version_max_, header.schema_version);
    if (version_ && header.schema_version != *version_) continue;
    if (chains_ != nullptr && header.schema_version > upcast_to_) continue;
    if (checked_++ == 0) first_ = header.position;
    if (schema == nullptr || !record.body().data || record.body().data->empty()) continue;
    waiting_bytes_ += record.body().data->size();
    if (++waiting_ < kBatchEvents && waiting_bytes_ < kBatchBytes) continue;
    if (const Outcome checked = check_batch(*schema, abandoned); checked != Outcome::Whole) return checked;
  }
  if (schema != nullptr) {
    if (const Outcome checked = check_batch(*schema, abandoned); checked != Outcome::Whole) return checked;
  }
  const Position last{view.end().value() - 1};
  after_ = std::max(after_.value_or(last), last);
  return Outcome::Whole;
}

SchemaHistory::Outcome SchemaHistory::check_batch(const CompiledSchema& schema,
                                                  const std::function<bool()>& abandoned) {
  const std::size_t count = std::exchange(waiting_, 0);
  waiting_bytes_ = 0;
  std::vector<Upcast> upcasts(count);
  if (chains_ != nullptr && count != 0) {
    const auto now = std::chrono::steady_clock::now();
    if (!upcasts_end_) upcasts_end_ = now + kUpcastTimeMax;
    if (now > *upcasts_end_) return Outcome::TooHard;
    std::vector<const Record*> records;
    for (std::size_t i = 0; i < count; ++i) records.push_back(batch_[i].get());
    chains_->upcast(records, {SchemaVersionChoice::Kind::Exact, upcast_to_}, {abandoned, upcasts_end_}, upcasts);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const RecordHeader& header = batch_[i]->header();
    Upcast& upcast = upcasts[i];
    if (upcast.failure && upcast.failure->passes) {
      if (abandoned && abandoned()) return Outcome::Abandoned;
      return std::chrono::steady_clock::now() > *upcasts_end_ ? Outcome::TooHard : Outcome::Busy;
    }
    if (upcast.failure) {
      fail({header.position, header.event_id, std::move(upcast.failure->pointer), std::move(upcast.failure->detail)});
      continue;
    }
    if (!check(header, upcast.data ? std::string_view(*upcast.data) : *batch_[i]->body().data, schema)) {
      return Outcome::TooHard;
    }
  }
  return Outcome::Whole;
}

void SchemaHistory::fail(HistoryFailure failure) {
  ++failed_;
  if (failures_.size() < kFailuresMax) failures_.push_back(std::move(failure));
}

bool SchemaHistory::check(const RecordHeader& header, std::string_view text, const CompiledSchema& schema) {
  constexpr std::size_t kParsedBytesPerWork = 64;
  if (!work_.spend(1 + text.size() / kParsedBytesPerWork)) return false;
  HistoryFailure failure{header.position, header.event_id, {}, {}};
  simdjson::dom::element data;
  if (parser_.parse(std::string(text)).get(data) != simdjson::SUCCESS) {
    failure.detail = "It cannot be read as JSON.";
  } else {
    ValidationLimits limits;
    limits.violations = 1;
    const bool is_last = work_.left() < limits.work;
    limits.work = std::min(limits.work, work_.left());
    SchemaVerdict verdict = validate(schema, data, limits);
    (void)work_.spend(verdict.work);
    if (verdict.outcome == SchemaVerdict::Outcome::Valid) return true;
    if (verdict.outcome == SchemaVerdict::Outcome::LimitReached && is_last) return false;
    if (verdict.outcome == SchemaVerdict::Outcome::LimitReached) {
      failure.detail = "It takes too much work to validate.";
    } else if (!verdict.violations.empty()) {
      failure.pointer = std::move(verdict.violations.front().pointer);
      failure.detail = std::move(verdict.violations.front().detail);
    }
  }
  fail(std::move(failure));
  return true;
}

}  // namespace stele::api

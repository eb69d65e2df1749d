#include "api/schemas/schema_history.h"

#include <algorithm>
#include <utility>

#include "api/schemas/schema_validation.h"

namespace stele::api {

Result<SchemaHistory::Outcome> SchemaHistory::look(const ReadView& view, const CompiledSchema* schema,
                                                   const std::function<bool()>& abandoned) {
  if (view.end() == Position{0}) return Outcome::Whole;
  EventQuery query;
  query.event_types = {event_type_};
  query.after = after_;
  STELE_ASSIGN(const std::unique_ptr<EventStream> events, view.query(query));
  Record record;
  while (true) {
    STELE_ASSIGN(const bool found, events->next(record));
    if (!found) break;
    if (++seen_ > kEventsMax) return Outcome::TooMany;
    if (abandoned && abandoned()) return Outcome::Abandoned;
    const RecordHeader& header = record.header();
    version_max_ = std::max(version_max_, header.schema_version);
    if (version_ && header.schema_version != *version_) continue;
    if (checked_++ == 0) first_ = header.position;
    if (schema != nullptr && record.body().data && !check(record, *schema)) return Outcome::TooHard;
  }
  const Position last{view.end().value() - 1};
  after_ = std::max(after_.value_or(last), last);
  return Outcome::Whole;
}

bool SchemaHistory::check(const Record& record, const CompiledSchema& schema) {
  constexpr std::size_t kParsedBytesPerWork = 64;
  if (!work_.spend(1 + record.body().data->size() / kParsedBytesPerWork)) return false;
  HistoryFailure failure{record.header().position, record.header().event_id, {}, {}};
  simdjson::dom::element data;
  if (parser_.parse(std::string(*record.body().data)).get(data) != simdjson::SUCCESS) {
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
  ++failed_;
  if (failures_.size() < kFailuresMax) failures_.push_back(std::move(failure));
  return true;
}

}  // namespace stele::api

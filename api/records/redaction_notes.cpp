#include "api/records/redaction_notes.h"

#include <iterator>
#include <mutex>

namespace stele::api {

RedactionNotes::Aggregate& RedactionNotes::begin(std::string_view aggregate_id) {
  Aggregate& aggregate = aggregates_[std::string(aggregate_id)];
  ++aggregate.standing.events;
  ++aggregate.standing.under_way;
  return aggregate;
}

const RedactionNotes::Aggregate* RedactionNotes::find(std::string_view aggregate_id) const {
  const auto found = aggregates_.find(aggregate_id);
  return found == aggregates_.end() ? nullptr : &found->second;
}

void RedactionNotes::requested_of_record(Position record, std::string_view aggregate_id, Note note) {
  const std::unique_lock lock(mutex_);
  (void)begin(aggregate_id);
  Note& newest = records_[record.value()];
  if (note.position > newest.position) newest = note;
}

void RedactionNotes::requested_of_aggregate(std::string_view aggregate_id, Position through, Note note) {
  const std::unique_lock lock(mutex_);
  std::map<Position, Note>& all = begin(aggregate_id).through;
  Note& newest = all[through];
  if (note.position > newest.position) newest = note;
  // One that reaches less far and is older counts for no record any more: retention adds one every day.
  for (auto at = all.begin(); at->first < through;) {
    at = at->second.position < newest.position ? all.erase(at) : std::next(at);
  }
}

void RedactionNotes::completed(std::string_view aggregate_id) {
  const std::unique_lock lock(mutex_);
  Aggregate& aggregate = aggregates_[std::string(aggregate_id)];
  ++aggregate.standing.events;
  if (aggregate.standing.under_way > 0) --aggregate.standing.under_way;
}

std::optional<RedactionNotes::Note> RedactionNotes::of(const RecordHeader& header) const {
  const std::shared_lock lock(mutex_);
  std::optional<Note> newest;
  const auto consider = [&newest](const Note& note) {
    if (!newest || note.position > newest->position) newest = note;
  };
  if (const auto found = records_.find(header.position.value()); found != records_.end()) consider(found->second);
  if (const Aggregate* const aggregate = find(header.aggregate_id)) {
    for (auto at = aggregate->through.lower_bound(header.position); at != aggregate->through.end(); ++at) {
      consider(at->second);
    }
  }
  return newest;
}

RedactionNotes::Standing RedactionNotes::standing(std::string_view aggregate_id) const {
  const std::shared_lock lock(mutex_);
  const Aggregate* const aggregate = find(aggregate_id);
  return aggregate == nullptr ? Standing{} : aggregate->standing;
}

bool RedactionNotes::keep_unless_changed(std::string_view aggregate_id, const Standing& since,
                                         const std::function<void()>& keep) const {
  const std::shared_lock lock(mutex_);
  const Aggregate* const aggregate = find(aggregate_id);
  const Standing now = aggregate == nullptr ? Standing{} : aggregate->standing;
  if (now != since || now.under_way > 0) return false;
  keep();
  return true;
}

}  // namespace stele::api

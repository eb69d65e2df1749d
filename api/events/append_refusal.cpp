#include "api/events/append_refusal.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "api/access/append_authorization.h"
#include "api/endpoint/store_refusal.h"
#include "api/json/json_text.h"
#include "api/json/json_writer.h"
#include "api/records/event_json.h"
#include "api/records/shown_versions.h"
#include "engine/base/uuid.h"

namespace stele::api {
namespace {

constexpr std::size_t kConflictingEventsMax = 10;

std::string json_string(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  return json;
}

/// The first events that stand in the way, as a JSON list, as far as the caller may see them.
class ConflictingEvents {
 public:
  ConflictingEvents(const ReadView& view, const Caller& caller, ReadBudget& budget, const EventNotes* notes)
      : view_(view), caller_(caller), budget_(budget), notes_(notes) {}

  void add(Position position) {
    if (found_.size() == kConflictingEventsMax || !view_.read(position, *next_)) return;
    take();
  }
  /// Those of an aggregate from a sequence number on.
  void add(const std::string& aggregate_id, SequenceNumber from) {
    EventQuery query;
    query.aggregate_id = aggregate_id;
    query.from_sequence = from;
    auto stream = view_.query(query, &budget_);
    if (!stream) return;
    while (found_.size() < kConflictingEventsMax) {
      const auto more = (*stream)->next(*next_);
      if (!more || !*more) return;
      take();
    }
  }
  [[nodiscard]] std::string finish() const {
    std::vector<const Record*> records;
    for (const auto& record : found_) records.push_back(record.get());
    const std::vector<Upcast> upcasts = upcast_events(records, shown_versions(notes_));
    std::string text;
    JsonWriter json(text);
    json.begin_array();
    for (std::size_t i = 0; i < records.size(); ++i) {
      append_event_json(json.value(), *records[i], DataForm::AsSent, notes_, upcasts.empty() ? nullptr : &upcasts[i]);
    }
    json.end_array();
    return text;
  }

 private:
  void take() {
    if (!caller_.may_see(next_->header())) return;
    found_.push_back(std::exchange(next_, std::make_unique<Record>()));
  }

  const ReadView& view_;
  const Caller& caller_;
  ReadBudget& budget_;
  const EventNotes* const notes_;
  std::vector<std::unique_ptr<const Record>> found_;
  std::unique_ptr<Record> next_ = std::make_unique<Record>();
};

/// Also for an aggregate that is not there. One that began after the caller's rights were checked may be another's.
bool may_see(const ReadView& view, const Caller& caller, const std::string& aggregate_id) {
  const auto aggregate = view.aggregate(aggregate_id);
  return aggregate && (!*aggregate || caller.may_see(**aggregate));
}

}  // namespace

Problem append_refusal(const Proposal& proposal, const AppendOutcome& outcome, const Caller& caller,
                       const ReadView& view, ReadBudget& budget, const EventNotes* notes) {
  using Kind = AppendOutcome::Kind;
  const std::size_t index = std::min<std::size_t>(outcome.event_index, proposal.events.size() - 1);
  const RecordDraft& draft = proposal.events[index];
  const auto placed = [&](Problem problem) {
    if (proposal.is_list) problem.member("eventIndex", std::to_string(index));
    return problem;
  };
  const auto id_is_taken = [&] {
    return placed(Problem("event-id-conflict", "The event id " + to_string(draft.event_id) +
                                                   " is taken by an event with other content or of another commit."))
        .member("eventId", json_string(to_string(draft.event_id)));
  };
  switch (outcome.kind) {
    case Kind::EventIdConflict:
      return id_is_taken();
    case Kind::EventRedacted:
      // Whether that event is one the caller may see was not compared.
      if (caller.is_limited()) return id_is_taken();
      return placed(Problem("event-redacted",
                            "The event id " + to_string(draft.event_id) + " is taken by an event that was redacted."))
          .member("eventId", json_string(to_string(draft.event_id)));
    case Kind::SequenceConflict: {
      const SequenceNumber expected = draft.expected_sequence.value_or(SequenceNumber{});
      ConflictingEvents conflicting(view, caller, budget, notes);
      conflicting.add(draft.aggregate_id, expected);
      return placed(Problem("sequence-conflict", "The event expected to be number " + std::to_string(expected.value()) +
                                                     " of its aggregate, which has " +
                                                     std::to_string(outcome.current.value()) + "."))
          .member("aggregateId", json_string(draft.aggregate_id))
          .member("currentSequenceNumber", std::to_string(outcome.current.value()))
          .member("expectedSequenceNumber", std::to_string(expected.value()))
          .member("conflictingEvents", conflicting.finish());
    }
    case Kind::ConditionFailed: {
      std::string mismatches;
      JsonWriter json(mismatches);
      json.begin_array();
      ConflictingEvents conflicting(view, caller, budget, notes);
      for (const Position position : outcome.conflicting) conflicting.add(position);
      for (const AppendOutcome::Mismatch& mismatch : outcome.mismatches) {
        if (!may_see(view, caller, mismatch.aggregate_id)) continue;
        json.begin_object().key("aggregateId").string(mismatch.aggregate_id);
        json.key("currentSequenceNumber").number(mismatch.current.value());
        const auto& conditions = proposal.condition.aggregates;
        const auto condition = std::find_if(conditions.begin(), conditions.end(), [&](const auto& each) {
          return each.aggregate_id == mismatch.aggregate_id;
        });
        if (condition != conditions.end()) {
          json.key("lastSequenceNumber");
          if (condition->last) {
            json.number(condition->last->value());
            if (mismatch.current > *condition->last) conflicting.add(mismatch.aggregate_id, condition->last->next());
          } else {
            json.plain("exists");
          }
        }
        json.end_object();
      }
      json.end_array();
      return Problem("condition-failed", outcome.mismatches.empty() ? "Events match that must not be there."
                                                                    : "An aggregate is not where the condition says.")
          .member("mismatches", std::move(mismatches))
          .member("conflictingEvents", conflicting.finish());
    }
    case Kind::AggregateTypeConflict:
      if (!caller.may_use_type(outcome.stored_aggregate_type)) return placed(foreign_type());
      return placed(Problem("aggregate-type-conflict",
                            "The aggregate was begun with another aggregateType, or with none."))
          .member("aggregateId", json_string(draft.aggregate_id))
          .member("storedAggregateType",
                  outcome.stored_aggregate_type ? json_string(*outcome.stored_aggregate_type) : "null");
    case Kind::AfterBeyondHead:
      return Problem("after-beyond-head",
                     "condition.after must be less than " + std::to_string(outcome.first.value()) + ".")
          .error({"pointer", "/condition/after", "No record has this position yet.", {}})
          .member("size", std::to_string(outcome.first.value()));
    case Kind::ConditionTooCostly:
      return Problem("invalid-event", "The condition takes too much work to check. Nothing was stored.")
          .error({"pointer",
                  "/condition/failIfEventsMatch",
                  "Whether events match all of this would have to be looked for among too many: name rarer values, or "
                  "a later `after`.",
                  {}});
    default:
      return store_refusal(outcome.kind);
  }
}

}  // namespace stele::api

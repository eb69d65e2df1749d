#include "engine/commit/resolution.h"

#include <algorithm>

#include "engine/index/position_stream.h"

namespace stele {
namespace {

bool any_of(const std::vector<std::string>& wanted, std::optional<std::string_view> value) {
  return wanted.empty() || (value && std::find(wanted.begin(), wanted.end(), *value) != wanted.end());
}

std::unique_ptr<PositionStream> stream_of(const EventMatch& match, StreamRange range) {
  std::vector<std::unique_ptr<PositionStream>> terms;
  const auto add = [&](KeyKind kind, const std::vector<std::string>& keys) {
    if (keys.empty()) return;
    std::vector<std::unique_ptr<PositionStream>> choices;
    for (const std::string& key : keys) choices.push_back(positions_with(range, IndexKey{kind, key}));
    terms.push_back(union_of(range.direction, std::move(choices)));
  };
  add(KeyKind::Aggregate, match.aggregate_ids);
  add(KeyKind::EventType, match.event_types);
  add(KeyKind::AggregateType, match.aggregate_types);
  add(KeyKind::User, match.user_ids);
  return terms.empty() ? all_positions(range) : intersection_of(range, std::move(terms));
}

}  // namespace

Result<std::vector<Position>> find_matches(const std::vector<EventMatch>& matches, const IndexView& view, Position begin,
                                           Position end) {
  // Position 0 is the genesis record, which is no event.
  const StreamRange range{&view, std::max(begin, Position{1}), end, Direction::Ascending};
  std::vector<Position> found;
  for (const EventMatch& match : matches) {
    const auto stream = stream_of(match, range);
    std::size_t own = 0;
    for (Position from = range.begin; own < kConflictsMax; ++own) {
      STELE_ASSIGN(const std::optional<Position> at, stream->seek(from));
      if (!at) break;
      found.push_back(*at);
      from = at->next();
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (found.size() > kConflictsMax) found.resize(kConflictsMax);
  return found;
}

bool matches_any(const std::vector<EventMatch>& matches, const RecordHeader& header) {
  return std::any_of(matches.begin(), matches.end(), [&](const EventMatch& match) {
    return any_of(match.event_types, header.event_type) && any_of(match.aggregate_types, header.aggregate_type) &&
           any_of(match.aggregate_ids, header.aggregate_id) && any_of(match.user_ids, header.user_id);
  });
}

namespace {

/// The newest part answers for what it has, whenever it is asked.
Result<std::optional<AggregateHead>> head_before_newest(const IndexView& view, std::string_view aggregate_id) {
  if (view.newest().has_aggregate(aggregate_id)) return std::optional<AggregateHead>{};
  return view.sealed_head(aggregate_id);
}

}  // namespace

Result<Resolution> resolve(const Proposal& proposal, const IndexSet::Snapshot& index, Position durable_end) {
  const IndexView& view = *index.view;
  Resolution resolution;
  resolution.newest = index.newest;
  resolution.checked_end = std::max(durable_end, view.sealed_end());
  if (view.part_count() > 1) {
    const std::size_t count = proposal.events.size();
    for (std::size_t i = 0; i < count; ++i) {
      const EventDraft& event = proposal.events[i];
      STELE_ASSIGN(const std::optional<Position> duplicate, view.find_sealed_event(event.event_id));
      if (duplicate) {
        resolution.duplicates.resize(count);
        resolution.duplicates[i] = duplicate;
      }
      STELE_ASSIGN(std::optional<AggregateHead> head, head_before_newest(view, event.aggregate_id));
      if (head) {
        resolution.heads.resize(count);
        resolution.heads[i] = std::move(head);
      }
    }
    for (const AggregateCondition& condition : proposal.condition.aggregates) {
      STELE_ASSIGN(std::optional<AggregateHead> head, head_before_newest(view, condition.aggregate_id));
      resolution.condition_heads.push_back(std::move(head));
    }
  }
  const Condition& condition = proposal.condition;
  if (!condition.fail_if_events_match.empty()) {
    const Position begin = condition.after ? condition.after->next() : Position{0};
    STELE_ASSIGN(resolution.conflicting,
                 find_matches(condition.fail_if_events_match, view, begin, resolution.checked_end));
  }
  return resolution;
}

}  // namespace stele
